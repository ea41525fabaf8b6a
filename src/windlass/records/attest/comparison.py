"""What differs between two runs. Pure.

How long a run took and what it cost differ always and are told beside the rest; they make no two runs different.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, Literal

from windlass.infra.escapes import terminal
from windlass.records.attest import spoken
from windlass.records.attest.told import Gate, Story

SCHEMA_VERSION = 1
MOST_SHOWN = 60
"""Lines of one kind that a terminal is given; `--json` has them all."""
Kind = Literal["added", "removed", "changed"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that differs: where (`gate G2 status`, `artifact a.md`), and what it was and is; None for what is not there."""

    kind: Kind
    where: str
    was: str | None
    now: str | None

    def __str__(self) -> str:
        """`changed  gate G2 status: PASS, FAIL`."""
        told = {"added": self.now, "removed": self.was, "changed": f"{self.was} became {self.now}"}[self.kind]
        return f"{self.kind:<8} {self.where}: {told}"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number of both runs that may differ between any two: milliseconds, tokens, dollars. None where nobody said."""

    what: str
    was: str | None
    now: str | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two runs, compared: `changes` make them different, `measures` do not."""

    one: str
    other: str
    changes: tuple[Change, ...]
    measures: tuple[Measure, ...]

    @property
    def same(self) -> bool:
        """Whether both did the same to the same under the same rules, with the same verdicts."""
        return not self.changes

    def as_json(self) -> dict[str, Any]:
        """The comparison as plain JSON values."""
        return {"schema_version": SCHEMA_VERSION, "same": self.same, **asdict(self)}


def compare(one: Story, other: Story) -> Comparison:
    """The comparison from `one` to `other`."""
    return Comparison(
        one=one.run_id,
        other=other.run_id,
        changes=tuple(_changes(_facts(one), _facts(other))),
        measures=tuple(_measures(one, other)),
    )


def lines(comparison: Comparison) -> Iterator[str]:
    """The comparison for a terminal."""
    kinds: Counter[str] = Counter()
    for change in comparison.changes:
        kinds[change.kind] += 1
        if kinds[change.kind] <= MOST_SHOWN:
            yield terminal(str(change), 400)
    for kind, number in kinds.items():
        if number > MOST_SHOWN:
            yield f"{kind:<8} … and {number - MOST_SHOWN} more; --json has them all"
    for measure in comparison.measures:
        yield terminal(f"         {measure.what}: {measure.was or '–'} and {measure.now or '–'}")
    counted = spoken.counted(len(comparison.changes), "difference")
    yield "same" if comparison.same else f"{counted}: {', '.join(f'{number} {kind}' for kind, number in kinds.items())}"


def _changes(was: Mapping[str, str | None], now: Mapping[str, str | None]) -> Iterator[Change]:
    """Differences in the order of the first run's facts, then those that only the second has. A fact of None counts as absent."""
    for where in [*was, *(where for where in now if where not in was)]:
        before, after = was.get(where), now.get(where)
        if before != after:
            kind: Kind = "added" if before is None else "removed" if after is None else "changed"
            yield Change(kind=kind, where=where, was=before, now=after)


def _facts(story: Story) -> dict[str, str | None]:
    """Everything that makes a run what it is, one text each, in a fixed order."""
    started = story.run.started
    facts: dict[str, str | None] = {
        "workflow": started.workflow.name,
        "workflow version": started.workflow.version,
        "workflow sha256": started.workflow_sha256,
        "slug": started.workflow.slug,
        "artifact path": started.workflow.artifact_path,
        "depth": started.depth,
        "topic": started.topic_sha256 or started.prompt,
        "git commit": started.git_commit,
        "status": story.status,
    }
    for gate in story.gates:
        facts |= _gate(gate)
    for _, artifact in story.newest_artifacts():
        facts[f"artifact {artifact.resolved_path}"] = artifact.sha256
    return facts


def _gate(gate: Gate) -> dict[str, str | None]:
    name, newest = f"gate {gate.gate}", gate.newest
    facts: dict[str, str | None] = {f"{name} status": gate.status, f"{name} attempts": str(len(gate.attempts))}
    if newest is None:
        return facts
    facts[f"{name} agent"] = newest.agent
    facts[f"{name} contract"] = newest.contract_sha256
    facts[f"{name} failure reason"] = newest.failure_reason
    facts[f"{name} approved by"] = ", ".join(sorted(approval.who for approval in newest.approvals)) or None
    seen: Counter[str] = Counter()
    for check in newest.checks:
        seen[check.name] += 1
        numbered = f" #{seen[check.name]}" if seen[check.name] > 1 else ""
        facts[f"{name} check {check.name}{numbered}"] = check.outcome + (f" ({check.code})" if check.code else "")
    return facts


def _measures(one: Story, other: Story) -> Iterator[Measure]:
    yield _measure("took", spoken.duration(one.took_ms), spoken.duration(other.took_ms))
    mine, theirs = ({gate.gate: gate for gate in story.gates} for story in (one, other))
    for name in [*mine, *(name for name in theirs if name not in mine)]:
        yield _measure(f"gate {name} took", *(_took(gates.get(name)) for gates in (mine, theirs)))
    yield from _spent(one, other)


def _spent(one: Story, other: Story) -> Iterator[Measure]:
    was, now = one.cost, other.cost
    if not was.invocations and not now.invocations:
        return
    yield _measure("invocations", str(was.invocations), str(now.invocations))
    yield _measure("tokens in", _number(was.tokens_in), _number(now.tokens_in))
    yield _measure("tokens out", _number(was.tokens_out), _number(now.tokens_out))
    yield _measure("cost", _dollars(was.cost_usd), _dollars(now.cost_usd))


def _took(gate: Gate | None) -> str | None:
    """All attempts of a gate together."""
    times = [attempt.took_ms for attempt in gate.attempts if attempt.took_ms is not None] if gate else []
    return spoken.duration(sum(times)) if times else None


def _measure(what: str, was: str | None, now: str | None) -> Measure:
    return Measure(what=what, was=was, now=now)


def _number(number: int | None) -> str | None:
    return None if number is None else f"{number:,}"


def _dollars(amount: Decimal | None) -> str | None:
    return None if amount is None else spoken.dollars(amount)
