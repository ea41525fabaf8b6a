"""What a person reads of a sweep in a terminal, before and after. Everything that an agent said is made harmless first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from windlass.infra.escapes import terminal
from windlass.sweep import conduct
from windlass.sweep.writers import terminal as lines

if TYPE_CHECKING:
    from windlass.sweep.conduct import Place
    from windlass.sweep.plan import Plan
    from windlass.sweep.run import Access

MOST_FAILURES = 40


def opening(plan: Plan, access: Access, place: Place) -> str:
    """Who is swept, through whom, and where the evidence goes."""
    swept = f"{counted(len(plan.fleet.agents), 'agent')}, {counted(len(plan.cells), 'task type')}"
    return f"Sweep of {terminal(plan.fleet.name)}: {swept}, through {access.orchestrator_url}\n  evidence  {place.directory}"


def counted(number: int, what: str) -> str:
    """`1 agent`, `2 agents`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def closing(sweep: Mapping[str, Any], place: Place) -> Iterator[str]:
    """The failures, the gates, where the report is, and the seed's last line."""
    yield from failures(sweep)
    yield f"report      {place.directory / 'report.html'}"
    yield f"gates       {lines.gates(sweep)}"
    yield conduct.summary_line(sweep)


def failures(sweep: Mapping[str, Any]) -> Iterator[str]:
    """Two lines per failed row, of the first so many; then what the door let in."""
    found = lines.failures(sweep)
    yield from found[: 2 * MOST_FAILURES]
    if len(found) > 2 * MOST_FAILURES:
        yield f"… and {len(found) // 2 - MOST_FAILURES} more; the report has them all"


def table(sweep: Mapping[str, Any]) -> Iterator[str]:
    """Every row in one line, then the gates."""
    yield f"{'task type':<36} {'rung':<11} {'latency':>9}  verdict"
    for row in sweep["rows"]:
        latency = f"{row['latency_ms']:.0f} ms" if row["latency_ms"] is not None else "–"
        yield terminal(f"{row['task_type']:<36} {row['rung']:<11} {latency:>9}  {row['pass_fail']} {row['failure_class'] or ''}")
    yield f"gates       {lines.gates(sweep)}"
    yield conduct.summary_line(sweep)


def judged_again(sweep: Mapping[str, Any], before: Mapping[str, Any] | None, missing: list[str]) -> Iterator[str]:
    """What judging again changed, if anything."""
    yield from failures(sweep)
    if missing:
        yield f"note: {len(missing)} bodies are not carried; their rows keep the verdict they had"
    old = {row["task_type"]: (row["rung"], row["failure_class"]) for row in (before or {"rows": []})["rows"]}
    changed = [row for row in sweep["rows"] if old.get(row["task_type"], (row["rung"], row["failure_class"])) != (row["rung"], row["failure_class"])]
    for row in changed:
        was, why = old[row["task_type"]]
        yield terminal(f"changed: {row['task_type']} was {was} {why or ''}, is {row['rung']} {row['failure_class'] or ''}")
    if before is not None and not changed:
        yield "every row is judged as it was"
    yield f"gates       {lines.gates(sweep)}"
    yield conduct.summary_line(sweep)
