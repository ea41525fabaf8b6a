"""A trial as structured data: what its investigators know, in fields; null or absent is not known, and stays so."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from windlass import model
from windlass.agents.agent import Item

Prose = Annotated[str, Field(min_length=1, max_length=20_000, pattern=r"\S")]
Name = Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S")]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
Number = int | Annotated[float, Field(allow_inf_nan=False)]


class StudyItem(Item):
    """A part of a study; an unknown key is answered with the nearest known one. Lives as long as the run."""

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, given: Any) -> Any:
        if isinstance(given, dict):
            unknown = next((key for key in given if key not in cls.model_fields), None)
            if unknown is not None:
                raise ValueError(f"{model.clip(str(unknown), 200)}: {model.unknown_key(str(unknown), cls.model_fields)}")
        return given


class Randomisation(StudyItem):
    """How participants came to their groups."""

    sequence: Prose | None = None
    restriction: Prose | None = None
    concealment: Prose | None = None
    implementation: Prose | None = None


class Arm(StudyItem):
    """A group: what it received, and how many were assigned, treated, lost and analysed."""

    name: Name
    description: Prose | None = None
    assigned: Count | None = None
    received: Count | None = None
    lost: Count | None = None
    lost_reasons: Prose | None = None
    analysed: Count | None = None


class Baseline(StudyItem):
    """A baseline characteristic: its value per arm, as it is to be printed (`61.2 (8.4)`)."""

    name: Name
    values: Annotated[dict[Name, Name], Field(min_length=1, max_length=50)]


class Participants(StudyItem):
    """Who could take part, where, when, and how many did."""

    eligibility: Prose | None = None
    setting: Prose | None = None
    recruitment: Prose | None = None
    screened: Count | None = None
    randomised: Count | None = None
    baseline: Annotated[list[Baseline], Field(max_length=200)] = Field(default_factory=list)


class GroupResult(StudyItem):
    """An outcome in one arm: events of n, or mean and standard deviation of n."""

    arm: Name
    n: Count | None = None
    events: Count | None = None
    mean: Number | None = None
    sd: Number | None = None


class Effect(StudyItem):
    """The difference between groups, as it was estimated; `ci_level` in percent."""

    measure: Name
    value: Number
    ci_low: Number | None = None
    ci_high: Number | None = None
    ci_level: Annotated[Number, Field(gt=0, lt=100)] | None = None
    p_value: Annotated[Number, Field(ge=0, le=1)] | None = None


class Outcome(StudyItem):
    """An outcome: what it is, how and when it was assessed, and what came out."""

    name: Name
    kind: Literal["primary", "secondary", "harm", "ancillary"] = "secondary"
    definition: Prose | None = None
    time_point: Name | None = None
    groups: Annotated[list[GroupResult], Field(max_length=50)] = Field(default_factory=list)
    effects: Annotated[list[Effect], Field(max_length=20)] = Field(default_factory=list)


class Study(StudyItem):
    """A trial without a title; nothing is required, so that what is missing can be listed as missing."""

    abstract: Prose | None = None
    background: Prose | None = None
    objectives: Prose | None = None
    design: Prose | None = None
    allocation_ratio: Name | None = None
    changes_to_methods: Prose | None = None
    changes_to_outcomes: Prose | None = None
    participants: Participants = Field(default_factory=Participants)
    interventions: Annotated[list[Arm], Field(max_length=50)] = Field(default_factory=list)
    outcomes: Annotated[list[Outcome], Field(max_length=1000)] = Field(default_factory=list)
    sample_size: Prose | None = None
    interim_analyses: Prose | None = None
    randomisation: Randomisation = Field(default_factory=Randomisation)
    blinding: Prose | None = None
    similarity: Prose | None = None
    statistics: Prose | None = None
    further_analyses: Prose | None = None
    analysis_population: Prose | None = None
    ending: Prose | None = None
    limitations: Prose | None = None
    generalisability: Prose | None = None
    interpretation: Prose | None = None
    registration: Prose | None = None
    protocol: Prose | None = None
    funding: Prose | None = None

    @model_validator(mode="after")
    def _arms_named(self) -> Study:
        names = [arm.name for arm in self.interventions]
        if len(set(names)) < len(names):
            raise ValueError("interventions: two arms have the same name")
        if self.interventions:
            _must_be_arms(self, set(names))
        return self


class StudyData(Study):
    """A trial that a manuscript is written of."""

    title: Name


def _must_be_arms(study: Study, names: set[str]) -> None:
    named = [(f"outcomes.{place}.groups", group.arm) for place, outcome in enumerate(study.outcomes) for group in outcome.groups]
    named += [(f"participants.baseline.{place}.values", arm) for place, row in enumerate(study.participants.baseline) for arm in row.values]
    stranger = next(((path, arm) for path, arm in named if arm not in names), None)
    if stranger:
        raise ValueError(f"{stranger[0]}: {stranger[1]!r} is not an arm of interventions; did you mean one of {', '.join(sorted(names))[:300]}?")


def prose(study: Study) -> dict[str, str]:
    """Every field of free text but title and abstract, by its path: `randomisation.concealment`, `interventions.0.description`."""
    return dict(_texts(study.model_dump(mode="json"), ""))


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for place, part in enumerate(value):
            yield from _texts(part, f"{path}.{place}")
    elif isinstance(value, dict):
        for key, part in value.items():
            if key not in _NO_PROSE:
                yield from _texts(part, f"{path}.{key}" if path else key)


_NO_PROSE = frozenset({"title", "abstract", "name", "arm", "kind", "measure", "values", "time_point", "allocation_ratio"})


def inconsistencies(study: Study) -> list[str]:
    """Numbers of a study that can't all be right, each named with its fields; nothing is corrected."""
    found: list[str] = []
    assigned = [arm.assigned for arm in study.interventions]
    total = study.participants.randomised
    if total is not None and assigned and None not in assigned and sum(filter(None, assigned)) != total:
        found.append(f"the arms' assigned add up to {sum(filter(None, assigned))}, participants.randomised is {total}")
    if total is not None and study.participants.screened is not None and study.participants.screened < total:
        found.append(f"participants.screened is {study.participants.screened}, fewer than the {total} randomised")
    for arm in study.interventions:
        found += _of_arm(arm)
    for outcome in study.outcomes:
        found += _of_outcome(outcome, {arm.name: arm for arm in study.interventions})
    return found


