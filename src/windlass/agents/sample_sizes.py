"""How many took part: the counts that a text states, and which of them is the study's `n`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

from windlass.agents import written_numbers
from windlass.agents.extraction_rows import Count, FieldName, Unread

_COUNT = r"\d{1,9}(?:[., '\x7f]\d{1,9}){0,4}"
_PEOPLE = (
    "participants?|patients?|adults?|women|men|children|infants?|subjects?|individuals|persons?|people|volunteers|respondents|adolescents|"
    "nurses|students|pregnancies|neonates|residents|veterans|survivors|outpatients|inpatients"
)
_NOT_AN_ADJECTIVE = (
    "months?|years?|weeks?|days?|hours?|sites?|cent(?:er|re)s?|trials?|studies|practices|hospitals?|countries|clinics|million|billion|thousand|"
    "hundred|dozen|to|of|in|with|and|or|per|from|for|by|at|on|the|were|was"
)
_STATED = re.compile(
    rf"(?<![\w.,'\x7f-])(?:(?P<letter>[nN]) ?= ?)?(?P<count>{_COUNT})(?![\w%\x7f])"
    rf"(?P<people>(?: (?!(?:{_NOT_AN_ADJECTIVE}) )[a-z-]{{2,20}}){{0,3}} (?:{_PEOPLE})\b)?"
    r"(?P<verb> (?:were |was )?(?:randomi[sz]ed|randomly (?:assigned|allocated)|enrolled|recruited|included|analy[sz]ed|answered|responded)\b)?"
)
_ENROLLING = re.compile(
    r"\b(?:randomi[sz]ed|(?:randomly )?(?:assigned|allocated)|enrol+ed|recruited|included|followed|analy[sz]ed|surveyed|total of|"
    r"(?:trial|study|cohort|survey|trials|studies) (?:with|of|in|among|included))(?: up)?(?: a total of)? $",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    r"(?:\b(?:phase|type|stage|grade|class|day|week|month|year|aged?|level|table|figure|group|arm|visit|version|step|over|under|than|least|most)"
    r"|[<>≥≤~±]) ?$",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"\b(?:in|since|until|during|year|before|after|january|february|march|april|may|june|july|august|september|october|november|december) $",
    re.IGNORECASE,
)
_LEFT = 48


def read(text: str, flat: str, field: FieldName, check: Callable[[], None]) -> tuple[list[Count], list[Unread]]:
    """The numbers of participants that a text states, in order of place, and what looks like one and has no single reading."""
    counts: list[Count] = []
    unread: list[Unread] = []
    for found in _STATED.finditer(flat):
        check()
        if not (found["letter"] or found["people"] or found["verb"]):
            continue
        left = flat[max(0, found.start() - _LEFT) : found.start()]
        if not found["letter"] and _NUMBERED.search(left):
            continue
        place = {"field": field, "start": found.start(), "end": found.end(), "quote": text[found.start() : found.end()]}
        written = found["count"]
        value = written_numbers.count(written, text[slice(*found.span("count"))])
        if value is None:
            unread.append(Unread.model_validate({**place, "reason": _refusal(written)}))
        elif not found["letter"] and len(written) == 4 and 1900 <= value < 2100 and _DATE.search(left):
            unread.append(Unread.model_validate({**place, "reason": "this number may be a year"}))
        else:
            enrolled = bool(_ENROLLING.search(left) or (found["verb"] and "analy" not in found["verb"]))
            counts.append(Count.model_validate({**place, "value": value, "enrolled": enrolled}))
    return counts, unread


def total(counts: Sequence[Count]) -> tuple[int | None, Literal["enrolled", "only", "total", "several", "none"]]:
    """The study's `n` and the rule that found it: the one enrolled, the only one, or the one that the others add up to; else None."""
    stated = {count.value for count in counts}
    enrolled = {count.value for count in counts if count.enrolled}
    if not stated:
        return None, "none"
    if len(enrolled) == 1:
        return enrolled.pop(), "enrolled"
    if len(stated) == 1:
        return stated.pop(), "only"
    largest = max(stated)
    rest = [count.value for count in counts]
    rest.remove(largest)
    return (largest, "total") if len(rest) > 1 and sum(rest) == largest else (None, "several")


def _refusal(written: str) -> str:
    if "." in written:
        return "a point may group thousands, and a count has no decimals: this number is not guessed"
    return written_numbers.refusal(written)
