"""Pearson's correlation: its test and its interval by Fisher's z. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from windlass.agents import distributions
from windlass.agents.figures import Estimate, Measures, Test


def pearson(x: Sequence[float], y: Sequence[float]) -> float | None:
    """The correlation of two lists of the same length; None where one does not vary."""
    mean_x, mean_y = math.fsum(x) / len(x), math.fsum(y) / len(y)
    xx = math.fsum((one - mean_x) ** 2 for one in x)
    yy = math.fsum((one - mean_y) ** 2 for one in y)
    if xx == 0 or yy == 0:
        return None
    xy = math.fsum((one - mean_x) * (two - mean_y) for one, two in zip(x, y, strict=True))
    return max(-1.0, min(1.0, xy / math.sqrt(xx) / math.sqrt(yy)))


def of(r: float, n: int, confidence: float) -> Measures:
    """The test of no correlation and the interval of r; n is at least 3, and the interval takes 4."""
    if abs(r) >= 1 - 1e-15:
        estimate = Estimate(name="correlation", value=r, low=None, high=None, method="as given", null=0.0)
        return Measures(tests=[], estimates=[estimate], notes=["the points lie on a line: no test and no interval"])
    t = r * math.sqrt((n - 2) / ((1 - r) * (1 + r)))
    test = Test(name="correlation t", statistic=t, df=[n - 2], p=distributions.t_two_sided(t, n - 2))
    low = high = None
    if n > 3:
        reach = distributions.z_quantile((1 + confidence) / 2) / math.sqrt(n - 3)
        low, high = math.tanh(math.atanh(r) - reach), math.tanh(math.atanh(r) + reach)
    explained = Estimate(name="r squared", value=r * r, low=None, high=None, method="share of variance", null=0.0)
    estimate = Estimate(name="correlation", value=r, low=low, high=high, method="Fisher z interval", null=0.0)
    return Measures(tests=[test], estimates=[estimate, explained], notes=[] if n > 3 else ["fewer than 4 pairs: no interval"])