def _of_arm(arm: Arm) -> list[str]:
    found = []
    for name in ("received", "lost", "analysed"):
        value = getattr(arm, name)
        if value is not None and arm.assigned is not None and value > arm.assigned:
            found.append(f"the arm {arm.name!r} has {name} {value} of {arm.assigned} assigned")
    return found


def _of_outcome(outcome: Outcome, arms: dict[str, Arm]) -> list[str]:
    found = []
    for group in outcome.groups:
        if group.events is not None and group.n is not None and group.events > group.n:
            found.append(f"the outcome {outcome.name!r} has {group.events} events of n {group.n} in {group.arm!r}")
        arm = arms.get(group.arm)
        if arm and arm.assigned is not None and group.n is not None and group.n > arm.assigned:
            found.append(f"the outcome {outcome.name!r} has n {group.n} in {group.arm!r}, where {arm.assigned} were assigned")
        if group.sd is not None and group.sd < 0:
            found.append(f"the outcome {outcome.name!r} has a negative sd in {group.arm!r}")
    for effect in outcome.effects:
        low, high = effect.ci_low, effect.ci_high
        if not (-math.inf if low is None else low) <= effect.value <= (math.inf if high is None else high):
            found.append(f"the outcome {outcome.name!r} has the {effect.measure} {effect.value} outside its interval, {low} to {high}")
    return found
