"""Conflicts: studies of one outcome whose effects point different ways, or whose intervals exclude each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from windlass.agents.extraction_rows import Effect
from windlass.agents.pooling import no_effect, unusable

Kind = Literal["opposite_directions", "contradiction", "intervals_apart"]
Side = Literal["below", "at", "above"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Conflict:
    """Two studies that disagree: positions in the sequence that was compared. Lives as long as the run."""

    first: int
    second: int
    kinds: tuple[Kind, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reading:
    """What is compared of an effect. Lives as long as the comparison."""

    side: Side | None
    low: float
    high: float
    """Not a number where the interval can't be used: then no comparison with it holds."""
    sure: bool
    """Whether the interval says that there is an effect."""


def between(effects: Sequence[Effect], check: Callable[[], None]) -> list[Conflict]:
    """Every pair of effects (of one measure and outcome) that disagree, in order.

    `opposite_directions`: the estimates lie on different sides of no effect. `contradiction`: their intervals do so as well.
    `intervals_apart`: the intervals have no value in common, in either direction.
    """
    readings = [_reading(effect) for effect in effects]
    found: list[Conflict] = []
    for first, one in enumerate(readings):
        check()
        compared = ((second, _kinds(one, readings[second])) for second in range(first + 1, len(readings)))
        found.extend(Conflict(first=first, second=second, kinds=kinds) for second, kinds in compared if kinds)
    return found


def direction(effect: Effect) -> Side | None:
    """On which side of no effect the estimate lies; None for a measure without a name."""
    null = no_effect(effect.measure)
    if null is None:
        return None
    if effect.estimate == null:
        return "at"
    return "below" if effect.estimate < null else "above"


def _reading(effect: Effect) -> _Reading:
    null = no_effect(effect.measure)
    if unusable(effect) or null is None or effect.low is None or effect.high is None:
        return _Reading(side=direction(effect), low=math.nan, high=math.nan, sure=False)
    return _Reading(side=direction(effect), low=effect.low, high=effect.high, sure=not effect.low <= null <= effect.high)


def _kinds(one: _Reading, other: _Reading) -> tuple[Kind, ...]:
    kinds: list[Kind] = []
    if {one.side, other.side} == {"below", "above"}:
        kinds.append("opposite_directions")
        if one.sure and other.sure:
            kinds.append("contradiction")
    if one.high < other.low or other.high < one.low:
        kinds.append("intervals_apart")
    return tuple(kinds)
