"""Papers as users hand them in: the record, what makes two records the same paper, and the corpus that ships with Windlass."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote

import orjson
from pydantic import AliasChoices, Field, model_validator

from windlass.agents.agent import Item, OpenItem

Text = Annotated[str, Field(min_length=1, pattern=r"\S")]
Year = Annotated[int, Field(ge=1, le=9999)]

_DOI_PREFIX = re.compile(r"^(?:https?://)?(?:(?:dx|www)\.)?(?:doi\.org/)?(?:doi:\s*)?", re.IGNORECASE)
_DOI = re.compile(r"10\.\d{3,9}(?:\.\d+)*/\S+")
_MARKUP = re.compile(r"</?(?:i|b|em|strong|sub|sup|sc)>", re.IGNORECASE)
_ACCENT = re.compile("[\u0300-\u036f]")
_GAP = re.compile(r"[\W_]+")
_INITIALS = re.compile(r"(?:\w\.?-?){1,3}")
_NEAR = 0.75
_LONGEST_KEY = 40
_TELLING_TITLE = 4
"""Words that a title must have before it identifies a paper without author and year: two records called `Editorial` are not one."""


class Paper(OpenItem):
    """One paper of a user's or of the shipped corpus; keys of the user's own are kept and not read. Lives as long as the run."""

    id: str | int | None = None
    title: Text
    abstract: str | None = None
    year: Year | None = None
    journal: str | None = None
    authors: list[str] | str | None = None
    doi: str | None = None
    citation_count: Annotated[int, Field(ge=0)] | None = Field(
        default=None, validation_alias=AliasChoices("citation_count", "cited_by_count", "citationCount")
    )
    study_type: str | None = None
    keywords: list[str] | str | None = None
    synthetic: bool | None = None

    @model_validator(mode="after")
    def _no_key_is_nearly_ours(self) -> Self:
        """A record may carry keys of the user's own, but not `abstrcat`: what is nearly the name of a field that is missing was meant to be it."""
        missing = frozenset(name for name in Paper.model_fields if getattr(self, name) is None)
        for key in self.model_extra or ():
            if meant := _nearly(key, missing):
                raise ValueError(f"{key}: is not a known key; did you mean {meant!r}?")
        return self


@lru_cache(maxsize=4096)
def _nearly(key: str, names: frozenset[str]) -> str | None:
    """The one of `names` that `key` is a misspelling of, if any; the keys of a file repeat with every record."""
    if len(key) > _LONGEST_KEY:
        return None
    return next(iter(difflib.get_close_matches(key.casefold(), sorted(names), n=1, cutoff=_NEAR)), None)


class Citation(Item):
    """What an answer repeats of a paper's record, as it stands there. Lives as long as the run."""

    id: str
    title: str
    year: int | None
    journal: str | None
    authors: list[str]
    doi: str | None
    synthetic: bool


@dataclass(frozen=True, kw_only=True)
class Duplicate:
    """A record repeats an earlier one. Lives as long as the run."""

    of: int
    """Position of the record that is kept: the first."""
    by: Literal["doi", "title"]


def name(paper: Paper, position: int) -> str:
    """The paper's own id, or `paper-<place from 1>`."""
    return str(paper.id) if paper.id not in (None, "") else f"paper-{position + 1}"


def authors(paper: Paper) -> list[str]:
    """The authors' names as given; one string is split at semicolons."""
    given = paper.authors.split(";") if isinstance(paper.authors, str) else paper.authors or []
    return [author.strip() for author in given if author.strip()]


def citation(paper: Paper, position: int) -> dict[str, Any]:
    """The fields of `Citation`."""
    return {
        "id": name(paper, position),
        "title": paper.title,
        "year": paper.year,
        "journal": paper.journal,
        "authors": authors(paper),
        "doi": paper.doi,
        "synthetic": paper.synthetic is True,
    }


def wording(paper: Paper) -> str:
    """What is searched in a paper: title, abstract and keywords."""
    keywords = paper.keywords if isinstance(paper.keywords, str) else "; ".join(paper.keywords or [])
    return "\n".join((paper.title, paper.abstract or "", keywords))


def doi_key(doi: str | None) -> str | None:
    """A DOI in its one comparable form, `10.5555/abc.1`; None for what is not a DOI."""
    plain = _DOI_PREFIX.sub("", unquote((doi or "")[:2000]).strip()).strip().rstrip(".,;").lower()
    return plain if _DOI.fullmatch(plain) else None


def title_key(paper: Paper) -> str | None:
    """Normalised title, first author's family name and year; None where these say too little to identify a paper."""
    title = _plain(_MARKUP.sub("", paper.title))
    author = _family_name(next(iter(authors(paper)), ""))
    if not title or not (author or paper.year or title.count(" ") + 1 >= _TELLING_TITLE):
        return None
    return f"{title}|{author}|{paper.year or ''}"


def duplicates(papers: Sequence[Paper], check: Callable[[], None]) -> dict[int, Duplicate]:
    """Position → the earlier record that it repeats: the same DOI, or (where one of the two has no DOI) the same `title_key`.

    Two records with different DOIs are two papers, whatever their titles. The first record of a paper is kept.
    """
    found: dict[int, Duplicate] = {}
    by_doi: dict[str, int] = {}
    by_title: dict[str, int] = {}
    without_doi: dict[str, int] = {}
    for position, paper in enumerate(papers):
        check()
        doi, title = doi_key(paper.doi), title_key(paper)
        twin = (without_doi if doi else by_title).get(title) if title else None
        if doi and doi in by_doi:
            found[position] = Duplicate(of=by_doi[doi], by="doi")
            continue
        if title and twin is not None:
            found[position] = Duplicate(of=twin, by="title")
            if doi:  # the kept record now has a DOI to be told apart by
                without_doi.pop(title, None)
        elif title:
            by_title.setdefault(title, position)
            if not doi:
                without_doi[title] = position
        if doi:
            by_doi[doi] = position if twin is None else twin
    return found


@cache
def shipped() -> tuple[Paper, ...]:
    """The demonstration corpus: invented papers under the DOI prefix that is reserved for examples."""
    lines = resources.files("windlass.agents").joinpath("data", "papers.jsonl").read_bytes().splitlines()
    return tuple(Paper.model_validate(orjson.loads(line)) for line in lines if line)


def synthetic_notice(count: int, of: int) -> list[str]:
    """The warning that papers are invented, if any are."""
    return [f"{count} of these {of} papers are synthetic: they were invented for demonstrations, no such study exists"] if count else []


def _plain(words: str) -> str:
    return _GAP.sub(" ", _ACCENT.sub("", unicodedata.normalize("NFKD", words.casefold()))).strip()


def _family_name(author: str) -> str:
    """`muller` of `Müller, Eva`, `Müller E`, `Müller EK` and `Eva Müller`; of several words the last, since `van der` comes and goes."""
    words = author.split(",", maxsplit=1)[0].split()
    if len(words) > 1 and _INITIALS.fullmatch(words[-1]) and words[-1].isupper():
        words.pop()
    return _plain(words[-1]) if words else ""
