"""Holds what a report says of a result (p, statistic, interval) against what its own figures give. Pure.

Consistent is what some test of the result gives within the rounding of its figures: who reported Student's t is not blamed for not using Welch's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from windlass.agents import reported, stated
from windlass.agents.figures import Measures
from windlass.agents.reported import Check
from windlass.agents.result_kinds import Said
from windlass.agents.stated import Figure

Span = tuple[float, float, float]
"""The figure itself, and the least and the greatest that rounding allows."""


def checks(said: Said, corners: Sequence[Measures], alpha: float) -> list[Check]:
    """A check per figure that was reported; `corners` are the measures of the stated figures, and those at the ends of their rounding."""
    return [*_of_p(said, corners, alpha), *_of_statistic(said, corners), *_of_interval(said, corners)]


def _of_p(said: Said, corners: Sequence[Measures], alpha: float) -> list[Check]:
    spans = _spans([{test.name: test.p for test in corner.tests} for corner in corners])
    if said.p is None or not spans:
        return []
    number = stated.value(said.p)
    candidates = [reported.judged(said.p, said.p_relation, span, alpha, by=name) for name, span in spans.items()]
    return [min(candidates, key=lambda one: (not one.consistent, not one.one_sided, abs(one.recomputed - number)))]


def _of_statistic(said: Said, corners: Sequence[Measures]) -> list[Check]:
    spans = _spans([{test.name: abs(test.statistic) for test in corner.tests if test.statistic is not None} for corner in corners])
    if said.statistic is None or not spans:
        return []
    size = str(said.statistic).lstrip("+-−")
    candidates = [_compared("statistic", size, span, name) for name, span in spans.items()]
    return [min(candidates, key=lambda one: (not one.consistent, abs(one.recomputed - stated.value(size))))]


def _of_interval(said: Said, corners: Sequence[Measures]) -> list[Check]:
    lows = _spans([{one.name: one.low for one in corner.estimates if one.low is not None} for corner in corners])
    highs = _spans([{one.name: one.high for one in corner.estimates if one.high is not None} for corner in corners])
    if said.ci is None or not lows:
        return []
    low, high = said.ci
    pairs = [[_compared("interval low", low, lows[name], name), _compared("interval high", high, highs[name], name)] for name in lows]

    def misses(pair: list[Check]) -> tuple[bool, float]:
        return not all(one.consistent for one in pair), sum(abs(one.recomputed - stated.value(one.reported)) for one in pair)

    return min(pairs, key=misses)


def _compared(subject: Literal["statistic", "interval low", "interval high"], figure: Figure, span: Span, name: str) -> Check:
    exact, low, high = span
    return Check(
        subject=subject,
        reported=str(figure),
        recomputed=exact,
        low=low,
        high=high,
        by=name,
        consistent=stated.may_round_to(low, high, figure),
        one_sided=False,
        decision_error=False,
        quote=None,
        start=None,
        end=None,
    )


def _spans(corners: Sequence[dict[str, float]]) -> dict[str, Span]:
    """Name → the figure of the first corner with its range over all; what a corner can't compute says nothing of it."""
    return {
        name: (exact, min(corner[name] for corner in corners if name in corner), max(corner[name] for corner in corners if name in corner))
        for name, exact in corners[0].items()
    }
