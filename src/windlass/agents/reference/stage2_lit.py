"""STAGE_2_LITERATURE_REVIEW: from a research question to the papers that a review would start from, with counts that add up.

The question is taken apart (PICO slots by cue words, subject headings by a thesaurus, keywords), its words and the headings' synonyms
are searched (BM25) in the papers handed in as `corpus`, in DEMO mode else in the shipped synthetic corpus, in LIVE mode else in what the
allowed live sources find; then years and study types are
filtered, each excluded paper counted once: corpus = matched + not matched; matched = out of years + of other types + eligible;
eligible = returned + beyond max_results. Nothing is looked up elsewhere.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from windlass.agents import corpora, eligibility, papers, question, search, thesaurus
from windlass.agents.agent import Agent, Context, Inputs, Item, Outputs, Probe, Step, Work
from windlass.agents.sources import Source


class Stage2LitInputs(Inputs):
    """A question, and what the review admits; `query` adds words to search for, or stands for the question."""

    research_question: search.Query | None = None
    query: search.Query | None = None
    year_range: eligibility.YearRange | None = None
    study_types: eligibility.StudyTypes = Field(default_factory=list)
    max_results: Annotated[int, Field(ge=1, le=200)] = 25
    corpus: corpora.Corpus | None = None
    sources: Annotated[list[Source], Field(min_length=1)] | None = None
    """LIVE mode only: which of the allowed live sources to ask; all without it."""

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if self.research_question is None and self.query is None:
            raise ValueError("research_question or query is required")
        return self

    @property
    def asked(self) -> str:
        """The question in words."""
        return self.research_question or self.query or ""


class Pico(Item):
    """The slots of the question, verbatim pieces of it; empty where no cue word opens one."""

    population: list[str]
    intervention: list[str]
    comparison: list[str]
    outcome: list[str]
    time: list[str]


class SubjectHeading(Item):
    """A heading in the form of MeSH, and the phrase of the thesaurus that the question holds."""

    heading: str
    phrase: str


class StructuredQuery(Item):
    """What is searched for, and why."""

    question: str
    pico: Pico
    headings: list[SubjectHeading]
    keywords: list[str]
    synonyms: list[str]
    """Words that the headings add to the search."""
    boolean_query: str
    """For the user's own search in a bibliographic database."""


class FoundPaper(papers.Citation):
    """An eligible paper."""

    rank: int
    score: float
    matched_terms: list[str]
    study_type: str
    study_type_source: Literal["record", "title", "abstract", "unknown"]


class Counts(Item):
    """Where each paper of the corpus went; the sums hold."""

    corpus: int
    matched: int
    not_matched: int
    excluded_by_year: int
    excluded_by_study_type: int
    eligible: int
    returned: int
    beyond_max_results: int


class Stage2LitOutputs(Outputs):
    """The structured question, the best eligible papers, and counts; `by_year` and `by_study_type` are of all eligible papers."""

    structured_query: StructuredQuery
    papers: list[FoundPaper]
    counts: Counts
    by_year: dict[str, int]
    by_study_type: dict[str, int]
    source: corpora.Origin


