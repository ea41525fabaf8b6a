"""CLINICAL_BIAS_DETECTION: are the groups of a table treated alike? Rates, differences and ratios from the rows or counts that were handed in.

With a `prediction`, the decision is the prediction and the outcome is its label: rates of true and false positives are compared as well. Without
one, the outcome is the decision. Nothing is assumed about the groups; what is too small is shown and not judged.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from statistics import NormalDist
from typing import Annotated, Any, Literal, NoReturn

from pydantic import Field, model_validator

from windlass.agents import fairness
from windlass.agents.agent import Agent, Context, Inputs, Item, Outputs, Probe, Step, Work
from windlass.agents.fairness import Audit, Counts
from windlass.errors import AgentError

MOST_GROUPS = 200
"""Groups that one attribute may have; more is an identifier or a measurement, which wants binning."""
_CHECK_EVERY = 10_000

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
Cell = bool | int | Annotated[float, Field(allow_inf_nan=False)] | Annotated[str, Field(max_length=1000)] | None
Row = dict[Name, Cell]


class SummaryGroup(Item):
    """A group's counts; the four of the confusion matrix come together or not at all."""

    attribute: Name
    group: Name
    n: Annotated[int, Field(ge=1, le=10_000_000)]
    selected: Annotated[int, Field(ge=0)]
    true_positives: Annotated[int, Field(ge=0)] | None = None
    false_positives: Annotated[int, Field(ge=0)] | None = None
    false_negatives: Annotated[int, Field(ge=0)] | None = None
    true_negatives: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> SummaryGroup:
        if self.selected > self.n:
            raise ValueError(f"{self.selected} selected of {self.n} can't be")
        cells = (self.true_positives, self.false_positives, self.false_negatives, self.true_negatives)
        known = [cell for cell in cells if cell is not None]
        if len(known) not in {0, 4}:
            raise ValueError("true_positives, false_positives, false_negatives and true_negatives come together")
        if known and (sum(known) != self.n or known[0] + known[1] != self.selected):
            raise ValueError("the four counts add up to n, and true and false positives to selected")
        return self


class BiasDetectionInputs(Inputs):
    """Rows, or counts by group, and which columns say what."""

    sensitive_attributes: Annotated[list[Name], Field(min_length=1, max_length=50)]
    table: Annotated[list[Row], Field(min_length=1, max_length=200_000)] | None = None
    dataset_summary: Annotated[list[SummaryGroup], Field(min_length=1, max_length=10_000)] | None = None
    outcome: Name | None = None
    prediction: Name | None = None
    positive_value: Cell = None
    reference_groups: dict[Name, Name] = Field(default_factory=dict)
    threshold: Annotated[float, Field(gt=0, le=1)] = fairness.FOUR_FIFTHS
    min_group_size: Annotated[int, Field(ge=1, le=1_000_000)] = fairness.SMALL
    confidence: Annotated[float, Field(ge=0.5, le=0.9999)] = 0.95

    @model_validator(mode="after")
    def _one_source(self) -> BiasDetectionInputs:
        if (self.table is None) == (self.dataset_summary is None):
            raise ValueError("one of table and dataset_summary is required" + ("" if self.table is None else "; both are given"))
        if self.table is not None and self.outcome is None:
            raise ValueError("outcome is required with a table: it names the column of the decision, or of the label where prediction is given")
        if len(set(self.sensitive_attributes)) < len(self.sensitive_attributes):
            raise ValueError("sensitive_attributes: one stands there twice")
        strange = set(self.reference_groups) - set(self.sensitive_attributes)
        if strange:
            raise ValueError(f"reference_groups: {min(strange)!r} is none of the sensitive_attributes")
        return self


class Finding(Item):
    """What a rule found, with the numbers that it rests on."""

    rule: Literal["four_fifths", "parity_interval", "equal_opportunity", "equalised_odds"]
    attribute: str
    group: str | None
    finding: str
    numbers: dict[str, float]


