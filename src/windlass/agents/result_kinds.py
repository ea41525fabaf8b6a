"""The results that can be recomputed, as a caller states them, and the measures of each. Pure.

Figures may be numbers or their digits as text; `"2.20"` keeps the decimals that 2.2 loses, and the checks of what was reported use them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from windlass.agents import correlations, mean_tests, proportions, reported, stated
from windlass.agents.agent import Item
from windlass.agents.figures import Measures
from windlass.agents.mean_tests import Group
from windlass.agents.reported import Relation, Report, Statistic
from windlass.agents.stated import Figure, Finite

Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
Count = Annotated[int, Field(ge=0, le=10_000_000)]
Size = Annotated[int, Field(ge=2, le=10**9)]
Sample = Annotated[list[Finite], Field(min_length=2, max_length=500_000)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Said(Item):
    """What a report says of the result; it is held against what is recomputed. `ci` is at the confidence of the request."""

    p: Figure | None = None
    p_relation: Relation = "="
    statistic: Figure | None = None
    ci: Annotated[list[Figure], Field(min_length=2, max_length=2)] | None = None


class _Result(Item):
    """What every result may carry beside its figures. Lives as long as the run."""

    id: Text | None = None
    reported: Said | None = None


class Arm(Item):
    """A group by its summary (n, mean, sd) or by its values."""

    name: Text | None = None
    n: Size | None = None
    mean: Figure | None = None
    sd: Figure | None = None
    values: Sample | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Arm:
        summary = (self.n, self.mean, self.sd)
        if (self.values is None) == (None in summary) and (self.values is None or summary != (None, None, None)):
            raise ValueError("a group has either values, or n, mean and sd")
        if self.sd is not None and stated.value(self.sd) < 0:
            raise ValueError("sd is not negative")
        return self


class Means(_Result):
    """The means of two groups or more; the difference is the first minus the second."""

    kind: Literal["means"]
    groups: Annotated[list[Arm], Field(min_length=2, max_length=1000)]


class OneSample(_Result):
    """The mean of one group, against `mu`."""

    kind: Literal["one_sample"]
    group: Arm
    mu: Finite = 0.0


class Paired(_Result):
    """Pairs: `before` and `after` of the same subjects (the difference is after − before), or the summary of the differences."""

    kind: Literal["paired"]
    before: Sample | None = None
    after: Sample | None = None
    differences: Arm | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Paired:
        if (self.before is None) != (self.after is None) or (self.before is None) == (self.differences is None):
            raise ValueError("pairs are given either as before and after, or as differences")
        if self.before is not None and self.after is not None and len(self.before) != len(self.after):
            raise ValueError(f"before has {len(self.before)} values and after {len(self.after)}")
        return self


class TwoByTwo(_Result):
    """A 2×2 table [[a, b], [c, d]]: the rows are groups, the first column is the event."""

    kind: Literal["two_by_two"]
    table: Annotated[list[Annotated[list[Count], Field(min_length=2, max_length=2)]], Field(min_length=2, max_length=2)]


class Proportion(_Result):
    """Events of n, against an expected share where one is given."""

    kind: Literal["proportion"]
    events: Count
    n: Annotated[int, Field(ge=1, le=10_000_000)]
    expected: Share | None = None

    @model_validator(mode="after")
    def _within(self) -> Proportion:
        if self.events > self.n:
            raise ValueError(f"{self.events} events of {self.n} can't be")
        return self


class Correlation(_Result):
    """Pearson's r of n pairs, or the pairs."""

    kind: Literal["correlation"]
    r: Figure | None = None
    n: Annotated[int, Field(ge=3, le=10**9)] | None = None
    x: Annotated[list[Finite], Field(min_length=3, max_length=500_000)] | None = None
    y: Annotated[list[Finite], Field(min_length=3, max_length=500_000)] | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Correlation:
        if (self.r is None) != (self.n is None) or (self.x is None) != (self.y is None) or (self.r is None) == (self.x is None):
            raise ValueError("a correlation is given either as r and n, or as x and y")
        if self.x is not None and self.y is not None and len(self.x) != len(self.y):
            raise ValueError(f"x has {len(self.x)} values and y {len(self.y)}")
        if self.r is not None and abs(stated.value(self.r)) > 1:
            raise ValueError("r lies from -1 to 1")
        return self


class Reported(Item):
    """A statistic with its p as it was reported: in figures, or as a text in APA form, which may hold several."""

    kind: Literal["reported"]
    id: Text | None = None
    statistic: Statistic | None = None
    value: Figure | None = None
    df: Annotated[list[Annotated[float, Field(gt=0, le=1e9)]], Field(max_length=2)] = Field(default_factory=list)
    p: Figure | None = None
    p_relation: Relation = "="
    text: Annotated[str, Field(min_length=1, max_length=10_000_000, pattern=r"\S")] | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Reported:
        figures = (self.statistic, self.value, self.p)
        if (self.text is None) == (None in figures) and (self.text is None or figures != (None, None, None)):
            raise ValueError("a report has either a text, or statistic, value and p")
        problem = reported.misfit(report) if (report := self.report()) else None
        if problem:
            raise ValueError(problem)
        return self

    def report(self) -> Report | None:
        """The report in figures; None for a text."""
        if self.statistic is None or self.value is None or self.p is None:
            return None
        return Report(statistic=self.statistic, value=self.value, df=tuple(self.df), p=self.p, relation=self.p_relation)


