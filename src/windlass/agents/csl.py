"""Formats references and citations by CSL styles, with citeproc-py.

citeproc-py 0.11 ships one style of its own (Cite Them Right), which calls an article without volume a preprint: a word that is in no input. So the
four styles here are Windlass's own CSL files (`data/csl/`); it has no year suffixes (2020a, 2020b) and no second et al. rule, and says so
by `ambiguous`. No other style is offered.
"""

from __future__ import annotations

import importlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from windlass.agents.agent import Item

Style = Literal["vancouver", "ama", "apa", "harvard"]
STYLES: tuple[Style, ...] = ("vancouver", "ama", "apa", "harvard")
NUMERIC = frozenset({"vancouver", "ama"})

Words = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"\S")]
Key = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\s\[\];,@]+$")]
Part = Annotated[int, Field(ge=1, le=9999)]

_STYLE_WORDS = frozenset("et al in available from at doi https org pp p ed n d and".split())
"""What a style adds to a reference's own words."""
_WORD = re.compile(r"[^\W_]+")


class Person(Item):
    """A name: family and given, or as a whole (`literal`) for a group."""

    family: Words | None = None
    given: Words | None = None
    literal: Words | None = None

    @model_validator(mode="after")
    def _named(self) -> Person:
        if (self.family is None) == (self.literal is None):
            raise ValueError("a name has either family (and given) or literal")
        return self


class Issued(Item):
    """A date as CSL-JSON has it: `{"date-parts": [[2021, 5, 17]]}`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, validate_by_name=True)
    date_parts: Annotated[list[Annotated[list[Part], Field(min_length=1, max_length=3)]], Field(alias="date-parts", min_length=1, max_length=1)]


class Reference(Item):
    """One reference as CSL-JSON has it; a key that is not listed here is refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, validate_by_name=True)
    id: Key
    type: Literal["article-journal", "book", "chapter", "report", "thesis", "webpage"] = "article-journal"
    title: Words
    author: Annotated[list[Person], Field(max_length=200)] = Field(default_factory=list)
    editor: Annotated[list[Person], Field(max_length=200)] = Field(default_factory=list)
    container_title: Words | None = Field(default=None, alias="container-title")
    issued: Issued | None = None
    volume: Words | int | None = None
    issue: Words | int | None = None
    page: Words | None = None
    edition: Words | int | None = None
    publisher: Words | None = None
    publisher_place: Words | None = Field(default=None, alias="publisher-place")
    DOI: Words | None = None
    URL: Words | None = None


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """A bibliography in its order, and one citation per group that was asked for. Lives as long as the run."""

    entries: tuple[tuple[str, str], ...]
    """Key and wording."""
    citations: tuple[str, ...]
    ambiguous: tuple[tuple[str, ...], ...]
    """Keys that the style cites alike, so that a reader can't tell them apart."""


def rendered(style: Style, references: Sequence[Reference], groups: Sequence[Sequence[str]]) -> Rendered:
    """The references by the style, those that are cited first in the order of their citation where the style numbers them."""
    citeproc = importlib.import_module("citeproc")  # lxml and locales: only when references are formatted
    source = importlib.import_module("citeproc.source.json")
    internal = {reference.id: f"r{place}" for place, reference in enumerate(references)}  # citeproc folds the case of ids
    records = [_record(reference, internal[reference.id]) for reference in references]
    bibliography = citeproc.CitationStylesBibliography(_style(style), source.CiteProcJSON(records), citeproc.formatter.plain)
    asked = [_citation(citeproc, [internal[key] for key in group]) for group in groups]
    alone = [_citation(citeproc, [internal[reference.id]]) for reference in references]
    for citation in [*asked, *alone]:
        bibliography.register(citation)
    if style not in NUMERIC:
        bibliography.sort()
    names = {name: key for key, name in internal.items()}
    wording = [_tidy(str(entry)) for entry in bibliography.bibliography()]
    cited = [_plain(bibliography.cite(citation, _missing)) for citation in asked]
    alike: dict[str, list[str]] = {}
    for reference, citation in zip(references, alone, strict=True):
        alike.setdefault(_plain(bibliography.cite(citation, _missing)), []).append(reference.id)
    return Rendered(
        entries=tuple((names[key], entry) for key, entry in zip(bibliography.keys, wording, strict=True)),
        citations=tuple(cited),
        ambiguous=tuple(tuple(keys) for keys in alike.values() if len(keys) > 1),
    )


def foreign_words(entry: str, reference: Reference) -> list[str]:
    """The words of a formatted entry that come neither from the reference nor from a style; initials come from given names."""
    fields = reference.model_dump(exclude={"id", "type", "author", "editor", "issued"}, exclude_none=True)
    people = [*reference.author, *reference.editor]
    said = [str(value) for value in fields.values()] + [part for one in people for part in (one.family, one.given, one.literal) if part]
    said += [str(part) for part in (reference.issued.date_parts[0] if reference.issued else [])]
    own = {word.casefold() for words in said for word in _WORD.findall(words)} | _STYLE_WORDS
    for person in people:
        initials = [word[0].casefold() for word in _WORD.findall(person.given or "")]
        own |= {"".join(initials[start:end]) for start in range(len(initials)) for end in range(start + 1, len(initials) + 1)}
    numbered = re.sub(r"^\d{1,5}\. ", "", entry)
    return list(dict.fromkeys(word for word in _WORD.findall(numbered) if word.casefold() not in own))


def _citation(citeproc: Any, keys: Sequence[str]) -> Any:
    return citeproc.Citation([citeproc.CitationItem(key) for key in keys])


def _record(reference: Reference, name: str) -> dict[str, Any]:
    record = reference.model_dump(by_alias=True, exclude_none=True, exclude={"author", "editor"})
    people = {role: [one.model_dump(exclude_none=True) for one in getattr(reference, role)] for role in ("author", "editor")}
    return record | {role: named for role, named in people.items() if named} | {"id": name}


def _style(style: Style) -> Any:
    return importlib.import_module("citeproc").CitationStylesStyle(io.BytesIO(_shipped(style)), validate=False)


@cache
def _shipped(style: Style) -> bytes:
    return resources.files("windlass.agents").joinpath("data", "csl", f"{style}.csl").read_bytes()


def _plain(cited: Any) -> str:
    """What citeproc cited as one text: it answers a list of pieces where a part of the citation is not plain text."""
    return "".join(map(str, cited)) if isinstance(cited, list) else str(cited)


def _tidy(entry: str) -> str:
    """A title's own question or exclamation mark ends it: no full stop behind it."""
    return re.sub(r"([?!])\.(?= |$)", r"\1", " ".join(entry.split()))


def _missing(item: Any) -> None:
    raise KeyError(item.key)
