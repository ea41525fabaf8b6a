"""SECTION_WRITE_DISCUSSION: a discussion from the evidence: what was found, what it means, how it compares, its limits, what follows.

Only a sentence whose cues say that it interprets, compares, limits or concludes belongs here. A discussion without limitations is not
passed over in silence: it carries a warning. Comparisons name the documents that they set side by side.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any

from windlass.agents import draft_probes, drafting, rhetoric
from windlass.agents.agent import Agent, Context, Probe, Step, Work
from windlass.agents.draft_probes import Scene
from windlass.agents.drafting import DraftInputs, DraftOutputs, Paragraph
from windlass.agents.engines import sections


class DiscussionInputs(DraftInputs):
    """What the discussion is about and the evidence to write it from."""


class DiscussionOutputs(DraftOutputs):
    """The discussion: a paragraph per move; `compared_documents` are the documents that its comparisons come from."""

    compared_documents: list[str]


def choose(inputs: DiscussionInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """The sentences of the evidence that discuss."""

    def belongs(reading: rhetoric.Reading | None, _line: str) -> bool:
        return reading is not None and reading.move.section == "discussion"

    return drafting.chosen(inputs.groundingPack.chunks, context, belongs)


def arrange(inputs: DiscussionInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """Principal findings, interpretation, comparison, limitations, implications; a claim's sentence that does none of these comes last."""
    kept, left_out = drafting.kept(inputs, "discussion", work, context)
    return {"paragraphs": drafting.dumped(drafting.by_move("discussion", kept, rest="further statements")), "left_out": left_out}


def conclude(inputs: DiscussionInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """The discussion, held against the rules of every draft, with the documents compared and a warning where no limitation is told."""
    concluded = drafting.concluded(inputs, "discussion", work, context)
    outputs = concluded["outputs"]
    compared = _compared_in([Paragraph.model_validate(one) for one in outputs["paragraphs"]])
    unlimited = ["the evidence names no limitation: a discussion without one is not complete"] if "limitation" in outputs["missing_moves"] else []
    return {**concluded, "outputs": {**outputs, "compared_documents": compared}, "warnings": [*concluded["warnings"], *unlimited]}


def _compared_in(paragraphs: Iterable[Paragraph]) -> list[str]:
    """The documents (chunks, where a chunk names none) of the sentences that compare, each once, in order."""
    sentences = [sentence for paragraph in paragraphs for sentence in paragraph.sentences if sentence.move == "comparison"]
    return list(dict.fromkeys(quote.doc_id or quote.chunk_id for sentence in sentences for quote in sentence.evidence))


def _scene(seed: int) -> Scene:
    """One sentence per move of a discussion, one of them sometimes left out; sentences of other sections and subjects must stay out."""
    rng = random.Random(seed)
    drug, other = rng.sample(draft_probes.DRUGS, 2)
    effect = rng.choice(draft_probes.EFFECTS)
    share = rng.randrange(11, 90)
    moves = {
        "principal": f"In summary {drug} spared {share}% of adults from {effect}.",
        "interpretation": f"For {drug} this may reflect a slower decay within {rng.randrange(2, 90)} hours.",
        "comparison": f"The effect of {drug} on {effect} is in line with {rng.randrange(2, 9)} other trials.",
        "limitation": f"A limitation is that only {rng.randrange(20, 90)} adults took {drug}.",
        "implication": f"Larger trials of {drug} should last {rng.randrange(2, 20)} years.",
    }
    present = [name for name in moves if name in rng.sample(list(moves), rng.choice([4, 5])) or name == "principal"]
    strangers = [
        f"{drug.title()} is widely used against {effect} worldwide.",
        f"Patients received {share} mg of {drug} once daily.",
        f"With {drug} {effect} was lower (hazard ratio 0.{share}, 95% CI 0.10 to 0.99).",
        f"A limitation is that only {share} gardeners grew {other}.",
    ]
    chunks = draft_probes.scattered(rng, [*(moves[name] for name in present), *strangers], ["Rain fell.", "No ship left.", "Boats waited."])
    asked, truth = draft_probes.claims(
        rng,
        f"{drug.title()} spared {share}% of adults from {effect}.",
        share,
        f"{drug.title()} spared no more than {share}% of adults from {effect}.",
    )
    inputs = {"outline": f"Meaning of {drug}\nLimitations", "groundingPack": {"chunks": chunks}, "verifiedClaims": asked}
    return Scene(inputs=inputs, wanted=[(name, moves[name]) for name in present], claims=truth)


def _make(seed: int) -> dict[str, Any]:
    return _scene(seed).inputs


def _check(seed: int, _inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    scene = _scene(seed)
    compared = [line for heading, line in scene.wanted if heading == "comparison"]
    documents = [chunk["doc_id"] for chunk in scene.inputs["groundingPack"]["chunks"] if any(line in chunk["text"] for line in compared)]
    if outputs["compared_documents"] != documents:
        return "the documents compared are not those that the comparison comes from"
    return draft_probes.judged(scene, "discussion", outputs)


AGENT = Agent(
    name="agent-discussion-writer",
    task_types=("SECTION_WRITE_DISCUSSION",),
    summary="Drafts a discussion from sentences of the evidence alone: findings, meaning, comparison, limitations, implications.",
    version="1.0.0",
    inputs=DiscussionInputs,
    outputs=DiscussionOutputs,
    steps=(
        Step[DiscussionInputs](name="choose", run=choose),
        Step[DiscussionInputs](name="support", run=drafting.support),
        Step[DiscussionInputs](name="arrange", run=arrange),
        Step[DiscussionInputs](name="conclude", run=conclude),
    ),
    example={
        "outline": ["Meaning of early rhythm control", "Limitations"],
        "groundingPack": {
            "chunks": [
                {
                    "chunk_id": "d1",
                    "doc_id": "trial",
                    "text": "These findings suggest that early rhythm control prevents stroke. A limitation is the short follow-up.",
                },
                {"chunk_id": "d2", "doc_id": "review", "text": "The effect of rhythm control is in line with earlier trials."},
            ]
        },
    },
    probe=Probe(make=_make, check=_check),
    model=sections.engine("discussion", conclude),
)