def structure(inputs: Stage2LitInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """The question taken apart, and the corpus chosen; LIVE mode without one is refused here, before any work."""
    pico = question.slots(inputs.asked)
    both = "\n".join(filter(None, (inputs.research_question, inputs.query)))
    words = question.keywords(both) or search.wanted_terms(both)
    found = question.headings(both, thesaurus.HEADINGS)
    known = set(search.wanted_terms(both))
    chosen = corpora.choose(inputs.corpus, inputs.sources, " ".join(words), 200, context)
    added = [word for heading in found for synonym in heading.synonyms for word in search.wanted_terms(synonym) if word not in known]
    return chosen | {
        "structured_query": {
            "question": inputs.asked,
            "pico": dict(pico),
            "headings": [{"heading": heading.heading, "phrase": heading.phrase} for heading in found],
            "keywords": words,
            "synonyms": list(dict.fromkeys(added)),
            "boolean_query": question.boolean(pico, words, thesaurus.HEADINGS),
        }
    }


def retrieve(inputs: Stage2LitInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """Position and score of every paper that shares a word with the search, best first."""
    corpus = corpora.kept(inputs.corpus, work)
    found = search.rank(_searched(work), [papers.wording(paper) for paper in corpus], len(corpus), context.check)
    return {"hits": [[position, score] for position, score in found]}


def sift(inputs: Stage2LitInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """Which hits are eligible, and how many fail by year and, of the rest, by study type."""
    corpus = corpora.kept(inputs.corpus, work)
    wanted = frozenset(kind for name in inputs.study_types for kind in eligibility.named_types(name))
    eligible: list[list[Any]] = []
    lost = Counter[str]()
    for position, score in work["hits"]:
        context.check()
        paper = corpus[position]
        if inputs.year_range and not (paper.year and inputs.year_range.holds(paper.year)):
            lost["year"] += 1
            continue
        kind = eligibility.study_type(paper)
        if wanted and not wanted & kind.wider:
            lost["study_type"] += 1
        else:
            eligible.append([position, score, kind.names[0] if kind.names else "unknown", kind.source])
    return {"eligible": eligible, "excluded_by_year": lost["year"], "excluded_by_study_type": lost["study_type"]}


def report(inputs: Stage2LitInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """The best eligible papers and the counts."""
    corpus = corpora.kept(inputs.corpus, work)
    listed = []
    for rank, (position, score, kind, source) in enumerate(work["eligible"][: inputs.max_results], 1):
        context.check()
        paper = corpus[position]
        listed.append(
            {
                **papers.citation(paper, position),
                "rank": rank,
                "score": round(score, 6),
                "matched_terms": search.matched(_searched(work), papers.wording(paper)),
                "study_type": kind,
                "study_type_source": source,
            }
        )
    years = Counter(str(corpus[position].year or "unknown") for position, *_rest in work["eligible"])
    types = Counter(kind for _position, _score, kind, _source in work["eligible"])
    return {
        "outputs": {
            "structured_query": work["structured_query"],
            "papers": listed,
            "counts": _counts(work, len(corpus), len(listed)),
            "by_year": dict(sorted(years.items())),
            "by_study_type": dict(sorted(types.items())),
            "source": work["source"],
        },
        "warnings": _warnings(listed, work),
    }


def _searched(work: Work) -> str:
    structured = work["structured_query"]
    return " ".join((*structured["keywords"], *structured["synonyms"]))


def _counts(work: Work, corpus: int, returned: int) -> dict[str, int]:
    matched, eligible = len(work["hits"]), len(work["eligible"])
    return {
        "corpus": corpus,
        "matched": matched,
        "not_matched": corpus - matched,
        "excluded_by_year": work["excluded_by_year"],
        "excluded_by_study_type": work["excluded_by_study_type"],
        "eligible": eligible,
        "returned": returned,
        "beyond_max_results": eligible - returned,
    }


def _warnings(listed: Sequence[Mapping[str, Any]], work: Work) -> list[str]:
    slots = work["structured_query"]["pico"]
    unasked = [] if any(slots.values()) else ["no cue word opens a PICO slot in this question: it is searched by its keywords alone"]
    nothing = [] if listed else ["no paper of the corpus is eligible"]
    return [*papers.synthetic_notice(sum(paper["synthetic"] for paper in listed), len(listed)), *unasked, *nothing]


_TEMPLATES = (
    "In {p} with {q}, does {i} compared with {c} reduce {o}?",
    "What is the effect of {i} versus {c} on {o} among {p} with {q}?",
    "Does {i} rather than {c} improve {o} in {p} with {q} within {n} months?",
)
_TYPES = {"RCT": "trial", "randomised controlled trial": "trial", "cohort study": "cohort", "case report": "case", "systematic review": "review"}


def _make(seed: int) -> dict[str, Any]:
    """A question of random words over papers of equal length; of three that are surely eligible the last but one holds all words twice."""
    rng = random.Random(seed)
    words = list(dict.fromkeys("".join(rng.choice("bdgkmprtvz") + rng.choice("aou") for _ in range(4)) for _ in range(60)))
    asked, rest = words[:5], words[5:]
    first = rng.randrange(1950, 2050)
    corpus = []
    for place in range(rng.randrange(14, 20)):
        kept = rng.sample(asked, rng.choice((0, 1, 2, 2, 3, 4)))
        filled = [*kept, *rng.choices(rest, k=14 - len(kept))]
        rng.shuffle(filled)
        year, kind = first + rng.randrange(-4, 12), rng.choice(list(_TYPES))
        corpus.append({"id": f"s{rng.randrange(10**8)}-{place}", "title": " ".join(filled), "year": year, "study_type": kind})
    for share in (1, 3):  # so that there always is an order to get wrong
        title = " ".join([*asked[:share], *rng.choices(rest, k=14 - share)])
        corpus.insert(0, {"id": f"s{rng.randrange(10**8)}-{share}k", "title": title, "year": first + share, "study_type": "RCT"})
    planted = " ".join([*asked, *rng.sample(rest, 4), *asked])
    corpus.insert(len(corpus) - 1, {"id": f"s{rng.randrange(10**8)}-x", "title": planted, "year": first + 2, "study_type": "RCT"})
    p, q, i, c, o = asked
    text = rng.choice(_TEMPLATES).format(p=p, q=q, i=i, c=c, o=o, n=rng.randrange(2, 60))
    return {
        rng.choice(("research_question", "query")): text,
        "year_range": {"from": first, "to": first + 7},
        "study_types": ["randomized controlled trial", *rng.sample(["cohort study", "systematic review"], rng.randrange(2))],
        "max_results": rng.randrange(3, 9),
        "corpus": corpus,
    }


def _check(seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    """Takes the slots from the seed, sifts by hand, and holds the order against what sharing more words must mean."""
    try:
        return _wrong(seed, inputs, outputs)
    except (AttributeError, IndexError, KeyError, TypeError) as odd:
        return f"the outputs do not have their shape: {odd!r}"


def _wrong(_seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    text = inputs.get("research_question") or inputs["query"]
    p, q, i, c, o = next(paper for paper in inputs["corpus"] if paper["id"].endswith("-x"))["title"].split()[:5]
    pico = outputs["structured_query"]["pico"]
    slots = [pico[slot] for slot in ("population", "intervention", "comparison", "outcome")]
    if slots != [[f"{p} with {q}"], [i], [c], [o]] or len(pico["time"]) != ("within" in text):
        return f"the question's slots are not those that its cue words open: {slots}"
    shared = {paper["id"]: {p, q, i, c, o} & set(paper["title"].split()) for paper in inputs["corpus"]}
    matched = [paper for paper in inputs["corpus"] if shared[paper["id"]]]
    timely = [paper for paper in matched if inputs["year_range"]["from"] <= paper["year"] <= inputs["year_range"]["to"]]
    wanted = {"trial", *(kind.split()[-1].replace("study", "cohort") for kind in inputs["study_types"][1:])}
    eligible = {paper["id"] for paper in timely if _TYPES[paper["study_type"]] in wanted}
    given = [paper["id"] for paper in outputs["papers"]]
    returned = min(len(eligible), inputs["max_results"])
    expected = {
        "corpus": len(inputs["corpus"]),
        "matched": len(matched),
        "not_matched": len(inputs["corpus"]) - len(matched),
        "excluded_by_year": len(matched) - len(timely),
        "excluded_by_study_type": len(timely) - len(eligible),
        "eligible": len(eligible),
        "returned": returned,
        "beyond_max_results": len(eligible) - returned,
    }
    if outputs["counts"] != expected:
        return f"the counts are not {expected}"
    if len(given) != returned or len(set(given)) != returned or not set(given) <= eligible:
        return "the papers are not the eligible ones, each once"
    if not given[0].endswith("-x") or any(shared[low] > shared[high] for place, high in enumerate(given) for low in given[place + 1 :]):
        return "a paper that shares more of the question stands below one that shares less"
    if any(shared[absent] > shared[name] for name in given for absent in eligible - set(given)):
        return "a better paper was left out for a worse one"
    for paper in outputs["papers"]:
        if {word for word in paper["matched_terms"] if not word.isdigit()} != shared[paper["id"]]:
            return "the words that a paper shares with the question are not those that it is said to share"
    by_year, by_type = outputs["by_year"].values(), outputs["by_study_type"].values()
    return None if sum(by_year) == sum(by_type) == len(eligible) else "the counts by year or by study type do not add up"


AGENT = Agent(
    name="agent-stage2-lit",
    task_types=("STAGE_2_LITERATURE_REVIEW",),
    summary="Takes a research question apart (PICO, headings, keywords), searches the corpus, filters years and study types, and counts.",
    version="1.0.0",
    inputs=Stage2LitInputs,
    outputs=Stage2LitOutputs,
    steps=(
        Step(name="structure", run=structure),
        Step(name="retrieve", run=retrieve),
        Step(name="sift", run=sift),
        Step(name="report", run=report),
    ),
    example={
        "research_question": "In adults with chronic heart failure, does valoxin compared with placebo reduce hospital readmission?",
        "year_range": {"from": 2010, "to": 2025},
        "study_types": ["randomized controlled trial", "cohort study"],
        "max_results": 5,
    },
    probe=Probe(make=_make, check=_check),
)
