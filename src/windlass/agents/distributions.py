"""Tail probabilities and quantiles of t, F, chi-square, z and beta; `scipy.special` is loaded on first use, because it takes a while. Pure.

`scipy.stats` would say the same in more words and load six times as long.
"""

from __future__ import annotations

import importlib
import math
from functools import cache
from statistics import NormalDist
from typing import Any


def t_two_sided(t: float, df: float) -> float:
    """P(|T| ≥ |t|) with `df` degrees of freedom, which need not be whole."""
    return float(2 * _special().stdtr(df, -abs(t)))


def t_quantile(probability: float, df: float) -> float:
    """The t below which `probability` lies."""
    return float(_special().stdtrit(df, probability))


def f_upper(f: float, df1: float, df2: float) -> float:
    """P(F ≥ f)."""
    return float(_special().fdtrc(df1, df2, max(f, 0.0)))


def chi2_upper(x: float, df: float) -> float:
    """P(X ≥ x) for chi-square."""
    return float(_special().chdtrc(df, max(x, 0.0)))


def z_two_sided(z: float) -> float:
    """P(|Z| ≥ |z|) of the standard normal."""
    return math.erfc(abs(z) / math.sqrt(2))


def z_quantile(probability: float) -> float:
    """The z below which `probability` lies."""
    return NormalDist().inv_cdf(probability)


def beta_quantile(probability: float, a: float, b: float) -> float:
    """The share below which `probability` of a beta distribution lies."""
    return float(_special().betaincinv(a, b, probability))


@cache
def _special() -> Any:
    return importlib.import_module("scipy.special")  # a tenth of a second and more, which only the first result should pay
