"""STAGE2_EXTRACT: what each paper's abstract states, one row per paper, in order, under the citation key of that paper.

Design, participants, effects with intervals, p-values and endpoints are read by the grammar of `agents/extraction.py`; each finding keeps
the place where it stands (`paper[field][start:end] == quote`). What has more than one reading is listed under `unread` with the reason.
Before the rows leave, each is held against its paper: a finding that the paper does not bear out is an error, never an answer.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from windlass.agents import citation_keys, extraction, extraction_checks, papers
from windlass.agents.agent import Agent, Context, Inputs, Item, Outputs, Probe, Step, Work
from windlass.agents.engines import extraction as extraction_engine
from windlass.agents.extraction_rows import Cited, Row
from windlass.agents.papers import Paper
from windlass.agents.readable_papers import MOST_CHARACTERS, ReadablePaper, cited, require_evidence
from windlass.errors import AgentError

Text = Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS, pattern=r"\S")]


class Abstract(Item):
    """A bare abstract with an id of the caller's."""

    id: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    text: Text


class Stage2ExtractInputs(Inputs):
    """The papers to read, or bare abstracts: one of the two."""

    papers: Annotated[list[ReadablePaper], Field(min_length=1, max_length=10_000)] | None = None
    abstracts: Annotated[list[Text | Abstract], Field(min_length=1, max_length=10_000)] | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.papers is None) == (self.abstracts is None):
            raise ValueError("papers or abstracts is required" if self.papers is None else "papers and abstracts are both given: send one of them")
        return self

    @property
    def records(self) -> list[Paper]:
        """The papers; a bare abstract is a paper without title."""
        if self.papers is not None:
            return list(self.papers)
        bare = [Abstract(text=given) if isinstance(given, str) else given for given in self.abstracts or ()]
        return [
            Paper.model_construct(id=given.id or f"abstract-{place}", title="", abstract=given.text, _fields_set={"id", "title", "abstract"})
            for place, given in enumerate(bare, 1)
        ]


class Counts(Item):
    """How much was read."""

    papers: int
    with_text: int
    with_n: int
    with_effect: int
    with_interval: int
    effects: int
    p_values: int
    endpoints: int
    unread: int


class Stage2ExtractOutputs(Outputs):
    """One row and one citation per paper, in the papers' order: `rows[i].citation_key == citations[i].key`."""

    rows: list[Row]
    citations: list[Cited]
    counts: Counts


