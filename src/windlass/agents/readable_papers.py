"""Papers whose abstracts are read: bounded in length, with no abstract lost to a misspelt key, and real ones where it matters."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from windlass.agents import papers
from windlass.agents.papers import Paper
from windlass.errors import AgentError
from windlass.model import Mode

MOST_CHARACTERS = 250_000
"""Longest abstract that is read: a whole article fits."""

AbstractText = Annotated[str, Field(max_length=MOST_CHARACTERS)]


class ReadablePaper(Paper):
    """A paper to be read; a key that looks like a misspelt `abstract` is refused, since its text would be lost. Lives as long as the run."""

    abstract: AbstractText | None = None

    @model_validator(mode="after")
    def _no_lost_abstract(self) -> Self:
        if self.abstract is None and (near := difflib.get_close_matches("abstract", list(self.model_extra or {})[:200], n=1, cutoff=0.8)):
            raise ValueError(f"has no abstract, but a key {near[0][:80]!r}; did you mean 'abstract'?")
        return self


def cited(paper: Paper, position: int, key: str) -> dict[str, Any]:
    """The fields of `extraction_rows.Cited`."""
    return {"key": key, **papers.citation(paper, position)}


def require_evidence(records: Sequence[Paper], mode: Mode) -> None:
    """In LIVE mode raise AgentError EVIDENCE_REQUIRED without any abstract, or with an invented paper: neither may answer a real question."""
    if mode != "LIVE":
        return
    invented = [papers.name(paper, position) for position, paper in enumerate(records) if paper.synthetic is True]
    if invented:
        shown = ", ".join(invented[:5])
        raise AgentError(
            "EVIDENCE_REQUIRED", f"in LIVE mode no synthetic paper is evidence: {shown[:500]}", {"field": "papers", "count": len(invented)}
        )
    if not any((paper.abstract or "").strip() for paper in records):
        raise AgentError("EVIDENCE_REQUIRED", "in LIVE mode at least one paper needs an abstract to be read", {"field": "papers"})
