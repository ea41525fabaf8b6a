"""Small charts over the time of a cycle, as corners of SVG lines. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

WIDTH, HEIGHT = 320.0, 64.0
MOST_POINTS = 240
"""Of a longer series each point is the highest of its neighbours: a peak is never lost."""
Point = tuple[float, float | None]
"""Seconds, and what was measured then; None where it was not told."""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One series, drawn. Lives as long as its page."""

    name: str
    unit: str
    lines: tuple[str, ...]
    """Corners of each stretch that was measured without a gap."""
    top: float
    """What the upper edge means; the lower one is zero."""
    last: float | None
    peak: float | None
    limit: float | None = None
    limit_y: float = 0.0


def chart(name: str, unit: str, points: Sequence[Point], span_s: float, *, top: float = 1.0, limit: float | None = None) -> Chart:
    """The chart of a series over `span_s` seconds; its upper edge is `top`, or a round number above the peak where that is higher."""
    known = [value for _, value in points if value is not None]
    highest = max(known, default=0.0)
    edge = top if highest <= top else _round_above(highest)
    return Chart(
        name=name,
        unit=unit,
        lines=tuple(_lines(thinned(points), lambda at_s: _x(at_s, span_s), lambda value: _y(value, edge))),
        top=edge,
        last=round(known[-1], 1) if known else None,
        peak=round(max(known), 1) if known else None,
        limit=limit,
        limit_y=0.0 if limit is None else _y(limit, edge),
    )


def stretch(seconds: Sequence[float], span_s: float) -> tuple[float, float] | None:
    """Where the first of these moments stands and how wide the time to the last of them is; None where there are none."""
    if not seconds:
        return None
    first, last = _x(min(seconds), span_s), _x(max(seconds), span_s)
    return round(first, 1), round(max(last - first, 1.0), 1)


def thinned(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """At most so many points; of each row of neighbours the highest one stays."""
    size = math.ceil(len(points) / most) if points else 1
    rows = [points[at : at + size] for at in range(0, len(points), size)]
    return [max(row, key=lambda point: -1.0 if point[1] is None else point[1]) for row in rows]


def _lines(points: Sequence[Point], x: Callable[[float], float], y: Callable[[float], float]) -> Iterator[str]:
    for is_known, row in groupby(points, key=lambda point: point[1] is not None):
        if is_known:
            corners = [f"{x(at_s):.1f},{y(value):.1f}" for at_s, value in row if value is not None]
            yield " ".join(corners if len(corners) > 1 else corners * 2)  # a line of no length, whose round ends show


def _x(at_s: float, span_s: float) -> float:
    return min(at_s / span_s, 1.0) * WIDTH if span_s > 0 else 0.0


def _y(value: float, top: float) -> float:
    return HEIGHT - min(value, top) / top * HEIGHT


def _round_above(value: float) -> float:
    """1, 2 or 5 times a power of ten, not below the value, which is above zero; the value itself where rounding leaves none."""
    power = 10.0 ** math.floor(math.log10(value))
    return next((step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= value), value)
