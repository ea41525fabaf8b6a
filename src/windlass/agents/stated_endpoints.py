"""Endpoints in a paper's own words: what a study says it measured, and what a sentence says an estimate is of."""

from __future__ import annotations

import re
from collections.abc import Callable

from windlass.agents.extraction_rows import Endpoint, FieldName, Place

_OUTCOME = r"(?:outcomes?|end-?points?|end points?)(?: measures?)?"
_NAMED = re.compile(
    rf"\b(?P<role>(?:co-?)?primary|main|principal|(?:key )?secondary) (?:efficacy |safety |composite )?{_OUTCOME}"
    r" ?(?:was|were|is|are|:|,|-) ?(?:the )?",
    re.IGNORECASE,
)
_NAMED_AFTER = re.compile(rf" (?:was|were|as) (?:an?|the) (?P<role>primary|main|secondary) {_OUTCOME}", re.IGNORECASE)
_PHRASE = re.compile(r"[^.;:]{2,200}")
_CLAUSE_START = re.compile(r"(?:[.;:!?]\s+|[(\[])(?=[^.;:!?(\[]*$)")
_FOR_BEFORE = re.compile(
    r" ?(?:[(\[][^()\[\]]{1,12}[)\]])? ?(?P<preposition>for|of|in) (?P<phrase>[^.;:()\[\]]{2,120}?)(?= ?(?:,|=|$)| (?:was|were|is|of)\b)"
)
_FOR_AFTER = re.compile(r" ?%?[^.;:()\[\]]{0,14}[)\]]{0,2} for (?P<phrase>[^.;:,()\[\]]{2,120})")
_CIRCUMSTANCE = re.compile(
    r" (?:among|compared|versus|vs|between|at|per|by|within|during|over|after|with|was|were|and (?=[^ ]*\d)|in (?:the|those|patients))\b"
)
_LETTER = re.compile(r"[^\W\d_]{2}")


def read(text: str, flat: str, field: FieldName, check: Callable[[], None]) -> list[Endpoint]:
    """The endpoints that the text calls primary (or main) or secondary, in order of place."""
    found: list[Endpoint] = []
    for label in _NAMED.finditer(flat):
        check()
        if phrase := _PHRASE.match(flat, label.end()):
            found.extend(_endpoint(text, field, phrase.start(), phrase.end(), label["role"]))
    for label in _NAMED_AFTER.finditer(flat):
        check()
        floor = max(0, label.start() - 120)
        clause = _CLAUSE_START.search(flat, floor, label.start())
        if clause or not floor:
            found.extend(_endpoint(text, field, clause.end() if clause else 0, label.start(), label["role"]))
    return sorted(found, key=lambda endpoint: endpoint.start)


def before_estimate(text: str, flat: str, field: FieldName, start: int, end: int, *, ratio: bool) -> Place | None:
    """What stands between a measure's name and its estimate as `for …`, or `in …` of a difference: a ratio in women is of a subgroup."""
    found = _FOR_BEFORE.match(flat, start, end)
    return None if found and ratio and found["preposition"] == "in" else _place(text, field, found)


def after_estimate(text: str, flat: str, field: FieldName, end: int) -> Place | None:
    """What follows an estimate and its interval as `for …`."""
    return _place(text, field, _FOR_AFTER.match(flat, end, end + 150))


def _place(text: str, field: FieldName, found: re.Match[str] | None) -> Place | None:
    if found is None:
        return None
    start, end = found.span("phrase")
    circumstance = _CIRCUMSTANCE.search(found.string, start, end)
    stripped = _stripped(text, start, circumstance.start() if circumstance else end)
    return Place(field=field, start=stripped[0], end=stripped[1], quote=text[stripped[0] : stripped[1]]) if stripped else None


def _endpoint(text: str, field: FieldName, start: int, end: int, role: str) -> list[Endpoint]:
    stripped = _stripped(text, start, end)
    if stripped is None:
        return []
    place = {"start": stripped[0], "end": stripped[1], "quote": text[stripped[0] : stripped[1]]}
    return [Endpoint(field=field, **place, role="secondary" if "second" in role.lower() else "primary")]  # type: ignore[arg-type]


def _stripped(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The span without the white space around it; None where no word is left."""
    piece = text[start:end]
    if not _LETTER.search(piece):
        return None
    return start + len(piece) - len(piece.lstrip()), end - (len(piece) - len(piece.rstrip()))
