"""The reviewers' rules that look at one sentence: statistics that do not agree with themselves, and words that claim too much."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from windlass.agents import review_remarks
from windlass.agents.manuscript import Manuscript
from windlass.agents.review_remarks import Remark
from windlass.agents.text import Span

LONGEST = 60
"""Words of a sentence that a reader can follow."""
_READ = 5000
"""Characters of a sentence that are looked at."""

_COUNT = r"(\d{1,3}(?:,\d{3}){1,3}|\d{1,9})"
_SHARE = r"(\d{1,3}(?:\.\d{1,4})?)\s?%"
_P = re.compile(r"(?<![A-Za-z])[pP]\s{0,2}(?:-?value\s{0,2})?([=<>≤≥])\s{0,2}(\d?\.\d{1,10}|[01](?:\.0{1,10})?)(?![\d.]*\d)")
_EFFECT = re.compile(
    r"\b(?:a?HR|a?OR|a?RR|SMD|MD|IRR|CI|SD|SE)\b|[Rr]atio|[Rr]elative risk|[Dd]ifference (?:of|was|in means)|confidence interval|effect size|"
    r"[Cc]oefficient|[Cc]orrelation|\b[rdβηb]\s?=|%|\d\s(?:vs|versus|compared with)\b|\bfrom \d|\bby \d"
)
_FRACTIONS = (
    re.compile(rf"(?<![\d./]){_COUNT}\s?/\s?{_COUNT}\s?[(\[,;]\s?{_SHARE}"),
    re.compile(rf"(?<![\d./]){_COUNT} (?:out )?of (?:the |all )?{_COUNT}(?: [a-z]{{1,30}}){{0,3}} [(\[]{_SHARE}"),
)
_FRACTION_LAST = re.compile(rf"(?<![\d.]){_SHARE}\s?[(\[]\s?{_COUNT}\s?(?:/|of)\s?{_COUNT}\s?[)\]]")
_RATIO = r"(?:a?HR|a?OR|a?RR|IRR|(?:hazard|odds|risk|rate) ratio|relative risk)"
_INTERVAL = re.compile(
    rf"\b({_RATIO}|SMD|MD|mean difference|risk difference)\b[^\d(\[;-]{{0,12}}([-−]?\d{{1,6}}(?:\.\d{{1,6}})?)\s?%?\s?[(\[,;]\s?(?:(95)\s?%\s?)?"
    r"(?:CI|confidence interval)[:,=]?\s?([-−]?\d{1,6}(?:\.\d{1,6})?)\s?%?\s?(?:to|–|—|-|,)\s?([-−]?\d{1,6}(?:\.\d{1,6})?)"
)
_BARE = re.compile(rf"\b{_RATIO}\b[^\d(\[;.]{{0,12}}\d{{1,4}}\.\d{{1,4}}")
_HAS_INTERVAL = re.compile(r"\bCI\b|[Ii]nterval")
_TREND = re.compile(
    r"\b(?:trend(?:ed|ing)? towards?|(?:marginal(?:ly)?|borderline|almost|nearly|close to) (?:statistical(?:ly)? )?significan\w{1,5}|"
    r"approach(?:ed|ing|es)? (?:statistical )?significance)\b",
    re.IGNORECASE,
)
_CAUSAL = re.compile(
    r"\b(?:caus(?:es|ed|ing)|(?:led|leads?|leading) to|result(?:s|ed|ing) in|prevent(?:s|ed)|protects? against|"
    r"the (?:causal )?(?:effect|impact)s? of)\b",
    re.IGNORECASE,
)
_RELATIVE = re.compile(
    r"\b(?:(?:reduced|increased|decreased|lowered|raised|cut|fell|rose|improved) (?:[a-z-]{1,30} ){0,4}by \d{1,3}(?:\.\d{1,3})?\s?%|"
    r"\d{1,3}(?:\.\d{1,3})?\s?% (?:relative )?(?:reduction|increase|decrease|lower|higher|improvement))",
    re.IGNORECASE,
)
_ABSOLUTE = re.compile(
    r"\babsolute\b|percentage points?|\d\s?/\s?\d|\bfrom \d|\bvs\b|\bversus\b|\bof \d|\bcompared with \d|\bper \d|\bn\s?=", re.IGNORECASE
)
_OVERCLAIM = re.compile(
    r"\b(?:prove[sdn]?|definitively|undoubtedly|unprecedented|ground-?breaking|revolutionary|miracle|without (?:any )?doubt|irrefutabl[ey]|"
    r"conclusively)\b",
    re.IGNORECASE,
)
_LEFT_OVER = re.compile(r"\b(?:TODO|TBD|FIXME|XXX+)\b|(?i:\blorem ipsum\b|\[citation needed\]|\[ref(?:erence)?s?\]|\[insert [^\]]{1,60}\])|\?\?\?")
_CLAIMING = frozenset({"title", "abstract", "results", "discussion", "conclusion", "other", "front"})


def remarks(read: Manuscript, sentence: Span, kind: str, *, observational: str | None) -> Iterator[Remark]:
    """What the rules say of one sentence of a section of this kind; `observational` is the words that name such a design, or None."""
    wording = sentence.text[:_READ]
    yield from chain(_numbers(read, sentence, wording), _claims(read, sentence, wording))
    if observational is not None and kind in _CLAIMING:
        for match in _CAUSAL.finditer(wording):
            message = f"{match.group()!r} speaks of a cause; the design is observational ({observational!r}) and shows an association"
            yield _on("causal_word", read, sentence, match, message)


def _numbers(read: Manuscript, sentence: Span, wording: str) -> Iterator[Remark]:
    stated = list(_P.finditer(wording))
    intervals = list(_INTERVAL.finditer(wording))
    if stated and not _EFFECT.search(wording):
        yield _on("p_without_effect", read, sentence, stated[0], "a p-value stands here without an effect size, interval or rates")
    for match in stated:
        if match.group(1) == "=" and float(match.group(2)) == 0:
            yield _on("p_zero", read, sentence, match, "no p-value is zero; give a bound, such as p < 0.001")
    yield from _percentages(read, sentence, wording)
    for match in intervals:
        estimate, low, high = (_float(match.group(place)) for place in (2, 4, 5))
        if not low <= estimate <= high:
            yield _on(
                "estimate_outside_interval", read, sentence, match, f"{match.group(2)} does not lie between {match.group(4)} and {match.group(5)}"
            )
    if len(stated) == 1 and len(intervals) == 1:
        yield from _contradiction(read, sentence, stated[0], intervals[0])
    if not _HAS_INTERVAL.search(wording):
        for match in _BARE.finditer(wording):
            yield _on("estimate_without_interval", read, sentence, match, "a ratio stands here without its confidence interval")


def _percentages(read: Manuscript, sentence: Span, wording: str) -> Iterator[Remark]:
    found = [(match, (1, 2, 3)) for pattern in _FRACTIONS for match in pattern.finditer(wording)]
    found += [(match, (2, 3, 1)) for match in _FRACTION_LAST.finditer(wording)]
    for match, places in found:
        part, whole, share = (match.group(place) for place in places)
        n, of = int(part.replace(",", "")), int(whole.replace(",", ""))
        decimals = len(share.partition(".")[2])
        if of and (n > of or abs(100 * n / of - float(share)) > 0.5 * 10**-decimals + 1e-9):
            message = f"{part} of {whole} is {100 * n / of:.{max(decimals, 1)}f}%, not {share}%"
            yield _on("percent_mismatch", read, sentence, match, message)


def _contradiction(read: Manuscript, sentence: Span, stated: re.Match[str], interval: re.Match[str]) -> Iterator[Remark]:
    """The interval and the p-value of one ratio say opposite things of the level 0.05; bounds that touch 1 are left alone."""
    if not re.fullmatch(_RATIO, interval.group(1)) or interval.group(3) is None:
        return
    operator, p = stated.group(1), float(stated.group(2))
    low, high = _float(interval.group(4)), _float(interval.group(5))
    significant = operator in "=<≤" and (p < 0.05 or (operator == "<" and p == 0.05))
    not_significant = operator in "=>≥" and p > 0.05
    if (significant and low < 1 < high) or (not_significant and not low <= 1 <= high):
        holds = "holds" if low < 1 < high else "excludes"
        message = f"the 95% interval {holds} 1, and the p-value {stated.group()!r} says the opposite"
        yield _on("p_contradicts_interval", read, sentence, interval, message)


def _claims(read: Manuscript, sentence: Span, wording: str) -> Iterator[Remark]:
    for match in _TREND.finditer(wording):
        yield _on(
            "trend_language",
            read,
            sentence,
            match,
            f"{match.group()!r} makes a result out of one that is not significant; give estimate and interval",
        )
    for match in _OVERCLAIM.finditer(wording):
        yield _on("overclaim", read, sentence, match, f"{match.group()!r} claims more than one study can show")
    for match in _LEFT_OVER.finditer(wording):
        yield _on("left_over", read, sentence, match, f"{match.group()!r} was left in the text")
    if not _ABSOLUTE.search(wording):
        for match in _RELATIVE.finditer(wording):
            yield _on("relative_only", read, sentence, match, "a relative change: give the absolute figures beside it")
    words = len(wording.split())
    if words > LONGEST:
        yield review_remarks.on("long_sentence", read, sentence.start, sentence.end, f"a sentence of {words} words")


def _on(rule: str, read: Manuscript, sentence: Span, match: re.Match[str], message: str) -> Remark:
    return review_remarks.on(rule, read, sentence.start + match.start(), sentence.start + match.end(), message)


def _float(number: str) -> float:
    return float(number.replace("−", "-"))
