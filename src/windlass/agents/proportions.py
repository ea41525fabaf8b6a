"""Tests and estimates for counts: one share, and the 2×2 table with odds ratio, risk ratio and risk difference. Pure.

In a table the rows are groups and the first column is the event: [[a, b], [c, d]] has risks a/(a+b) and c/(c+d).
"""

from __future__ import annotations

import math

from windlass.agents import distributions, exact_tests
from windlass.agents.figures import Estimate, Measures, Test

FEW = 5
"""An expected count below which the chi-square approximation is not to be trusted (Cochran's rule)."""


def wilson(events: int, n: int, confidence: float) -> tuple[float, float]:
    """Wilson's score interval of a share."""
    z = distributions.z_quantile((1 + confidence) / 2)
    share = events / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return (0.0 if events == 0 else max(0.0, centre - reach)), (1.0 if events == n else min(1.0, centre + reach))


def clopper_pearson(events: int, n: int, confidence: float) -> tuple[float, float]:
    """The exact interval of a share, which covers at least `confidence`."""
    tail = (1 - confidence) / 2
    low = 0.0 if events == 0 else distributions.beta_quantile(tail, events, n - events + 1)
    high = 1.0 if events == n else distributions.beta_quantile(1 - tail, events + 1, n - events)
    return low, high


def one_share(events: int, n: int, expected: float | None, confidence: float) -> Measures:
    """The share with both intervals, and the exact binomial test where an expected share is given."""
    share = events / n
    low, high = wilson(events, n, confidence)
    exact_low, exact_high = clopper_pearson(events, n, confidence)
    tests = [] if expected is None else [Test(name="exact binomial", statistic=None, df=[], p=exact_tests.binomial(events, n, expected))]
    estimates = [
        Estimate(name="proportion", value=share, low=low, high=high, method="Wilson score interval", null=expected),
        Estimate(name="proportion, exact", value=share, low=exact_low, high=exact_high, method="Clopper-Pearson interval", null=expected),
    ]
    return Measures(tests=tests, estimates=estimates, notes=[])


def two_by_two(a: int, b: int, c: int, d: int, confidence: float) -> Measures:
    """Chi-square with and without Yates' correction, Fisher's exact test (the first where counts are small), ratios and difference."""
    total = a + b + c + d
    margins = (a + b, c + d, a + c, b + d)
    if min(margins[:2]) == 0:
        return Measures(tests=[], estimates=[], notes=["a group of the table is empty: nothing can be compared"])
    estimates = [_risk_difference(a, b, c, d, confidence)]
    if min(margins[2:]) == 0:
        return Measures(tests=[], estimates=estimates, notes=["all subjects have the same outcome: no test and no ratio"])
    cross = abs(a * d - b * c)
    plain = total * cross**2 / math.prod(margins)
    corrected = total * max(0.0, cross - total / 2) ** 2 / math.prod(margins)
    least = min(margins[:2]) * min(margins[2:]) / total
    tests = [
        Test(name="chi-square", statistic=plain, df=[1], p=distributions.chi2_upper(plain, 1)),
        Test(name="chi-square, Yates", statistic=corrected, df=[1], p=distributions.chi2_upper(corrected, 1)),
        Test(name="Fisher exact", statistic=None, df=[], p=exact_tests.fisher(a, b, c, d)),
    ]
    if least < FEW:
        tests.reverse()
    notes = [f"the smallest expected count is {least:g}, below {FEW}: read Fisher, not chi-square"] if least < FEW else []
    cells = (a, b, c, d)
    if min(cells) == 0:
        notes.append("a cell is 0: the ratios are of the table with 0.5 added to every cell (Haldane and Anscombe)")
    return Measures(
        tests=tests,
        estimates=[*_ratios(*((cell + 0.5 if min(cells) == 0 else cell) for cell in cells), confidence=confidence), *estimates],
        notes=notes,
    )


def newcombe(events: tuple[int, int], sizes: tuple[int, int], confidence: float) -> tuple[float, float]:
    """Newcombe's interval of the first share minus the second, from their Wilson scores."""
    one, two = events[0] / sizes[0], events[1] / sizes[1]
    (low1, high1), (low2, high2) = (wilson(count, n, confidence) for count, n in zip(events, sizes, strict=True))
    return one - two - math.hypot(one - low1, high2 - two), one - two + math.hypot(high1 - one, two - low2)


def katz(events: tuple[float, float], sizes: tuple[float, float], confidence: float) -> tuple[float, float]:
    """Katz' logarithmic interval of the first share over the second; no count of events is 0."""
    ratio = events[0] / sizes[0] / (events[1] / sizes[1])
    error = math.sqrt(max(0.0, 1 / events[0] - 1 / sizes[0] + 1 / events[1] - 1 / sizes[1]))
    reach = math.exp(distributions.z_quantile((1 + confidence) / 2) * error)
    return ratio / reach, ratio * reach


def _ratios(a: float, b: float, c: float, d: float, *, confidence: float) -> list[Estimate]:
    odds, odds_error = a * d / (b * c), math.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
    reach = math.exp(distributions.z_quantile((1 + confidence) / 2) * odds_error)
    low, high = katz((a, c), (a + b, c + d), confidence)
    risk = (a / (a + b)) / (c / (c + d))
    return [
        Estimate(name="odds ratio", value=odds, low=odds / reach, high=odds * reach, method="logarithmic interval (Woolf)", null=1.0),
        Estimate(name="risk ratio", value=risk, low=low, high=high, method="logarithmic interval (Katz)", null=1.0),
    ]


def _risk_difference(a: int, b: int, c: int, d: int, confidence: float) -> Estimate:
    low, high = newcombe((a, c), (a + b, c + d), confidence)
    value = a / (a + b) - c / (c + d)
    return Estimate(name="risk difference", value=value, low=low, high=high, method="Newcombe's interval from Wilson scores", null=0.0)
