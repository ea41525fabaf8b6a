"""POLICY_REVIEW: is this resource, or this policy text, allowed under the rules, and which rule says so?

Deny wins. A requirement that is not met, and a deny rule that can't be evaluated, block as well. Where rules allow, one of them must
match; otherwise at least one requirement must be met: a positive answer always rests on a rule that matched.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from windlass.agents import policy_rules
from windlass.agents.agent import Agent, Context, Inputs, Item, Outputs, Probe, Step, Work
from windlass.agents.policy_rules import Attribute, Effect, FieldEvidence, LineEvidence, Outcome, Rule, Severity, Text
from windlass.errors import AgentError

_SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")
_SHIPPED_ONLY = frozenset({"domain", "subject", "synthetic", "note"})


class PolicyReviewInputs(Inputs):
    """What to review (a resource, a policy text or both) and the rules; without rules, the built-in ones of the domain."""

    resource_id: Text | None = None
    policy_text: Annotated[str, Field(min_length=1, pattern=r"\S")] | None = None
    resource: Annotated[dict[Text, Attribute], Field(max_length=10_000)] | None = None
    domain: Text = "clinical"
    rules: Annotated[list[Rule], Field(min_length=1, max_length=1000)] | None = None

    @model_validator(mode="after")
    def _reviewable(self) -> PolicyReviewInputs:
        if self.resource_id is None and self.policy_text is None:
            raise ValueError("resource_id or policy_text is required")
        reserved = {"resource_id": self.resource_id, "domain": self.domain}
        for name, value in reserved.items():
            if name in (self.resource or {}) and (self.resource or {})[name] != value:
                raise ValueError(f"resource.{name} differs from {name}; send it once")
        ids = [rule.id for rule in self.rules or ()]
        twice = sorted({one for one in ids if ids.count(one) > 1}) if len(set(ids)) < len(ids) else []
        if twice:
            raise ValueError(f"rules: the id {twice[0]!r} stands there twice")
        return self


class Evaluation(Item):
    """What one rule found; `blocking` when it alone forbids a positive answer."""

    rule_id: str
    effect: Effect
    severity: Severity
    outcome: Outcome
    blocking: bool
    evidence: list[LineEvidence | FieldEvidence]


class Reason(Item):
    """A sentence behind the decision; `rule_id` is null only for what no single rule says."""

    rule_id: str | None
    severity: Severity | None
    message: str
    evidence: list[LineEvidence | FieldEvidence]


class PolicyReviewOutputs(Outputs):
    """The decision, why, and what every rule found, in the order of the rules.

    `risk_level` is the greatest severity among the blocking rules, `low` when allowed, `unknown` when no rule covers the case.
    """

    resource_id: str | None
    domain: str
    allowed: bool
    risk_level: Literal["low", "medium", "high", "critical", "unknown"]
    reasons: list[Reason]
    evaluations: list[Evaluation]
    looked_at: list[Literal["resource", "policy_text"]]
    rules_source: Literal["given", "built-in"]


def gather(inputs: PolicyReviewInputs, _work: Work, _context: Context) -> Mapping[str, Any]:
    """The rules that apply, and the attributes to hold them against."""
    looked_at = [
        *(["resource"] if inputs.resource is not None or inputs.policy_text is None else []),
        *(["policy_text"] if inputs.policy_text is not None else []),
    ]
    shipped = [
        {key: value for key, value in record.items() if key not in _SHIPPED_ONLY}
        for record in policy_rules.built_in(inputs.domain)
        if record["subject"] in looked_at
    ]
    if inputs.rules is None and not shipped:
        message = f"are required: there is no built-in rule set for the domain {inputs.domain!r}, only for 'clinical'"
        raise AgentError("VALIDATION_ERROR", f"rules: {message}", {"fieldErrors": {"rules": [message]}})
    return {
        "rules": shipped if inputs.rules is None else [rule.model_dump(mode="json") for rule in inputs.rules],
        "attributes": {**(inputs.resource or {}), "resource_id": inputs.resource_id, "domain": inputs.domain},
        "looked_at": looked_at,
    }


def evaluate(inputs: PolicyReviewInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """What every rule finds."""
    policy_text = None if inputs.policy_text is None else inputs.policy_text.replace("\r\n", "\n")
    evaluations: list[dict[str, Any]] = []
    for record in work["rules"]:
        context.check()
        rule = Rule.model_validate(record)
        outcome, evidence = policy_rules.evaluate(rule, work["attributes"], policy_text, context)
        evaluations.append(
            {
                "rule_id": rule.id,
                "effect": rule.effect,
                "severity": rule.severity,
                "outcome": outcome,
                "blocking": _blocks(rule.effect, outcome),
                "evidence": [piece.model_dump(mode="json") for piece in evidence],
            }
        )
    return {"evaluations": evaluations}


def decide(inputs: PolicyReviewInputs, work: Work, _context: Context) -> Mapping[str, Any]:
    """The decision and its reasons, from the evaluations alone."""
    evaluations: list[dict[str, Any]] = work["evaluations"]
    blocking = sorted((one for one in evaluations if one["blocking"]), key=lambda one: -_SEVERITIES.index(one["severity"]))
    granting = _granting(evaluations)
    allowed = bool(granting) and not blocking
    descriptions = {record["id"]: record.get("description") for record in work["rules"]}
    reasons = [_reason(one, descriptions[one["rule_id"]]) for one in [*blocking, *granting]]
    if not blocking and not granting:
        message = f"no rule allows this: none of the {len(evaluations)} rules matched in its favour, and what no rule covers is not allowed"
        reasons.append({"rule_id": None, "severity": None, "message": message, "evidence": []})
    warnings = [f"no rules were given: the built-in example rules for {inputs.domain!r} were used"] if inputs.rules is None else []
    if inputs.resource_id is not None and "resource" not in work["looked_at"]:
        warnings.append("no attributes of the resource were given: only the policy text was looked at")
    return {
        "outputs": {
            "resource_id": inputs.resource_id,
            "domain": inputs.domain,
            "allowed": allowed,
            "risk_level": "low" if allowed else blocking[0]["severity"] if blocking else "unknown",
            "reasons": reasons,
            "evaluations": evaluations,
            "looked_at": work["looked_at"],
            "rules_source": "built-in" if inputs.rules is None else "given",
        },
        "warnings": warnings,
    }


def _blocks(effect: str, outcome: str) -> bool:
    return outcome != "not_matched" if effect == "deny" else outcome != "matched" if effect == "require" else False


def _granting(evaluations: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rules that a positive answer rests on: matched allow rules, or met requirements where no rule allows."""
    grants = "allow" if any(one["effect"] == "allow" for one in evaluations) else "require"
    return [one for one in evaluations if one["effect"] == grants and one["outcome"] == "matched"]


