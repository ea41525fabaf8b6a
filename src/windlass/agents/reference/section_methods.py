"""SECTION_WRITE_METHODS: the methods from the evidence: design, participants, interventions, measures, statistics, ethics.

Only a sentence whose cues say that it describes a method belongs here; there is no guess about the rest. A part of the methods that no
sentence describes is named in `missing_moves` and stays empty.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from windlass.agents import draft_probes, drafting, rhetoric
from windlass.agents.agent import Agent, Context, Probe, Step, Work
from windlass.agents.draft_probes import Scene
from windlass.agents.drafting import DraftInputs, DraftOutputs
from windlass.agents.engines import sections


class MethodsInputs(DraftInputs):
    """What the methods are about and the evidence to write them from."""


class MethodsOutputs(DraftOutputs):
    """The methods: a paragraph per part, in the order in which papers have them, as far as the evidence has them."""


def choose(inputs: MethodsInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """The sentences of the evidence that describe a method."""

    def belongs(reading: rhetoric.Reading | None, _line: str) -> bool:
        return reading is not None and reading.move.section == "methods"

    return drafting.chosen(inputs.groundingPack.chunks, context, belongs)


def arrange(inputs: MethodsInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """A paragraph per part of the methods; a claim's sentence that describes none of them comes last."""
    kept, left_out = drafting.kept(inputs, "methods", work, context)
    return {"paragraphs": drafting.dumped(drafting.by_move("methods", kept, rest="further statements")), "left_out": left_out}


def conclude(inputs: MethodsInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """The methods, held against the rules of every draft, with a warning for each part that readers must not miss."""
    concluded = drafting.concluded(inputs, "methods", work, context)
    missing = [name for name in ("design", "measures", "statistics") if name in concluded["outputs"]["missing_moves"]]
    lacking = [f"the evidence describes no {name}: a methods section without it can't be judged" for name in missing]
    return {**concluded, "warnings": [*concluded["warnings"], *lacking]}


def _scene(seed: int) -> Scene:
    """One sentence for each of four parts of the methods; sentences of other sections and of another subject must stay out."""
    rng = random.Random(seed)
    drug, other = rng.sample(draft_probes.DRUGS, 2)
    effect = rng.choice(draft_probes.EFFECTS)
    age, dose, alpha = rng.randrange(18, 40), rng.randrange(5, 900), rng.randrange(1, 9)
    parts = {
        "design": f"In a double-blind crossover of {rng.randrange(2, 9)} periods {drug} was tested.",
        "participants": f"Adults older than {age} years with {effect} were eligible for {drug}.",
        "interventions": f"Each group received {dose} mg of {drug} or placebo.",
        "measures": f"The primary outcome was {effect} after {rng.randrange(2, 40)} days of {drug}.",
        "statistics": f"For {drug} a P below 0.0{alpha} was considered significant and data were analysed with Cox regression.",
        "ethics": f"The ethics committee of site {rng.randrange(10, 99)} gave way to {drug}.",
    }
    drawn = rng.sample(list(parts), 4)
    present = [name for name in parts if name in drawn]
    strangers = [
        f"It remains unclear whether {drug} prevents {effect}.",
        f"With {drug} {effect} fell by {rng.randrange(11, 99)}% (95% CI 10 to 99; P<0.001).",
        f"A limitation is that {drug} was compared in a single centre.",
        f"Each gardener received {dose + 1} mg of {other} seed once daily.",
    ]
    chunks = draft_probes.scattered(rng, [*(parts[name] for name in present), *strangers], ["Rain fell.", "No ship left.", "Boats waited."])
    source = parts[present[0]]
    number = next(int(word) for word in source.replace("0.0", "").split() if word.isdigit()) if present[0] != "statistics" else alpha
    asked, truth = draft_probes.claims(rng, source, number, source.replace(f"{number}", f"{number + 1000}"))
    inputs = {"topic": f"{drug} against {effect}", "groundingPack": {"chunks": chunks}, "verifiedClaims": asked}
    return Scene(inputs=inputs, wanted=[(name, parts[name]) for name in present], claims=truth)


def _make(seed: int) -> dict[str, Any]:
    return _scene(seed).inputs


def _check(seed: int, _inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    scene = _scene(seed)
    absent = {"design", "participants", "interventions", "measures", "statistics", "ethics"} - {heading for heading, _ in scene.wanted}
    if set(outputs["missing_moves"]) != absent:
        return f"missing are {outputs['missing_moves']}, and the evidence lacks {sorted(absent)}"
    return draft_probes.judged(scene, "methods", outputs)


AGENT = Agent(
    name="agent-methods-writer",
    task_types=("SECTION_WRITE_METHODS",),
    summary="Drafts the methods from sentences of the evidence alone, part by part, and names the parts that it lacks.",
    version="1.0.0",
    inputs=MethodsInputs,
    outputs=MethodsOutputs,
    steps=(
        Step[MethodsInputs](name="choose", run=choose),
        Step[MethodsInputs](name="support", run=drafting.support),
        Step[MethodsInputs](name="arrange", run=arrange),
        Step[MethodsInputs](name="conclude", run=conclude),
    ),
    example={
        "topic": "Early rhythm control in atrial fibrillation",
        "groundingPack": {
            "chunks": [
                {
                    "chunk_id": "m1",
                    "doc_id": "protocol",
                    "text": "We conducted a parallel-group randomised trial of early rhythm control. "
                    "Adults aged 60 to 80 with atrial fibrillation were eligible. "
                    "The primary outcome was stroke within 24 months. Data were analysed with Cox regression by intention to treat.",
                }
            ]
        },
    },
    probe=Probe(make=_make, check=_check),
    model=sections.engine("methods", conclude),
)
