"""Rules that find in the figures of measured calls what is worth a look, and name the numbers that say so. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from windlass.agents import measurements
from windlass.agents.agent import Item
from windlass.agents.measurements import Measured

DOMINANT_SHARE = 0.5
"""Share of all time (or cost) from which one operation of several is where to look first."""
TAIL_RATIO = 5.0
TAIL_COUNT = 20
"""p99 over p50 from which the tail is long, and the measurements it takes to say so."""
ERROR_RATE = 0.05
WASTED_SHARE = 0.1
"""Share of an operation's calls that fail, and of all time spent in failed calls, from which failures are worth a look."""


class Recommendation(Item):
    """A rule that found something: the sentence, the numbers it rests on, and what usually helps."""

    rule: Literal["dominant_time", "dominant_cost", "long_tail", "failing", "wasted_time"]
    operation: str | None
    finding: str
    numbers: dict[str, float]
    suggestion: str


def of_operation(operation: str, figures: Measured, time_share: float, cost_share: float | None, *, several: bool) -> Iterator[Recommendation]:
    """What the rules find in one operation; it can only dominate where there are `several`."""
    if several and time_share >= DOMINANT_SHARE:
        yield Recommendation(
            rule="dominant_time",
            operation=operation,
            finding=f"{operation} takes {time_share:.1%} of all time ({figures.count} calls, {figures.mean_ms:g} ms on average)",
            numbers={"time_share": time_share, "total_ms": figures.total_ms, "count": figures.count, "mean_ms": figures.mean_ms},
            suggestion="look here first: fewer calls (cache, batch) or a faster one",
        )
    if several and cost_share is not None and figures.cost is not None and cost_share >= DOMINANT_SHARE:
        yield Recommendation(
            rule="dominant_cost",
            operation=operation,
            finding=f"{operation} makes {cost_share:.1%} of all cost ({figures.cost:g})",
            numbers={"cost_share": cost_share, "cost": figures.cost},
            suggestion="look here first: cache, a cheaper tier, fewer calls",
        )
    if figures.count >= TAIL_COUNT and figures.p50_ms > 0 and figures.p99_ms / figures.p50_ms >= TAIL_RATIO:
        yield Recommendation(
            rule="long_tail",
            operation=operation,
            finding=f"the slowest hundredth of {operation} takes {figures.p99_ms:g} ms and more, half of it at most {figures.p50_ms:g} ms",
            numbers={"p50_ms": figures.p50_ms, "p99_ms": figures.p99_ms, "count": figures.count},
            suggestion="look for waits rather than work: locks, retries, cold starts, queues",
        )
    if figures.error_rate >= ERROR_RATE:
        yield Recommendation(
            rule="failing",
            operation=operation,
            finding=f"{figures.errors} of {figures.count} calls of {operation} fail ({figures.error_rate:.1%})",
            numbers={"error_rate": figures.error_rate, "errors": figures.errors, "count": figures.count},
            suggestion="read the errors before tuning: a failing call's time says little",
        )


def of_all(overall: Measured) -> Iterator[Recommendation]:
    """What the rules find in all calls together."""
    wasted = measurements.share(overall.failed_ms, overall.total_ms)
    if wasted is not None and wasted >= WASTED_SHARE:
        yield Recommendation(
            rule="wasted_time",
            operation=None,
            finding=f"{wasted:.1%} of all time ({overall.failed_ms:g} of {overall.total_ms:g} ms) goes into calls that fail",
            numbers={"failed_share": wasted, "failed_ms": overall.failed_ms, "total_ms": overall.total_ms},
            suggestion="fail earlier: shorter timeouts, a circuit breaker, checks before the call",
        )
