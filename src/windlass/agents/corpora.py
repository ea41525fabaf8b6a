"""Which papers an agent searches: those handed in, a file that the operator laid into the store, a bibliography as text, or live sources.

In DEMO mode without any of these, the shipped corpus, whose every record says that it is synthetic. In LIVE mode an invented paper
never answers: without papers and without a live source the run is refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, ValidationError

from windlass import model
from windlass.agents import bibliography, papers, sources
from windlass.agents.agent import Context, Item, Work
from windlass.errors import AgentError

FOLDER = "corpora"
"""Below the store: bibliographies that requests can name."""
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\.(?:jsonl|ris|bib|xml)")
_MAX_FILE = 256 * 1024 * 1024


class CorpusFile(Item):
    """A file below the store's `corpora` folder, by name: `trials.ris`. The ending says the format."""

    file: Annotated[str, Field(pattern=rf"^{_FILE_NAME.pattern}$")]


class CorpusText(Item):
    """A whole bibliography as text."""

    format: bibliography.Form
    text: Annotated[str, Field(min_length=1)]


def _kind(given: Any) -> str | None:
    if isinstance(given, list):
        return "<papers>"
    return ("<text>" if "text" in given or "format" in given else "<file>") if isinstance(given, dict) else None


Inline = Annotated[list[papers.Paper], Field(min_length=1, max_length=bibliography.MOST_RECORDS)]
Corpus = Annotated[
    Annotated[Inline, Tag("<papers>")] | Annotated[CorpusFile, Tag("<file>")] | Annotated[CorpusText, Tag("<text>")],
    Discriminator(_kind, custom_error_type="corpus", custom_error_message="must be a list of papers, {file}, or {format, text}"),
]
Origin = Literal["inline", "file", "demo", "live"]


def choose(given: Corpus | None, live: Sequence[sources.Source] | None, query: str, limit: int, context: Context) -> dict[str, Any]:
    """The work of a first step: `source`, `corpus_size` and, where they were read or fetched, the `records`. Read once: a file or source may change.

    Raises AgentError CORPUS_REQUIRED in LIVE mode without papers or sources, CORPUS_NOT_FOUND and CORPUS_UNREADABLE for files,
    SOURCE_NOT_ALLOWED, RISK_TIER_NOT_ALLOWED and SOURCE_UNAVAILABLE for live sources.
    """
    origin, chosen = _chosen(given, live, query, limit, context)
    work: dict[str, Any] = {"source": origin, "corpus_size": len(chosen)}
    if origin == "demo" or isinstance(given, list):
        return work
    return work | {"records": [paper.model_dump(mode="json", exclude_none=True) for paper in chosen]}


def kept(given: Corpus | None, work: Work) -> Sequence[papers.Paper]:
    """The papers that `choose` chose."""
    if "records" in work:
        return [papers.Paper.model_validate(record) for record in work["records"]]
    return papers.shipped() if work["source"] == "demo" else given if isinstance(given, list) else ()


def _chosen(
    given: Corpus | None, live: Sequence[sources.Source] | None, query: str, limit: int, context: Context
) -> tuple[Origin, Sequence[papers.Paper]]:
    if isinstance(given, CorpusFile):
        return "file", _file(given.file, context)
    if isinstance(given, CorpusText):
        return "inline", _validated(bibliography.parse(given.text.encode(), given.format, context.check))
    if given is not None:
        return "inline", given
    if context.mode == "DEMO":
        return "demo", papers.shipped()
    return "live", _live(live, query, limit, context)


def _file(name: str, context: Context) -> list[papers.Paper]:
    folder = context.store / FOLDER
    path = folder / name
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as failure:
        there = sorted(entry.name for entry in _entries(folder) if _FILE_NAME.fullmatch(entry.name))
        message = f"there is no corpus {name!r} in the store; there {'are' if there else 'is none'}{': ' * bool(there)}{', '.join(there[:20])}"
        raise AgentError("CORPUS_NOT_FOUND", message, {"fieldErrors": {"corpus.file": [message]}}) from failure
    with os.fdopen(descriptor, "rb") as file:
        if os.fstat(descriptor).st_size > _MAX_FILE:
            raise AgentError("CORPUS_UNREADABLE", f"the corpus {name!r} is larger than {_MAX_FILE // 2**20} MiB")
        content = file.read()
    return _validated(bibliography.parse(content, bibliography.SUFFIXES[path.suffix], context.check))


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _live(wanted: Sequence[sources.Source] | None, query: str, limit: int, context: Context) -> list[papers.Paper]:
    allowed = context.sources
    if not allowed or context.fetch is None:
        cure = "hand in papers as `corpus`; the operator of this executor allows no live source (WINDLASS_LIVE_SOURCES)"
        raise AgentError("CORPUS_REQUIRED", f"LIVE mode searches no demonstration corpus: {cure}", {"field": "corpus"})
    if context.risk_tier == "PHI":
        raise AgentError(
            "RISK_TIER_NOT_ALLOWED", "a query of tier PHI is not sent to a public source; hand in papers as `corpus`", {"field": "risk_tier"}
        )
    refused = [source for source in wanted or () if source not in allowed]
    if refused:
        message = f"the operator does not allow {', '.join(refused)}; allowed: {', '.join(allowed)}"
        raise AgentError("SOURCE_NOT_ALLOWED", message, {"fieldErrors": {"sources": [message]}})
    found: list[papers.Paper] = []
    for source in wanted or tuple(allowed):
        found += _validated(sources.search(source, allowed[source], query, limit, context.fetch, context.check))
    repeated = papers.duplicates(found, context.check)
    return [paper for place, paper in enumerate(found) if place not in repeated]


def _validated(records: Sequence[Mapping[str, Any]]) -> list[papers.Paper]:
    typed: list[papers.Paper] = []
    for number, record in enumerate(records, 1):
        try:
            typed.append(papers.Paper.model_validate(record))
        except ValidationError as failure:
            errors = model.field_errors(failure, papers.Paper)
            message = f"record {number} of the corpus: {model.clip(model.summary(errors), 300)}"
            raise AgentError("CORPUS_UNREADABLE", message, {"fieldErrors": {f"corpus.{number - 1}": [message]}}) from failure
    return typed
