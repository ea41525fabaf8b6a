"""A run as lines for a terminal or a build log; what a stranger said can't colour, move, reorder or command anything."""

from __future__ import annotations

from collections.abc import Iterator

from windlass.infra.escapes import columns, terminal
from windlass.records.attest import spoken
from windlass.records.attest.told import Attempt, Gate, Story

WIDTH = 160
MOST_TROUBLES = 40
"""Checks of one attempt that are told one by one."""
_WORDS = {"PASS": "PASS", "FAIL": "FAIL", "RUNNING": "RUNNING", "NOT_STARTED": "NOT RUN"}


def lines(story: Story) -> list[str]:
    """The whole report."""
    return [terminal(line, WIDTH) for line in _lines(story)] + [_end(story)]


def _lines(story: Story) -> Iterator[str]:
    started, workflow = story.run.started, story.run.started.workflow
    yield f"{story.run_id}  {story.status}"
    yield f"  {workflow.name} {workflow.version}  slug {workflow.slug}  path {workflow.artifact_path}  depth {started.depth}"
    until = story.finished_at or story.ended_at
    yield f"  {started.at} to {until:%Y-%m-%dT%H:%M:%SZ}{'' if story.finished_at else ' (not completed)'}, {spoken.duration(story.took_ms)}"
    yield ""
    wide = max((columns(gate.gate) for gate in story.gates), default=0)
    for gate in story.gates:
        yield from _gate(gate, wide)
    for window in story.windows:
        ended = f"{window.state}: {window.reason}" if window.reason else f"{window.state}, its end is not recorded"
        yield f"window  {window.window_id}  {', '.join(window.services)}  {ended}"
    spent = spoken.cost(story.cost)
    if spent:
        yield f"spent   {spent}, {spoken.duration(story.cost.duration_ms)} in all"


def _gate(gate: Gate, wide: int) -> Iterator[str]:
    name = gate.gate + " " * (wide - columns(gate.gate))
    if not gate.attempts:
        yield f"NOT RUN  {name}  {gate.name}"
    for attempt in gate.attempts:
        word = f"{_WORDS[attempt.status]:<7}"
        counted = f"attempt {attempt.number}" if len(gate.attempts) > 1 else ""
        passed = sum(check.outcome == "passed" for check in attempt.checks)
        facts = [gate.name, counted, attempt.agent, spoken.duration(attempt.took_ms), f"{passed} of {spoken.counted(len(attempt.checks), 'check')}"]
        facts += ["out of order"] if attempt.out_of_order else []
        yield f"{word}  {name}  {'  '.join(fact for fact in facts if fact)}"
        yield from _below(attempt, " " * (wide + 11))


def _below(attempt: Attempt, indent: str) -> Iterator[str]:
    if attempt.failure_reason and not any(check.outcome == "failed" for check in attempt.checks):
        yield f"{indent}{attempt.failure_reason}"
    for check in attempt.troubles[:MOST_TROUBLES]:
        yield f"{indent}{'failed ' if check.outcome == 'failed' else 'warning'}  {check.rule}  {check.name}  {check.says}"
    if len(attempt.troubles) > MOST_TROUBLES:
        yield f"{indent}… and {len(attempt.troubles) - MOST_TROUBLES} more"
    for approval in attempt.approvals:
        yield f"{indent}approved by {approval.who} ({approval.key_id})"
    spent = spoken.cost(attempt.cost)
    if spent:
        yield f"{indent}{spent}"


def _end(story: Story) -> str:
    return f"record  {story.verdict}, {story.entries} entries, head {story.head}"
