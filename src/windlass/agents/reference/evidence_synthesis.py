"""EVIDENCE_SYNTHESIS: what the papers together say, how sure that is, and what speaks against it; all of it computed from their abstracts.

Findings are read by the grammar of STAGE2_EXTRACT. Effects of one measure for one outcome are a body of evidence, randomized and
observational studies apart; reviews and repeated records are left out, since they would count participants twice. Two or more effects
with confidence intervals are pooled (fixed effect, inverse variance). Certainty is GRADE's arithmetic, each step with its rule and its
reason; what takes a reader is counted from `judgements` and otherwise named as not judged.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Annotated, Any

from pydantic import Field

from windlass.agents import (
    citation_keys,
    conflicts,
    evidence_bodies,
    evidence_limits,
    evidence_markdown,
    evidence_rating,
    extraction,
    extraction_checks,
    grade,
    papers,
    search,
)
from windlass.agents.agent import Agent, Context, Inputs, Probe, Step, Work
from windlass.agents.evidence_outputs import EvidenceSynthesisOutputs, Judgement
from windlass.agents.evidence_rating import Assessment
from windlass.agents.extraction_rows import Effect, Row
from windlass.agents.readable_papers import ReadablePaper, cited, require_evidence
from windlass.errors import AgentError

_LISTED_CONFLICTS = 500


class EvidenceSynthesisInputs(Inputs):
    """The question, the papers, and what a reader judged of them."""

    research_question: search.Query
    papers: Annotated[list[ReadablePaper], Field(min_length=1, max_length=500)]
    judgements: Annotated[list[Judgement], Field(max_length=200)] = Field(default_factory=list)


def read(inputs: EvidenceSynthesisInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """A verified row and a citation per paper, and the words that it shares with the question; LIVE without evidence is refused here."""
    require_evidence(inputs.papers, context.mode)
    keys = citation_keys.of_papers(inputs.papers)
    rows, shared = [], []
    for position, (paper, key) in enumerate(zip(inputs.papers, keys, strict=True)):
        context.check()
        row = extraction.read(paper, position, key, context.check)
        if reason := extraction_checks.unsupported(row, paper):
            raise AgentError("UNSUPPORTED_FINDING", f"row {position}: {reason}")
        rows.append(row.model_dump())
        shared.append(search.matched(inputs.research_question, papers.wording(paper)))
    citations = [cited(paper, position, key) for position, (paper, key) in enumerate(zip(inputs.papers, keys, strict=True))]
    return {"rows": rows, "citations": citations, "shared": shared}


def assess(inputs: EvidenceSynthesisInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """The bodies of evidence, pooled where they can be and rated; the limitations that they show."""
    rows = [Row.model_validate(row) for row in work["rows"]]
    repeats = {position: repeat.of for position, repeat in papers.duplicates(inputs.papers, context.check).items()}
    found = evidence_bodies.sort(rows, repeats, context.check)
    assessed = [evidence_rating.assess(body, rows, _steps(inputs.judgements, body.endpoint), context.check) for body in found.bodies]
    keys = [citation["key"] for citation in work["citations"]]
    limits = evidence_limits.of(rows, assessed, found.left_out, work["shared"])
    return {
        "bodies": [_body(one, keys) for one in assessed],
        "left_out": [found.left_out.get(position) for position in range(len(rows))],
        "limitations": [{"code": limit.code, "text": limit.text, "citation_keys": [keys[row] for row in limit.rows]} for limit in limits],
    }


def compare(_inputs: EvidenceSynthesisInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """The conflicts between studies of one measure and outcome, across the streams."""
    topics: defaultdict[tuple[str, str | None, str], list[Mapping[str, Any]]] = defaultdict(list)
    for body in work["bodies"]:
        topics[body["measure"], body["unit"], search.normal(body["outcome"] or "")].extend(body["studies"])
    outcomes = {(body["measure"], body["unit"], search.normal(body["outcome"] or "")): body["outcome"] for body in reversed(work["bodies"])}
    found: list[dict[str, Any]] = []
    total = 0
    for topic, studies in topics.items():
        context.check()
        effects = [Effect.model_validate(study["effect"]) for study in studies]
        pairs = conflicts.between(effects, context.check)
        total += len(pairs)
        for pair in pairs[: max(0, _LISTED_CONFLICTS - len(found))]:
            both = (studies[pair.first], studies[pair.second])
            found.append(
                {
                    "measure": topic[0],
                    "outcome": outcomes[topic],
                    "citation_keys": [study["citation_key"] for study in both],
                    "kinds": list(pair.kinds),
                    "numbers": [study["effect"]["numbers"] for study in both],
                }
            )
    return {"conflicts": found, "conflicts_found": total}


def report(inputs: EvidenceSynthesisInputs, work: Work, _context: Context) -> Mapping[str, Any]:
    """The evidence table and everything beside it."""
    entries = zip(work["rows"], work["shared"], work["left_out"], strict=True)
    table = [{"citation_key": row["citation_key"], "shared_terms": words, "left_out": reason, "findings": row} for row, words, reason in entries]
    levels = [body["certainty"]["level"] for body in work["bodies"]]
    invented = sum(citation["synthetic"] for citation in work["citations"])
    return {
        "outputs": {
            "research_question": inputs.research_question,
            "evidence_table": table,
            "bodies": work["bodies"],
            "overall_certainty": min(levels, key=grade.LEVELS.index) if levels else None,
            "conflicts": work["conflicts"],
            "conflicts_found": work["conflicts_found"],
            "limitations": work["limitations"],
            "citations": work["citations"],
            "markdown": evidence_markdown.render(inputs.research_question, table, work["bodies"]),
        },
        "grounding": {"papers": len(table), "quotes": sum(len(row["effects"]) for row in work["rows"])},
        "warnings": [*papers.synthetic_notice(invented, len(table)), *_provisional(work["bodies"])],
    }


def _steps(judgements: Sequence[Judgement], endpoint: str) -> list[grade.Step]:
    """The caller's judgements on this outcome."""
    wanted = search.normal(endpoint)
    on_it = [judged for judged in judgements if judged.outcome is None or search.normal(judged.outcome) == wanted]
    return [grade.Step(domain=judged.domain, levels=judged.levels, rule="judged by the caller", reason=judged.reason) for judged in on_it]


