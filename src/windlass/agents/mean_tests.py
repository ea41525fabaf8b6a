"""Tests and effect sizes for means: two groups (Welch and pooled), several groups (analysis of variance), one group, pairs. Pure.

Welch's degrees of freedom are Satterthwaite's. Cohen's d divides by the pooled standard deviation; Hedges' g takes the small-sample bias off
with the exact factor Γ(df/2) / (√(df/2) Γ((df−1)/2)); its interval is the large-sample one of Hedges and Olkin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from windlass.agents import distributions
from windlass.agents.figures import Estimate, Measures, Test


@dataclass(frozen=True, kw_only=True)
class Group:
    """A group's size, mean and standard deviation (of the sample: divided by n − 1). Lives as long as the computation."""

    n: int
    mean: float
    sd: float


def summary(values: Sequence[float]) -> Group:
    """The group of these values, at least two."""
    mean = math.fsum(values) / len(values)
    return Group(n=len(values), mean=mean, sd=math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)))


def welch(first: Group, second: Group) -> Test | None:
    """Welch's test of no difference; None where neither group varies."""
    error, df = _welch_error(first, second)
    return _t_test("Welch t", first.mean - second.mean, error, df) if error else None


def pooled(first: Group, second: Group) -> Test | None:
    """Student's test of no difference, which takes the variances for equal; None where neither group varies."""
    df = first.n + second.n - 2
    error = _pooled_sd(first, second) * math.sqrt(1 / first.n + 1 / second.n)
    return _t_test("pooled t", first.mean - second.mean, error, df) if error else None


def two_groups(first: Group, second: Group, confidence: float) -> Measures:
    """Both tests, the difference first − second with both intervals, Cohen's d and Hedges' g."""
    difference = first.mean - second.mean
    by_welch, by_pooled = welch(first, second), pooled(first, second)
    if by_welch is None or by_pooled is None:
        return Measures(
            tests=[], estimates=[_bare("mean difference", difference)], notes=["neither group varies: no test, no interval and no effect size"]
        )
    error, df = _welch_error(first, second)
    spread, df_pooled = _pooled_sd(first, second), first.n + second.n - 2
    pooled_error = spread * math.sqrt(1 / first.n + 1 / second.n)
    estimates = [
        _interval("mean difference", difference, error, df, confidence, "Welch t interval"),
        _interval("mean difference, equal variances", difference, pooled_error, df_pooled, confidence, "pooled t interval"),
        *_standardised(difference / spread, first.n, second.n, confidence),
    ]
    return Measures(tests=[by_welch, by_pooled], estimates=estimates, notes=_unequal(first, second))


def several_groups(groups: Sequence[Group]) -> Measures:
    """The one-way analysis of variance, with η² and ω²."""
    total = sum(group.n for group in groups)
    grand = math.fsum(group.n * group.mean for group in groups) / total
    between = math.fsum(group.n * (group.mean - grand) ** 2 for group in groups)
    within = math.fsum((group.n - 1) * group.sd**2 for group in groups)
    df1, df2 = len(groups) - 1, total - len(groups)
    if within == 0:
        return Measures(tests=[], estimates=[], notes=["no group varies: no test and no effect size"])
    noise = within / df2
    f = between / df1 / noise
    estimates = [
        Estimate(name="eta squared", value=between / (between + within), low=None, high=None, method="between / total sum of squares", null=0.0),
        Estimate(
            name="omega squared",
            value=max(0.0, (between - df1 * noise) / (between + within + noise)),
            low=None,
            high=None,
            method="(SSB − df1·MSW) / (SST + MSW), at least 0",
            null=0.0,
        ),
    ]
    test = Test(name="one-way ANOVA F", statistic=f, df=[df1, df2], p=distributions.f_upper(f, df1, df2))
    return Measures(tests=[test], estimates=estimates, notes=["F says that some means differ, not which"])


def one_group(group: Group, mu: float, confidence: float, *, paired: bool = False) -> Measures:
    """The test of the mean against `mu`, its interval, and Cohen's d (d_z for the differences of pairs)."""
    what, effect = ("mean of the differences", "Cohen d_z") if paired else ("mean", "Cohen d")
    if group.sd == 0:
        return Measures(tests=[], estimates=[_bare(what, group.mean)], notes=["the values do not vary: no test and no interval"])
    error, df = group.sd / math.sqrt(group.n), group.n - 1
    test = _t_test("paired t" if paired else "one-sample t", group.mean - mu, error, df)
    estimate = _interval(what, group.mean, error, df, confidence, "t interval")
    return Measures(
        tests=[test],
        estimates=[
            estimate.model_copy(update={"null": mu}),
            Estimate(name=effect, value=(group.mean - mu) / group.sd, low=None, high=None, method="divided by the standard deviation", null=0.0),
        ],
        notes=[],
    )


def _standardised(d: float, n1: int, n2: int, confidence: float) -> list[Estimate]:
    df = n1 + n2 - 2
    factor = _bias_factor(df) if df > 1 else None
    found = [Estimate(name="Cohen d", value=d, low=None, high=None, method="divided by the pooled standard deviation", null=0.0)]
    if factor is not None:
        g = d * factor
        reach = distributions.z_quantile((1 + confidence) / 2) * math.sqrt((n1 + n2) / (n1 * n2) + g**2 / (2 * (n1 + n2)))
        found.append(Estimate(name="Hedges g", value=g, low=g - reach, high=g + reach, method="exact bias factor; large-sample interval", null=0.0))
    return found


def _unequal(first: Group, second: Group) -> list[str]:
    low, high = sorted((first.sd, second.sd))
    return [] if high <= 2 * low else [f"the standard deviations differ by more than a factor of 2 ({low:g} and {high:g}): read Welch, not pooled"]


def _welch_error(first: Group, second: Group) -> tuple[float, float]:
    one, two = first.sd**2 / first.n, second.sd**2 / second.n
    if one + two == 0:
        return 0.0, 0.0
    share, rest = one / (one + two), two / (one + two)
    return math.sqrt(one + two), 1 / (share**2 / (first.n - 1) + rest**2 / (second.n - 1))


def _bias_factor(df: int) -> float:
    """Γ(df/2) / (√(df/2) Γ((df−1)/2)); for many degrees of freedom by Stirling's series, where the gammas' logarithms lose digits."""
    x = (df - 1) / 2
    if x < 100:
        return math.exp(math.lgamma(df / 2) - math.lgamma(x)) / math.sqrt(df / 2)
    return math.sqrt(x / (df / 2)) * (1 - 1 / (8 * x) + 1 / (128 * x**2) + 5 / (1024 * x**3) - 21 / (32768 * x**4))


def _pooled_sd(first: Group, second: Group) -> float:
    return math.sqrt(((first.n - 1) * first.sd**2 + (second.n - 1) * second.sd**2) / (first.n + second.n - 2))


def _t_test(name: str, difference: float, error: float, df: float) -> Test:
    t = difference / error
    return Test(name=name, statistic=t, df=[df], p=distributions.t_two_sided(t, df))


def _interval(name: str, value: float, error: float, df: float, confidence: float, method: str) -> Estimate:
    reach = distributions.t_quantile((1 + confidence) / 2, df) * error
    return Estimate(name=name, value=value, low=value - reach, high=value + reach, method=method, null=0.0)


def _bare(name: str, value: float) -> Estimate:
    return Estimate(name=name, value=value, low=None, high=None, method="as given", null=0.0)
