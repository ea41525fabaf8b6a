"""Compares journals' guidelines field by field: one with another, or one with what a manuscript has. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from windlass.agents.agent import Item
from windlass.agents.guidelines import Count, Guideline, key

LIMITS = {
    "word_limit": "words",
    "abstract_word_limit": "abstract_words",
    "max_references": "references",
    "max_figures": "figures",
    "max_tables": "tables",
    "max_keywords": "keywords",
}
"""A guideline's limit → the manuscript's number that it bounds."""


class Manuscript(Item):
    """What a manuscript has; null is not known."""

    words: Count | None = None
    abstract_words: Count | None = None
    references: Count | None = None
    figures: Count | None = None
    tables: Count | None = None
    keywords: Count | None = None
    reference_style: Annotated[str, Field(min_length=1, max_length=100, pattern=r"\S")] | None = None
    sections: Annotated[list[Annotated[str, Field(min_length=1, max_length=300)]], Field(max_length=1000)] | None = None


class Row(Item):
    """One field: the journal's value, the other side's, and how they stand.

    Two journals are `same`, `different` or (both) `not_stated`. A manuscript is `within`, `over`, `different` (reference style) or
    `missing` (sections, listed in `missing`); `not_stated` where the journal sets no rule, `not_given` where the manuscript's value is
    not known. `difference` is the other side's number less the journal's.
    """

    field: str
    journal: int | str | list[str] | None
    other: int | str | list[str] | None
    verdict: Literal["same", "different", "within", "over", "missing", "not_stated", "not_given"]
    difference: int | None = None
    missing: list[str] = Field(default_factory=list)


def between(journal: Guideline, other: Guideline) -> list[Row]:
    """Two journals, field by field; `missing` are the first one's sections that the other does not have."""
    rows = [_pair(limit, getattr(journal, limit), getattr(other, limit)) for limit in LIMITS]
    rows.append(_pair("reference_style", journal.reference_style, other.reference_style))
    one, two = [key(section) for section in journal.sections], [key(section) for section in other.sections]
    verdict: Literal["same", "different", "not_stated"] = "not_stated" if not one and not two else "same" if one == two else "different"
    absent = _absent(journal.sections, other.sections)
    return [*rows, Row(field="sections", journal=journal.sections, other=other.sections, verdict=verdict, missing=absent)]


def against(journal: Guideline, manuscript: Manuscript) -> list[Row]:
    """A manuscript's numbers, style and sections held against the journal's rules."""
    rows = [_bounded(limit, getattr(journal, limit), getattr(manuscript, counted)) for limit, counted in LIMITS.items()]
    style, own = journal.reference_style, manuscript.reference_style
    rows.append(
        Row(
            field="reference_style",
            journal=style,
            other=own,
            verdict="not_stated" if style is None else "not_given" if own is None else "within" if key(style) == key(own) else "different",
        )
    )
    absent = _absent(journal.sections, manuscript.sections or ())
    verdict: Literal["not_stated", "not_given", "missing", "within"] = (
        "not_stated" if not journal.sections else "not_given" if manuscript.sections is None else "missing" if absent else "within"
    )
    missing = absent if verdict == "missing" else []
    return [*rows, Row(field="sections", journal=journal.sections, other=manuscript.sections, verdict=verdict, missing=missing)]


def fits(rows: Sequence[Row]) -> bool | None:
    """Whether a manuscript keeps every rule: false for one that it breaks, null while a rule could not be held against it or none is stated."""
    verdicts = {row.verdict for row in rows}
    if verdicts & {"over", "different", "missing"}:
        return False
    return True if "within" in verdicts and "not_given" not in verdicts else None


def _pair(field: str, one: int | str | None, two: int | str | None) -> Row:
    alike = one is two or (one is not None and two is not None and key(str(one)) == key(str(two)))
    verdict: Literal["same", "different", "not_stated"] = "not_stated" if one is None and two is None else "same" if alike else "different"
    difference = two - one if isinstance(one, int) and isinstance(two, int) else None
    return Row(field=field, journal=one, other=two, verdict=verdict, difference=difference)


def _bounded(field: str, limit: int | None, number: int | None) -> Row:
    if limit is None or number is None:
        return Row(field=field, journal=limit, other=number, verdict="not_stated" if limit is None else "not_given")
    return Row(field=field, journal=limit, other=number, verdict="within" if number <= limit else "over", difference=number - limit)


def _absent(wanted: Sequence[str], present: Sequence[str]) -> list[str]:
    known = {key(section) for section in present}
    return [section for section in wanted if key(section) not in known]
