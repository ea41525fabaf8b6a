"""Takes a research question apart: PICO slots by cue words, headings by a small thesaurus, and the words that carry it.

The grammar reads from left to right: a cue word (`in`, `does`, `compared with`, `reduce` …) opens a slot, the next cue or the end of the
sentence closes it. What stands in a slot is verbatim from the question; where no cue stands, slots stay empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from windlass.agents import search, text

Slot = Literal["population", "intervention", "comparison", "outcome", "time"]
SLOTS: tuple[Slot, ...] = ("population", "intervention", "comparison", "outcome", "time")
_MEASURED: Slot = "time"

_TOKEN = re.compile(r"[^\s?;:]+|[?;:]")
_ENDS = "?;:"
_EDGE = " \t\r\n,.:;?!()[]\"“”'"
_ARTICLES = ("the ", "a ", "an ", "there ")
_CUES: dict[Slot, str] = {
    "population": "in|among|amongst|for|in patients undergoing",
    "intervention": "does|do|did|can|could|will|would|should|is|are|was|were|how does|how effective is|how effective are|effect of|effects of|"
    "efficacy of|effectiveness of|impact of|role of|safety of|influence of|use of|benefit of|benefits of|treatment with|treated with|receiving|"
    "association of|association between|relationship between|link between|whether",
    "comparison": "compared with|compared to|in comparison with|in comparison to|versus|vs|vs.|rather than|instead of|as opposed to|relative to|"
    "better than|worse than|more effective than|less effective than|superior to|inferior to|non-inferior to|as effective as|against",
    "outcome": "reduce|reduces|reducing|improve|improves|improving|increase|increases|increasing|decrease|decreases|decreasing|prevent|prevents|"
    "preventing|lowers|lowering|affect|affects|affecting|delay|delays|predict|predicts|cause|causes|lead to|leads to|result in|results in|on|"
    "in reducing|in preventing|in improving|in the prevention of|in terms of|with respect to|effective for|effective in|effective against|"
    "associated with",
    "time": "within|over|after|at|during|for|by",
}
_NO_CUES = "in combination with|in addition to|in vitro|in vivo|based on|for example"
"""Phrases whose first word looks like a cue."""
_OPENS: dict[str, Slot] = {cue: slot for slot in SLOTS if slot != _MEASURED for cue in _CUES[slot].split("|")}
_TIMES = frozenset(_CUES[_MEASURED].split("|"))
_AUXILIARIES = frozenset("does do did can could will would should is are was were".split())
_SKIPPED = frozenset(_NO_CUES.split("|"))
_EMPTY = frozenset({"", "the", "a", "an", "there", "it", "and", "or", "what", "how", "we"})
"""What a slot can't consist of."""
_LONGEST = max(phrase.count(" ") + 1 for phrase in (*_OPENS, *_TIMES, *_SKIPPED))
_QUESTION_WORDS = frozenset(
    "how what which who whom whether why when where effect effects efficacy effectiveness effective impact role safety influence "
    "use benefit benefits treatment treated receiving between association associated relationship link compared comparison versus "
    "vs rather instead opposed relative better worse superior inferior reduce reduces reducing improve improves improving increase "
    "increases increasing decrease decreases decreasing prevent prevents preventing lowers lowering affect affects affecting delay "
    "delays predict predicts cause causes lead leads result results within over after during among amongst against patients people "
    "study studies would could should".split()
)

_GROUP_WORDS = 12
"""Words of one slot that go into a boolean query; databases refuse endless ones."""


@dataclass(frozen=True, kw_only=True)
class Heading:
    """A subject heading and the phrase of the thesaurus that the question holds. Lives as long as the run."""

    heading: str
    phrase: str
    synonyms: tuple[str, ...]


def slots(question: str) -> dict[Slot, list[str]]:
    """The PICO(T) slots of a question, each a list of verbatim pieces in order; empty where no cue opens it."""
    found: dict[Slot, list[str]] = {slot: [] for slot in SLOTS}
    for sentence in text.sentences(question):
        for slot, piece in _pieces(sentence.text):
            found[slot].append(piece)
    return found