class BiasDetectionOutputs(Outputs):
    """An audit per attribute, in the order asked for; `four_fifths` is met only where it is met for all of them."""

    audits: list[Audit]
    four_fifths: Literal["met", "not met", "not judged"]
    findings: list[Finding]
    rows: int
    skipped: dict[str, int]
    decision: str
    threshold: float
    confidence: float


def count(inputs: BiasDetectionInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """Each group's counts by attribute; rows that lack a value are left out and counted."""
    counted: dict[str, dict[str, Any]] = {}
    skipped: dict[str, int] = {}
    for attribute in inputs.sensitive_attributes:
        context.check()
        counts = _counts(inputs, attribute, context)
        if len(counts) > MOST_GROUPS:
            _misfit("sensitive_attributes", f"{attribute!r} has {len(counts)} values; at most {MOST_GROUPS} groups are compared: put them into bins")
        reference = inputs.reference_groups.get(attribute)
        if reference is not None and reference not in counts:
            _misfit("reference_groups", f"{reference!r} is no group of {attribute!r}; there are {', '.join(sorted(counts)[:10])}")
        counted[attribute] = {group: counts[group].model_dump() for group in sorted(counts)}
        if inputs.table is not None:
            skipped[attribute] = len(inputs.table) - sum(one.n for one in counts.values())
    return {"counts": counted, "skipped": skipped}


def compare(inputs: BiasDetectionInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """Rates and comparisons of each attribute's groups."""
    audits: list[dict[str, Any]] = []
    for attribute in inputs.sensitive_attributes:
        context.check()
        counts = work["counts"][attribute]
        groups = [fairness.rates(group, Counts.model_validate(one), inputs.min_group_size, inputs.confidence) for group, one in counts.items()]
        reference = inputs.reference_groups.get(attribute)
        audits.append(fairness.audit(attribute, groups, reference=reference, threshold=inputs.threshold, confidence=inputs.confidence).model_dump())
    return {"audits": audits}


def judge(inputs: BiasDetectionInputs, work: Work, _context: Context) -> Mapping[str, Any]:
    """What the rules find, beside the numbers, and the word on the whole."""
    audits = [Audit.model_validate(one) for one in work["audits"]]
    words = {one.four_fifths for one in audits}
    verdict = "not met" if "not met" in words else "not judged" if "not judged" in words else "met"
    decision = inputs.prediction or inputs.outcome or "selected"
    outputs = {
        "audits": work["audits"],
        "four_fifths": verdict,
        "findings": [one.model_dump() for audit in audits for one in _findings(audit, inputs.threshold)],
        "rows": len(inputs.table) if inputs.table is not None else max((sum(group.n for group in one.groups) for one in audits), default=0),
        "skipped": work["skipped"],
        "decision": decision,
        "threshold": inputs.threshold,
        "confidence": inputs.confidence,
    }
    warnings = [f"{audit.attribute}: {note}" for audit in audits for note in audit.notes]
    warnings += [f"{attribute}: {number} rows lack a value and were left out" for attribute, number in work["skipped"].items() if number]
    return {"outputs": outputs, "warnings": warnings[:100]}


def _counts(inputs: BiasDetectionInputs, attribute: str, context: Context) -> Mapping[str, Counts]:
    if inputs.table is not None:
        return fairness.tally(_decisions(inputs, inputs.table, attribute, context))
    groups = [one for one in inputs.dataset_summary or [] if one.attribute == attribute]
    if not groups:
        _misfit("dataset_summary", f"holds no group of the attribute {attribute!r}")
    if len({one.group for one in groups}) < len(groups):
        _misfit("dataset_summary", f"a group of {attribute!r} stands there twice")
    return {one.group: Counts(**one.model_dump(exclude={"attribute", "group"})) for one in groups}


def _decisions(inputs: BiasDetectionInputs, table: Sequence[Row], attribute: str, context: Context) -> Iterator[tuple[str, bool, bool | None]]:
    columns = [attribute, inputs.outcome or "", *([inputs.prediction] if inputs.prediction else [])]
    for column in columns:
        if not any(column in row for row in table):
            _misfit("table", f"no row has the column {column!r}")
    for place, row in enumerate(table):
        if place % _CHECK_EVERY == 0:
            context.check()
        values = [row.get(column) for column in columns]
        if None in values:
            continue
        label = _positive(columns[1], values[1], inputs.positive_value)
        if inputs.prediction:
            yield _label(values[0]), _positive(columns[2], values[2], inputs.positive_value), label
        else:
            yield _label(values[0]), label, None


def _positive(column: str, value: Cell, positive: Cell) -> bool:
    if positive is not None:
        return _label(value) == _label(positive)
    if value in (0, 1):
        return bool(value)
    kind = "text" if isinstance(value, str) else "numbers"
    return _misfit("positive_value", f"is required: the column {column!r} holds {kind} other than true, false, 1 and 0")


def _label(value: Cell) -> str:
    """A value as the name of a group: 1, 1.0 and "1" are one group."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _misfit(field: str, message: str) -> NoReturn:
    raise AgentError("VALIDATION_ERROR", f"{field}: {message}", {"fieldErrors": {field: [message]}})


def _findings(audit: Audit, threshold: float) -> Iterator[Finding]:
    for one in audit.comparisons:
        if one.four_fifths == "not met" and one.impact_ratio is not None:
            said = f"{one.group!r} is selected {one.impact_ratio:.4g} times as often as {one.reference!r}"
            yield Finding(
                rule="four_fifths",
                attribute=audit.attribute,
                group=one.group,
                finding=f"{said}: the lesser is below {threshold:g} of the greater",
                numbers={"impact_ratio": one.impact_ratio, "threshold": threshold},
            )
        if one.note is None and not one.parity_low <= 0 <= one.parity_high:
            said = f"the rate of {one.group!r} differs from that of {one.reference!r} by {one.parity_difference:.4g}"
            yield Finding(
                rule="parity_interval",
                attribute=audit.attribute,
                group=one.group,
                finding=f"{said} ({one.parity_low:.4g} to {one.parity_high:.4g}): the interval excludes 0",
                numbers={"parity_difference": one.parity_difference, "low": one.parity_low, "high": one.parity_high},
            )
    allowed = 1 - threshold
    gaps: tuple[tuple[Literal["equal_opportunity", "equalised_odds"], float | None, str], ...] = (
        ("equal_opportunity", audit.equal_opportunity_gap, "true positive rates"),
        ("equalised_odds", audit.equalised_odds_gap, "true or false positive rates"),
    )
    for rule, gap, what in gaps:
        if gap is not None and gap > allowed:
            finding = f"the {what} of the groups differ by up to {gap:.4g}, more than {allowed:.4g}"
            yield Finding(rule=rule, attribute=audit.attribute, group=None, finding=finding, numbers={"gap": gap, "allowed": allowed})


def _make(seed: int) -> dict[str, Any]:
    """Rows of two attributes with groups of random sizes, one of them too small, and decisions that depend on the group."""
    rng = random.Random(seed)
    tag = rng.randrange(10**6)
    attributes = {f"{name}{tag}": [f"{name}-{number}" for number in rng.sample(range(1000), 3)] for name in ("site", "band")}
    chance = {group: rng.uniform(0.1, 0.9) for groups in attributes.values() for group in groups}
    rows: list[dict[str, Any]] = []
    for _ in range(rng.randrange(120, 200)):
        row: dict[str, Any] = {name: rng.choices(groups, weights=(8, 8, 1))[0] for name, groups in attributes.items()}
        share = sum(chance[row[name]] for name in attributes) / 2
        row["decision"], row["truth"] = int(rng.random() < share), rng.random() < 0.5
        if rng.random() < 0.03:
            row[rng.choice(["decision", *attributes])] = None
        rows.append(row)
    return {"table": rows, "sensitive_attributes": [*attributes], "outcome": "truth", "prediction": "decision", "min_group_size": 25}


def _check(_seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    if [one["attribute"] for one in outputs["audits"]] != inputs["sensitive_attributes"]:
        return "the audits are not those of the attributes, in their order"
    z = NormalDist().inv_cdf(0.975)
    verdicts = set()
    for audit in outputs["audits"]:
        name = audit["attribute"]
        rows = [row for row in inputs["table"] if row[name] is not None and row["decision"] is not None]
        if outputs["skipped"][name] != len(inputs["table"]) - len(rows):
            return "the rows without a value are not counted"
        groups = {group: [row for row in rows if row[name] == group] for group in {row[name] for row in rows}}
        share = {group: sum(row["decision"] for row in members) / len(members) for group, members in groups.items()}
        right = {group: [row["decision"] for row in members if row["truth"]] for group, members in groups.items()}
        if {one["group"] for one in audit["groups"]} != set(groups):
            return f"the groups of {name} are not those of its rows"
        for one in audit["groups"]:
            members, rate = groups[one["group"]], one["selection_rate"]
            hits = right[one["group"]]
            if one["n"] != len(members) or abs(rate["value"] - share[one["group"]]) > 1e-9 or one["small"] is not (len(members) < 25):
                return f"the selection rate of {one['group']} is not that of its rows"
            if max(abs((rate["value"] - end) ** 2 - z * z * end * (1 - end) / len(members)) for end in (rate["low"], rate["high"])) > 1e-9:
                return "a rate's interval is not Wilson's"
            if one["true_positive_rate"]["value"] != (sum(hits) / len(hits) if hits else None):
                return f"the true positive rate of {one['group']} is not that of its rows"
        large = [group for group, members in groups.items() if len(members) >= 25]
        best = max(share[group] for group in large)
        if share.get(audit["reference"]) != best or audit["reference"] not in large:
            return "the reference is not the large group with the highest rate"
        for one in audit["comparisons"]:
            ratio = share[one["group"]] / best
            word = "not judged" if one["group"] not in large else "met" if ratio > 0.8 - 1e-9 else "not met"
            verdicts.add(word)
            if (
                abs(one["impact_ratio"] - ratio) > 1e-9
                or abs(one["parity_difference"] - share[one["group"]] + best) > 1e-9
                or one["four_fifths"] != word
            ):
                return f"{one['group']} is not compared with the reference as its rows say"
        if len(audit["comparisons"]) != len(groups) - 1:
            return "a group is compared with nothing"
        gaps = [[sum(hits) / len(hits) for group, hits in right.items() if group in large and hits]]
        gaps.append(
            [sum(row["decision"] for row in wrong) / len(wrong) for group in large if (wrong := [row for row in groups[group] if not row["truth"]])]
        )
        spread = [max(rates) - min(rates) for rates in gaps]
        if not math.isclose(audit["equal_opportunity_gap"], spread[0], abs_tol=1e-9) or not math.isclose(
            audit["equalised_odds_gap"], max(spread), abs_tol=1e-9
        ):
            return f"the gaps of {name} are not those of its rows"
    wanted = next(word for word in ("not met", "not judged", "met") if word in verdicts)
    if outputs["four_fifths"] != wanted:
        return f"four_fifths is {outputs['four_fifths']}, the rates make it {wanted}"
    flagged = {one["group"] for one in outputs["findings"] if one["rule"] == "four_fifths"}
    low = {one["group"] for audit in outputs["audits"] for one in audit["comparisons"] if one["four_fifths"] == "not met"}
    return None if flagged == low else "not the groups below four fifths are pointed at"


AGENT = Agent(
    name="agent-bias-detection-proxy",
    task_types=("CLINICAL_BIAS_DETECTION",),
    summary="Compares groups of a table: selection rates, parity, disparate impact (four fifths), equal opportunity and equalised odds.",
    version="1.0.0",
    inputs=BiasDetectionInputs,
    outputs=BiasDetectionOutputs,
    steps=(Step(name="count", run=count), Step(name="compare", run=compare), Step(name="judge", run=judge)),
    example={
        "dataset_summary": [
            {"attribute": "sex", "group": "female", "n": 210, "selected": 71},
            {"attribute": "sex", "group": "male", "n": 190, "selected": 98},
            {"attribute": "sex", "group": "not stated", "n": 6, "selected": 1},
        ],
        "sensitive_attributes": ["sex"],
    },
    probe=Probe(make=_make, check=_check),
)
