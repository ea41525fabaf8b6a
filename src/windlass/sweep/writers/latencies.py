"""Says how long answers took: in words, in percentiles, and as places on a logarithmic axis. Pure arithmetic for the report's chart."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_LEVELS = (0, 1, -1, 2, -2, 3, -3)
"""Where dots that would hide each other are put: steps above and below the line."""


@dataclass(frozen=True, kw_only=True)
class Dot:
    """One answer on the axis: `x` in percent of its width, `level` in steps off its line."""

    x: str
    level: int
    passed: bool
    label: str


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """All answers on one axis. `ticks` are (x, label), `marks` (x, name, time) of median and 95th percentile."""

    dots: tuple[Dot, ...]
    ticks: tuple[tuple[str, str], ...]
    marks: tuple[tuple[str, str, str], ...]
    slowest: tuple[tuple[str, str, str, bool], ...]
    """(task type, share of the slowest, time, passed) of the slowest twelve."""


def distribution(answers: Sequence[tuple[float, bool, str]]) -> Distribution | None:
    """The distribution of (milliseconds, passed, task type); None when nothing was answered."""
    if not answers:
        return None
    ordered = sorted(answers, key=lambda answer: (answer[0], answer[2]))
    times = [max(milliseconds, 0.1) for milliseconds, _, _ in ordered]
    low, high = math.floor(math.log10(times[0])), math.ceil(math.log10(times[-1]))
    high = max(high, low + 1)

    def place(milliseconds: float) -> float:
        return 2 + 96 * (math.log10(milliseconds) - low) / (high - low)

    taken: Counter[int] = Counter()
    dots = []
    for time, (_, passed, task_type) in zip(times, ordered, strict=True):
        slot = round(place(time) / 1.4)
        dots.append(Dot(x=f"{place(time):.2f}%", level=_LEVELS[taken[slot] % len(_LEVELS)], passed=passed, label=f"{task_type} {spoken(time)}"))
        taken[slot] += 1
    marks = [("median", percentile(times, 0.5)), ("95 %", percentile(times, 0.95))]
    return Distribution(
        dots=tuple(dots),
        ticks=tuple((f"{place(tick):.2f}%", spoken(tick)) for tick in _ticks(low, high)),
        marks=tuple((f"{place(time):.2f}%", name, spoken(time)) for name, time in marks),
        slowest=tuple((task_type, f"{100 * time / times[-1]:.2f}%", spoken(time), passed) for time, passed, task_type in ordered[:-13:-1]),
    )


def _ticks(low: int, high: int) -> list[float]:
    """The powers of ten from 10^low to 10^high; with room for more, also their double and their fivefold."""
    steps = (1, 2, 5) if high - low <= 2 else (1,)
    return [step * 10.0**power for power in range(low, high) for step in steps] + [10.0**high]


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value at or below which this share of the ordered values lies (nearest rank)."""
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def spoken(milliseconds: float | None) -> str:
    """`0.4 ms`, `64 ms`, `1.92 s`, `2 min 5 s`; a dash where nothing was measured."""
    if milliseconds is None:
        return "–"
    if milliseconds < 9.95:
        return f"{milliseconds:.1f}".removesuffix(".0") + " ms"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 59_950:
        return f"{milliseconds / 1000:.2f}".rstrip("0").rstrip(".") + " s"
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    return f"{minutes} min {seconds} s"
