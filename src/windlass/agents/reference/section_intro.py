"""SECTION_WRITE_INTRO: an introduction from the evidence, from what is known to what is not, to what the study set out to do.

A sentence belongs here by its cues (background, gap, aim). A plain statement without cues that shares two words with the outline or the
topic counts as background; what describes methods, reports results or interprets them stays out.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from windlass.agents import draft_probes, drafting, rhetoric, search
from windlass.agents.agent import Agent, Context, Probe, Step, Work
from windlass.agents.draft_probes import Scene
from windlass.agents.drafting import DraftInputs, DraftOutputs
from windlass.agents.engines import sections

PLAIN = 2
"""Words that a statement without cues must share with the outline or the topic."""


class IntroInputs(DraftInputs):
    """What the introduction is about and the evidence to write it from."""


class IntroOutputs(DraftOutputs):
    """The introduction: a paragraph each for background, gap and aim, as far as the evidence has them."""


def choose(inputs: IntroInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """The sentences of the evidence that an introduction is made of."""
    subject = drafting.subject_of(inputs)

    def belongs(reading: rhetoric.Reading | None, line: str) -> bool:
        if reading is not None:
            return reading.move.section == "introduction"
        return len(subject.intersection(search.terms(line))) >= PLAIN

    return drafting.chosen(inputs.groundingPack.chunks, context, belongs)


def arrange(inputs: IntroInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """Background, then gap, then aim; within each in the order of the outline. A statement without cues is background."""
    kept, left_out = drafting.kept(inputs, "introduction", work, context)
    stated = [sentence.model_copy(update={"move": sentence.move or "background"}) for sentence in kept]
    return {"paragraphs": drafting.dumped(drafting.by_move("introduction", stated, rest="further statements")), "left_out": left_out}


def conclude(inputs: IntroInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """The introduction, held against the rules of every draft."""
    return drafting.concluded(inputs, "introduction", work, context)


def _scene(seed: int) -> Scene:
    """Two background sentences, a gap and an aim on one drug; sentences of other sections and of another drug must stay out."""
    rng = random.Random(seed)
    drug, other = rng.sample(draft_probes.DRUGS, 2)
    effect, cause = rng.sample(draft_probes.EFFECTS, 2)
    share, year = rng.randrange(11, 99), rng.randrange(1980, 2020)
    known = [f"In adults {effect} accounts for {share}% of all losses under {drug}.", f"Since {year} {drug} is widely used against {effect}."]
    gap = f"However, it remains unclear whether {drug} prevents {cause}."
    aim = f"We aimed to test whether {drug} lowers {effect} within {rng.randrange(2, 30)} weeks."
    strangers = [
        f"Patients received {rng.randrange(5, 80)} mg of {drug} once daily.",
        f"Under {drug} {effect} was lower (hazard ratio 0.{rng.randrange(11, 99)}, 95% CI 0.10 to 0.99).",
        f"These findings suggest that {drug} may be explained by {effect}.",
        f"The prevalence of shipwrecks near {other} remains a burden worldwide.",
    ]
    chunks = draft_probes.scattered(rng, [*known, gap, aim, *strangers], ["Rain fell.", "No ship left.", "Boats waited."])
    asked, truth = draft_probes.claims(
        rng, f"Since {year}, {drug} is widely used against {effect}.", share, f"{effect.title()} accounts for {share + 100}% of all losses in adults."
    )
    inputs = {"outline": [f"{drug} and {effect}", f"{cause}"], "groundingPack": {"chunks": chunks}, "verifiedClaims": asked}
    wanted = [*(("background", line) for line in draft_probes.ordered(chunks, known)), ("gap", gap), ("aim", aim)]
    return Scene(inputs=inputs, wanted=wanted, claims=truth)


def _make(seed: int) -> dict[str, Any]:
    return _scene(seed).inputs


def _check(seed: int, _inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    return draft_probes.judged(_scene(seed), "introduction", outputs)


AGENT = Agent(
    name="agent-intro-writer",
    task_types=("SECTION_WRITE_INTRO",),
    summary="Drafts an introduction from sentences of the evidence alone: background, gap, aim, each sentence with its chunk.",
    version="1.0.0",
    inputs=IntroInputs,
    outputs=IntroOutputs,
    steps=(
        Step[IntroInputs](name="choose", run=choose),
        Step[IntroInputs](name="support", run=drafting.support),
        Step[IntroInputs](name="arrange", run=arrange),
        Step[IntroInputs](name="conclude", run=conclude),
    ),
    example={
        "outline": ["Atrial fibrillation and stroke", "What is not known of early rhythm control", "Aim"],
        "groundingPack": {
            "chunks": [
                {
                    "chunk_id": "c1",
                    "doc_id": "review",
                    "text": "Atrial fibrillation is a major cause of stroke. Whether early rhythm control helps remains unclear.",
                },
                {"chunk_id": "c2", "doc_id": "protocol", "text": "We aimed to test whether early rhythm control prevents stroke."},
            ]
        },
        "verifiedClaims": ["Atrial fibrillation is a major cause of stroke."],
    },
    probe=Probe(make=_make, check=_check),
    model=sections.engine("introduction", conclude),
)