Computable = Means | OneSample | Paired | TwoByTwo | Proportion | Correlation
Result = Annotated[Computable | Reported, Field(discriminator="kind")]


def measures(result: Computable, confidence: float) -> Measures:
    """What is recomputed of a result."""
    return _measures(result, confidence, 0, 0)


def corners(result: Computable, confidence: float) -> list[Measures]:
    """The measures of the stated figures, then those at the ends of what their rounding allows; no effect at all where rounding may hide that."""
    gap, reach = _gap(result)
    shifts = [-1.0, 1.0, *([-abs(gap) / reach] if abs(gap) < reach else [])]
    return [measures(result, confidence), *(_measures(result, confidence, shift, wide) for shift in shifts for wide in (-1, 1))]


def _gap(result: Computable) -> tuple[float, float]:
    """How far the stated figures lie from no effect, and how far rounding may have moved that; nothing where there are several groups."""
    match result:
        case Means() if len(result.groups) == 2:
            first, second = (_group(arm, 0).mean for arm in result.groups)
            return first - second, sum(_half(arm) for arm in result.groups)
        case OneSample():
            return _group(result.group, 0).mean - result.mu, _half(result.group)
        case Paired() if result.differences is not None:
            return _group(result.differences, 0).mean, _half(result.differences)
        case Correlation() if result.r is not None:
            return stated.value(result.r), stated.half_unit(result.r)
        case _:
            return 0.0, 0.0


def _measures(result: Computable, confidence: float, shift: float, wide: int) -> Measures:
    """Half a unit of rounding times `shift` moves means (or r) away from no effect, or towards it and past; `wide` 1 moves spreads up, −1 down."""
    match result:
        case Means():
            groups = _apart([_group(arm, wide) for arm in result.groups], [_half(arm) for arm in result.groups], shift)
            return mean_tests.two_groups(groups[0], groups[1], confidence) if len(groups) == 2 else mean_tests.several_groups(groups)
        case OneSample():
            return mean_tests.one_group(_moved(result.group, result.mu, shift, wide), result.mu, confidence)
        case Paired():
            if result.differences is not None:
                return mean_tests.one_group(_moved(result.differences, 0.0, shift, wide), 0.0, confidence, paired=True)
            changes = [after - before for before, after in zip(result.before or [], result.after or [], strict=True)]
            return mean_tests.one_group(mean_tests.summary(changes), 0.0, confidence, paired=True)
        case TwoByTwo():
            (a, b), (c, d) = result.table
            return proportions.two_by_two(a, b, c, d, confidence)
        case Proportion():
            return proportions.one_share(result.events, result.n, result.expected, confidence)
        case Correlation():
            return _correlation(result, confidence, shift)


def _group(arm: Arm, wide: int) -> Group:
    if arm.values is not None:
        return mean_tests.summary(arm.values)
    mean, sd, n = arm.mean or 0, arm.sd or 0, arm.n or 0
    return Group(n=n, mean=stated.value(mean), sd=max(0.0, stated.value(sd) + wide * stated.half_unit(sd)))


def _half(arm: Arm) -> float:
    return 0.0 if arm.mean is None else stated.half_unit(arm.mean)


def _apart(groups: Sequence[Group], halves: Sequence[float], shift: float) -> list[Group]:
    """Two groups away from each other, several away from the mean of all; equal ones to alternate sides."""
    if len(groups) == 2:
        first, second = groups
        side = 1.0 if first.mean >= second.mean else -1.0
        return [Group(n=first.n, mean=first.mean + side * shift * sum(halves), sd=first.sd), second]
    grand = math.fsum(group.n * group.mean for group in groups) / sum(group.n for group in groups)
    sides = [1.0 if group.mean > grand or (group.mean == grand and place % 2) else -1.0 for place, group in enumerate(groups)]
    return [Group(n=group.n, mean=group.mean + side * shift * half, sd=group.sd) for group, half, side in zip(groups, halves, sides, strict=True)]


def _moved(arm: Arm, null: float, shift: float, wide: int) -> Group:
    group = _group(arm, wide)
    side = 1.0 if group.mean >= null else -1.0
    return Group(n=group.n, mean=group.mean + side * shift * _half(arm), sd=group.sd)


def _correlation(result: Correlation, confidence: float, shift: float) -> Measures:
    if result.r is not None:
        r = stated.value(result.r)
        moved = r + (1.0 if r >= 0 else -1.0) * shift * stated.half_unit(result.r)
        return correlations.of(max(-1.0, min(1.0, moved)), result.n or 0, confidence)
    r_of_pairs = correlations.pearson(result.x or [], result.y or [])
    if r_of_pairs is None:
        return Measures(tests=[], estimates=[], notes=["one of the two does not vary: there is no correlation"])
    return correlations.of(r_of_pairs, len(result.x or []), confidence)
