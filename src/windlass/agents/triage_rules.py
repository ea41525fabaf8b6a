"""The sub-scores of a triage, each from 0 to 1, and the tiers: pure rules over one paper's record."""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Literal

from windlass.agents import papers, search

MUST, SHOULD = 75.0, 50.0
FADES_IN_YEARS = 10
ABSTRACT_ONLY = 0.6
PREPRINT, ANY_JOURNAL = 0.3, 0.6
ESTABLISHED_PAPERS = 3
HIGH_RATE = 50
"""Citations per year from which more make no difference."""

_LEADING = frozenset(
    search.normal(journal)
    for journal in (
        "The New England Journal of Medicine", "New England Journal of Medicine", "N Engl J Med", "NEJM", "The Lancet", "Lancet", "JAMA",
        "Journal of the American Medical Association", "BMJ", "The BMJ", "British Medical Journal", "Annals of Internal Medicine", "Ann Intern Med",
        "PLOS Medicine", "PLoS Med", "Nature Medicine", "Nat Med", "Nature", "Science", "Cochrane Database of Systematic Reviews",
        "Cochrane Database Syst Rev", "JAMA Internal Medicine", "JAMA Intern Med",
    )
)  # fmt: skip
_PREPRINT_SERVERS = tuple(search.normal(server) for server in ("arXiv", "bioRxiv", "medRxiv", "SSRN", "Research Square", "Preprints", "PsyArXiv"))


def age(year: int | None, reference: int | None) -> int:
    """Years before the reference year, never negative; an unknown year counts as the age at which recency has faded."""
    return FADES_IN_YEARS if year is None or reference is None else max(0, reference - year)


def recency(years: int) -> float:
    """1 for a new paper, falling evenly to 0 at ten years."""
    return max(0.0, 1 - years / FADES_IN_YEARS)


def relevance(paper: papers.Paper, wanted: AbstractSet[str]) -> float:
    """Mean over the wanted terms: 1 in the title, 0.6 only in abstract or keywords, 0 nowhere. `wanted` must not be empty."""
    title = wanted & set(search.terms(paper.title))
    elsewhere = (wanted - title) & set(search.terms(papers.wording(paper)))
    return (len(title) + ABSTRACT_ONLY * len(elsewhere)) / len(wanted)


def journal(name: str | None, rated: Mapping[str, float]) -> float:
    """The caller's own rating (by `search.normal` of the name), else 1 leading, 0.3 preprint server, 0.6 any other, 0 none."""
    normal = search.normal(name or "")
    if not normal.strip():
        return 0.0
    if normal in rated:
        return rated[normal]
    if normal in _LEADING:
        return 1.0
    return PREPRINT if normal.startswith(_PREPRINT_SERVERS) else ANY_JOURNAL


def author(most: int) -> float:
    """A third for each paper in the set by the author who has most there, 1 from three on."""
    return min(1.0, most / ESTABLISHED_PAPERS)


def citation(count: int, years: int) -> float:
    """Citations per year on a logarithmic scale on which 50 a year is 1; the year of publication counts as one."""
    return min(1.0, math.log1p(count / (years + 1)) / math.log1p(HIGH_RATE))


def tier(score: float) -> Literal["must", "should", "optional"]:
    """The tier of a total from 0 to 100."""
    return "must" if score >= MUST else "should" if score >= SHOULD else "optional"