def _provisional(bodies: Sequence[Mapping[str, Any]]) -> list[str]:
    count = sum(body["certainty"]["provisional"] for body in bodies)
    told = "certainty is provisional, the highest that it can be, until a reader has judged what the limitations name (`judgements`)"
    return [f"for {count} of {len(bodies)} bodies of evidence the {told}"] if count else []


def _body(assessed: Assessment, keys: Sequence[str]) -> dict[str, Any]:
    body, rating = assessed.body, assessed.rating
    weights = dict(zip(assessed.pooled_members, assessed.pooled.weights, strict=True)) if assessed.pooled else {}
    studies = [
        {
            "citation_key": keys[position],
            "effect": effect.model_dump(),
            "weight": weights.get(position),
            "not_pooled": assessed.not_pooled.get(position),
        }
        for position, effect in zip(body.members, body.effects, strict=True)
    ]
    pooled = dataclasses.asdict(assessed.pooled) if assessed.pooled else None
    if pooled is not None:
        del pooled["weights"]
        pooled |= {"model": "fixed effect, inverse variance", "studies": len(assessed.pooled_members)}
    return {
        "measure": body.measure,
        "unit": body.unit,
        "outcome": body.endpoint or None,
        "stream": body.stream,
        "studies": studies,
        "participants": assessed.participants,
        "pooled": pooled,
        "certainty": {
            "level": rating.level,
            "provisional": rating.provisional,
            "points": rating.points,
            "start": rating.start,
            "start_rule": rating.start_rule,
            "steps": [dataclasses.asdict(step) for step in rating.steps],
            "not_counted": [dataclasses.asdict(step) for step in rating.not_counted],
            "not_judged": list(rating.not_judged),
        },
    }


