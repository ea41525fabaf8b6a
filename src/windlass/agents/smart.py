"""Scores a hypothesis by SMART: each of the five letters is a few yes-or-no checks with a stated rule and the words that meet it.

A letter's score is the share of its checks that are met, 0 to 100; the total is the mean of the five. No check is a matter of taste.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from windlass.agents import question, text, thesaurus
from windlass.agents.agent import Item
from windlass.agents.hypothesis_slots import Slots
from windlass.agents.text import Span

Criterion = Literal["specific", "measurable", "achievable", "relevant", "time_bound"]
CRITERIA: tuple[Criterion, ...] = ("specific", "measurable", "achievable", "relevant", "time_bound")

_MEASURE = re.compile(
    r"\b(?:rates?|scores?|levels?|mortality|survival|incidence|prevalence|risk|concentrations?|pressure|counts?|duration|length of stay|number|"
    r"hba1c|bmi|weight|readmissions?|time to|proportion|frequency|speed|dose|costs?)\b",
    re.IGNORECASE,
)
_FELT = re.compile(
    r"\b(?:mortality|death|survival|quality of life|pain|readmissions?|hospitali[sz]ations?|disability|stroke|infarction|relapse|recurrence|bleeding|"
    r"fatigue|falls?|function|symptoms?|complications?|adverse events?|remission)\b",
    re.IGNORECASE,
)
_ABSOLUTE = re.compile(
    r"\b(?:always|never|all|every|everyone|cures?|eliminates?|proves?|guarantees?|completely|entirely|100\s?%(?!\w))", re.IGNORECASE
)
_JOINED = re.compile(r"\s(?:and|plus|or)\s|[,;/&+]", re.IGNORECASE)
_MEASURED_TIME = re.compile(r"\d[\d.,]*[\s-]?(?:second|minute|hour|day|week|month|year|decade)", re.IGNORECASE)


class Check(Item):
    """One check: `rule` says when it is met; where words of the text decide, they are `quote`, at `start:end`."""

    id: str
    criterion: Criterion
    rule: str
    met: bool
    quote: str | None = None
    start: int | None = None
    end: int | None = None


class Score(Item):
    """One letter of SMART: `score` is 100 × met ÷ of."""

    criterion: Criterion
    score: float
    met: int
    of: int


def checks(given: str, slots: Slots) -> list[Check]:
    """Every check of a hypothesis, in the order of the letters."""
    outcome = slots.outcome[0] if slots.outcome else None
    absolute, heading = _first(_ABSOLUTE, given), _heading(given)
    return [
        *(
            _asked(f"{slot}_named", "specific", f"a {slot} is named", getattr(slots, slot))
            for slot in ("population", "intervention", "comparison", "outcome")
        ),
        _shown("direction_stated", "measurable", "a verb says in which direction the outcome moves", slots.verb),
        _shown("size_stated", "measurable", "a number says by how much", slots.size),
        _shown("measure_named", "measurable", "the outcome is named by a measure (a rate, score, level, time …)", _within(_MEASURE, outcome)),
        _alone("one_intervention", "exactly one intervention is named", slots.intervention),
        _alone("one_outcome", "exactly one outcome is named", slots.outcome),
        _judged("no_absolute", "achievable", "no absolute word (always, all, cures, proves …)", absolute, met=absolute is None),
        _shown("subject_known", "relevant", "a subject heading of the thesaurus stands in the text", heading),
        _shown("outcome_felt", "relevant", "the outcome is one that patients feel (mortality, pain, function …)", _within(_FELT, outcome)),
        _asked("time_named", "time_bound", "a time is named", slots.time),
        _shown(
            "time_measured",
            "time_bound",
            "the time is a number with a unit",
            next((time for time in slots.time if _MEASURED_TIME.search(time.text)), None),
        ),
    ]


def scores(found: Sequence[Check]) -> list[Score]:
    """The five letters' scores, rounded to one decimal."""
    counted = []
    for criterion in CRITERIA:
        mine = [check.met for check in found if check.criterion == criterion]
        counted.append(Score(criterion=criterion, score=round(100 * sum(mine) / len(mine), 1), met=sum(mine), of=len(mine)))
    return counted


def total(found: Sequence[Check], also: frozenset[str] = frozenset()) -> float:
    """The mean of the five letters, 0 to 100, one decimal; the checks named in `also` are taken as met."""
    shares = []
    for criterion in CRITERIA:
        mine = [check.met or check.id in also for check in found if check.criterion == criterion]
        shares.append(sum(mine) / len(mine))
    return round(100 * sum(shares) / len(shares), 1)


def _asked(check_id: str, criterion: Criterion, rule: str, pieces: Sequence[Span]) -> Check:
    return _shown(check_id, criterion, rule, pieces[0] if pieces else None)


def _shown(check_id: str, criterion: Criterion, rule: str, piece: Span | None) -> Check:
    return _judged(check_id, criterion, rule, piece, met=piece is not None)


def _alone(check_id: str, rule: str, pieces: Sequence[Span]) -> Check:
    single = len(pieces) == 1 and not _JOINED.search(pieces[0].text)
    return _judged(check_id, "achievable", rule, pieces[0] if pieces else None, met=single)


def _judged(check_id: str, criterion: Criterion, rule: str, piece: Span | None, *, met: bool) -> Check:
    if piece is None:
        return Check(id=check_id, criterion=criterion, rule=rule, met=met)
    return Check(id=check_id, criterion=criterion, rule=rule, met=met, quote=piece.text, start=piece.start, end=piece.end)


def _first(pattern: re.Pattern[str], given: str) -> Span | None:
    match = pattern.search(given)
    return Span(text=match.group(), start=match.start(), end=match.end()) if match else None


def _within(pattern: re.Pattern[str], piece: Span | None) -> Span | None:
    match = pattern.search(piece.text) if piece else None
    if match is None or piece is None:
        return None
    return Span(text=match.group(), start=piece.start + match.start(), end=piece.start + match.end())


def _heading(given: str) -> Span | None:
    """The sentence that holds the first subject heading: a heading's phrase may be spelled otherwise than in the thesaurus."""
    for sentence in text.sentences(given):
        if question.headings(sentence.text, thesaurus.HEADINGS):
            return sentence
    return None
