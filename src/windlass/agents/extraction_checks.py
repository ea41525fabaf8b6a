"""Holds an extracted row against the paper that it claims to be read from: whoever extracted it, a grammar or a model.

A quote must stand verbatim at its place, and every value must be a reading of its own quote. Each function returns None or the reason.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from windlass.agents import p_values, written_numbers
from windlass.agents.extraction_rows import RATIOS, Cited, Count, Effect, FieldName, Place, PValue, Row
from windlass.agents.papers import Paper

_TOKEN = re.compile(rf"[-+]?{written_numbers.PLAIN}")
_COUNT = re.compile(r"\d{1,9}(?:[, ]\d{3}){0,3}")


def _never() -> None:
    """Quotes are short: nothing here runs long enough to be stopped."""


def not_aligned(rows: Sequence[Row], citations: Sequence[Cited]) -> str | None:
    """Why rows and citations do not go together one by one, in order, under keys that are used once."""
    if len(rows) != len(citations):
        return f"{len(rows)} rows stand beside {len(citations)} citations"
    for position, (row, cited) in enumerate(zip(rows, citations, strict=True)):
        if row.citation_key != cited.key:
            return f"row {position} cites {row.citation_key!r}, the citation in its place is {cited.key!r}"
        if row.position != position:
            return f"row {position} says that it is row {row.position}"
    return "a citation key is used twice" if len({cited.key for cited in citations}) < len(citations) else None


def unsupported(row: Row, paper: Paper) -> str | None:
    """What in the row the paper does not bear out: a quote that is not there, a value that its quote does not give."""
    places: list[Place] = [*row.sample_sizes, *row.effects, *row.p_values, *row.endpoints, *row.unread]
    places.extend(effect.endpoint for effect in row.effects if effect.endpoint)
    if row.design.place:
        places.append(row.design.place)
    for place in places:
        if reason := misquoted(place, paper):
            return reason
    checks = [*map(_count, row.sample_sizes), *map(_effect, row.effects), *map(_p_value, row.p_values)]
    if reason := next(filter(None, checks), None):
        return reason
    values = [count.value for count in row.sample_sizes]
    return f"n is {row.n}, which is none of the sample sizes" if row.n is not None and row.n not in values else None


def misquoted(place: Place, paper: Paper) -> str | None:
    """Why the place does not hold its quote."""
    text = _text(place.field, paper)
    if not place.quote or not 0 <= place.start < place.end or text[place.start : place.end] != place.quote:
        return f"{place.quote[:80]!r} does not stand in the paper's {place.field} at {place.start}"
    return None


def _text(field: FieldName, paper: Paper) -> str:
    return {"title": paper.title, "abstract": paper.abstract, "study_type": paper.study_type}[field] or ""


def _count(count: Count) -> str | None:
    flat = written_numbers.flat(count.quote)
    readings = {written_numbers.count(found.group(), count.quote[slice(*found.span())]) for found in _COUNT.finditer(flat)}
    return None if count.value in readings else f"{count.quote[:80]!r} does not give the number {count.value}"


def _effect(effect: Effect) -> str | None:
    flat = written_numbers.flat(effect.quote)
    tokens = set(_TOKEN.findall(flat)) | {token.lstrip("-+") for token in _TOKEN.findall(flat)}
    limits = (effect.low, effect.high)
    values = [effect.estimate, *(limit for limit in limits if limit is not None)]
    if len(values) == 2 or (effect.level is not None and f"{effect.level:g}" not in flat):
        return f"{effect.quote[:80]!r} does not give the interval that is read from it"
    if len(effect.numbers) != len(values) or any(
        number not in tokens or float(number) != value for number, value in zip(effect.numbers, values, strict=True)
    ):
        return f"{effect.quote[:80]!r} does not give the numbers {values}"
    if effect.measure in RATIOS and min(values) < 0:
        return f"{effect.quote[:80]!r} is no ratio"
    return None if effect.low is None or effect.high is None or effect.low <= effect.estimate <= effect.high else "an estimate outside its interval"


def _p_value(stated: PValue) -> str | None:
    readings, _unread = p_values.read(stated.quote, written_numbers.flat(stated.quote), stated.field, _never)
    given = [(reading.relation, reading.value) for reading in readings]
    return None if (stated.relation, stated.value) in given else f"{stated.quote[:80]!r} does not give p {stated.relation} {stated.value}"
