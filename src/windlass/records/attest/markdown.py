"""A run as a Markdown page, for a pull request or a step summary: its gates, what failed, its files, what it cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from windlass.infra import instants
from windlass.infra.escapes import markdown, markdown_code
from windlass.records.attest import spoken
from windlass.records.attest.told import Attempt, Gate, Story

MOST_ROWS = 500
"""Rows of one table; a page that nobody can open helps nobody, and says so."""


def render(story: Story) -> str:
    """The page, CommonMark with tables; its last line names the journal's head alone."""
    workflow = story.run.started.workflow
    blocks = [
        f"# {markdown(workflow.name)} {markdown(workflow.slug)}: {story.status}",
        _when(story),
        _table(("Gate", "Result", "Attempts", "Agent", "Took", "Checks", "Approved by"), [_gate(gate) for gate in story.gates]),
        *_section("What is wrong", ("Gate", "Check", "Code", "Why"), _wrong(story)),
        *_section("Earlier attempts that failed", ("Gate", "Attempt", "Agent", "Why"), _earlier(story)),
        *_section("Files", ("File", "Gate", "Size", "SHA-256"), _files(story)),
        *_section("Invocations", ("Agent", "Model", "Gate", "Result", "Took", "Tokens in", "Tokens out", "Cost"), _invocations(story)),
        f"Record {story.verdict}, {story.entries} entries, head `{story.head}`",
    ]
    return "\n\n".join(blocks) + "\n"


def _when(story: Story) -> str:
    started = story.run.started
    facts = {
        "Run": story.run_id,
        "depth": started.depth,
        "started": started.at,
        "finished": instants.stamp(story.finished_at) if story.finished_at else "not yet",
        "commit": started.git_commit or "none",
    }
    told = ", ".join(f"{name} {markdown_code(str(value))}" for name, value in facts.items())
    spent = spoken.cost(story.cost)
    return f"{told}; took {spoken.duration(story.took_ms)}" + (f"; {markdown(spent)}" if spent else "") + "."


def _gate(gate: Gate) -> Sequence[str]:
    newest = gate.newest
    result = {"PASS": "PASS", "NOT_STARTED": "**NOT RUN**"}.get(gate.status, f"**{gate.status}**")
    name = f"**{markdown(gate.gate)}** {markdown(gate.name)}"
    if newest is None:
        return (name, result, "0", "", "", "", "")
    passed = sum(check.outcome == "passed" for check in newest.checks)
    checks = f"{passed} of {len(newest.checks)}" + (" (out of order)" if newest.out_of_order else "")
    approved = ", ".join(markdown(approval.who) for approval in newest.approvals)
    return (name, result, str(len(gate.attempts)), markdown(newest.agent), spoken.duration(newest.took_ms), checks, approved)


def _wrong(story: Story) -> Iterator[Sequence[str]]:
    for gate in story.gates:
        newest = gate.newest
        for check in newest.troubles if newest else ():
            yield markdown(gate.gate), markdown(check.name), markdown(check.rule), markdown(f"{_lenient(check.outcome)}{check.says}")
        if newest and newest.status == "FAIL" and all(check.outcome != "failed" for check in newest.checks):
            yield markdown(gate.gate), "the gate", markdown("GATE_FAILED"), markdown(newest.failure_reason or "")


def _lenient(outcome: str) -> str:
    return "warning: " if outcome == "warned" else ""


def _earlier(story: Story) -> Iterator[Sequence[str]]:
    failed: list[Attempt] = [attempt for gate in story.gates for attempt in gate.attempts[:-1] if attempt.status == "FAIL"]
    for attempt in failed:
        yield markdown(attempt.gate), str(attempt.number), markdown(attempt.agent), markdown(attempt.failure_reason or "")


def _files(story: Story) -> Iterator[Sequence[str]]:
    for attempt, artifact in story.newest_artifacts():
        yield markdown(artifact.resolved_path), markdown(attempt.gate), spoken.size(artifact.size), f"`{artifact.sha256}`"


def _invocations(story: Story) -> Iterator[Sequence[str]]:
    for one in story.run.invocations:
        spent = (spoken.tokens(one.tokens_in), spoken.tokens(one.tokens_out), "–" if one.cost_usd is None else f"{one.cost_usd:.4f} USD")
        yield markdown(one.agent), markdown(one.model), markdown(one.gate), one.status, spoken.duration(one.duration_ms), *spent


def _section(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    found = list(rows)
    if not found:
        return []
    cut = [f"{len(found) - MOST_ROWS} more are in the record."] if len(found) > MOST_ROWS else []
    return [f"## {title}", _table(header, found[:MOST_ROWS]), *cut]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, ["---"] * len(header), *rows))