_Z = 1.959963984540054


def _make(seed: int) -> dict[str, Any]:
    """An odd number of trials of one hazard ratio, a cohort that contradicts the first, a review, a repeated record and a mute paper."""
    rng = random.Random(seed)
    endpoint = rng.choice(("mortality", "relapse", "bleeding", "dyspnoea", "readmission"))
    made = []
    for place in range(rng.choice((3, 5))):
        value = rng.randrange(50, 180) / 100
        made.append(_paper(rng, f"t{place}", "randomized controlled trial", endpoint, value, rng.randrange(5, 60) / 100))
    first = made[0]["center"]
    made.append(_paper(rng, "cohort", "cohort study", endpoint, 3 if first < 1 else 0.3, 0.1))
    made.append(_paper(rng, "review", "systematic review", endpoint, 0.9, 0.2))
    made.append({**made[0], "id": f"again{rng.randrange(10**6)}", "doi": made[0]["doi"].upper()})
    made.append(_paper(rng, "mute", "cohort study", endpoint, 1, 0) | {"abstract": "Little is told here."})
    return {"research_question": f"Does zantorol change {endpoint} ({rng.randrange(10**6)})?", "papers": made}


def _paper(rng: random.Random, name: str, kind: str, endpoint: str, value: float, spread: float) -> dict[str, Any]:
    low, high = value * math.exp(-spread * rng.uniform(1, 1.2)) - 0.01, value * math.exp(spread * rng.uniform(1, 1.2)) + 0.01
    n = rng.randrange(50, 400)
    return {
        "id": f"{name}-{rng.randrange(10**6)}",
        "title": f"On zantorol, part {name}",
        "abstract": f"There were {n} patients. The hazard ratio for {endpoint} was {value:.2f} (95% CI {low:.2f} to {high:.2f}).",
        "study_type": kind,
        "doi": f"10.5555/{name}.{rng.randrange(10**6)}",
        "center": value,
    }


