"""The model engine of HYPOTHESIS_REFINEMENT: rewordings by a model, held to the rules of those that are built from the slots.

A rewording adds no word beside the joining ones and the placeholders, and moves none from one slot into another: what it compares with what, in
whom and which way stays as the user has it. Which checks it repairs is computed by reading it again, its placeholders filled in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Protocol

from pydantic import Field

from windlass.agents import hypothesis_refinements, hypothesis_slots, smart, text
from windlass.agents.engines import support
from windlass.agents.hypothesis_refinements import PLACEHOLDERS, Refinement
from windlass.agents.hypothesis_slots import Slots
from windlass.agents.modelling import Draft, ModelEngine
from windlass.agents.smart import Check

_SLOTS = ("population", "intervention", "comparison", "outcome", "time")
_REPAIRABLE = frozenset(
    "population_named intervention_named comparison_named outcome_named direction_stated size_stated measure_named one_intervention one_outcome "
    "no_absolute time_named time_measured".split()
)
"""Checks of a text's form; whether a subject is known, or an outcome felt, no rewording of the user's own words changes."""
_FILLED = {
    PLACEHOLDERS["population"]: "zqpeople",
    PLACEHOLDERS["intervention"]: "zqintervention",
    PLACEHOLDERS["comparison"]: "zqcomparison",
    PLACEHOLDERS["outcome"]: "zqoutcome",
    PLACEHOLDERS["time"]: "7777 weeks",
    PLACEHOLDERS["size"]: "7777%",
    PLACEHOLDERS["verb"]: "reduces",
    PLACEHOLDERS["measure"]: "zqscore rate",
    PLACEHOLDERS["absolute"]: "zqwording",
}


class _Inputs(Protocol):
    @property
    def max_refinements(self) -> int:
        """How many rewordings are wanted."""


class Rewording(Draft):
    """The whole hypothesis, reworded in the user's own words."""

    text: Annotated[str, Field(min_length=1, max_length=6000)]


class HypothesisDraft(Draft):
    """The rewordings, the best first."""

    refinements: Annotated[list[Rewording], Field(min_length=1, max_length=20)]


def _material(inputs: _Inputs, work: Mapping[str, Any]) -> Mapping[str, Any] | None:
    unmet = [check for check in work["checks"] if not check["met"] and check["id"] in _REPAIRABLE]
    if not unmet:
        return None
    return {
        "text": work["text"],
        "slots": {slot: [piece["quote"] for piece in pieces] for slot, pieces in work["picot"].items()},
        "unmet_checks": [{"id": check["id"], "rule": check["rule"]} for check in unmet],
        "placeholders": list(PLACEHOLDERS.values()),
        "joining_words": sorted(hypothesis_refinements.JOINING),
        "most": inputs.max_refinements,
    }


def _complaints(inputs: _Inputs, work: Mapping[str, Any], draft: HypothesisDraft, _context: Any) -> list[str]:
    found = [f"{reason}: {one.text[:120]!r}" for one in draft.refinements for reason in _faults(one.text, work)]
    if len(draft.refinements) > inputs.max_refinements:
        found.append(f"{len(draft.refinements)} refinements, {inputs.max_refinements} are wanted")
    if len({one.text for one in draft.refinements}) < len(draft.refinements):
        found.append("a refinement stands there twice")
    return found


