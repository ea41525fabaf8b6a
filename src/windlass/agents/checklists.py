"""Reporting checklists: which items of CONSORT, SPIRIT and their like a text speaks of, and which it leaves out.

An item is found where, in one sentence and within `WINDOW` characters, every group of its cues has at least one of its words or
phrases. Found means that the text speaks of the item, not that it does so well; missing means that no such sentence stands there.
Items of the section `Title` are looked for in the first line that is not empty, those of `Abstract` after a heading that says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Annotated

from pydantic import Field

from windlass.agents import text
from windlass.agents.agent import Item
from windlass.agents.phrases import Phrases, Place

WINDOW = 400
"""Characters within which the cues of an item stand together; a quote is never longer, unless it is a sentence's own."""
ABSTRACT = 4000
"""Characters after the heading of an abstract that are read as the abstract."""

_FILLED = re.compile(r"\S[^\n]*")
_ABSTRACT = re.compile(r"^[ \t#*_]*(?:abstract|summary)[ \t*_]*(?:[:.\u2014][ \t*_]*|$)", re.IGNORECASE | re.MULTILINE)
_NAME = re.compile(r"[a-z0-9-]+")

Words = Annotated[str, Field(min_length=1, pattern=r"\w")]


class ChecklistItem(Item):
    """One item: its number, the part of the report that it belongs to, what it asks, and the cues that show it."""

    id: Words
    section: Words
    text: Words
    cues: Annotated[tuple[Annotated[tuple[Words, ...], Field(min_length=1)], ...], Field(min_length=1)]


class Checklist(Item):
    """A reporting standard's items, paraphrased; `source` says where they come from. Lives as long as the process."""

    name: Words
    source: Words
    items: Annotated[tuple[ChecklistItem, ...], Field(min_length=1)]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Whether a text speaks of an item; `evidence` is the verbatim piece that shows it, None when missing. Lives as long as the run."""

    item: ChecklistItem
    found: bool
    evidence: text.Span | None


@cache
def load(name: str) -> Checklist:
    """The shipped checklist `data/<name>.json`, the name in any case; raises ValueError where there is none."""
    file = resources.files("windlass.agents.data").joinpath(f"{name.lower()}.json")
    if not _NAME.fullmatch(name.lower()) or not file.is_file():
        raise ValueError(f"there is no checklist {name!r}")
    return Checklist.model_validate_json(file.read_bytes())


def part(checklist: Checklist, *sections: str) -> Checklist:
    """The checklist with the items of these sections alone; `Methods` takes in `Methods: monitoring`. Raises ValueError for none."""
    wanted = {section.lower() for section in sections}
    items = tuple(item for item in checklist.items if wanted & {item.section.lower(), item.section.lower().partition(":")[0]})
    if not items:
        raise ValueError(f"{checklist.name} has no items for {', '.join(sections)}")
    return checklist.model_copy(update={"items": items})


def found(checklist: Checklist, passage: str, check: Callable[[], None] | None = None) -> list[Finding]:
    """One finding per item, in the checklist's order; the first evidence counts. `check` is called between sentences and may raise."""
    index = _index(checklist)
    shown: dict[str, text.Span] = {}
    uses = {section: dict(cues) for section, cues in index.uses.items()}  # a copy: what is found is not looked for again
    for section, window in _windows(passage):
        if check:
            check()
        _read(passage, window, index.places(passage, window.start, window.end), uses[section], shown)
        if len(shown) == len(checklist.items):
            break
    return [Finding(item=item, found=item.id in shown, evidence=shown.get(item.id)) for item in checklist.items]


@dataclass(frozen=True, kw_only=True)
class _Use:
    """That a cue belongs to a group of an item. Lives as long as its checklist."""

    item: str
    group: int
    groups: int


class _Index:
    """A checklist's cues, ready to be looked for. Lives as long as the process."""

    def __init__(self, checklist: Checklist) -> None:
        self.uses: dict[str, dict[str, Sequence[_Use]]] = {"Title": {}, "Abstract": {}, "": {}}
        for item in checklist.items:
            uses = self.uses[item.section if item.section in self.uses else ""]
            for number, group in enumerate(item.cues):
                for cue in dict.fromkeys(group):
                    uses[cue] = [*uses.get(cue, ()), _Use(item=item.id, group=number, groups=len(item.cues))]
        phrases = Phrases(cue for uses in self.uses.values() for cue in uses)
        self.places = phrases.places


@lru_cache(maxsize=32)
def _index(checklist: Checklist) -> _Index:
    return _Index(checklist)


def _windows(passage: str) -> Iterator[tuple[str, text.Span]]:
    """The pieces in which cues must stand together, each with the section whose items are looked for there (empty: all other sections)."""
    title = _FILLED.search(passage)
    if title:
        yield "Title", text.Span(text="", start=title.start(), end=min(title.end(), title.start() + WINDOW))
    heading = _ABSTRACT.search(passage)
    if heading:
        for sentence in text.sentences(passage[heading.end() : heading.end() + ABSTRACT]):
            yield "Abstract", text.Span(text="", start=heading.end() + sentence.start, end=heading.end() + sentence.end)
    for sentence in text.sentences(passage):  # with the heading before it, which is a cue: `Limitations`
        yield "", sentence


def _read(passage: str, window: text.Span, places: Iterator[Place], uses: dict[str, Sequence[_Use]], shown: dict[str, text.Span]) -> None:
    """Put the items that this window shows into `shown`, unless they are there; cues that nothing needs any more leave `uses`."""
    last: dict[str, dict[int, Place]] = {}
    for place in places:
        for use in uses.get(place.phrase, ()):
            if use.item in shown:
                uses[place.phrase] = [other for other in uses[place.phrase] if other.item not in shown]
                continue
            seen = last.setdefault(use.item, {})
            seen[use.group] = place
            if len(seen) < use.groups:
                continue
            start, end = min(one.start for one in seen.values()), max(one.end for one in seen.values())
            if end - start <= WINDOW:
                if window.end - window.start <= WINDOW:
                    start, end = window.start, window.end
                shown[use.item] = text.Span(text=passage[start:end], start=start, end=end)
