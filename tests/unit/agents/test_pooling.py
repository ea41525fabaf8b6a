"""Pooled estimates agree with statsmodels and SciPy to 1e-9, and with a published worked example."""

import math
import random
from typing import Any

import pytest

from windlass.agents import pooling
from windlass.agents.extraction_rows import Effect, Measure


def effect(measure: Measure, estimate: float, low: float | None, high: float | None, *stated: Any) -> Effect:
    """An effect with its interval; `stated` are the interval's level and kind where they differ from a 95% confidence interval."""
    level = stated[0] if stated else 95.0
    interval = stated[1] if len(stated) > 1 else "confidence"
    numbers = [f"{number:g}" for number in (estimate, low, high) if number is not None]
    fields = {"field": "abstract", "start": 0, "end": 1, "quote": "x", "adjusted": False, "unit": None, "endpoint": None}
    return Effect.model_validate(
        {**fields, "measure": measure, "estimate": estimate, "low": low, "high": high, "level": level, "interval": interval, "numbers": numbers}
    )


@pytest.mark.parametrize("measure", ["HR", "OR", "MD"])
@pytest.mark.parametrize("seed", range(5))
def test_pooling_agrees_with_statsmodels(measure, seed):
    import numpy as np
    from scipy import stats
    from statsmodels.stats.meta_analysis import combine_effects

    rng = random.Random(seed)
    effects, points, variances = [], [], []
    for _study in range(rng.randrange(2, 9)):
        point, error, level = rng.uniform(-0.7, 0.7), rng.uniform(0.05, 0.5), rng.choice((90.0, 95.0, 99.0))
        half = stats.norm.ppf(0.5 + level / 200) * error
        values = [point, point - half, point + half]
        center, low, high = values if measure == "MD" else [math.exp(value) for value in values]
        effects.append(effect(measure, center, low, high, level))
        points.append(point)
        variances.append(error**2)
    reference = combine_effects(np.array(points), np.array(variances))
    pooled = pooling.fixed(effects)
    center = reference.mean_effect_fe
    error = reference.sd_eff_w_fe
    z = stats.norm.ppf(0.975)
    scale = (lambda value: value) if measure == "MD" else math.exp
    expected = [scale(center), scale(center - z * error), scale(center + z * error), error, reference.q]
    assert [pooled.estimate, pooled.low, pooled.high, pooled.standard_error, pooled.q] == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert pooled.q_p_value == pytest.approx(stats.chi2.sf(reference.q, len(points) - 1), rel=1e-9, abs=1e-9)
    assert pooled.i_squared == pytest.approx(100 * max(0.0, (reference.q - len(points) + 1) / reference.q), rel=1e-9, abs=1e-9)
    assert list(pooled.weights) == pytest.approx([100 * weight for weight in reference.weights_rel_fe], rel=1e-9)


def test_two_equal_studies_narrow_the_interval_by_the_root_of_two():
    one = effect("HR", 0.8, 0.64, 1.0)
    pooled = pooling.fixed([one, one])
    assert pooled.estimate == pytest.approx(0.8, rel=1e-12)
    assert pooled.standard_error == pytest.approx(pooling.standard_error(one) / math.sqrt(2), rel=1e-12)
    assert pooled.q == pytest.approx(0, abs=1e-12)
    assert (pooled.i_squared, pooled.degrees_of_freedom) == (0.0, 1)
    assert pooled.q_p_value == pytest.approx(1)


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (effect("HR", 0.8, None, None, None, None), "no interval"),
        (effect("HR", 0.8, 0.6, 1.0, None, "unlabelled"), "does not say what the interval is"),
        (effect("HR", 0.8, 0.6, 1.0, 95.0, "credible"), "credible"),
        (effect("HR", 0.8, 0.6, 1.0, None), "level"),
        (effect("OR", 0.8, 0.0, 1.0), "logarithm"),
        (effect("MD", 1.0, 1.0, 1.0), "no width"),
        (effect("unnamed", 1.0, 0.5, 2.0), "no measure"),
    ],
)
def test_what_cannot_be_pooled_says_why(one, reason):
    assert reason in (pooling.unusable(one) or "")
    with pytest.raises(ValueError, match="at least two usable effects"):
        pooling.fixed([one, effect("HR", 0.8, 0.6, 1.0)])


def test_pooling_takes_two_effects_of_one_measure():
    for effects in ([effect("HR", 0.8, 0.6, 1.0)], [effect("HR", 0.8, 0.6, 1.0), effect("OR", 0.8, 0.6, 1.0)], []):
        with pytest.raises(ValueError, match="at least two usable effects"):
            pooling.fixed(effects)


def test_an_estimate_away_from_the_middle_of_its_interval_is_noticed_beyond_rounding():
    assert pooling.asymmetry(effect("HR", 0.75, 0.62, 0.91)) == 0
    assert pooling.asymmetry(effect("MD", 1.0, 0.5, 1.5)) == 0
    assert pooling.asymmetry(effect("HR", 0.64, 0.62, 0.91)) > 0.1