def _faults(wording: str, work: Mapping[str, Any]) -> Iterator[str]:
    given: str = work["text"]
    if foreign := hypothesis_refinements.foreign_words(wording, given):
        yield f"these words are not the user's: {', '.join(foreign[:8])}"
    filled = _filled(wording)
    read, before = hypothesis_slots.read(filled), hypothesis_slots.read(given)
    for slot in _SLOTS:
        own = [" ".join(text.words(piece.text)) for piece in getattr(before, slot)]
        for piece in getattr(read, slot):
            bare = " ".join(text.words(_without_fillings(piece.text)))
            if bare and not any(bare in mine for mine in own):
                yield f"as the {slot} stands {piece.text[:60]!r}, which is not what the user has there"
    verbs = {hypothesis.text.casefold() for hypothesis in (before.verb,) if hypothesis} | {"reduces" if before.verb is None else ""}
    if read.verb and read.verb.text.casefold() not in verbs:
        yield f"the direction is {read.verb.text!r}, which is not the user's"
    if support.negated(filled) != support.negated(given):
        yield "a negation was added or lost"
    now, then = _checks(wording), {check["id"]: check["met"] for check in work["checks"]}
    if lost := sorted(name for name, met in then.items() if met and not now[name] and name in _REPAIRABLE):
        yield f"checks that the user's text meets are no longer met: {', '.join(lost)}"
    elif not _repairs(wording, work):
        yield "it repairs none of the unmet checks"


def _assemble(_inputs: _Inputs, work: Mapping[str, Any], draft: HypothesisDraft, _context: Any) -> Mapping[str, Any]:
    checks = [Check.model_validate(check) for check in work["checks"]]
    before = smart.total(checks)
    made = []
    for one in draft.refinements:
        repairs = _repairs(one.text, work)
        after = smart.total(checks, frozenset(repairs))
        used = [placeholder for placeholder in PLACEHOLDERS.values() if placeholder in one.text and placeholder not in work["text"]]
        made.append(
            Refinement(
                rank=1,
                kind=_kind(one.text, repairs),
                text=one.text,
                placeholders=used,
                repairs=repairs,
                gain=round(after - before, 1),
                total_when_filled=after,
            )
        )
    ordered = sorted(made, key=lambda one: (-one.gain, len(one.placeholders), len(one.text), one.text))
    ranked = [one.model_copy(update={"rank": rank}).model_dump() for rank, one in enumerate(ordered, 1)]
    return {"outputs": {**work["outputs"], "refinements": ranked}}


def _kind(wording: str, repairs: list[str]) -> hypothesis_refinements.Kind:
    if "one_outcome" in repairs:
        return "split_outcome"
    if "one_intervention" in repairs:
        return "split_intervention"
    read = hypothesis_slots.read(_filled(wording))
    return "complete" if all(getattr(read, slot) for slot in _SLOTS) and read.verb and read.size else "single"


def _repairs(wording: str, work: Mapping[str, Any]) -> list[str]:
    """The unmet checks that the rewording meets with its placeholders filled in, in the order of the checks."""
    now = _checks(wording)
    return [check["id"] for check in work["checks"] if not check["met"] and check["id"] in _REPAIRABLE and now[check["id"]]]


def _checks(wording: str) -> dict[str, bool]:
    filled = _filled(wording)
    slots: Slots = hypothesis_slots.read(filled)
    return {check.id: check.met for check in smart.checks(filled, slots)}


def _filled(wording: str) -> str:
    for placeholder, filling in _FILLED.items():
        wording = wording.replace(placeholder, filling)
    return wording


def _without_fillings(piece: str) -> str:
    for filling in _FILLED.values():
        piece = piece.replace(filling, " ") if filling != "reduces" else piece
    return piece


ENGINE = ModelEngine(
    instructions=(
        "You reword a hypothesis so that it meets more of the unmet checks. Use only the user's own words, the joining words and the placeholders, "
        "which are written exactly as given and stand for what the user left out. Keep intervention, comparison, population, outcome and direction "
        "as the user has them. Form: 'In <population>, <intervention> <verb> <outcome> by <size> compared with <comparison> within <time>.'; leave "
        "out what you do not repair. Each refinement repairs at least one unmet check. The best first."
    ),
    material=_material,
    draft=HypothesisDraft,
    complaints=_complaints,
    assemble=_assemble,
    moot=lambda warning: "rewordings were dropped" in warning or "nothing was reworded" in warning,
)
