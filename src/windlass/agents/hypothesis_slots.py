"""Takes a hypothesis apart into PICOT slots: `question`'s grammar, and beside it what only statements have (a lead-in, a verb, a size).

Every piece is verbatim: `text[piece.start:piece.end] == piece.text`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from windlass.agents import question
from windlass.agents.text import Span

_LEAD = re.compile(
    r"\b(?:hypothesi[sz]e[ds]?|hypothesis|expect(?:ed)?|believe[ds]?|propose[ds]?|predict(?:ed)?|postulate[ds]?|assume[ds]?)\b[^.?!]{0,12}?\bthat\s",
    re.IGNORECASE,
)
_LEAD_WITHIN = 120
_MODAL = r"(?:(?:will|would|can|could|may|might|should|does|do)\s+(?:not\s+)?)?"
_VERB = re.compile(
    rf"\b{_MODAL}(reduces?|improves?|increases?|decreases?|prevents?|lowers?|raises?|delays?|shortens?|prolongs?|worsens?)\b", re.IGNORECASE
)
_OPENS_WITH_PEOPLE = re.compile(r"(?:in|among|amongst)\s", re.IGNORECASE)
_UNIT = re.compile(r"\b(?:seconds?|minutes?|hours?|days?|weeks?|months?|years?|decades?)\b", re.IGNORECASE)
_YEAR = re.compile(r"(?:19|20)\d\d")
_SIZE = re.compile(
    r"\b(?:by|of)\s+(?:at\s+least\s+|more\s+than\s+)?(\d[\d.,]*(?:\s?%|\s(?:percentage\s)?points?\b|\s(?:mm|kg|mg|g|m)\b[\w/]*)?)", re.IGNORECASE
)
_ASKS = re.compile(r"(?:does|do|did|can|could|will|would|should|is|are|was|were|how|what|which|whether)\s", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Slots:
    """The pieces of one statement, each list in order of the text. Lives as long as the run."""

    population: tuple[Span, ...]
    intervention: tuple[Span, ...]
    comparison: tuple[Span, ...]
    outcome: tuple[Span, ...]
    time: tuple[Span, ...]
    verb: Span | None
    """The direction, with its modal verb: `will reduce`."""
    size: Span | None
    """How large the change is: `12%`."""
    asks: bool
    """Whether the text is a question."""


def read(text: str) -> Slots:
    """The slots of a hypothesis or a research question; empty where nothing opens one."""
    lead = _LEAD.search(text, 0, _LEAD_WITHIN)
    begin = lead.end() if lead else len(text) - len(text.lstrip())
    asks = text.rstrip().endswith("?") or _ASKS.match(text, begin) is not None
    found: dict[str, list[Span]] = {slot: [] for slot in question.SLOTS}
    comma = text.find(",", begin)
    if _OPENS_WITH_PEOPLE.match(text, begin) and comma > 0:
        _collect(found, question.slots(text[begin:comma]), text, begin)
        begin = comma + 1
    rest = text[begin:].lstrip()
    opened = rest if asks else f"whether {rest}"  # a statement's subject is what a question asks about
    _collect(found, question.slots(opened), text, begin)
    verb, size = _VERB.search(text, begin), _SIZE.search(text, begin)
    times = [piece for piece in found["time"] if _UNIT.search(piece.text) or _YEAR.fullmatch(piece.text)]
    return Slots(
        population=tuple(found["population"]),
        intervention=tuple(found["intervention"]),
        comparison=tuple(found["comparison"]),
        outcome=tuple(found["outcome"]),
        time=tuple(times),
        verb=Span(text=verb.group(), start=verb.start(), end=verb.end()) if verb else None,
        size=Span(text=size.group(1).rstrip(",."), start=size.start(1), end=size.start(1) + len(size.group(1).rstrip(",."))) if size else None,
        asks=asks,
    )


def _collect(found: dict[str, list[Span]], pieces: Mapping[question.Slot, list[str]], text: str, begin: int) -> None:
    """Put each piece where it stands in `text`, at or after `begin` and after the piece before it of the same slot."""
    for slot in question.SLOTS:
        place = begin
        for piece in pieces.get(slot, ()):
            start = text.find(piece, place)
            if start >= 0:
                place = start + len(piece)
                found[slot].append(Span(text=piece, start=start, end=place))
