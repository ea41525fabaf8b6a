"""The names of effect measures in a text: hazard ratio, aOR, SMD …, and what looks like one and is not (`heart rate (HR)`)."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from windlass.agents.extraction_rows import Measure

_LONG = (
    r"(?P<SMD>standardi[sz]ed mean differences?)|(?P<MD>(?:weighted )?mean differences?)|(?P<HR>(?:subdistribution )?hazards? ratios?)"
    r"|(?P<OR>odds ratios?)|(?P<IRR>(?:incidence )?rate ratios?)|(?P<RR>risk ratios?|relative risks?)|(?P<RD>(?:absolute )?risk differences?)"
)
_SHORT = r"(?P<smd>SMDs?)|(?P<md>W?MDs?)|(?P<hr>[acpsu]?HRs?)|(?P<or>[acpsu]?ORs?)|(?P<irr>[ac]?IRRs?)|(?P<rr>[acpu]?RRs?)|(?P<rd>A?RDs?)"
_NAME = re.compile(rf"\b(?:(?i:{_LONG})|{_SHORT})(?![\w-])(?: ?[(\[](?P<beside>[ascpu]?[A-Z]{{2,4}}s?)[)\]])?")
_LONG_NAME = re.compile(_LONG, re.IGNORECASE)
_DEFINED = re.compile(r"\b([A-Za-z]{1,20}) ([A-Za-z]{1,20}) ?[(\[](HR|OR|RR|RD|MD)s?[)\]]")
_PART_OF_ANOTHER = re.compile(r"\b(?:log|ln|diagnostic|ratio of)[ -]$", re.IGNORECASE)
_ANOTHER_QUANTITY = re.compile(r" ?(?:reductions?|increases?|models?)\b", re.IGNORECASE)
_ADJUSTED = re.compile(r"\b(?:adjusted|multivariable|multivariate)\b[^.;]{0,20}$", re.IGNORECASE)
_CRUDE = re.compile(r"\b(?:unadjusted|crude)\b[^.;]{0,20}$", re.IGNORECASE)
_DECIMAL_OR_END = re.compile(r"\d\.\d|;|[.!?] (?=[A-Z(])")


@dataclass(frozen=True, kw_only=True)
class Name:
    """A measure's name in a text. Lives as long as its text is read."""

    measure: Measure
    start: int
    end: int
    adjusted: bool


def find(flat: str, check: Callable[[], None]) -> Iterator[Name]:
    """The measures named in a flat text, in order; an abbreviation that the text itself gives another meaning names none."""
    meanings = _meanings(flat)
    for found in _NAME.finditer(flat):
        check()
        group = next(name for name, words in found.groupdict().items() if words and name != "beside")
        measure: Measure | None = cast("Measure", group.upper())
        if group.islower():
            measure = meanings.get(group.upper(), measure)
        before = flat[max(0, found.start() - 40) : found.start()]
        if measure is None or _PART_OF_ANOTHER.search(before) or _ANOTHER_QUANTITY.match(flat, found.end()):
            continue
        short = found["beside"] or (found.group() if group.islower() else "")
        adjusted = bool(_ADJUSTED.search(before) and not _CRUDE.search(before)) or short.startswith("a")
        yield Name(measure=measure, start=found.start(), end=found.end(), adjusted=adjusted)


def nearest(flat: str, names: Sequence[Name], floor: int, start: int) -> Name | None:
    """The last measure named between `floor` and the number at `start`, in its sentence and with no other estimate between them."""
    place = bisect_right(names, start, key=lambda name: name.end) - 1
    if place < 0 or names[place].start < floor or _DECIMAL_OR_END.search(flat, names[place].end, start):
        return None
    return names[place]


def _meanings(flat: str) -> dict[str, Measure | None]:
    """What the text says that its abbreviations mean: `rate ratio (RR)`; None for what is no measure: `heart rate (HR)`."""
    meanings: dict[str, Measure | None] = {}
    for first, second, short in _DEFINED.findall(flat):
        if long := _LONG_NAME.fullmatch(f"{first} {second}"):
            meanings[short] = cast("Measure", long.lastgroup)
        elif (first[0] + second[0]).upper() == short:
            meanings.setdefault(short, None)
    return meanings