def _reason(evaluation: Mapping[str, Any], description: str | None) -> dict[str, Any]:
    rule_id, effect, outcome, evidence = evaluation["rule_id"], evaluation["effect"], evaluation["outcome"], evaluation["evidence"]
    lines = [piece["line"] for piece in evidence if "line" in piece]
    attribute = next((piece for piece in evidence if "field" in piece), None)
    subject = f"attribute {attribute['field']!r}" if attribute else f"line {', '.join(map(str, lines))}" if lines else "the policy text"
    if outcome == "not_evaluable":
        missing = "no policy text was given" if attribute is None else f"{subject} is missing or of another type"
        found = f"can't be evaluated, so it blocks: {missing}"
    elif effect == "require":
        found = f"is met by {subject}" if outcome == "matched" else f"is not met by {subject}"
    else:
        found = f"matches {subject}"
    noun = {"deny": "deny rule", "require": "requirement", "allow": "allow rule"}[effect]
    message = f"{noun} {rule_id!r} {found}" + (f" ({description})" if description else "")
    return {"rule_id": rule_id, "severity": evaluation["severity"], "message": message, "evidence": evidence}


def _make(seed: int) -> dict[str, Any]:
    """A resource, a text and nine rules, each with an effect that lets it pass; in two of three probes some rules are turned against it."""
    rng = random.Random(seed)
    tag = "".join(rng.choices("bdfgklmnprtvz", k=6))
    words = [f"{tag}{number}" for number in rng.sample(range(100, 1000), 6)]
    size, labels = rng.randrange(10, 90), rng.sample(words, 3)
    lines = [" ".join(rng.choices(words[:4], k=5)) for _ in range(rng.randrange(3, 8))]
    resource = {"size": size, "owner": words[0], "labels": labels, "open": rng.random() < 0.5, "code": f"{tag}-{rng.randrange(1000)}"}
    limit = rng.randrange(10, 90)
    subjects: list[dict[str, Any]] = [
        {"field": "size", "op": "gt", "value": limit},
        {"field": "size", "op": "lt", "value": limit},
        {"field": "owner", "op": "in", "value": rng.sample(words, 3)},
        {"field": "labels", "op": "contains", "value": rng.choice(words)},
        {"field": "open", "op": "equals", "value": True},
        {"field": "code", "op": "matches", "value": f"^{tag}-[0-4]"},
        {"field": rng.choice(["size", "heir"]), "op": "present"},
        {"terms": [rng.choice(words).upper()]},
        {"pattern": f"{rng.choice(words)} {rng.choice(words)}"},
    ]
    rules = []
    for place, subject in enumerate(subjects):
        matches, _ = _finding(subject, resource, lines)
        effect = rng.choice(["allow", "require"]) if matches else rng.choice(["allow", "deny"])
        rules.append({"id": f"{tag}-r{place}", "effect": effect, "severity": rng.choice(_SEVERITIES), **subject})
    for rule in rng.sample(rules, rng.choice([0, 1, 3])):
        rule["effect"] = rng.choice(["deny", "require", "allow"])
    if rng.random() < 0.2:
        rules.append({"id": f"{tag}-r9", "effect": "deny", "severity": "low", "field": "heir", "op": "gt", "value": 1})
    rng.shuffle(rules)
    return {"resource_id": f"res-{tag}", "resource": resource, "policy_text": "\n".join(lines), "domain": f"domain-{tag}", "rules": rules}


