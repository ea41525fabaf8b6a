"""LIT_TRIAGE: which of these papers must be read, which should be, which may be?

Five sub-scores from 0 to 1, each read off the paper's own record, weighted, times 100:

* recency: 1 in the reference year (or later), a tenth less for each year before it, 0 from ten years on; no year: 0
* relevance: mean over the distinct words of `query` (stop words apart) of 1 where the title holds the word, 0.6 where only the abstract
  or the keywords do, 0 where nothing does; without a query the sub-score is left out and its weight goes to the others in proportion
* journal: `journal_scores` of the inputs (0 to 100, by name) where it names the journal; else 1 for the general journals of `triage_rules`
  (our editorial choice: no impact factor is shipped), 0.3 for a preprint server, 0.6 for any other journal; none named: 0
* author: a third for each paper of this set, duplicates apart, by that author of the paper who has most of them; 1 from three on; none: 0
* citation: ln(1 + r) / ln(51), at most 1, for r citations per year since publication (the year itself counts, no year counts as ten
  before the reference year): 50 a year is 1; no count: 0

Default weights: recency .20, relevance .30, journal .20, author .15, citation .15. Tiers: 75 and more must, 50 and more should, else optional.
The reference year is an input; by default the newest paper's, so that the same papers have the same answer in any year.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from windlass.agents import markdown_cell, papers, search, triage_rules
from windlass.agents.agent import Agent, Context, Inputs, Item, Outputs, Probe, Step, Work
from windlass.agents.papers import Paper, Year

PARTS = ("recency", "relevance", "journal", "author", "citation")
REPORT_ROWS = 500
"""The report shows this many papers at most and says how many more there are."""
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Weights(Item):
    """How much each sub-score counts; together 1. What is not named counts nothing."""

    recency: Share = 0.0
    relevance: Share = 0.0
    journal: Share = 0.0
    author: Share = 0.0
    citation: Share = 0.0

    @model_validator(mode="after")
    def _together_one(self) -> Self:
        total = math.fsum(getattr(self, part) for part in PARTS)
        if abs(total - 1) > 1e-6:
            raise ValueError(f"weights must sum to 1, these sum to {total:.6g}")
        return self


_DEFAULT = Weights(recency=0.20, relevance=0.30, journal=0.20, author=0.15, citation=0.15)


class LitTriageInputs(Inputs):
    """Papers to put in reading order, and what matters."""

    papers: Annotated[list[Paper], Field(min_length=1, max_length=20_000)]
    query: search.Query | None = None
    weights: Weights = _DEFAULT
    reference_year: Year | None = None
    journal_scores: Annotated[dict[str, Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]], Field(max_length=10_000)] = Field(
        default_factory=dict
    )

    @model_validator(mode="after")
    def _something_to_weigh(self) -> Self:
        if self.query is None and self.weights.relevance > 1 - 1e-6:
            raise ValueError("query: is required where weights give everything to relevance")
        return self


class Parts(Item):
    """The sub-scores, 0 to 1, rounded to four places; relevance is null where no query was given."""

    recency: float
    relevance: float | None
    journal: float
    author: float
    citation: float


class TriagedPaper(Item):
    """A paper with its place in the reading order."""

    rank: int
    id: str
    position: int
    """Place in `papers`, from 0."""
    title: str
    year: int | None
    score: float
    tier: Literal["must", "should", "optional"]
    parts: Parts
    missing: list[str]
    """What the record does not say and is counted as nothing: year, journal, authors, citation_count."""


class LitTriageOutputs(Outputs):
    """The papers by score, ties in the order given, with the rule that made the order and a report in Markdown."""

    papers: list[TriagedPaper]
    tiers: dict[str, int]
    weights: dict[str, float]
    """As applied: without a query, relevance counts nothing and the others more."""
    reference_year: int | None
    report: str


def measure(inputs: LitTriageInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """The five sub-scores of every paper."""
    years = [paper.year for paper in inputs.papers if paper.year is not None]
    reference = inputs.reference_year or max(years, default=None)
    repeats = papers.duplicates(inputs.papers, context.check)
    names: list[set[str]] = []
    for paper in inputs.papers:
        context.check()
        names.append({search.normal(author) for author in papers.authors(paper)})
    written = Counter(author for position, authors in enumerate(names) if position not in repeats for author in authors)
    rated = {search.normal(journal): score / 100 for journal, score in inputs.journal_scores.items()}
    wanted = frozenset(search.wanted_terms(inputs.query)) if inputs.query else frozenset()
    measured = []
    for paper, authors in zip(inputs.papers, names, strict=True):
        context.check()
        age = triage_rules.age(paper.year, reference)
        measured.append(
            {
                "recency": triage_rules.recency(age),
                "relevance": triage_rules.relevance(paper, wanted) if wanted else None,
                "journal": triage_rules.journal(paper.journal, rated),
                "author": triage_rules.author(max((max(1, written[author]) for author in authors), default=0)),
                "citation": triage_rules.citation(paper.citation_count or 0, age),
            }
        )
    synthetic = papers.synthetic_notice(sum(paper.synthetic is True for paper in inputs.papers), len(inputs.papers))
    warnings = [f"{len(repeats)} of these papers repeat another one; they are ranked, and do not count for their authors"] if repeats else []
    return {"measured": measured, "reference_year": reference, "warnings": [*synthetic, *warnings]}


def weigh(inputs: LitTriageInputs, work: Work, _context: Context) -> Mapping[str, Any]:
    """One score per paper, 0 to 100, under the weights that apply."""
    weights = {part: float(getattr(inputs.weights, part)) for part in PARTS}
    warnings = []
    if inputs.query is None:
        relevance = weights["relevance"]
        weights = {part: 0.0 if part == "relevance" else weight / (1 - relevance) for part, weight in weights.items()}
        warnings = ["no query was given: relevance is left out, its weight goes to the others in proportion"] if relevance else []
    scores = [round(100 * math.fsum(weights[part] * (parts[part] or 0.0) for part in PARTS), 2) for parts in work["measured"]]
    return {"weights": weights, "scores": scores, "warnings": warnings}


def order(inputs: LitTriageInputs, work: Work, _context: Context) -> Mapping[str, Any]:
    """Positions by falling score, ties as given, each with its tier."""
    scores = work["scores"]
    positions = sorted(range(len(inputs.papers)), key=lambda position: (-scores[position], position))
    return {"order": positions, "tiers": [triage_rules.tier(scores[position]) for position in positions]}


def report(inputs: LitTriageInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """The reading list, as values and as Markdown."""
    ranked = []
    for rank, (position, tier) in enumerate(zip(work["order"], work["tiers"], strict=True), 1):
        context.check()
        paper, parts = inputs.papers[position], work["measured"][position]
        ranked.append(
            {
                "rank": rank,
                "id": papers.name(paper, position),
                "position": position,
                "title": paper.title,
                "year": paper.year,
                "score": work["scores"][position],
                "tier": tier,
                "parts": {part: None if share is None else round(share, 4) for part, share in parts.items()},
                "missing": _missing(paper),
            }
        )
    counts = {tier: work["tiers"].count(tier) for tier in ("must", "should", "optional")}
    return {
        "outputs": {
            "papers": ranked,
            "tiers": counts,
            "weights": work["weights"],
            "reference_year": work["reference_year"],
            "report": _markdown(ranked, counts, work["weights"], work["reference_year"]),
        }
    }


def _missing(paper: Paper) -> list[str]:
    given = {"year": paper.year, "journal": (paper.journal or "").strip(), "authors": papers.authors(paper), "citation_count": paper.citation_count}
    return [name for name, value in given.items() if value is None or value in ("", [])]


def _markdown(ranked: list[dict[str, Any]], counts: Mapping[str, int], weights: Mapping[str, float], reference: int | None) -> str:
    shares = ", ".join(f"{part} {weight:.2f}" for part, weight in weights.items())
    lines = [
        "# Reading list",
        "",
        f"{len(ranked)} papers: {counts['must']} must, {counts['should']} should, {counts['optional']} optional.",
        f"Weights: {shares}. Reference year: {reference or 'none, no paper says its year'}.",
        "",
        "| # | tier | score | paper | year | recency | relevance | journal | author | citation | not stated |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for paper in ranked[:REPORT_ROWS]:
        parts = ("–" if paper["parts"][part] is None else f"{paper['parts'][part]:.2f}" for part in PARTS)
        title = markdown_cell.escaped(paper["title"])
        absent = markdown_cell.escaped(", ".join(paper["missing"]))
        cells = (str(paper["rank"]), paper["tier"], f"{paper['score']:.2f}", title, str(paper["year"] or "–"), *parts, absent)
        lines.append(f"| {' | '.join(cells)} |")
    if len(ranked) > REPORT_ROWS:
        lines += ["", f"{len(ranked) - REPORT_ROWS} more papers are not shown here."]
    return "\n".join(lines) + "\n"


def _make(seed: int) -> dict[str, Any]:
    """Random papers, some by authors who wrote several of them, under random weights and journal scores."""
    rng = random.Random(seed)
    words = list(dict.fromkeys("".join(rng.choice("bdgkmprtvz") + rng.choice("aou") for _ in range(4)) for _ in range(40)))
    query, rest = words[:4], words[4:]
    people = [f"{rng.choice(words).capitalize()}{number} Q" for number in range(14)]
    journals = {f"Annals of {word}": rng.randrange(10, 100) for word in rng.sample(rest, 3)}
    year = rng.randrange(1990, 2100)
    raw = [rng.randrange(1, 40) for _ in PARTS]
    chosen: list[dict[str, Any]] = []
    for place in range(rng.randrange(9, 15)):
        paper = {
            "id": f"t{rng.randrange(10**8)}-{place}",
            "title": " ".join([*rng.sample(rest, 4), *rng.sample(query, rng.randrange(4)), f"n{place}"]),
            "abstract": " ".join([*rng.sample(rest, 9), *rng.sample(query, rng.randrange(4))]),
            "year": year - rng.randrange(14),
            "journal": rng.choice([*journals, "NEJM", "medRxiv", f"Letters on {rng.choice(rest)}"]),
            "authors": rng.sample(people, rng.randrange(1, 4)),
            "citation_count": int(10 ** rng.uniform(0, 3)),
            "shelf": rng.randrange(99),
        }
        for absent in rng.sample(["year", "journal", "authors", "citation_count"], rng.choice((0, 0, 0, 1, 2))):
            del paper[absent]
        chosen.append(paper)
    weights = {part: share / sum(raw) for part, share in zip(PARTS, raw, strict=True)}
    return {"papers": chosen, "query": " ".join(query), "weights": weights, "reference_year": year, "journal_scores": journals}


def _check(_seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    """Scores every paper again by the rules above, from the record alone."""
    given = outputs.get("papers")
    if not isinstance(given, list) or sorted(paper.get("id", "") for paper in given) != sorted(paper["id"] for paper in inputs["papers"]):
        return "the ranking does not hold each paper once"
    expected = {
        paper["id"]: 100 * sum(inputs["weights"][part] * share for part, share in _by_hand(paper, inputs).items()) for paper in inputs["papers"]
    }
    for place, paper in enumerate(given):
        score = paper.get("score", -1.0)
        if abs(score - expected[paper["id"]]) > 0.02:
            return f"{paper['id']} scores {expected[paper['id']]:.2f} by the rules, not {score}"
        if paper.get("rank") != place + 1 or (place and score > given[place - 1]["score"]):
            return "the papers are not in the order of their scores"
        if paper.get("tier") != ("must" if score >= 75 else "should" if score >= 50 else "optional"):
            return f"a paper with {score} is called {paper.get('tier')}"
    counts = {tier: sum(paper["tier"] == tier for paper in given) for tier in ("must", "should", "optional")}
    if outputs.get("tiers") != counts or outputs.get("reference_year") != inputs["reference_year"]:
        return "the counts per tier are not those of the papers"
    told = [line for line in str(outputs.get("report")).splitlines() if line.startswith("| ") and "not stated" not in line]
    ordered = len(told) == len(given) and all(paper["title"].split()[-1] in line for paper, line in zip(given, told, strict=True))
    return None if ordered else "the report does not list the papers in this order"


def _by_hand(paper: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, float]:
    query = inputs["query"].split()
    title, rest = paper["title"].split(), paper["abstract"].split()
    age = min(10, inputs["reference_year"] - paper["year"]) if "year" in paper else 10
    span = inputs["reference_year"] - paper["year"] if "year" in paper else 10
    known = {**{name: score / 100 for name, score in inputs["journal_scores"].items()}, "NEJM": 1.0, "medRxiv": 0.3}
    shelves = [other.get("authors", ()) for other in inputs["papers"]]
    most = max((sum(author in shelf for shelf in shelves) for author in paper.get("authors", ())), default=0)
    return {
        "recency": (10 - age) / 10,
        "relevance": sum(1 if word in title else 0.6 if word in rest else 0 for word in query) / len(query),
        "journal": known.get(paper["journal"], 0.6) if "journal" in paper else 0,
        "author": min(3, most) / 3,
        "citation": min(1, math.log(1 + paper.get("citation_count", 0) / (span + 1)) / math.log(51)),
    }


AGENT = Agent(
    name="agent-lit-triage",
    task_types=("LIT_TRIAGE",),
    summary="Puts papers in reading order by recency, relevance, journal, author and citation, 0 to 100, with a tier each and a report.",
    version="1.0.0",
    inputs=LitTriageInputs,
    outputs=LitTriageOutputs,
    steps=(Step(name="measure", run=measure), Step(name="weigh", run=weigh), Step(name="order", run=order), Step(name="report", run=report)),
    example={
        "query": "exercise fatigue",
        "papers": [
            {"title": "Exercise against fatigue: a trial", "year": 2024, "journal": "BMJ", "authors": ["Norquell L"], "citation_count": 40},
            {"title": "Sleep after surgery", "year": 2012, "journal": "medRxiv", "authors": ["Hestrup A"], "citation_count": 3},
        ],
    },
    probe=Probe(make=_make, check=_check),
)
