"""SECTION_WRITE_RESULTS: the results from the evidence: sentences that report numbers, point by point of the outline.

A sentence belongs here if it states a number and its cues say that it reports a flow of participants, a finding or a harm. A number alone
is no result (a dose, an age limit, a significance level), and a finding without a number is none either.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from windlass.agents import draft_probes, drafting, numerals, rhetoric
from windlass.agents.agent import Agent, Context, Probe, Step, Work
from windlass.agents.draft_probes import Scene
from windlass.agents.drafting import Drafted, DraftInputs, DraftOutputs, Paragraph
from windlass.agents.engines import sections


class ResultsInputs(DraftInputs):
    """What the results are about, best an outline with a point per outcome, and the evidence to write them from."""


class ResultsOutputs(DraftOutputs):
    """The results: a paragraph per point of the outline that the evidence has numbers for."""


def choose(inputs: ResultsInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """The sentences of the evidence that report a number as a result."""

    def belongs(reading: rhetoric.Reading | None, line: str) -> bool:
        return reading is not None and reading.move.section == "results" and bool(numerals.figures(line))

    return drafting.chosen(inputs.groundingPack.chunks, context, belongs)


def arrange(inputs: ResultsInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """A paragraph per point, in the outline's order; within it who took part, what was found, and harms; what serves no point comes last."""
    kept, left_out = drafting.kept(inputs, "results", work, context)
    order = [move.name for move in rhetoric.moves("results")]
    points = inputs.points()
    paragraphs = [Paragraph(heading=point, sentences=_ranked(kept, place, order)) for place, point in enumerate(points)]
    paragraphs.append(Paragraph(heading="further results", sentences=_ranked(kept, None, order)))
    return {"paragraphs": drafting.dumped(paragraph for paragraph in paragraphs if paragraph.sentences), "left_out": left_out}


def conclude(inputs: ResultsInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """The results, held against the rules of every draft, with a warning for every point that the evidence has no number for."""
    concluded = drafting.concluded(inputs, "results", work, context)
    bare = [f"the evidence reports no number for the point {one['point']!r}" for one in concluded["outputs"]["outline"] if not one["sentences"]]
    return {**concluded, "warnings": [*concluded["warnings"], *bare]}


def _ranked(sentences: Sequence[Drafted], point: int | None, order: Sequence[str]) -> list[Drafted]:
    served = [sentence for sentence in sentences if sentence.point == point]
    return sorted(served, key=lambda sentence: order.index(sentence.move) if sentence.move in order else len(order))


def _scene(seed: int) -> Scene:
    """Two outcomes of one drug, flow before finding before harm; numbers that are no results, and findings without numbers, must stay out."""
    rng = random.Random(seed)
    drug = rng.choice(draft_probes.DRUGS)
    first, second, third = rng.sample(draft_probes.EFFECTS, 3)
    count, rate, ratio, low = rng.randrange(100, 900), rng.randrange(11, 60), rng.randrange(40, 80), rng.randrange(20, 39)
    flow = f"For {first} {count} adults underwent randomisation."
    found = f"Events of {first} were lower in the {drug} group (hazard ratio 0.{ratio}, 95% CI 0.{low} to 0.95)."
    harm = f"Adverse events with {first} numbered {rng.randrange(3, 60)} under {drug}."
    other = f"In contrast {second} occurred in {rate}% and {rate + 7}% respectively."
    extra = f"Patients on {drug} had a mean {third} of {rng.randrange(2, 40)}.{rng.randrange(1, 9)} points."
    strangers = [
        f"Events of {second} were lower in the {drug} group.",
        f"Each group received {rng.randrange(5, 900)} mg of {drug} daily.",
        f"For {first} a P below 0.05 was considered significant and the sample size was {count + 3}.",
        f"The prevalence of {second} is {rate}% worldwide.",
        f"The rate of seagulls rose by {rate}% (P=0.01).",
    ]
    chunks = draft_probes.scattered(rng, [flow, found, harm, other, extra, *strangers], ["Rain fell.", "No ship left.", "Boats waited."])
    asked, truth = draft_probes.claims(
        rng, f"{second.title()} occurred in {rate}% and {rate + 7}% respectively.", rate, found.replace(f"0.{ratio}", "0.97")
    )
    points = {first.title(): [flow, found, harm], second.title(): [other]}
    outline = rng.sample(list(points), 2)
    wanted = [*((point, line) for point in outline for line in points[point]), ("further results", extra)]
    inputs = {"outline": outline, "topic": f"Effects of {drug}", "groundingPack": {"chunks": chunks}, "verifiedClaims": asked}
    return Scene(inputs=inputs, wanted=wanted, claims=truth)


def _make(seed: int) -> dict[str, Any]:
    return _scene(seed).inputs


def _check(seed: int, _inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    return draft_probes.judged(_scene(seed), "results", outputs)


AGENT = Agent(
    name="agent-results-writer",
    task_types=("SECTION_WRITE_RESULTS",),
    summary="Drafts the results from sentences of the evidence that report numbers, point by point of the outline.",
    version="1.0.0",
    inputs=ResultsInputs,
    outputs=ResultsOutputs,
    steps=(
        Step[ResultsInputs](name="choose", run=choose),
        Step[ResultsInputs](name="support", run=drafting.support),
        Step[ResultsInputs](name="arrange", run=arrange),
        Step[ResultsInputs](name="conclude", run=conclude),
    ),
    example={
        "outline": ["Stroke", "Bleeding"],
        "groundingPack": {
            "chunks": [
                {
                    "chunk_id": "r1",
                    "doc_id": "trial",
                    "text": "Stroke occurred in 12 of 400 patients with rhythm control and in 24 of 398 with usual care "
                    "(hazard ratio 0.49, 95% CI 0.25 to 0.98).",
                },
                {"chunk_id": "r2", "doc_id": "trial", "text": "Major bleeding did not differ (3% versus 4%; P=0.41). The dose was 200 mg."},
            ]
        },
        "verifiedClaims": [{"id": "stroke", "text": "Stroke occurred in 12 of 400 patients with rhythm control.", "chunk_ids": ["r1"]}],
    },
    probe=Probe(make=_make, check=_check),
    model=sections.engine("results", conclude),
)