def _check(seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    """Pools and rates by hand what the abstracts print, and holds every figure against it."""
    try:
        return _wrong(seed, inputs, outputs)
    except (AttributeError, IndexError, KeyError, StopIteration, TypeError, ValueError, ZeroDivisionError) as odd:
        return f"the outputs do not have their shape: {odd!r}"


def _wrong(_seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    given = inputs["papers"]
    trials = [paper for paper in given if paper["id"].startswith("t")]
    told = {paper["id"]: _printed(paper) for paper in given if "hazard" in paper["abstract"]}
    names = {citation["key"]: citation["id"] for citation in outputs["citations"]}
    if [names[row["citation_key"]] for row in outputs["evidence_table"]] != [paper["id"] for paper in given]:
        return "the evidence table is not that of the papers, in their order"
    if [row["left_out"] is None for row in outputs["evidence_table"]] != [paper["id"].startswith(("t", "cohort")) for paper in given]:
        return "a review, a repeated record or a mute paper is counted as evidence, or a study is not"
    randomized, observed = sorted(outputs["bodies"], key=lambda body: len(body["studies"]), reverse=True)
    if [names[study["citation_key"]] for study in randomized["studies"]] != [paper["id"] for paper in trials] or observed["pooled"] is not None:
        return "the bodies of evidence are not made of their studies"
    logs = [[math.log(number) for number in told[paper["id"]][:3]] for paper in trials]
    weights = [(2 * _Z / (high - low)) ** 2 for _value, low, high in logs]
    mean = sum(weight * value[0] for weight, value in zip(weights, logs, strict=True)) / sum(weights)
    q = sum(weight * (value[0] - mean) ** 2 for weight, value in zip(weights, logs, strict=True))
    half, freedom = _Z / math.sqrt(sum(weights)), len(trials) - 1
    tail = math.exp(-q / 2) * sum((q / 2) ** term / math.factorial(term) for term in range(freedom // 2))
    spread = max(0.0, 100 * (q - freedom) / q) if q else 0.0
    figures = {
        "estimate": math.exp(mean),
        "low": math.exp(mean - half),
        "high": math.exp(mean + half),
        "q": q,
        "q_p_value": tail,
        "i_squared": spread,
    }
    for name, figure in figures.items():
        if not math.isclose(randomized["pooled"][name], figure, rel_tol=1e-9, abs_tol=1e-9):
            return f"{name} is {randomized['pooled'][name]}, the abstracts give {figure}"
    people = sum(int(told[paper["id"]][3]) for paper in trials)
    level = _level(spread, figures["low"], figures["high"], people, [told[paper["id"]] for paper in trials])
    if randomized["certainty"]["level"] != level or randomized["participants"] != people:
        return f"the certainty is {randomized['certainty']['level']}, the arithmetic gives {level}"
    if outputs["overall_certainty"] != min(
        (body["certainty"]["level"] for body in outputs["bodies"]), key=("very low", "low", "moderate", "high").index
    ):
        return "the overall certainty is not the lowest"
    return _compared([told[paper["id"]] for paper in given if paper["id"].startswith(("t", "cohort"))], inputs, outputs)


def _printed(paper: Mapping[str, Any]) -> tuple[float, float, float, float]:
    """Estimate, limits and participants, by where the probe prints them."""
    words = paper["abstract"].replace("(95%", "").replace("CI", "").replace(").", "").split()
    return float(words[-4]), float(words[-3]), float(words[-1]), float(words[2])


def _level(spread: float, low: float, high: float, people: int, studies: Sequence[tuple[float, ...]]) -> str:
    points = 4 - (2 if spread >= 75 else 1 if spread >= 50 else any(one[1] > two[2] or two[1] > one[2] for one, two in combinations(studies, 2)))
    wide = low < 0.75 and high > 1.25
    points -= 2 if wide else 1 if low <= 1 <= high or people < 400 else 0
    return ("very low", "low", "moderate", "high")[max(points, 1) - 1]


def _compared(studies: Sequence[tuple[float, ...]], inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    pairs = list(combinations(studies, 2))
    opposite = sum((one[0] < 1 < two[0]) or (two[0] < 1 < one[0]) for one, two in pairs)
    apart = sum(one[1] > two[2] or two[1] > one[2] for one, two in pairs)
    kinds = [kind for conflict in outputs["conflicts"] for kind in conflict["kinds"]]
    if (kinds.count("opposite_directions"), kinds.count("intervals_apart")) != (opposite, apart):
        return "the conflicts are not those between the studies"
    off = [limit for limit in outputs["limitations"] if limit["code"] == "LEFT_OUT"]
    if len(off) != 1 or len(off[0]["citation_keys"]) != 3 or outputs["research_question"] != inputs["research_question"]:
        return "the limitations do not say how many papers are no evidence"
    return None if all("zantorol" in row["shared_terms"] for row in outputs["evidence_table"]) else "a paper on the question is said not to be"


AGENT = Agent(
    name="agent-evidence-synthesis",
    task_types=("EVIDENCE_SYNTHESIS",),
    summary="Pools what the papers report (fixed effect, Q, I²), rates its certainty by GRADE's arithmetic, and names conflicts and limitations.",
    version="1.0.0",
    inputs=EvidenceSynthesisInputs,
    outputs=EvidenceSynthesisOutputs,
    steps=(Step(name="read", run=read), Step(name="assess", run=assess), Step(name="compare", run=compare), Step(name="report", run=report)),
    example={
        "research_question": "Does exercise reduce fatigue?",
        "papers": [
            {
                "title": "Exercise against fatigue: a randomised controlled trial",
                "abstract": "We randomly assigned 1,204 adults. The risk ratio for fatigue was 0.75 (95% CI 0.62–0.91).",
                "year": 2021,
                "authors": ["Roe J"],
            },
            {
                "title": "Walking and fatigue: a randomised controlled trial",
                "abstract": "We randomly assigned 880 adults. The risk ratio for fatigue was 0.90 (95% CI 0.74 to 1.09).",
                "year": 2022,
                "authors": ["Doe K"],
            },
        ],
    },
    probe=Probe(make=_make, check=_check),
)
