"""Which fields of a study report which item of CONSORT 2010 and SPIRIT 2013: an item is reported where every field that it asks for is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from windlass.agents.study_data import Effect, Outcome, Study

Standard = Literal["CONSORT", "SPIRIT"]

_Rule = Callable[[Study], Sequence[str]]


def reported(standard: Standard, study: Study) -> dict[str, list[str]]:
    """Item → the fields that report it, for every item that fields report in full; items that only words can report are not here."""
    rules = _CONSORT if standard == "CONSORT" else {item: _CONSORT[twin] for item, twin in _SPIRIT.items()}
    return {item: list(fields) for item, rule in rules.items() if (fields := rule(study))}


def _given(*fields: str) -> _Rule:
    """The fields, if all of them are given."""

    def rule(study: Study) -> Sequence[str]:
        return fields if all(_value(study, field) is not None for field in fields) else ()

    return rule


def _value(study: Study, field: str) -> object:
    value: object = study
    for part in field.split("."):
        value = getattr(value, part)
    return value


def _of_every_arm(*names: str) -> _Rule:
    """These fields of every arm, if every arm has them and there is an arm."""

    def rule(study: Study) -> Sequence[str]:
        complete = all(getattr(arm, name) is not None for arm in study.interventions for name in names)
        return [f"interventions.{place}.{name}" for place in range(len(study.interventions)) for name in names] if complete else ()

    return rule


def _defined_primary(study: Study) -> Sequence[str]:
    primary = [(place, outcome) for place, outcome in enumerate(study.outcomes) if outcome.kind == "primary"]
    complete = primary and all(outcome.definition and outcome.time_point for _, outcome in primary)
    return [f"outcomes.{place}.{name}" for place, _ in primary for name in ("definition", "time_point")] if complete else ()


def _baseline(study: Study) -> Sequence[str]:
    return [f"participants.baseline.{place}" for place in range(len(study.participants.baseline))]


def _numbers_analysed(study: Study) -> Sequence[str]:
    given = _of_every_arm("analysed")(study)
    return [*given, "analysis_population"] if given and study.analysis_population is not None else ()


def _losses(study: Study) -> Sequence[str]:
    """Losses of every arm, with reasons where there are losses."""
    lost = _of_every_arm("lost")(study)
    return lost if all(arm.lost_reasons or not arm.lost for arm in study.interventions) else ()


def _estimated(study: Study) -> Sequence[str]:
    """Every primary and secondary outcome with groups and an effect with its interval."""
    asked = [(place, outcome) for place, outcome in enumerate(study.outcomes) if outcome.kind in {"primary", "secondary"}]
    if not asked or not all(outcome.groups and any(map(_precise, outcome.effects)) for _, outcome in asked):
        return ()
    return [f"outcomes.{place}.{name}" for place, _ in asked for name in ("groups", "effects")]


def _precise(effect: Effect) -> bool:
    return effect.ci_low is not None and effect.ci_high is not None


def _both_effects(study: Study) -> Sequence[str]:
    """Every binary outcome with an absolute and a relative effect."""
    binary = [(place, outcome) for place, outcome in enumerate(study.outcomes) if any(group.events is not None for group in outcome.groups)]
    complete = binary and all(_has(outcome, _ABSOLUTE) and _has(outcome, _RELATIVE) for _, outcome in binary)
    return [f"outcomes.{place}.effects" for place, _ in binary] if complete else ()


def _has(outcome: Outcome, measures: Iterable[str]) -> bool:
    return any(measure in effect.measure.lower() for effect in outcome.effects for measure in measures)


_ABSOLUTE = ("difference", "absolute", "needed to treat", "percentage points")
_RELATIVE = ("ratio", "relative")


def _of_kind(kind: str) -> _Rule:
    """The groups of the outcomes of a kind, if there are such outcomes and all have groups."""

    def rule(study: Study) -> Sequence[str]:
        asked = [(place, outcome) for place, outcome in enumerate(study.outcomes) if outcome.kind == kind]
        return [f"outcomes.{place}.groups" for place, _ in asked] if asked and all(outcome.groups for _, outcome in asked) else ()

    return rule


_CONSORT: Mapping[str, _Rule] = MappingProxyType(
    {
        "1b": _given("abstract"),
        "2a": _given("background"),
        "2b": _given("objectives"),
        "3a": _given("design", "allocation_ratio"),
        "3b": _given("changes_to_methods"),
        "4a": _given("participants.eligibility"),
        "4b": _given("participants.setting"),
        "5": _of_every_arm("description"),
        "6a": _defined_primary,
        "6b": _given("changes_to_outcomes"),
        "7a": _given("sample_size"),
        "7b": _given("interim_analyses"),
        "8a": _given("randomisation.sequence"),
        "8b": _given("randomisation.restriction"),
        "9": _given("randomisation.concealment"),
        "10": _given("randomisation.implementation"),
        "11a": _given("blinding"),
        "11b": _given("similarity"),
        "12a": _given("statistics"),
        "12b": _given("further_analyses"),
        "13a": _of_every_arm("assigned", "received", "analysed"),
        "13b": _losses,
        "14a": _given("participants.recruitment"),
        "14b": _given("ending"),
        "15": _baseline,
        "16": _numbers_analysed,
        "17a": _estimated,
        "17b": _both_effects,
        "18": _of_kind("ancillary"),
        "19": _of_kind("harm"),
        "20": _given("limitations"),
        "21": _given("generalisability"),
        "22": _given("interpretation"),
        "23": _given("registration"),
        "24": _given("protocol"),
        "25": _given("funding"),
    }
)
_SPIRIT = MappingProxyType(
    {
        "2a": "23",
        "4": "25",
        "6a": "2a",
        "7": "2b",
        "8": "3a",
        "9": "4b",
        "10": "4a",
        "11a": "5",
        "12": "6a",
        "14": "7a",
        "16a": "8a",
        "16b": "9",
        "16c": "10",
        "17a": "11a",
        "20a": "12a",
        "20b": "12b",
        "21b": "7b",
    }
)
"""Items of SPIRIT that ask the same fields as an item of CONSORT."""
