"""Checks a manuscript's citations against its reference list, and both against a style's kind (numbers, or author and year)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from windlass.agents import csl, manuscript
from windlass.agents.agent import Item
from windlass.agents.manuscript import Entry, Manuscript

Rule = Literal["citation_kind", "cited_without_entry", "entry_not_cited", "order_of_first_citation", "unknown_key", "uncited_reference"]

_BRACKETED = re.compile(r"\[(\d{1,3}(?:[ ]?[,;–-][ ]?\d{1,3}){0,60})\]")
_ROUND = re.compile(r"\((\d{1,3}(?:[ ]?[,;–-][ ]?\d{1,3}){0,60})\)")
_RANGE = re.compile(r"(\d{1,3})(?:[ ]?[–-][ ]?(\d{1,3}))?")
_WIDEST = 100
"""Numbers of a range that are taken as cited one by one; of a wider one only its ends."""
_PARENTHESIS = re.compile(r"\(([^()\n]{4,300})\)")
_NAMED = re.compile(r"(?:see |e\.g\.,? |cf\. )?([A-ZÀ-Þ][\w'’-]{1,60})\b[^;]{0,200}?[ ,]((?:1[89]|20)\d\d)[a-z]?$")
_TOLD = re.compile(r"\b([A-ZÀ-Þ][\w'’-]{1,60})(?: et al\.| (?:and|&) [A-ZÀ-Þ][\w'’-]{1,60})? \(((?:1[89]|20)\d\d)[a-z]?\)")


class Finding(Item):
    """One thing that does not fit, at `start:end` of the manuscript (`quote`); of a reference that nobody cites, the entry."""

    rule: Rule
    message: str
    line: int | None = None
    start: int | None = None
    end: int | None = None
    quote: str | None = None


@dataclass(frozen=True, kw_only=True)
class Cited:
    """One citation in the text: numbers, or (family name, year) pairs. Lives as long as the run."""

    kind: Literal["numeric", "author-date"]
    start: int
    end: int
    numbers: tuple[int, ...] = ()
    names: tuple[tuple[str, str], ...] = ()


def citations(text: Manuscript, entries: Sequence[Entry]) -> list[Cited]:
    """Every citation outside the reference list, in order; numbers in round brackets count only beside a numbered list, where no others do."""
    end = next((section.start for section in text.parts("references")), len(text.text))
    numeric = [_numeric(match) for match in _BRACKETED.finditer(text.text, 0, end)]
    if not numeric and any(entry.number is not None for entry in entries):
        numeric = [one for one in map(_numeric, _ROUND.finditer(text.text, 0, end)) if max(one.numbers, default=0) <= len(entries)]
    return sorted([*numeric, *_author_date(text.text, end)], key=lambda one: one.start)


def findings(text: Manuscript, style: csl.Style | None, check: Callable[[], None]) -> Iterator[Finding]:
    """What does not fit, in the order of the rules; `style` is the one asked for, None where none is known."""
    entries = manuscript.references(text)
    found = citations(text, entries)
    check()
    if style is not None:
        wanted = "numeric" if style in csl.NUMERIC else "author-date"
        for one in found:
            if one.kind != wanted:
                yield _at(
                    text, "citation_kind", one, f"a citation by {'number' if one.kind == 'numeric' else 'author and year'}; {style} is {wanted}"
                )
    if entries:
        yield from _by_number(text, entries, [one for one in found if one.kind == "numeric"])
        yield from _by_name(text, entries, [one for one in found if one.kind == "author-date"], check)


def _by_number(text: Manuscript, entries: Sequence[Entry], found: Sequence[Cited]) -> Iterator[Finding]:
    if not found:
        return
    listed = {entry.number if entry.number is not None else place for place, entry in enumerate(entries, 1)}
    first: dict[int, Cited] = {}
    highest = 0
    for one in found:
        for number in one.numbers:
            if number not in listed:
                yield _at(text, "cited_without_entry", one, f"reference {number} is cited and not in the list of {len(entries)}")
            elif number not in first:
                if number < highest:
                    yield _at(text, "order_of_first_citation", one, f"reference {number} is cited for the first time after reference {highest}")
                highest = max(highest, number)
            first.setdefault(number, one)
    for place, entry in enumerate(entries, 1):
        number = entry.number if entry.number is not None else place
        if number not in first:
            yield _entry(text, entry, f"reference {number} is in the list and nowhere cited")


def _by_name(text: Manuscript, entries: Sequence[Entry], found: Sequence[Cited], check: Callable[[], None]) -> Iterator[Finding]:
    if not found:
        return
    wording = [entry.span.text.casefold() for entry in entries]
    met: set[int] = set()
    known: dict[tuple[str, str], list[int]] = {}
    for one in found:
        for name, year in one.names:
            check()
            if (name, year) not in known:
                known[name, year] = [place for place, entry in enumerate(wording) if name.casefold() in entry and year in entry]
            met.update(known[name, year])
            if not known[name, year]:
                yield _at(text, "cited_without_entry", one, f"{name} {year} is cited and not in the list")
    if not any(one.kind == "numeric" for one in found):
        for place, entry in enumerate(entries):
            if place not in met:
                yield _entry(text, entry, "an entry of the list is nowhere cited by author and year")


def _numeric(match: re.Match[str]) -> Cited:
    numbers: list[int] = []
    for piece in _RANGE.finditer(match.group(1)):
        first, last = int(piece.group(1)), int(piece.group(2) or piece.group(1))
        numbers += range(first, last + 1) if first <= last < first + _WIDEST else (first, last)
    return Cited(kind="numeric", start=match.start(), end=match.end(), numbers=tuple(numbers))


def _author_date(text: str, end: int) -> Iterator[Cited]:
    for match in _PARENTHESIS.finditer(text, 0, end):
        named = [_NAMED.match(piece.strip()) for piece in match.group(1).split(";")]
        pairs = tuple((one.group(1), one.group(2)) for one in named if one)
        if pairs:
            yield Cited(kind="author-date", start=match.start(), end=match.end(), names=pairs)
    for match in _TOLD.finditer(text, 0, end):
        yield Cited(kind="author-date", start=match.start(), end=match.end(), names=((match.group(1), match.group(2)),))


def _at(text: Manuscript, rule: Rule, one: Cited, message: str) -> Finding:
    return Finding(rule=rule, message=message, line=text.line_of(one.start), start=one.start, end=one.end, quote=text.text[one.start : one.end])


def _entry(text: Manuscript, entry: Entry, message: str) -> Finding:
    end = min(entry.span.end, entry.span.start + 200)
    quote = text.text[entry.span.start : end]
    return Finding(rule="entry_not_cited", message=message, line=entry.line, start=entry.span.start, end=end, quote=quote)