def identify(inputs: Stage2ExtractInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """A citation under a key of its own for every paper; LIVE mode without a text to read is refused here."""
    records = inputs.records
    require_evidence(records, context.mode)
    keys = citation_keys.of_papers(records)
    listed = [cited(paper, position, key) for position, (paper, key) in enumerate(zip(records, keys, strict=True))]
    return {"citations": [{**citation, "title": citation["title"] or None} for citation in listed]}


def extract(inputs: Stage2ExtractInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """A row for every paper, by grammar."""
    rows: list[dict[str, Any]] = []
    for position, (paper, citation) in enumerate(zip(inputs.records, work["citations"], strict=True)):
        context.check()
        rows.append(extraction.read(paper, position, citation["key"], context.check).model_dump())
    return {"rows": rows}


def verify(inputs: Stage2ExtractInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """The rows, once each is borne out by its paper and stands beside its citation; raises AgentError UNSUPPORTED_FINDING otherwise."""
    rows = [Row.model_validate(row) for row in work["rows"]]
    citations = [Cited.model_validate(citation) for citation in work["citations"]]
    if reason := extraction_checks.not_aligned(rows, citations):
        raise AgentError("UNSUPPORTED_FINDING", reason)
    for row, paper in zip(rows, inputs.records, strict=True):
        context.check()
        if reason := extraction_checks.unsupported(row, paper):
            raise AgentError("UNSUPPORTED_FINDING", f"row {row.position}: {reason}")
    return {
        "outputs": {"rows": work["rows"], "citations": work["citations"], "counts": _counts(rows)},
        "grounding": {"papers": len(rows), "quotes": sum(len(row.effects) + len(row.p_values) + len(row.sample_sizes) for row in rows)},
        "warnings": _warnings(rows, citations),
    }


def _counts(rows: list[Row]) -> dict[str, int]:
    return {
        "papers": len(rows),
        "with_text": sum(row.has_text for row in rows),
        "with_n": sum(row.n is not None for row in rows),
        "with_effect": sum(bool(row.effects) for row in rows),
        "with_interval": sum(any(effect.interval for effect in row.effects) for row in rows),
        "effects": sum(len(row.effects) for row in rows),
        "p_values": sum(len(row.p_values) for row in rows),
        "endpoints": sum(len(row.endpoints) for row in rows),
        "unread": sum(len(row.unread) for row in rows),
    }


def _warnings(rows: list[Row], citations: list[Cited]) -> list[str]:
    empty = [row.citation_key for row in rows if not row.has_text]
    odd = sum(len(row.unread) for row in rows)
    return [
        *papers.synthetic_notice(sum(citation.synthetic for citation in citations), len(citations)),
        *([f"{len(empty)} of {len(rows)} papers have no abstract to read: {', '.join(empty[:10])}"] if empty else []),
        *([f"{odd} pieces of text look like findings and have no single reading: see `unread`"] if odd else []),
    ]


_ENDPOINTS = ("mortality", "readmission", "fatigue", "relapse", "bleeding", "dyspnoea")
_DESIGNS = {
    "We did a randomised controlled trial.": "randomized controlled trial",
    "This was a prospective cohort study.": "cohort study",
    "This case-control study used registers.": "case-control study",
}
_NAMES = {"HR": ("hazard ratio", "HR", "aHR"), "OR": ("odds ratio", "OR", "adjusted OR"), "RR": ("risk ratio", "relative risk", "RR")}
_FORMS = ("{m} for {e} was {v} (95% CI {a}–{b})", "{m} {v} (95% CI, {a} to {b})", "{m}, {v}; 95% CI, {a}-{b}", "{m} = {v} [95% CI {a}, {b}]")
_COUNTS = ("We enrolled {n} patients.", "A total of {n} adults took part.", "Participants (n = {n}) were followed.")
_VALUES = ("P={p}", "p < {p}", "p-value = {p}")


def _plan(seed: int) -> list[dict[str, Any]]:
    """Random papers, each with the numbers that it prints."""
    rng = random.Random(seed)
    planned: list[dict[str, Any]] = []
    for place in range(rng.randrange(4, 8)):
        low, value, high = (f"{number / 100:.2f}" for number in sorted(rng.sample(range(20, 480), 3)))
        measure = rng.choice(list(_NAMES))
        n = rng.randrange(1000, 99_999)
        p = f"{rng.choice(('0', ''))}.{rng.randrange(1, 999):03d}"
        odd = f"p = 0,{rng.randrange(10, 99)}"
        endpoint = rng.choice(_ENDPOINTS)
        design, kind = rng.choice(list(_DESIGNS.items()))
        printed = rng.choice((f"{n}", f"{n:,}", f"{n:,}".replace(",", "\u202f")))
        effect = rng.choice(_FORMS).format(m=rng.choice(_NAMES[measure]), e=endpoint, v=value, a=low, b=high)
        told = [
            design,
            rng.choice(_COUNTS).format(n=printed),
            f"The primary outcome was {endpoint}.",
            f"We found {effect}; {rng.choice(_VALUES).format(p=p)}.",
            f"For age, {odd}.",
        ]
        family = "".join(rng.choice("bdgkmprtvz") + rng.choice("aou") for _ in range(3)).capitalize()
        year = rng.randrange(1950, 2030)
        paper: dict[str, Any] = {
            "id": f"x{rng.randrange(10**8)}-{place}",
            "title": f"On {endpoint}",
            "abstract": " ".join(told),
            "year": year,
            "authors": [f"{family} Q"],
        }
        numbers = (float(value), float(low), float(high))
        planned.append(
            {"paper": paper, "kind": kind, "n": n, "measure": measure, "numbers": numbers, "p": float(p), "odd": odd, "endpoint": endpoint}
        )
    planned[-1]["paper"] |= {"authors": planned[0]["paper"]["authors"], "year": planned[0]["paper"]["year"]}
    return planned


def _make(seed: int) -> dict[str, Any]:
    """The planned papers; two of them by one author in one year, so that a key made of these alone is used twice."""
    return {"papers": [planned["paper"] for planned in _plan(seed)]}


def _check(seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    """Holds each row against the numbers that were put into its paper, and every quote against the text."""
    try:
        return _wrong(seed, inputs, outputs)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as odd:
        return f"the outputs do not have their shape: {odd!r}"


def _wrong(seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    rows, citations = outputs["rows"], outputs["citations"]
    if [citation["id"] for citation in citations] != [paper["id"] for paper in inputs["papers"]]:
        return "the citations are not those of the papers, in their order"
    if [row["citation_key"] for row in rows] != [citation["key"] for citation in citations] or len({row["citation_key"] for row in rows}) != len(
        rows
    ):
        return "the rows do not stand beside their citations under keys of their own"
    for row, planned in zip(rows, _plan(seed), strict=True):
        if reason := _differs(row, planned):
            return f"{planned['paper']['id']}: {reason}"
    read = {"effects": len(rows), "p_values": len(rows), "endpoints": len(rows), "unread": len(rows), "papers": len(rows), "with_n": len(rows)}
    return None if read.items() <= outputs["counts"].items() else "the counts are not those of the rows"


def _differs(row: Mapping[str, Any], planned: Mapping[str, Any]) -> str | None:
    (effect,), (value,), (endpoint,), (odd,) = row["effects"], row["p_values"], row["endpoints"], row["unread"]
    read = {
        "kind": row["design"]["kind"],
        "n": row["n"],
        "measure": effect["measure"],
        "numbers": (effect["estimate"], effect["low"], effect["high"]),
        "p": value["value"],
        "odd": odd["quote"],
        "endpoint": endpoint["quote"],
    }
    for name, found in read.items():
        if found != planned[name]:
            return f"{name} is read as {found}, the paper says {planned[name]}"
    places = [effect, value, endpoint, odd, *row["sample_sizes"], row["design"]["place"]]
    texts = planned["paper"]
    if any(texts[place["field"]][place["start"] : place["end"]] != place["quote"] or not place["quote"] for place in places):
        return "a quote does not stand where it is said to stand"
    return None if effect["level"] == 95 and effect["numbers"][0] in effect["quote"] else "the effect's quote does not hold its number"


AGENT = Agent(
    name="agent-stage2-extract",
    task_types=("STAGE2_EXTRACT", "STAGE_2_EXTRACT"),
    summary="Reads design, participants, effects with intervals, p-values and endpoints from abstracts by grammar, each with its place.",
    version="1.0.0",
    inputs=Stage2ExtractInputs,
    outputs=Stage2ExtractOutputs,
    steps=(Step(name="identify", run=identify), Step(name="extract", run=extract), Step(name="verify", run=verify)),
    example={
        "papers": [
            {
                "title": "Exercise against fatigue",
                "abstract": "We randomly assigned 1,204 adults. The primary outcome was fatigue. The risk ratio was 0.75 (95% CI 0.62–0.91); P=.003.",
                "year": 2021,
                "authors": ["Roe J"],
            },
        ],
    },
    probe=Probe(make=_make, check=_check),
    model=extraction_engine.ENGINE,
)