def _finding(rule: Mapping[str, Any], resource: Mapping[str, Any], lines: Sequence[str]) -> tuple[bool | None, list[int]]:
    """Whether a rule of the probe matches (None: can't be told), and the numbers of the lines that show it."""
    if "field" in rule:
        if rule["op"] == "present":
            return rule["field"] in resource, []
        if rule["field"] not in resource:
            return None, []
        return _compared(rule["op"], resource[rule["field"]], rule["value"]), []
    wanted = rule["pattern"] if "pattern" in rule else rule["terms"][0].lower()
    shown = [number for number, line in enumerate(lines, 1) if wanted in line]
    return bool(shown), shown


def _compared(op: str, mine: Any, value: Any) -> bool:
    match op:
        case "gt":
            return bool(mine > value)
        case "lt":
            return bool(mine < value)
        case "in":
            return mine in value
        case "contains":
            return value in mine
        case "equals":
            return mine is value
        case _:
            return mine[7] in "01234"


def _check(_seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    lines = inputs["policy_text"].split("\n")
    blocked, severities, allows, met, matched_allow = set(), [], False, False, False
    if [one["rule_id"] for one in outputs["evaluations"]] != [rule["id"] for rule in inputs["rules"]]:
        return "the evaluations are not those of the rules, in their order"
    for rule, given in zip(inputs["rules"], outputs["evaluations"], strict=True):
        truth, shown = _finding(rule, inputs["resource"], lines)
        if given["outcome"] != {True: "matched", False: "not_matched", None: "not_evaluable"}[truth]:
            return f"the rule {rule['id']} was found {given['outcome']}, and it is not"
        if [piece["line"] for piece in given["evidence"] if "line" in piece] != shown:
            return f"the rule {rule['id']} names other lines than {shown}"
        if any("line" in piece and lines[piece["line"] - 1][piece["start"] : piece["end"]] != piece["quote"] for piece in given["evidence"]):
            return "a quote does not stand in the line that it names"
        allows, matched_allow = allows or rule["effect"] == "allow", matched_allow or (rule["effect"] == "allow" and truth is True)
        met = met or (rule["effect"] == "require" and truth is True)
        if (rule["effect"] == "deny" and truth is not False) or (rule["effect"] == "require" and truth is not True):
            blocked.add(rule["id"])
            severities.append(["low", "medium", "high", "critical"].index(rule["severity"]))
    allowed = not blocked and (matched_allow if allows else met)
    if outputs["allowed"] is not allowed:
        return f"allowed is {outputs['allowed']}, the rules say {allowed}"
    risk = "low" if allowed else ["low", "medium", "high", "critical"][max(severities)] if severities else "unknown"
    if outputs["risk_level"] != risk:
        return f"the risk level is {outputs['risk_level']}, the blocking rules make it {risk}"
    named = {reason["rule_id"] for reason in outputs["reasons"]}
    return None if blocked <= named and outputs["reasons"] else "a rule that blocks is not among the reasons"


AGENT = Agent(
    name="agent-policy-review",
    task_types=("POLICY_REVIEW",),
    summary="Holds a resource or a policy text against allow, deny and require rules; deny wins, and what no rule covers is not allowed.",
    version="1.0.0",
    inputs=PolicyReviewInputs,
    outputs=PolicyReviewOutputs,
    steps=(Step(name="gather", run=gather), Step(name="evaluate", run=evaluate), Step(name="decide", run=decide)),
    example={
        "resource_id": "registry-2026",
        "policy_text": "Participants give written consent.\nRecords are kept for 10 years.\nA breach is reported within 72 hours.",
        "resource": {"phi_export": False, "consent_documented": True, "ethics_approval": "EC-17", "encrypted_at_rest": True, "retention_years": 10},
    },
    probe=Probe(make=_make, check=_check),
)
