"""Which items of a reporting checklist a trial's data and words report, each with the fields or the verbatim words that show it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from windlass.agents import checklists
from windlass.agents.agent import Item
from windlass.agents.checklists import Checklist


class Passage(NamedTuple):
    """A piece of text, where it is from (a field of the data, or a chunk) and where it begins there. Lives as long as the run."""

    source: str
    text: str
    start: int = 0


class Shown(Item):
    """The words that report an item, verbatim: the text of `source` from `start` to `end`."""

    source: str
    quote: str
    start: int
    end: int


class Audited(Item):
    """An item and whether it is reported: by `fields` that are given, or by the words `shown`; a missing one has neither."""

    id: str
    section: str
    item: str
    status: Literal["found", "missing"]
    fields: list[str]
    shown: Shown | None


class Tally(Item):
    """How many items are found and missing; they add up to `total`."""

    found: int
    missing: int
    total: int


def audit(
    checklist: Checklist, given: Mapping[str, Sequence[str]], passages: Iterable[Passage], check: Callable[[], None], title: str | None = None
) -> list[Audited]:
    """A word per item, in the checklist's order; `given` are the items that fields report. `title` is where items on the title are looked for."""
    shown: dict[str, Shown] = {}
    for passage in passages:
        for finding in checklists.found(checklist, passage.text, check):
            if finding.evidence and finding.item.section not in _PLACED:
                start, end = passage.start + finding.evidence.start, passage.start + finding.evidence.end
                shown.setdefault(finding.item.id, Shown(source=passage.source, quote=finding.evidence.text, start=start, end=end))
    for finding in checklists.found(checklist, title or "", check):
        if finding.evidence and finding.item.section == "Title":
            quote = finding.evidence
            shown[finding.item.id] = Shown(source="title", quote=quote.text, start=quote.start, end=quote.end)
    return [_audited(item, list(given.get(item.id, ())), shown.get(item.id)) for item in checklist.items]


def tally(audited: Sequence[Audited]) -> Tally:
    """The counts of a checklist's items."""
    found = sum(item.status == "found" for item in audited)
    return Tally(found=found, missing=len(audited) - found, total=len(audited))


_PLACED = frozenset({"Title", "Abstract"})
"""Sections whose items count only where they stand, so that words elsewhere do not report them."""


def _audited(item: checklists.ChecklistItem, fields: list[str], shown: Shown | None) -> Audited:
    status: Literal["found", "missing"] = "found" if fields or shown else "missing"
    return Audited(id=item.id, section=item.section, item=item.text, status=status, fields=fields, shown=shown)
