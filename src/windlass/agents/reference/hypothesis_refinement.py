"""HYPOTHESIS_REFINEMENT: which slots a hypothesis fills, how it scores by stated checks, and rewordings that mark what is missing.

No rewording adds a fact: it has the user's own words, eight joining words and [placeholders], and every one is checked for that.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from windlass.agents import hypothesis_refinements, hypothesis_slots, smart
from windlass.agents.agent import Agent, Context, Inputs, Item, Outputs, Probe, Step, Work
from windlass.agents.engines import hypothesis
from windlass.agents.hypothesis_refinements import Refinement
from windlass.agents.smart import Check, Score
from windlass.agents.text import Span

Text = Annotated[str, Field(min_length=1, max_length=5000, pattern=r"\S")]


class HypothesisRefinementInputs(Inputs):
    """A hypothesis or a research question; where both are given, the hypothesis is refined."""

    hypothesis: Text | None = None
    research_question: Text | None = None
    max_refinements: Annotated[int, Field(ge=1, le=20)] = 5

    @model_validator(mode="after")
    def _given(self) -> HypothesisRefinementInputs:
        if self.hypothesis is None and self.research_question is None:
            raise ValueError("hypothesis or research_question is required")
        return self


class Piece(Item):
    """A verbatim piece of the text: `text[start:end] == quote`."""

    quote: str
    start: int
    end: int


class Picot(Item):
    """What stands in each slot; empty is missing."""

    population: list[Piece]
    intervention: list[Piece]
    comparison: list[Piece]
    outcome: list[Piece]
    time: list[Piece]


class HypothesisRefinementOutputs(Outputs):
    """`refined_from` is the key that was read, `text` its words; `total` is the mean of the five letters' scores."""

    refined_from: str
    text: str
    picot: Picot
    missing_slots: list[str]
    direction: Piece | None
    size: Piece | None
    checks: list[Check]
    smart: list[Score]
    total: float
    refinements: list[Refinement]


def take_apart(inputs: HypothesisRefinementInputs, _work: Work, _context: Context) -> Mapping[str, Any]:
    """The slots of the text, each piece with its place."""
    refined_from = "hypothesis" if inputs.hypothesis is not None else "research_question"
    given = inputs.hypothesis or inputs.research_question or ""
    slots = hypothesis_slots.read(given)
    picot = {slot: [_piece(span) for span in getattr(slots, slot)] for slot in Picot.model_fields}
    return {
        "refined_from": refined_from,
        "text": given,
        "picot": picot,
        "direction": _piece(slots.verb) if slots.verb else None,
        "size": _piece(slots.size) if slots.size else None,
        "asks": slots.asks,
    }


