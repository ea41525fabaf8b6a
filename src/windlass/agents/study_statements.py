"""Sentences that say what the fields of a study say: each names its fields, and what it computes names its formula."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from windlass.agents import draft_checks
from windlass.agents.agent import Item
from windlass.agents.study_data import Arm, Baseline, Effect, GroupResult, Number, Outcome, Study


class Derived(Item):
    """A number that was computed: `formula` over the fields named."""

    value: str
    formula: str


class Statement(Item):
    """A sentence, the fields of the study that it says (`outcomes.0.effects.0.value`), and what was computed for it."""

    text: str
    fields: list[str]
    derived: list[Derived]


class Part(Item):
    """A section of the manuscript and what it says; a section without statements has nothing to say."""

    heading: str
    statements: list[Statement]


_METHODS = (
    ("design", "Design"),
    ("allocation_ratio", "Allocation ratio"),
    ("changes_to_methods", "Changes to the methods"),
    ("participants.eligibility", "Eligibility"),
    ("participants.setting", "Setting"),
)
_LATER_METHODS = (
    ("changes_to_outcomes", "Changes to the outcomes"),
    ("sample_size", "Sample size"),
    ("interim_analyses", "Interim analyses"),
    ("randomisation.sequence", "Sequence generation"),
    ("randomisation.restriction", "Restriction of randomisation"),
    ("randomisation.concealment", "Allocation concealment"),
    ("randomisation.implementation", "Implementation"),
    ("blinding", "Blinding"),
    ("similarity", "Similarity of interventions"),
    ("statistics", "Statistical methods"),
    ("further_analyses", "Further analyses"),
)


def parts(study: Study) -> list[Part]:
    """The manuscript, IMRaD between abstract and other information, each part with what the study's fields say."""
    return [
        Part(heading="Abstract", statements=_fields(study, (("abstract", ""),))),
        Part(heading="Introduction", statements=_fields(study, (("background", ""), ("objectives", "Objectives")))),
        Part(heading="Methods", statements=[*_fields(study, _METHODS), *_arms(study), *_defined(study.outcomes), *_fields(study, _LATER_METHODS)]),
        Part(heading="Results", statements=_results(study)),
        Part(
            heading="Discussion",
            statements=_fields(study, (("interpretation", ""), ("limitations", "Limitations"), ("generalisability", "Generalisability"))),
        ),
        Part(
            heading="Other information",
            statements=_fields(study, (("registration", "Registration"), ("protocol", "Protocol"), ("funding", "Funding"))),
        ),
    ]


def outcomes(given: Sequence[Outcome]) -> list[Statement]:
    """What came out, outcome by outcome: the groups, then the effects."""
    found: list[Statement] = []
    for place, outcome in enumerate(given):
        found += _groups(outcome, f"outcomes.{place}")
        found += [_effect(outcome, effect, f"outcomes.{place}.effects.{number}") for number, effect in enumerate(outcome.effects)]
    return found


def value_at(study: Mapping[str, Any] | Sequence[Any], field: str) -> Any:
    """What a field of the study's JSON holds: `outcomes.0.name`. Raises KeyError or IndexError for one that is not there."""
    value: Any = study
    for part in field.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def unbacked(statement: Statement, study: Mapping[str, Any]) -> frozenset[str]:
    """The numbers of a statement that neither its fields hold nor its formulas give: empty for one that may leave."""
    sources = [shown(value_at(study, field)) for field in statement.fields]
    return draft_checks.unbacked(statement.text, [*sources, *(one.value for one in statement.derived)])


def shown(value: Any) -> str:
    """A value as the manuscript prints it: text as it is, a number with the digits that it was given."""
    if isinstance(value, float):
        plain = format(Decimal(repr(value)), "f")
        return plain.removesuffix(".0")
    return f"{value}"


def _fields(study: Study, labelled: Sequence[tuple[str, str]]) -> list[Statement]:
    """A statement per field that is given, after its label."""
    found = []
    for field, label in labelled:
        value: Any = study
        for part in field.split("."):
            value = getattr(value, part)
        if value is not None:
            found.append(Statement(text=_ended(f"{label}: {value}" if label else f"{value}"), fields=[field], derived=[]))
    return found


def _ended(sentence: str) -> str:
    plain = draft_checks.folded(sentence)
    return plain if plain.endswith((".", "!", "?")) else f"{plain}."


def _arms(study: Study) -> Iterator[Statement]:
    for place, arm in enumerate(study.interventions):
        if arm.description is not None:
            path = f"interventions.{place}"
            yield Statement(
                text=_ended(f"The {arm.name} group received: {arm.description}"), fields=[f"{path}.name", f"{path}.description"], derived=[]
            )


def _defined(given: Sequence[Outcome]) -> Iterator[Statement]:
    for place, outcome in enumerate(given):
        known = [name for name in ("definition", "time_point") if getattr(outcome, name) is not None]
        if known:
            kind = f"{outcome.kind} outcome".capitalize()
            text = f"{kind}: {outcome.name}" + "".join(f", {getattr(outcome, name)}" for name in known)
            yield Statement(text=_ended(text), fields=[f"outcomes.{place}.{name}" for name in ("name", "kind", *known)], derived=[])