def keywords(question: str) -> list[str]:
    """The words that carry the question, in order, each once: no stop words, no words of asking and comparing."""
    carried = {word: None for word in text.content_words(question) if word not in _QUESTION_WORDS}
    first = {search.normal(word): word for word in reversed(carried)}
    return [word for word in carried if first[search.normal(word)] == word]


def _pieces(sentence: str) -> Iterator[tuple[Slot, str]]:
    """Slot and wording of each piece of one sentence, in order."""
    tokens = list(_TOKEN.finditer(sentence))
    bare = [token.group().strip(_EDGE).casefold() for token in tokens]
    slot: Slot | None = None
    linking = filled = False
    start = place = 0
    while place < len(tokens):
        length, cue = _cue(bare, place, filled=filled, linking=linking)
        if cue is None and tokens[place].group() not in _ENDS:
            place += length
            continue
        piece = _trimmed(sentence[start : tokens[place].start()])
        if slot and piece:
            filled = filled or slot == "intervention"
            yield slot, piece
        linking = cue == "intervention" and bare[place + length - 1] == "between"
        slot, place = cue, place + length
        start = tokens[place].start() if place < len(tokens) else len(sentence)
    piece = _trimmed(sentence[start:])
    if slot and piece:
        yield slot, piece


def _cue(bare: list[str], place: int, *, filled: bool, linking: bool) -> tuple[int, Slot | None]:
    """How many words the longest cue at this place has, and the slot that it opens; (1, None) where there is none.

    `filled`: the intervention is known, so that `is` or `does` opens nothing more. `linking`: `between X` is open, `and` closes it.
    """
    if linking and bare[place] == "and":
        return 1, "outcome"
    for length in range(min(_LONGEST, len(bare) - place), 0, -1):
        phrase = " ".join(bare[place : place + length])
        if phrase in _SKIPPED:
            return length, None
        if phrase in _TIMES and place + length < len(bare) and bare[place + length][:1].isdigit():
            return length, _MEASURED
        opened = _OPENS.get(phrase)
        if opened and not (filled and phrase in _AUXILIARIES):
            return length, opened
    return 1, None


def _trimmed(piece: str) -> str:
    plain = piece.strip(_EDGE)
    article = next((article for article in _ARTICLES if plain.casefold().startswith(article)), "")
    plain = plain[len(article) :].strip(_EDGE)
    return "" if plain.casefold() in _EMPTY else plain


def headings(question: str, thesaurus: Iterable[tuple[str, tuple[str, ...]]]) -> list[Heading]:
    """The headings whose phrases stand in the question, in order, the longest phrase first where two begin at one word."""
    known = {search.normal(phrase).strip(): (heading, phrases) for heading, phrases in thesaurus for phrase in phrases}
    longest = max((phrase.count(" ") + 1 for phrase in known), default=0)
    terms = list(search.terms(question))
    found: dict[str, Heading] = {}
    place = 0
    while place < len(terms):
        spans = (" ".join(terms[place : place + length]) for length in range(longest, 0, -1))
        phrase = next((span for span in spans if span in known), None)
        if phrase is None:
            place += 1
            continue
        heading, phrases = known[phrase]
        named = next(name for name in phrases if search.normal(name).strip() == phrase)
        found.setdefault(heading, Heading(heading=heading, phrase=named, synonyms=phrases))
        place += phrase.count(" ") + 1
    return list(found.values())


def boolean(pico: dict[Slot, list[str]], carried: list[str], thesaurus: Iterable[tuple[str, tuple[str, ...]]]) -> str:
    """The question as a query for a bibliographic database: population, intervention and outcome joined by AND, headings beside words.

    The comparison is left open, as searchers do; a question without slots is searched by its keywords.
    """
    known = tuple(thesaurus)
    pieces = [piece for slot in ("population", "intervention", "outcome") for piece in pico[slot]] or [" ".join(carried)]
    groups = []
    for piece in pieces:
        words = " AND ".join(keywords(piece)[:_GROUP_WORDS])
        subjects = " AND ".join(f'"{found.heading}"[MeSH Terms]' for found in headings(piece, known))
        groups.append(" OR ".join(f"({alternative})" for alternative in (words, subjects) if alternative))
    return " AND ".join(f"({group})" for group in groups if group)
