"""Fixed-effect inverse-variance pooling of effects that are reported with their intervals, and how far they disagree.

A study's standard error comes from the width of its interval: (high − low) / 2z, z the normal quantile of the interval's own level; ratio
measures on the scale of the natural logarithm. Weights are 1/SE²; Q = Σ w (effect − pooled)², I² = max(0, (Q − df) / Q) in percent.
Source of the formulas: Cochrane Handbook for Systematic Reviews of Interventions, chapter 10 (inverse-variance method, heterogeneity).
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from windlass.agents import written_numbers
from windlass.agents.extraction_rows import RATIOS, Effect, Measure

NULL_RATIO = 1.0
LEVEL = 95.0
"""Percent level of the pooled interval."""
_SMALLEST = 1e-12
"""A standard error below this is no measurement: an interval without width."""


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """The pooled estimate on the measure's own scale, 95% interval, and heterogeneity. Lives as long as the run."""

    estimate: float
    low: float
    high: float
    standard_error: float
    """On the scale of pooling: the logarithm for ratios."""
    weights: tuple[float, ...]
    """Share of each study, in percent, in order."""
    q: float
    degrees_of_freedom: int
    q_p_value: float
    i_squared: float
    """Percent."""


def no_effect(measure: Measure) -> float | None:
    """The value at which there is no effect: 1 for ratios, 0 for differences; None for a measure without a name."""
    if measure == "unnamed":
        return None
    return NULL_RATIO if measure in RATIOS else 0.0


def unusable(effect: Effect) -> str | None:
    """Why an effect can't be pooled, or None."""
    if effect.measure == "unnamed":
        return "no measure is named"
    if effect.low is None or effect.high is None:
        return "no interval is stated"
    if effect.interval != "confidence":
        return "the interval is a credible one" if effect.interval == "credible" else "the text does not say what the interval is"
    if effect.level is None:
        return "the interval's level is not stated"
    if effect.measure in RATIOS and effect.low <= 0:
        return "a limit of zero has no logarithm"
    return None if standard_error(effect) >= _SMALLEST else "the interval has no width"


def on_scale(measure: Measure, value: float) -> float:
    """The value on the scale of pooling."""
    return math.log(value) if measure in RATIOS else value


def standard_error(effect: Effect) -> float:
    """Standard error on the scale of pooling, from a confidence interval with limits and level."""
    if effect.low is None or effect.high is None or effect.level is None:
        raise ValueError("an effect without limits and level has no standard error")
    return (on_scale(effect.measure, effect.high) - on_scale(effect.measure, effect.low)) / (2 * _quantile(effect.level))


def asymmetry(effect: Effect) -> float:
    """How far the estimate lies from the middle of its interval on the scale of pooling, beyond what rounding as printed explains; 0 if not."""
    if effect.low is None or effect.high is None:
        return 0.0
    estimate, low, high = (on_scale(effect.measure, value) for value in (effect.estimate, effect.low, effect.high))
    slack = [_half_unit(written) / (float(written) if effect.measure in RATIOS else 1) for written in effect.numbers]
    return max(0.0, abs(estimate - (low + high) / 2) - slack[0] - (slack[1] + slack[2]) / 2)


def fixed(effects: Sequence[Effect]) -> Pooled:
    """Pool effects of one measure, each of them usable; at least two, else there is nothing to pool (ValueError)."""
    measures = {effect.measure for effect in effects}
    if len(effects) < 2 or len(measures) != 1 or any(unusable(effect) for effect in effects):
        raise ValueError("pooling takes at least two usable effects of one measure")
    measure = effects[0].measure
    points = [on_scale(measure, effect.estimate) for effect in effects]
    weights = [1 / standard_error(effect) ** 2 for effect in effects]
    total = math.fsum(weights)
    pooled = math.fsum(weight * point for weight, point in zip(weights, points, strict=True)) / total
    q = math.fsum(weight * (point - pooled) ** 2 for weight, point in zip(weights, points, strict=True))
    freedom = len(effects) - 1
    error = math.sqrt(1 / total)
    estimate, low, high = (_off_scale(measure, pooled + sign * _quantile(LEVEL) * error) for sign in (0, -1, 1))
    return Pooled(
        estimate=estimate,
        low=low,
        high=high,
        standard_error=error,
        weights=tuple(100 * weight / total for weight in weights),
        q=q,
        degrees_of_freedom=freedom,
        q_p_value=_upper_tail(q, freedom),
        i_squared=max(0.0, (q - freedom) / q) * 100 if q > 0 else 0.0,
    )


def _off_scale(measure: Measure, value: float) -> float:
    return math.exp(value) if measure in RATIOS else value


def _quantile(level: float) -> float:
    return NormalDist().inv_cdf(0.5 + level / 200)


def _upper_tail(q: float, freedom: int) -> float:
    special = importlib.import_module("scipy.special")  # up to 0.4 s: paid by the first run that pools, not by the service's start
    return float(special.chdtrc(freedom, q))


def _half_unit(written: str) -> float:
    """Half a unit of the last printed decimal: 0.005 of `0.80`."""
    return float(f"5e-{written_numbers.places(written) + 1}")