def _results(study: Study) -> list[Statement]:
    people = study.participants
    flow = [
        Statement(text=f"{value} people were {name}.", fields=[f"participants.{name}"], derived=[])
        for name, value in (("screened", people.screened), ("randomised", people.randomised))
        if value is not None
    ]
    arms = [_flow(arm, f"interventions.{place}") for place, arm in enumerate(study.interventions)]
    baseline = [_baseline(row, f"participants.baseline.{place}") for place, row in enumerate(people.baseline)]
    recruitment = _fields(study, (("participants.recruitment", "Recruitment and follow-up"), ("ending", "End of the trial")))
    analysed = _fields(study, (("analysis_population", "Analysis population"),))
    return [*recruitment, *flow, *(arm for arm in arms if arm.text), *baseline, *analysed, *outcomes(study.outcomes)]


def _flow(arm: Arm, path: str) -> Statement:
    """What became of an arm; an empty text where nothing is known."""
    words = {"assigned": "were assigned", "received": "received the intervention", "lost": "were lost", "analysed": "were analysed"}
    known = [name for name in words if getattr(arm, name) is not None]
    pieces = [f"{getattr(arm, name)} {words[name]}" for name in known]
    reasons = arm.lost_reasons if arm.lost is not None else None
    text = f"Of the {arm.name} group, {', '.join(pieces)}" + (f"; reasons for loss: {reasons}" if reasons else "") if pieces else ""
    fields = [f"{path}.{name}" for name in ("name", *known, *(["lost_reasons"] if reasons else []))]
    return Statement(text=_ended(text) if text else "", fields=fields, derived=[])


def _baseline(row: Baseline, path: str) -> Statement:
    values = "; ".join(f"{arm} = {value}" for arm, value in row.values.items())
    return Statement(text=_ended(f"At baseline, {row.name}: {values}"), fields=[f"{path}.name", f"{path}.values"], derived=[])


def _groups(outcome: Outcome, path: str) -> list[Statement]:
    pieces: list[str] = []
    fields = [f"{path}.name"]
    derived: list[Derived] = []
    for place, group in enumerate(outcome.groups):
        said, used, computed = _group(group)
        if said:
            pieces.append(said)
            fields += [f"{path}.groups.{place}.{name}" for name in ("arm", *used)]
            derived += computed
    return [Statement(text=_ended(f"{outcome.name}: {'; '.join(pieces)}"), fields=fields, derived=derived)] if pieces else []


def _group(group: GroupResult) -> tuple[str, list[str], list[Derived]]:
    """What one arm showed, the fields that say it, and the percentage computed; empty where nothing is known."""
    if group.events is not None and group.n:
        share = percentage(group.events, group.n)
        formula = f"100 * {group.events} / {group.n}"
        return f"{group.events} of {group.n} ({share}) in {group.arm}", ["events", "n"], [Derived(value=share, formula=formula)]
    if group.events is not None:
        return f"{group.events} events in {group.arm}", ["events"], []
    if group.mean is not None:
        spread = f" (SD {shown(group.sd)})" if group.sd is not None else ""
        size = f", n {group.n}" if group.n is not None else ""
        used = [name for name in ("mean", "sd", "n") if getattr(group, name) is not None]
        return f"mean {shown(group.mean)}{spread}{size} in {group.arm}", used, []
    return "", [], []


def _effect(outcome: Outcome, effect: Effect, path: str) -> Statement:
    known = [name for name in ("measure", "value", "ci_low", "ci_high", "ci_level", "p_value") if getattr(effect, name) is not None]
    level = f"{shown(effect.ci_level)}% " if effect.ci_level is not None else ""
    bounds = {"ci_low": effect.ci_low, "ci_high": effect.ci_high}
    text = f"{outcome.name}: {effect.measure} {shown(effect.value)}{_interval(level, bounds)}"
    if effect.p_value is not None:
        text += f", p = {shown(effect.p_value)}"
    derived = [Derived(value=level.strip(), formula="ci_level as a percentage")] if level else []
    return Statement(text=_ended(text), fields=[f"{path.rpartition('.effects')[0]}.name", *(f"{path}.{name}" for name in known)], derived=derived)


def _interval(level: str, bounds: Mapping[str, Number | None]) -> str:
    low, high = bounds["ci_low"], bounds["ci_high"]
    if low is not None and high is not None:
        return f" ({level}confidence interval {shown(low)} to {shown(high)})"
    if low is not None or high is not None:
        return f" ({level}confidence interval {'from' if high is None else 'up to'} {shown(high if low is None else low)})"
    return ""


def percentage(part: int, whole: int) -> str:
    """`part` of `whole` in percent with one decimal, halves away from zero, computed exactly."""
    return f"{(Decimal(100 * part) / Decimal(whole)).quantize(Decimal('0.1'), rounding=ROUND_HALF_UP)}%"
