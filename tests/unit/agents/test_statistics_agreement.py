"""The statistics agree with SciPy and statsmodels to 1e-9, and with worked examples that were published."""

from __future__ import annotations

import math
import random
import warnings
from typing import Any

import numpy as np
import pytest
from scipy import special, stats

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # statsmodels' own
    from statsmodels.stats import multitest, proportion
    from statsmodels.stats.contingency_tables import Table2x2

from windlass.agents import correlations, distributions, exact_tests, mean_tests, multiple, proportions

CLOSE = 1e-9
SEEDS = range(12)


def close(one: Any, other: Any) -> bool:
    return math.isclose(one, other, rel_tol=CLOSE, abs_tol=1e-12)


def by_name(entries: list[Any]) -> dict[str, Any]:
    return {entry.name: entry for entry in entries}


@pytest.mark.parametrize("seed", SEEDS)
def test_two_groups(seed):
    rng = random.Random(seed)
    x, y = ([rng.gauss(centre, spread) for _ in range(rng.randrange(3, 40))] for centre, spread in ((5, 1), (5 + seed / 4, 2)))
    found = mean_tests.two_groups(mean_tests.summary(x), mean_tests.summary(y), 0.9)
    tests, estimates = by_name(found.tests), by_name(found.estimates)
    for name, effect, equal in (("Welch t", "mean difference", False), ("pooled t", "mean difference, equal variances", True)):
        wanted = stats.ttest_ind(x, y, equal_var=equal)
        low, high = wanted.confidence_interval(0.9)
        assert close(tests[name].statistic, wanted.statistic)
        assert close(tests[name].p, wanted.pvalue)
        assert close(tests[name].df[0], wanted.df)
        assert close(estimates[effect].low, low)
        assert close(estimates[effect].high, high)
    pooled = math.sqrt(((len(x) - 1) * np.var(x, ddof=1) + (len(y) - 1) * np.var(y, ddof=1)) / (len(x) + len(y) - 2))
    df = len(x) + len(y) - 2
    assert close(estimates["Cohen d"].value, (np.mean(x) - np.mean(y)) / pooled)
    assert close(estimates["Hedges g"].value, estimates["Cohen d"].value * math.gamma(df / 2) / (math.sqrt(df / 2) * math.gamma((df - 1) / 2)))


@pytest.mark.parametrize("seed", SEEDS)
def test_several_groups_one_group_and_pairs(seed):
    rng = random.Random(seed)
    groups = [[rng.gauss(place / 3, 1) for _ in range(rng.randrange(3, 15))] for place in range(4)]
    found = mean_tests.several_groups([mean_tests.summary(group) for group in groups]).tests[0]
    wanted = stats.f_oneway(*groups)
    assert close(found.statistic, wanted.statistic)
    assert close(found.p, wanted.pvalue)
    one = mean_tests.one_group(mean_tests.summary(groups[0]), 0.5, 0.99)
    wanted = stats.ttest_1samp(groups[0], 0.5)
    assert close(one.tests[0].p, wanted.pvalue)
    assert close(one.estimates[0].low, wanted.confidence_interval(0.99)[0])
    before = [rng.gauss(0, 1) for _ in groups[1]]
    changes = [after - start for start, after in zip(before, groups[1], strict=True)]
    paired = mean_tests.one_group(mean_tests.summary(changes), 0, 0.95, paired=True)
    assert close(paired.tests[0].p, stats.ttest_rel(groups[1], before).pvalue)


@pytest.mark.parametrize("seed", SEEDS)
def test_two_by_two_tables(seed):
    rng = random.Random(seed)
    a, b, c, d = (rng.randrange(1, 10 ** (1 + seed % 4)) + 1 for _ in range(4))
    found = proportions.two_by_two(a, b, c, d, 0.95)
    tests, estimates = by_name(found.tests), by_name(found.estimates)
    table = [[a, b], [c, d]]
    for name, corrected in (("chi-square", False), ("chi-square, Yates", True)):
        statistic, p, *_ = stats.chi2_contingency(table, correction=corrected)
        assert close(tests[name].statistic, statistic)
        assert close(tests[name].p, p)
    assert close(tests["Fisher exact"].p, stats.fisher_exact(table).pvalue)
    peer = Table2x2(np.array(table))
    for name, value, interval in (
        ("odds ratio", peer.oddsratio, peer.oddsratio_confint()),
        ("risk ratio", peer.riskratio, peer.riskratio_confint()),
        ("risk difference", a / (a + b) - c / (c + d), proportion.confint_proportions_2indep(a, a + b, c, c + d, method="newcomb")),
    ):
        assert close(estimates[name].value, value)
        assert close(estimates[name].low, interval[0])
        assert close(estimates[name].high, interval[1])


