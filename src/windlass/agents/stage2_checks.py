"""The hand-over checks of the stage-2 pipeline: literature review → screen → extract → synthesize.

Pure functions over the outputs as they were answered (plain JSON). Each returns None, or the reason why the next step must not start.
An output that does not have its shape is a reason as well, never an exception.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec

from windlass.agents import section_checks

Outputs = Mapping[str, Any]
P = ParamSpec("P")
_CITATION = ("id", "title", "year", "doi")


def _reasoned(check: Callable[P, str | None]) -> Callable[P, str | None]:
    @wraps(check)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> str | None:
        try:
            return check(*args, **kwargs)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as odd:
            return f"the outputs do not have their shape: {odd!r}"

    return guarded


@_reasoned
def after_review(reviewed: Outputs) -> str | None:
    """The review found papers, no more than it counted."""
    found, counts = reviewed["papers"], reviewed["counts"]
    if not found:
        return "the literature review found no paper"
    if counts["returned"] != len(found):
        return f"the review counts {counts['returned']} papers and hands over {len(found)}"
    return None if counts["corpus"] == counts["matched"] + counts["not_matched"] else "the review's counts do not add up"


def positions(found: Sequence[Mapping[str, Any]], corpus: Sequence[Mapping[str, Any]]) -> list[int] | None:
    """Where the papers that a review lists stand in the corpus that it searched, or None where one of them does not.

    The review answers citations; the screen needs the records with their abstracts. A record without an id is called `paper-<place>`, as
    the review calls it; records that are alike are handed over in their order.
    """
    places: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)
    for place, record in enumerate(corpus):
        name = record.get("id")
        called = str(name) if name not in (None, "") else f"paper-{place + 1}"
        places[(called, record.get("title"), record.get("year"), record.get("doi"))].append(place)
    taken: Counter[tuple[Any, ...]] = Counter()
    handed: list[int] = []
    for paper in found:
        key = tuple(paper.get(field) for field in _CITATION)
        if taken[key] >= len(places[key]):
            return None
        handed.append(places[key][taken[key]])
        taken[key] += 1
    return handed


@_reasoned
def after_screen(papers: Sequence[Mapping[str, Any]], screened: Outputs) -> str | None:
    """Every paper has one fate and the flow adds up: duplicates + included + excluded = identified = the papers that were handed over."""
    decisions, prisma, included = screened["decisions"], screened["prisma"], screened["included"]
    if [decided["position"] for decided in decisions] != list(range(len(papers))):
        return f"{len(papers)} papers were handed to the screen, and the decisions are not theirs, one by one"
    if any(decided["title"] != paper["title"] for decided, paper in zip(decisions, papers, strict=True)):
        return "a decision is on another paper than the one in its place"
    if prisma["duplicates"] + prisma["included"] + prisma["excluded"] != prisma["identified"] or prisma["identified"] != len(papers):
        return (
            f"{prisma['duplicates']} duplicates + {prisma['included']} included + {prisma['excluded']} excluded "
            f"are not the {len(papers)} papers that were handed over"
        )
    fates = Counter(decided["decision"] for decided in decisions)
    if (fates["duplicate"], fates["include"], fates["exclude"]) != (prisma["duplicates"], prisma["included"], prisma["excluded"]):
        return "the PRISMA counts are not those of the decisions"
    stated = [decided["position"] for decided in decisions if decided["decision"] == "include"]
    return None if included == stated else "the included papers are not those that were decided to be"


def clean_end(screened: Outputs) -> Mapping[str, Any] | None:
    """The PRISMA counts that the pipeline ends with where nothing was included; None where there is something to extract.

    Ask `after_screen` first: only counts that add up are a clean end.
    """
    prisma: Mapping[str, Any] = screened["prisma"]
    return prisma if not screened["included"] else None


@_reasoned
def after_extract(included: Sequence[Mapping[str, Any]], extracted: Outputs) -> str | None:
    """One row and one citation per included paper, in order, under a key that is used once."""
    rows, citations = extracted["rows"], extracted["citations"]
    if not len(rows) == len(citations) == len(included):
        return f"{len(included)} papers were handed to the extraction, which answers {len(rows)} rows and {len(citations)} citations"
    for place, (paper, row, cited) in enumerate(zip(included, rows, citations, strict=True)):
        if row["citation_key"] != cited["key"] or row["position"] != place:
            return f"row {place} does not belong to the citation in its place"
        if cited["title"] != paper["title"]:
            return f"citation {place} is of another paper than the one in its place"
    keys = [cited["key"] for cited in citations]
    repeated = next((key for key, count in Counter(keys).items() if count > 1), None)
    return f"the citation key {repeated!r} is used twice" if repeated else None


@_reasoned
def after_synthesize(extracted: Outputs, synthesized: Outputs) -> str | None:
    """Every key that the section cites has its reference, every reference is cited, and the references are the extraction's citations."""
    section = synthesized["section"]
    references = [reference["key"] for reference in synthesized["references"]]
    if not section["sentences"]:
        return "the section says nothing"
    if bare := next((sentence["text"] for sentence in section["sentences"] if not sentence["citation_keys"]), None):
        return f"a sentence cites nothing: {bare[:120]}"
    for cited in ([key for sentence in section["sentences"] for key in sentence["citation_keys"]], section_checks.cited_keys(section["markdown"])):
        if reason := section_checks.dangling(cited, references):
            return reason
    return None if references == [cited["key"] for cited in extracted["citations"]] else "the references are not the citations of the extraction"
