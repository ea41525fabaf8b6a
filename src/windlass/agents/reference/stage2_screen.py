"""STAGE2_SCREEN: which papers enter the review, and why the others do not.

First duplicates go: the same DOI, or the same title, first author and year where one of the two records has no DOI; the first record
stays. Each other paper is held against every criterion, in this order, and every reason that speaks against it is named:

* study type (as the record says, else its title, else its abstract): one of `exclude_study_types`; not one of `study_types`; not known
* year: outside `year_range`; not known
* wording of title, abstract and keywords, whole words whatever their endings: it holds one of `exclude_keywords`; it holds none of
  `include_keywords` (with `include_match: all`: one is missing)

A paper is included when nothing speaks against it. What a criterion asks and a record does not say speaks against the paper, under a
reason of its own, so that these papers can be found and read by a person. PRISMA: identified = duplicates + screened, screened =
included + excluded, and the reasons (each paper's first) sum to excluded.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from windlass.agents import eligibility, papers, search
from windlass.agents.agent import Agent, Context, Inputs, Item, Outputs, Probe, Step, Work
from windlass.agents.papers import Paper
from windlass.model import clip

Reason = Literal[
    "excluded_study_type",
    "other_study_type",
    "study_type_unknown",
    "outside_years",
    "year_unknown",
    "exclude_keyword",
    "include_keyword_missing",
]
REASONS: tuple[Reason, ...] = get_args(Reason)


def _phrase(given: str) -> str:
    if not search.normal(given).strip():
        raise ValueError("holds no word to look for")
    return given


Phrases = Annotated[list[Annotated[str, Field(max_length=300), AfterValidator(_phrase)]], Field(max_length=200)]


class Criteria(Item):
    """What the review admits; at least one rule, since without any every paper would be included."""

    include_keywords: Phrases = Field(default_factory=list)
    include_match: Literal["any", "all"] = "any"
    exclude_keywords: Phrases = Field(default_factory=list)
    year_range: eligibility.YearRange | None = None
    study_types: eligibility.StudyTypes = Field(default_factory=list)
    exclude_study_types: eligibility.StudyTypes = Field(default_factory=list)

    @model_validator(mode="after")
    def _some_rule(self) -> Self:
        if not (self.include_keywords or self.exclude_keywords or self.year_range or self.study_types or self.exclude_study_types):
            raise ValueError("criteria hold no rule: give include_keywords, exclude_keywords, year_range, study_types or exclude_study_types")
        return self


class Stage2ScreenInputs(Inputs):
    """The papers that the searches identified, and the criteria."""

    papers: Annotated[list[Paper], Field(min_length=1, max_length=50_000)]
    criteria: Criteria


class Exclusion(Item):
    """One thing that speaks against a paper."""

    code: Reason
    detail: str


class Decision(Item):
    """What became of one record; `position` is its place in `papers`, from 0."""

    position: int
    id: str
    title: str
    decision: Literal["include", "exclude", "duplicate"]
    reasons: list[Exclusion]
    duplicate_of: int | None
    """Position of the record that stays."""
    duplicate_by: Literal["doi", "title"] | None
    study_type: str | None
    study_type_source: Literal["record", "title", "abstract", "unknown"] | None
    """Both are null for a duplicate: it is not screened."""


class Prisma(Item):
    """The counts of a PRISMA flow diagram; the sums hold."""

    identified: int
    duplicates: int
    screened: int
    included: int
    excluded: int
    excluded_by_reason: dict[str, int]


class Stage2ScreenOutputs(Outputs):
    """A decision per record in the order given, positions of the included ones, and the counts."""

    decisions: list[Decision]
    included: list[int]
    prisma: Prisma


def deduplicate(inputs: Stage2ScreenInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """Which records repeat an earlier one."""
    found = papers.duplicates(inputs.papers, context.check)
    return {"repeats": [[position, repeat.of, repeat.by] for position, repeat in found.items()]}


def screen(inputs: Stage2ScreenInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """A decision for every record, with all that speaks against it."""
    criteria = inputs.criteria
    repeats = {position: (of, by) for position, of, by in work["repeats"]}
    wanted = frozenset(kind for name in criteria.study_types for kind in eligibility.named_types(name))
    barred = frozenset(kind for name in criteria.exclude_study_types for kind in eligibility.named_types(name))
    include, exclude = ({phrase: search.normal(phrase) for phrase in phrases} for phrases in (criteria.include_keywords, criteria.exclude_keywords))
    decisions: list[dict[str, Any]] = []
    for position, paper in enumerate(inputs.papers):
        context.check()
        decided: dict[str, Any] = {"position": position, "id": papers.name(paper, position), "title": paper.title}
        if position in repeats:
            of, by = repeats[position]
            decided |= {"decision": "duplicate", "reasons": [], "duplicate_of": of, "duplicate_by": by, "study_type": None, "study_type_source": None}
        else:
            kind = eligibility.study_type(paper)
            wording = search.normal(papers.wording(paper)) if include or exclude else ""
            reasons = [
                *_against_type(kind, wanted, barred),
                *_against_year(paper.year, criteria.year_range),
                *_against_wording(wording, include, exclude, criteria.include_match),
            ]
            decided |= {"decision": "exclude" if reasons else "include", "reasons": reasons, "duplicate_of": None, "duplicate_by": None}
            decided |= {"study_type": kind.names[0] if kind.names else None, "study_type_source": kind.source}
        decisions.append(decided)
    return {"decisions": decisions}


def count(inputs: Stage2ScreenInputs, work: Work, _context: Context) -> Mapping[str, Any]:
    """The flow of records, from the decisions alone."""
    decisions = work["decisions"]
    fates = Counter(decided["decision"] for decided in decisions)
    first = Counter(decided["reasons"][0]["code"] for decided in decisions if decided["decision"] == "exclude")
    unstated = sum(reason["code"] in ("study_type_unknown", "year_unknown") for decided in decisions for reason in decided["reasons"])
    asked = [f"{unstated} times a record does not say what a criterion asks for: read these papers"] if unstated else []
    synthetic = papers.synthetic_notice(sum(paper.synthetic is True for paper in inputs.papers), len(inputs.papers))
    prisma = {
        "identified": len(decisions),
        "duplicates": fates["duplicate"],
        "screened": fates["include"] + fates["exclude"],
        "included": fates["include"],
        "excluded": fates["exclude"],
        "excluded_by_reason": {code: first[code] for code in REASONS},
    }
    included = [decided["position"] for decided in decisions if decided["decision"] == "include"]
    return {"outputs": {"decisions": decisions, "included": included, "prisma": prisma}, "warnings": [*synthetic, *asked]}


def _against_type(kind: eligibility.StudyType, wanted: frozenset[str], barred: frozenset[str]) -> Iterator[dict[str, str]]:
    if kind.wider & barred:
        yield _reason("excluded_study_type", f"excluded: {', '.join(sorted(kind.wider & barred))}")
    if wanted and not kind.names:
        yield _reason("study_type_unknown", "neither record nor title nor abstract says the study type")
    elif wanted and not kind.wider & wanted:
        yield _reason("other_study_type", f"{', '.join(kind.names)} is not one of the study types: {', '.join(sorted(wanted))}")


def _against_year(year: int | None, admitted: eligibility.YearRange | None) -> Iterator[dict[str, str]]:
    if admitted and year is None:
        yield _reason("year_unknown", "the record does not say its year")
    elif admitted and year is not None and not admitted.holds(year):
        yield _reason("outside_years", f"{year} is not within {admitted.first or '…'}–{admitted.last or '…'}")


def _against_wording(wording: str, include: Mapping[str, str], exclude: Mapping[str, str], match: str) -> Iterator[dict[str, str]]:
    """`include` and `exclude`: phrase as given → its normal form; `wording` is in normal form."""
    standing = [phrase for phrase, normal in exclude.items() if normal in wording]
    if standing:
        yield _reason("exclude_keyword", f"title, abstract or keywords hold {_some(standing)}")
    missing = [phrase for phrase, normal in include.items() if normal not in wording]
    if missing and (match == "all" or len(missing) == len(include)):
        yield _reason("include_keyword_missing", f"title, abstract and keywords do not hold {_some(missing)}")


def _reason(code: str, detail: str) -> dict[str, str]:
    return {"code": code, "detail": clip(detail, 500)}


def _some(phrases: list[str]) -> str:
    """At most five of the phrases: thousands of papers may each miss hundreds."""
    more = f" and {len(phrases) - 5} more" if len(phrases) > 5 else ""
    return ", ".join(repr(clip(phrase, 80)) for phrase in phrases[:5]) + more


def _make(seed: int) -> dict[str, Any]:
    """Random papers of known types and years, some repeated under another spelling of their DOI or title."""
    rng = random.Random(seed)
    words = list(dict.fromkeys("".join(rng.choice("bdgkmprtvz") + rng.choice("aou") for _ in range(4)) for _ in range(60)))
    good, bad, rest = f"{words[0]} {words[1]}", words[2], words[3:]
    first = rng.randrange(1950, 2050)
    chosen: list[dict[str, Any]] = []
    for place in range(rng.randrange(10, 16)):
        told = rng.choice([good, good, good, f"{words[1]} {words[0]}"])
        paper: dict[str, Any] = {
            "id": f"k{rng.randrange(10**8)}-{place}",
            "title": f"{rng.choice(rest)} {rng.choice(rest)} {told} n{place}",
            "abstract": " ".join([*rng.sample(rest, 6), *rng.choice(([], [], [bad]))]),
            "year": first + rng.randrange(-2, 9),
            "authors": [f"{rng.choice(rest).capitalize()} Q", "Zorro Z"],
            "shelf": rng.randrange(99),
        }
        paper |= rng.choice(({"study_type": "RCT"}, {"study_type": "Randomised controlled trial"}, {"study_type": "cohort study"}, {}))
        if rng.random() < 0.6:
            paper["doi"] = f"10.5555/{rng.choice(rest)}.{place}"
        if rng.random() < 0.1:
            del paper["year"]
        chosen.append(paper)
    for place, paper in enumerate(rng.sample(chosen, 4)):
        again = {**paper, "id": f"k{rng.randrange(10**8)}-again{place}"}
        if "doi" in paper and place % 2:
            again |= {"doi": f"https://doi.org/{paper['doi'].upper()}", "title": f"{rng.choice(rest)} {rng.choice(rest)} again{place}"}
        else:
            again |= {"title": f"{paper['title'].replace(' ', ' – ').upper()}."}
            again.pop("doi", None)
        chosen.append(again)
    rng.shuffle(chosen)
    criteria = {
        "include_keywords": [good],
        "exclude_keywords": [bad],
        "year_range": {"from": first, "to": first + 6},
        "study_types": ["randomized controlled trial"],
    }
    return {"papers": chosen, "criteria": criteria}


def _check(seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    """Screens by hand, knowing how the probe writes its papers."""
    try:
        return _wrong(seed, inputs, outputs)
    except (AttributeError, IndexError, KeyError, TypeError) as odd:
        return f"the outputs do not have their shape: {odd!r}"


def _wrong(_seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    decisions, prisma = outputs["decisions"], outputs["prisma"]
    if [decided["id"] for decided in decisions] != [paper["id"] for paper in inputs["papers"]]:
        return "the decisions are not those of the papers, in their order"
    seen: list[dict[str, Any]] = []
    for paper, decided in zip(inputs["papers"], decisions, strict=True):
        repeats = any(_same(paper, earlier) for earlier in seen)
        seen.append(paper)
        if repeats != (decided["decision"] == "duplicate"):
            return f"{paper['id']} {'repeats an earlier record' if repeats else 'repeats nothing'}, but is answered {decided['decision']}"
        expected = set() if repeats else _against(paper, inputs["criteria"])
        if {reason["code"] for reason in decided["reasons"]} != expected or (decided["decision"] == "include") != (not expected and not repeats):
            return f"what speaks against {paper['id']} is {sorted(expected)}, but it is answered {decided['decision']} with other reasons"
    fates = [decided["decision"] for decided in decisions]
    counts = [fates.count("duplicate"), fates.count("include"), fates.count("exclude")]
    told = [prisma["duplicates"], prisma["included"], prisma["excluded"]]
    if told != counts or prisma["identified"] != len(fates) or prisma["screened"] != counts[1] + counts[2]:
        return "the PRISMA counts are not those of the decisions"
    if sum(prisma["excluded_by_reason"].values()) != counts[2]:
        return "the reasons do not sum to the excluded papers"
    included = [place for place, fate in enumerate(fates) if fate == "include"]
    return None if outputs["included"] == included else "the included papers are not those that were decided to be"


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """The probe's titles end in a mark of their own; its DOIs differ only in prefix and case."""
    dois = [paper["doi"].lower().removeprefix("https://doi.org/") if "doi" in paper else "" for paper in (one, other)]
    marks = [paper["title"].rstrip(".").lower().split()[-1] for paper in (one, other)]
    return dois[0] == dois[1] if all(dois) else marks[0] == marks[1]


