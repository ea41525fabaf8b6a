"""The figures of measured calls: percentiles, rates, cost and the time they span.

Percentiles interpolate linearly between the two nearest measurements (NumPy's default, Hyndman and Fan's type 7).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Annotated

from pydantic import AfterValidator, Field, JsonValue

from windlass.agents.agent import Item
from windlass.infra import instants

Text = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"\S")]
Amount = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]


def _instant(text: str) -> str:
    instants.parse(text)
    return text


class Span(Item):
    """One measured call; `error` is true or a message where it failed. Keys of the caller's own go into `attributes`."""

    operation: Text
    duration_ms: Amount
    timestamp: Annotated[str, Field(max_length=64), AfterValidator(_instant)] | None = None
    error: bool | str | None = None
    cost: Amount | None = None
    attributes: dict[str, JsonValue] = Field(default_factory=dict)


class Measured(Item):
    """The figures of some calls: milliseconds, shares and rates from 0 to 1; `cost` is null where no call states one."""

    count: int
    errors: int
    error_rate: float
    total_ms: float
    failed_ms: float
    mean_ms: float
    min_ms: float
    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    cost: float | None
    calls_with_cost: int


class Window(Item):
    """From the first to the last timestamp; `per_second` is calls with a timestamp over that time, null when it is 0."""

    first: str
    last: str
    seconds: float
    per_second: float | None


def figures(spans: Sequence[Span]) -> Measured:
    """The figures of these calls, at least one; rounded to nine decimals."""
    durations = sorted(span.duration_ms for span in spans)
    failed = [span.duration_ms for span in spans if span.error]
    costs = [span.cost for span in spans if span.cost is not None]
    total = math.fsum(durations)
    return Measured(
        count=len(durations),
        errors=len(failed),
        error_rate=_round(len(failed) / len(durations)),
        total_ms=_round(total),
        failed_ms=_round(math.fsum(failed)),
        mean_ms=_round(total / len(durations)),
        min_ms=_round(durations[0]),
        p50_ms=_percentile(durations, 50),
        p90_ms=_percentile(durations, 90),
        p95_ms=_percentile(durations, 95),
        p99_ms=_percentile(durations, 99),
        max_ms=_round(durations[-1]),
        cost=_round(math.fsum(costs)) if costs else None,
        calls_with_cost=len(costs),
    )


def _percentile(ordered: Sequence[float], percent: int) -> float:
    whole, rest = divmod((len(ordered) - 1) * percent, 100)
    below, above = ordered[whole], ordered[min(whole + 1, len(ordered) - 1)]
    return _round(below + (above - below) * rest / 100)


def window(spans: Iterable[Span]) -> Window | None:
    """The time from the first to the last timestamp; None where no call has one."""
    stamps = sorted(instants.parse(span.timestamp) for span in spans if span.timestamp is not None)
    if not stamps:
        return None
    seconds = (stamps[-1] - stamps[0]).total_seconds()
    per_second = _round(len(stamps) / seconds) if seconds else None
    return Window(first=instants.stamp(stamps[0]), last=instants.stamp(stamps[-1]), seconds=seconds, per_second=per_second)


def share(part: float, whole: float) -> float | None:
    """`part` of `whole`, from 0 to 1; None of nothing."""
    return _round(part / whole) if whole else None


def _round(number: float) -> float:
    return round(number, 9)