def score(_inputs: HypothesisRefinementInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """Every SMART check of the slots that were found."""
    context.check()
    return {"checks": [check.model_dump() for check in smart.checks(work["text"], _slots(work))]}


def refine(inputs: HypothesisRefinementInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """The best rewordings, each held against the rule that it adds no words."""
    context.check()
    checks = [Check.model_validate(check) for check in work["checks"]]
    every = hypothesis_refinements.ranked(work["text"], _slots(work), checks)
    own = [one for one in every if not hypothesis_refinements.foreign_words(one.text, work["text"])]
    warnings = [f"{len(every) - len(own)} rewordings were dropped: they hold words that are not the user's"] if len(own) < len(every) else []
    if not every:
        warnings.append("no check that a rewording could meet is open: nothing was reworded")
    kept = [one.model_copy(update={"rank": rank}) for rank, one in enumerate(own[: inputs.max_refinements], 1)]
    return {"refinements": [one.model_dump() for one in kept], "warnings": warnings}


def conclude(inputs: HypothesisRefinementInputs, work: Work, _context: Context) -> Mapping[str, Any]:
    """The scores, from the checks alone, beside slots and rewordings."""
    checks = [Check.model_validate(check) for check in work["checks"]]
    both = inputs.hypothesis is not None and inputs.research_question is not None
    return {
        "outputs": {
            **{name: work[name] for name in ("refined_from", "text", "picot", "direction", "size", "checks", "refinements")},
            "missing_slots": [slot for slot, pieces in work["picot"].items() if not pieces],
            "smart": [score.model_dump() for score in smart.scores(checks)],
            "total": smart.total(checks),
        },
        "warnings": ["both keys were given: the hypothesis was refined, the research_question was not read"] if both else [],
    }


def _piece(span: Span) -> dict[str, Any]:
    return {"quote": span.text, "start": span.start, "end": span.end}


def _slots(work: Work) -> hypothesis_slots.Slots:
    spans = {slot: tuple(_span(piece) for piece in pieces) for slot, pieces in work["picot"].items()}
    verb, size = (_span(work[name]) if work[name] else None for name in ("direction", "size"))
    return hypothesis_slots.Slots(**spans, verb=verb, size=size, asks=work["asks"])


def _span(piece: Mapping[str, Any]) -> Span:
    return Span(text=piece["quote"], start=piece["start"], end=piece["end"])


_CHECKED = {
    "specific": ("population_named", "intervention_named", "comparison_named", "outcome_named"),
    "measurable": ("direction_stated", "size_stated", "measure_named"),
    "achievable": ("one_intervention", "one_outcome", "no_absolute"),
    "relevant": ("subject_known", "outcome_felt"),
    "time_bound": ("time_named", "time_measured"),
}


def _plan(seed: int) -> dict[str, Any]:
    """Random words for the slots, some slots left out."""
    rng = random.Random(seed)

    def word() -> str:
        return "".join(rng.choices("bdfgklmnprtvz", k=3)) + rng.choice(("ol", "ex", "in")) + "".join(rng.choices("aeou", k=2))

    outcomes = [f"{word()} rate", f"{word()} pain score", f"{word()} {word()}"]
    return {
        "population": f"adults with {word()}" if rng.random() < 0.6 else None,
        "intervention": f"{word()} {word()}",
        "verb": rng.choice(("reduces", "increases", "improves", "will prevent")),
        "outcome": rng.choice(outcomes),
        "second": word() if rng.random() < 0.3 else None,
        "size": f"{rng.randrange(2, 60)}%" if rng.random() < 0.5 else None,
        "comparison": f"{word()} tablets" if rng.random() < 0.5 else None,
        "time": f"{rng.randrange(2, 40)} {rng.choice(('days', 'weeks', 'months'))}" if rng.random() < 0.5 else None,
        "key": rng.choice(("hypothesis", "research_question")),
        "most": rng.randrange(8, 20),
    }


def _make(seed: int) -> dict[str, Any]:
    plan = _plan(seed)
    outcome = f"{plan['outcome']} and {plan['second']}" if plan["second"] else plan["outcome"]
    pieces = [
        f"{plan['intervention']} {plan['verb']} {outcome}",
        *(
            f"{cue} {plan[slot]}"
            for cue, slot in (("by", "size"), ("in", "population"), ("compared with", "comparison"), ("within", "time"))
            if plan[slot]
        ),
    ]
    return {plan["key"]: f"We hypothesise that {' '.join(pieces)}.", "max_refinements": plan["most"]}


def _check(seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    plan = _plan(seed)
    given = inputs[plan["key"]]
    wanted = {slot: [plan[slot]] if plan[slot] else [] for slot in ("population", "intervention", "comparison", "outcome", "time")}
    if plan["second"]:
        wanted["outcome"] = [f"{plan['outcome']} and {plan['second']}"]
    if outputs["text"] != given or outputs["refined_from"] != plan["key"]:
        return "another text was refined"
    for slot, pieces in wanted.items():
        if [piece["quote"] for piece in outputs["picot"][slot]] != pieces:
            return f"the {slot} was not found as it stands there"
        if any(given[piece["start"] : piece["end"]] != piece["quote"] for piece in outputs["picot"][slot]):
            return f"a piece of the {slot} does not stand where it is said to"
    if outputs["missing_slots"] != [slot for slot, pieces in wanted.items() if not pieces]:
        return "the missing slots are not those that were left out"
    truth = {f"{slot}_named": bool(pieces) for slot, pieces in wanted.items()} | {
        "direction_stated": True,
        "size_stated": bool(plan["size"]),
        "measure_named": plan["outcome"].endswith(("rate", "score")),
        "one_intervention": True,
        "one_outcome": not plan["second"],
        "no_absolute": True,
        "subject_known": "pain" in plan["outcome"] or bool(plan["population"]),
        "outcome_felt": "pain" in plan["outcome"],
        "time_measured": bool(plan["time"]),
    }
    if {check["id"]: check["met"] for check in outputs["checks"]} != truth:
        return "the checks are not those that this text meets"
    shares = {letter: sum(truth[name] for name in names) / len(names) for letter, names in _CHECKED.items()}
    if any(abs(score["score"] - 100 * shares[score["criterion"]]) > 0.06 for score in outputs["smart"]) or len(outputs["smart"]) != 5:
        return "a letter's score is not the share of its checks"
    total = 20 * sum(shares.values())
    if abs(outputs["total"] - total) > 0.06:
        return f"the total is {outputs['total']}, the checks make it {total:.1f}"
    return _check_refinements(plan, truth, outputs)


def _check_refinements(plan: Mapping[str, Any], truth: Mapping[str, bool], outputs: Mapping[str, Any]) -> str | None:
    refinements = outputs["refinements"]
    gains = [one["gain"] for one in refinements]
    if gains != sorted(gains, reverse=True) or [one["rank"] for one in refinements] != list(range(1, len(refinements) + 1)):
        return "the rewordings are not in order of their gain"
    for one in refinements:
        if any(truth[repaired] for repaired in one["repairs"]) or not one["repairs"]:
            return "a rewording repairs what was never broken"
        after = {name: met or name in one["repairs"] for name, met in truth.items()}
        total = 20 * sum(sum(after[name] for name in names) / len(names) for names in _CHECKED.values())
        if abs(one["total_when_filled"] - total) > 0.06 or abs(one["gain"] - (one["total_when_filled"] - outputs["total"])) > 0.06:
            return "the gain of a rewording is not what its repairs are worth"
    placeholders = {"population": "[population]", "comparison": "[comparison]", "time": "[number and unit of time]", "size": "[size of the change]"}
    said = {slot: plan[slot] or placeholder for slot, placeholder in placeholders.items()}
    outcomes = [plan["outcome"], plan["second"]] if plan["second"] else [plan["outcome"]]
    texts = [one["text"] for one in refinements]
    for outcome in outcomes:
        full = (
            f"In {said['population']}, {plan['intervention']} {plan['verb']} {outcome} by {said['size']} "
            f"compared with {said['comparison']} within {said['time']}."
        )
        if full not in texts and any(not truth[name] for name in ("population_named", "comparison_named", "time_named", "size_stated")):
            return "the complete rewording of the user's own words is missing"
    return None


AGENT = Agent(
    name="agent-hypothesis-refiner-proxy",
    task_types=("HYPOTHESIS_REFINEMENT",),
    summary="Finds a hypothesis's PICOT slots, scores it by stated SMART checks and rewords it in its own words with what is missing marked.",
    version="1.0.0",
    inputs=HypothesisRefinementInputs,
    outputs=HypothesisRefinementOutputs,
    steps=(
        Step(name="take_apart", run=take_apart),
        Step(name="score", run=score),
        Step(name="refine", run=refine),
        Step(name="conclude", run=conclude),
    ),
    example={"hypothesis": "We hypothesise that daily walking reduces fatigue in adults with breast cancer compared with usual care."},
    probe=Probe(make=_make, check=_check),
    model=hypothesis.ENGINE,
)
