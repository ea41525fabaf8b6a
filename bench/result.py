"""What a benchmark found: measured series, what they add up to, and whether each target is met; and how a terminal shows it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Series:
    """One thing measured several times. Lives as long as the report."""

    what: str
    unit: str
    values: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)


@dataclass(frozen=True, kw_only=True)
class Target:
    """A figure and the bound that it must keep; `at_most` says on which side of the bound it has to be."""

    what: str
    figure: float
    bound: float
    unit: str
    at_most: bool = True

    @property
    def met(self) -> bool:
        return self.figure <= self.bound if self.at_most else self.figure >= self.bound


@dataclass(frozen=True, kw_only=True)
class Result:
    """Everything that one benchmark has to say."""

    name: str
    measures: str
    """One or two sentences: what ran against what, and what they shared."""
    series: Sequence[Series]
    targets: Sequence[Target]
    notes: Sequence[str] = ()

    def document(self) -> dict[str, Any]:
        """The result as JSON values."""
        return {
            "name": self.name,
            "measures": self.measures,
            "series": [{"what": one.what, "unit": one.unit, "median": one.median, "values": list(one.values)} for one in self.series],
            "targets": [
                {"what": one.what, "figure": one.figure, "bound": one.bound, "at_most": one.at_most, "unit": one.unit, "met": one.met}
                for one in self.targets
            ],
            "notes": list(self.notes),
        }

    def table(self) -> str:
        """The result for a person: medians with their range, then each target with its figure."""
        wide = max((len(what) for what in [one.what for one in self.series] + [one.what for one in self.targets]), default=0) + 2
        lines = [f"{self.name}: {self.measures}", "", f"  {'':{wide}}{'median':>12}{'least':>12}{'most':>12}{'n':>5}"]
        lines += [
            f"  {one.what:{wide}}{_number(one.median, one.unit):>12}{_number(min(one.values), one.unit):>12}"
            f"{_number(max(one.values), one.unit):>12}{len(one.values):>5}"
            for one in self.series
        ]
        lines += [
            f"  {one.what:{wide}}{_number(one.figure, one.unit):>12}   target {'≤' if one.at_most else '≥'} {_number(one.bound, one.unit)}"
            f"   {'met' if one.met else 'NOT MET'}"
            for one in self.targets
        ]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def _number(value: float, unit: str) -> str:
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2
    return f"{value:,.{digits}f} {unit}"
