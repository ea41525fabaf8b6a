"""Sentences about results: each is a rule tied to the numbers that it names, and a check that a sentence names no other. Pure.

Sizes follow Cohen's conventions (1988), which say what is usual in no particular field.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from windlass.agents import text
from windlass.agents.agent import Item
from windlass.agents.figures import Estimate, Measures, Test

CONVENTIONS = {
    "Cohen d": (0.2, 0.5, 0.8),
    "Cohen d_z": (0.2, 0.5, 0.8),
    "correlation": (0.1, 0.3, 0.5),
    "eta squared": (0.01, 0.06, 0.14),
}
"""From where an effect is called small, medium and large."""
_WORDS = ("below small", "small", "medium", "large")


class Sentence(Item):
    """A sentence, the rule that wrote it and the numbers that it rests on."""

    rule: str
    sentence: str
    numbers: dict[str, float]


def sentences(measures: Measures, alpha: float, confidence: float) -> Iterator[Sentence]:
    """What the rules say of a result; nothing where nothing could be computed."""
    if measures.tests:
        yield _decision(measures.tests[0], alpha)
    intervals = [one for one in measures.estimates if one.low is not None]
    if intervals:
        yield _interval(intervals[0], confidence)
    if measures.tests and intervals and measures.tests[0].p > alpha:
        yield _absence(intervals[0])
    for estimate in measures.estimates:
        if estimate.name in CONVENTIONS:
            yield _size(estimate)
            break


def of_test(test: Test, alpha: float) -> Sentence:
    """The sentence on a test alone, such as one that was reported without its data."""
    return _decision(test, alpha)


def unsupported(sentence: str, numbers: Iterable[float]) -> list[str]:
    """The numbers of a sentence that are none of `numbers`, as it rounded them; a percentage may also be a share."""
    known = [*numbers]
    return [found for found in text.numbers(sentence) if not any(_same(found, number) for number in known)]


def _same(found: str, number: float) -> bool:
    shown = float(found.rstrip("%"))
    candidates = (number, number * 100) if found.endswith("%") else (number,)
    places = len(found.rstrip("%").partition("e")[0].partition(".")[2])
    return any(abs(shown - one) <= max(0.5000001 * 10.0**-places if "e" not in found else 0.0, 5.1e-4 * abs(one)) for one in candidates)


def _decision(test: Test, alpha: float) -> Sentence:
    against = test.p <= alpha
    degrees = "" if not test.df else f"({', '.join(_shown(df) for df in test.df)})"
    statistic = "" if test.statistic is None else f"{degrees} = {_shown(test.statistic)}"
    verdict = (
        f"at or below alpha {_shown(alpha)}: the null hypothesis is rejected"
        if against
        else f"above alpha {_shown(alpha)}: the null hypothesis is not rejected"
    )
    numbers = {"p": test.p, "alpha": alpha, **{f"df{place}": df for place, df in enumerate(test.df, 1)}}
    if test.statistic is not None:
        numbers["statistic"] = test.statistic
    return Sentence(rule="decision", sentence=f"{test.name}{statistic}, p = {_shown(test.p)}, is {verdict}.", numbers=numbers)


def _interval(estimate: Estimate, confidence: float) -> Sentence:
    low, high = estimate.low or 0.0, estimate.high or 0.0
    numbers = {"value": estimate.value, "low": low, "high": high, "confidence": confidence}
    said = f"The {estimate.name} is {_shown(estimate.value)} ({_shown(confidence * 100)}% CI {_shown(low)} to {_shown(high)}; {estimate.method})"
    if estimate.null is None:
        return Sentence(rule="interval", sentence=f"{said}.", numbers=numbers)
    holds = "includes" if low <= estimate.null <= high else "excludes"
    sentence = f"{said}; the interval {holds} {_shown(estimate.null)}, the value of no effect."
    return Sentence(rule="interval", sentence=sentence, numbers={**numbers, "null": estimate.null})


def _absence(estimate: Estimate) -> Sentence:
    low, high = estimate.low or 0.0, estimate.high or 0.0
    sentence = f"This does not show that there is no effect: the {estimate.name} from {_shown(low)} to {_shown(high)} stays compatible with the data."
    return Sentence(rule="absence of evidence", sentence=sentence, numbers={"low": low, "high": high})


def _size(estimate: Estimate) -> Sentence:
    limits = CONVENTIONS[estimate.name]
    word = _WORDS[sum(abs(estimate.value) >= limit for limit in limits)]
    small, medium, large = limits
    sentence = f"The {estimate.name} is {_shown(estimate.value)}: {word} by Cohen's conventions ({small}, {medium} and {large})."
    return Sentence(rule="size", sentence=sentence, numbers={"value": estimate.value, "small": small, "medium": medium, "large": large})


def _shown(number: float) -> str:
    return f"{number:.4g}"