@pytest.mark.parametrize(("events", "n"), [(0, 7), (7, 7), (3, 10), (51, 235), (700, 10_000)])
def test_shares(events, n):
    found = by_name(proportions.one_share(events, n, 0.3, 0.95).estimates)
    for name, method in (("proportion", "wilson"), ("proportion, exact", "beta")):
        low, high = proportion.proportion_confint(events, n, method=method)
        assert close(found[name].low, 0.0 if math.isnan(low) else low)
        assert close(found[name].high, 1.0 if math.isnan(high) else high)
    assert close(exact_tests.binomial(events, n, 0.3), stats.binomtest(events, n, 0.3).pvalue)


@pytest.mark.parametrize("seed", SEEDS)
def test_correlations(seed):
    rng = random.Random(seed)
    x = [rng.gauss(0, 1) for _ in range(5 + seed)]
    y = [value * seed / 5 + rng.gauss(0, 1) for value in x]
    wanted = stats.pearsonr(x, y)
    r = correlations.pearson(x, y)
    assert r is not None
    assert close(r, wanted.statistic)
    found = correlations.of(r, len(x), 0.95)
    assert close(found.tests[0].p, wanted.pvalue)
    assert close(found.estimates[0].low, wanted.confidence_interval().low)
    assert close(found.estimates[0].high, wanted.confidence_interval().high)


@pytest.mark.parametrize("df", [1, 2, 3.7, 28, 1e4, 1e8])
def test_tails_and_quantiles(df):
    for size in (0.0, 0.3, 1.96, 8.0):
        assert close(distributions.t_two_sided(size, df), 2 * stats.t.sf(size, df))
        assert close(distributions.chi2_upper(size, df), stats.chi2.sf(size, df))
        assert close(distributions.f_upper(size, 3, df), stats.f.sf(size, 3, df))
        assert close(distributions.z_two_sided(size), 2 * stats.norm.sf(size))
    for probability in (0.75, 0.95, 0.975, 0.9995):
        assert close(distributions.t_quantile(probability, df), stats.t.ppf(probability, df))
        assert close(distributions.z_quantile(probability), stats.norm.ppf(probability))
        assert close(distributions.beta_quantile(probability, 3, df), stats.beta.ppf(probability, 3, df))


@pytest.mark.parametrize("seed", SEEDS)
def test_holm(seed):
    rng = random.Random(seed)
    p = [rng.choice([0.01, 0.04, rng.random() ** 2]) for _ in range(seed + 1)]
    assert multiple.holm(p) == pytest.approx(list(multitest.multipletests(p, method="holm")[1]), abs=1e-12)


@pytest.mark.parametrize("df", [2, 30, 201, 202, 5_000, 10_000_000])
def test_hedges_factor_loses_no_digits(df):
    """Against SciPy's Pochhammer symbol, Γ(x + ½) / Γ(x)."""
    half = df // 2
    one, two = (mean_tests.Group(n=n, mean=mean, sd=1.0) for n, mean in ((half + 1, 1.0), (df - half + 1, 0.0)))
    found = by_name(mean_tests.two_groups(one, two, 0.95).estimates)
    assert close(found["Hedges g"].value / found["Cohen d"].value, special.poch((df - 1) / 2, 0.5) / math.sqrt(df / 2))


def test_fishers_lady_tasting_tea():
    """Fisher (1935): three of four cups right; the two-sided p is 34/70."""
    assert exact_tests.fisher(3, 1, 1, 3) == pytest.approx(34 / 70, abs=1e-12)


def test_students_sleep_data():
    """Student (1908), as in R's `sleep`: paired t = -4.0621, df = 9, p = 0.002833; Welch t = -1.8608, df = 17.776, p = 0.07939."""
    one = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    two = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    paired = mean_tests.one_group(mean_tests.summary([x - y for x, y in zip(one, two, strict=True)]), 0, 0.95, paired=True)
    assert (round(paired.tests[0].statistic or 0, 4), round(paired.tests[0].p, 6)) == (-4.0621, 0.002833)
    assert [round(paired.estimates[0].low or 0, 4), round(paired.estimates[0].high or 0, 4)] == [-2.4599, -0.7001]
    welch = mean_tests.welch(mean_tests.summary(one), mean_tests.summary(two))
    assert welch is not None
    assert (round(welch.statistic or 0, 4), round(welch.df[0], 3), round(welch.p, 5)) == (-1.8608, 17.776, 0.07939)