def _against(paper: Mapping[str, Any], criteria: Mapping[str, Any]) -> set[str]:
    found = set()
    if paper.get("study_type", "").lower() not in ("rct", "randomised controlled trial"):
        found.add("other_study_type" if "study_type" in paper else "study_type_unknown")
    if "year" not in paper:
        found.add("year_unknown")
    elif not criteria["year_range"]["from"] <= paper["year"] <= criteria["year_range"]["to"]:
        found.add("outside_years")
    if criteria["exclude_keywords"][0] in paper["abstract"]:
        found.add("exclude_keyword")
    if criteria["include_keywords"][0] not in paper["title"].lower().replace(" – ", " "):
        found.add("include_keyword_missing")
    return found


AGENT = Agent(
    name="agent-stage2-screen",
    task_types=("STAGE2_SCREEN",),
    summary="Removes duplicates and holds each paper against the criteria, with every reason named and PRISMA counts that add up.",
    version="1.0.0",
    inputs=Stage2ScreenInputs,
    outputs=Stage2ScreenOutputs,
    steps=(Step(name="deduplicate", run=deduplicate), Step(name="screen", run=screen), Step(name="count", run=count)),
    example={
        "papers": [
            {"title": "Exercise against fatigue: a randomised controlled trial", "year": 2021, "doi": "10.5555/example.1"},
            {"title": "Exercise against fatigue", "year": 2021, "doi": "https://doi.org/10.5555/EXAMPLE.1"},
            {"title": "A mouse model of fatigue", "year": 2022, "doi": "10.5555/example.2"},
        ],
        "criteria": {"include_keywords": ["fatigue"], "study_types": ["RCT"], "year_range": {"from": 2015}},
    },
    probe=Probe(make=_make, check=_check),
)
