"""COMPLIANCE_AUDIT: which rules of HIPAA, GDPR or PCI DSS a log breaks by what stands in it, line by line.

No value that was found is repeated: an answer has its line, its place and its shape (`###-##-####`). No sign found is not compliance: what
rules can't see is listed, and the verdict is `signs_found` or `no_signs_found`, never that a log is compliant.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, model_validator

from windlass.agents import identifiers, log_rows, log_signs
from windlass.agents.agent import Agent, Context, Inputs, Item, Outputs, Probe, Step, Work

Framework = Literal["HIPAA", "GDPR", "PCI_DSS"]
Severity = Literal["low", "medium", "high", "critical"]
_SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")
_USUAL: tuple[Framework, ...] = ("HIPAA", "GDPR")
_Log = (
    Annotated[str, Field(max_length=log_rows.MOST)]
    | Annotated[list[Annotated[str, Field(max_length=1_000_000)] | dict[str, JsonValue]], Field(max_length=200_000)]
)


class ComplianceAuditInputs(Inputs):
    """A log: one text, or a list of lines and records; and the frameworks to hold it against."""

    log_data: _Log
    frameworks: Annotated[list[Framework], Field(min_length=1, max_length=10)] = Field(default_factory=lambda: [*_USUAL])

    @model_validator(mode="after")
    def _filled(self) -> ComplianceAuditInputs:
        if not self.log_data or (isinstance(self.log_data, str) and not self.log_data.strip()):
            raise ValueError("log_data is empty: nothing can be said of it")
        return self


class Evidence(Item):
    """Where a sign stands: `line` (or record) counts from 1, `start` and `end` are positions in it; of a record's `field`, in `key: value`.

    `shape` is the value with its digits as `#` and its letters as `x`.
    """

    line: int
    field: str | None
    start: int
    end: int
    shape: str


class Violation(Item):
    """A rule that the log breaks: how often, in how many rows, and the first places of each of its subjects."""

    rule_id: str
    framework: str
    citation: str
    title: str
    severity: Severity
    remedy: str
    count: int
    subjects: dict[str, int]
    evidence: list[Evidence]


class NotSearched(Item):
    """What no rule can see in a log, and why."""

    kind: str
    title: str
    note: str | None


class ComplianceAuditOutputs(Outputs):
    """Violations, the gravest first; `by_severity` counts their signs. `rules_applied` is how many rules were looked at."""

    frameworks: list[str]
    lines: int
    rules_applied: int
    verdict: Literal["signs_found", "no_signs_found"]
    worst: Severity | None
    violations: list[Violation]
    by_severity: dict[str, int]
    not_searched: list[NotSearched]
    rules_source: str


def scan(inputs: ComplianceAuditInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """Every subject that the log shows signs of: its count and first places."""
    rows = log_rows.laid_out(inputs.log_data, context)
    found = log_signs.scan(rows.text, context.check)
    subjects = {
        name: {
            "count": subject.count,
            "evidence": [
                {"line": rows.lines[sign.row], "field": rows.fields[sign.row], "start": sign.start, "end": sign.end, "shape": sign.shape}
                for sign in subject.signs
            ],
        }
        for name, subject in found.items()
    }
    return {"subjects": subjects, "lines": rows.count}


def judge(inputs: ComplianceAuditInputs, work: Work, _context: Context) -> Mapping[str, Any]:
    """The rules of the frameworks that these subjects break, the gravest first."""
    violations = []
    for rule in _rules(inputs.frameworks):
        mine = {name: work["subjects"][name] for name in rule.subjects if name in work["subjects"]}
        if mine:
            evidence = sorted(
                (place for subject in mine.values() for place in subject["evidence"]), key=lambda place: (place["line"], place["start"])
            )
            violations.append(
                {
                    "rule_id": rule.id,
                    **{name: getattr(rule, name) for name in ("framework", "citation", "title", "severity", "remedy")},
                    "count": sum(subject["count"] for subject in mine.values()),
                    "subjects": {name: subject["count"] for name, subject in mine.items()},
                    "evidence": evidence[: log_signs.SHOWN],
                }
            )
    return {"violations": sorted(violations, key=lambda one: (_SEVERITIES.index(one["severity"]), -one["count"]))}


def conclude(inputs: ComplianceAuditInputs, work: Work, _context: Context) -> Mapping[str, Any]:
    """The verdict and counts, from the violations alone."""
    violations: list[dict[str, Any]] = work["violations"]
    counts = {severity: sum(one["count"] for one in violations if one["severity"] == severity) for severity in _SEVERITIES}
    cut = [one["rule_id"] for one in violations if one["count"] > len(one["evidence"])]
    warnings = ["the rules look for signs in text: no sign found does not mean that a log, or who keeps it, is compliant"]
    if cut:
        warnings.append(f"of {len(cut)} rules only the first {log_signs.SHOWN} places are shown: {', '.join(cut)}")
    return {
        "outputs": {
            "frameworks": list(dict.fromkeys(inputs.frameworks)),
            "lines": work["lines"],
            "rules_applied": len(_rules(inputs.frameworks)),
            "verdict": "signs_found" if violations else "no_signs_found",
            "worst": violations[0]["severity"] if violations else None,
            "violations": violations,
            "by_severity": counts,
            "not_searched": [{"kind": kind.name, "title": kind.title, "note": kind.note} for kind in identifiers.not_searched()],
            "rules_source": log_signs.source(),
        },
        "warnings": warnings,
    }


def _rules(frameworks: Sequence[str]) -> list[log_signs.Rule]:
    return [rule for rule in log_signs.rules() if rule.framework in frameworks]


_SEVERITY_OF = {
    "HIPAA.email": "medium",
    "HIPAA.ssn": "critical",
    "HIPAA.mrn": "high",
    "HIPAA.ip": "low",
    "HIPAA.account": "high",
    "HIPAA.credential": "critical",
    "HIPAA.encryption_off": "critical",
    "GDPR.personal": "high",
    "GDPR.online": "medium",
    "GDPR.special": "critical",
    "GDPR.credential": "critical",
    "GDPR.consent": "high",
    "GDPR.encryption_off": "high",
    "PCI_DSS.card_number": "critical",
    "PCI_DSS.credential": "critical",
}
_BREAKS = {
    "email": ("HIPAA.email", "GDPR.personal"),
    "ssn": ("HIPAA.ssn", "GDPR.personal"),
    "mrn": ("HIPAA.mrn", "GDPR.personal"),
    "ip": ("HIPAA.ip", "GDPR.online"),
    "card": ("HIPAA.account", "GDPR.personal", "PCI_DSS.card_number"),
    "diagnosis": ("GDPR.special",),
    "password": ("HIPAA.credential", "GDPR.credential", "PCI_DSS.credential"),
    "consent": ("GDPR.consent",),
    "tls": ("HIPAA.encryption_off", "GDPR.encryption_off"),
}


def _plan(seed: int) -> tuple[random.Random, list[tuple[str | None, str, str]]]:
    """Lines as (what is planted, the words before it, its value)."""
    rng = random.Random(seed)
    planted: list[tuple[str | None, str, str]] = []
    for _ in range(rng.randrange(6, 18)):
        what = rng.choice([None, None, *_BREAKS])
        before = "".join(rng.choices("bdfgklmnprtvz", k=6)) + " "
        digits = "".join(rng.choices("123456789", k=15))
        match what:
            case "email":
                planted.append((what, before, f"{before.strip()}{rng.randrange(10**6)}@example.org"))
            case "ssn":
                planted.append((what, f"{before}ssn ", f"{rng.randrange(101, 660)}-{rng.randrange(11, 99)}-{rng.randrange(1001, 9999)}"))
            case "mrn":
                planted.append((what, f"{before}mrn=", f"{rng.randrange(10**6, 10**8)}"))
            case "ip":
                planted.append((what, f"{before}from ", ".".join(str(rng.randrange(11, 200)) for _ in range(4))))
            case "card":
                body = f"4{digits[:14]}"
                planted.append((what, f"{before}paid by ", body + next(last for last in "0123456789" if _checks_out(body + last))))
            case "diagnosis":
                planted.append((what, f"{before}diagnosis=", f"zq{rng.randrange(10**8)}"))
            case "password":
                planted.append((what, f"{before}password=", f"pw{rng.randrange(10**8)}"))
            case "consent":
                planted.append((what, f"{before}consent=", rng.choice(["withdrawn", "missing"])))
            case "tls":
                planted.append((what, f"{before}tls=", rng.choice(["off", "disabled"])))
            case _:
                planted.append((None, before, f"took {rng.randrange(2, 99)} ms"))
    return rng, planted


def _checks_out(digits: str) -> bool:
    """Luhn, from the right, as it is published."""
    total = 0
    for place, digit in enumerate(digits[::-1]):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _make(seed: int) -> dict[str, Any]:
    rng, planted = _plan(seed)
    lines = [before + value for _, before, value in planted]
    frameworks = rng.sample(["HIPAA", "GDPR", "PCI_DSS"], rng.randrange(1, 4))
    kind = rng.choice(["text", "lines", "records"])
    if kind == "records":
        return {"log_data": [{"id": f"e{place}", "event": {"message": line}} for place, line in enumerate(lines)], "frameworks": frameworks}
    return {"log_data": lines if kind == "lines" else "\n".join(lines), "frameworks": frameworks}


def _check(seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    _, planted = _plan(seed)
    records = not isinstance(inputs["log_data"], str) and isinstance(inputs["log_data"][0], dict)
    offset = len("message: ") if records else 0
    wanted: dict[str, list[tuple[int, int, int]]] = {}
    for line, (what, before, value) in enumerate(planted, 1):
        for rule in _BREAKS.get(what or "", ()):
            if rule.split(".")[0] in inputs["frameworks"]:
                wanted.setdefault(rule, []).append((line, offset + len(before), offset + len(before + value)))
    given = {one["rule_id"]: one for one in outputs["violations"]}
    if set(given) != set(wanted):
        return f"the rules {sorted(set(given) ^ set(wanted))} were judged wrongly"
    for rule, places in wanted.items():
        if [(one["line"], one["start"], one["end"]) for one in given[rule]["evidence"]] != places or given[rule]["count"] != len(places):
            return f"the places of {rule} are not those where its signs stand"
        if given[rule]["severity"] != _SEVERITY_OF[rule]:
            return f"the severity of {rule} is another"
    if outputs["lines"] != len(planted) or outputs["verdict"] != ("signs_found" if wanted else "no_signs_found"):
        return "the verdict or the number of lines is another"
    ranks = [["critical", "high", "medium", "low"].index(one["severity"]) for one in outputs["violations"]]
    if ranks != sorted(ranks) or outputs["worst"] != (outputs["violations"][0]["severity"] if wanted else None):
        return "the violations are not in order of their severity"
    if any(outputs["by_severity"][name] != sum(one["count"] for one in given.values() if one["severity"] == name) for name in _SEVERITY_OF.values()):
        return "the counts by severity are not those of the violations"
    said = json.dumps(outputs)
    return next((f"a value of {what} is repeated" for what, _, value in planted if what not in {None, "consent", "tls"} and value in said), None)


AGENT = Agent(
    name="agent-compliance-auditor-proxy",
    task_types=("COMPLIANCE_AUDIT",),
    summary="Scans a log for signs that break rules of HIPAA, GDPR or PCI DSS, with lines and masked values; it never calls a log compliant.",
    version="1.0.0",
    inputs=ComplianceAuditInputs,
    outputs=ComplianceAuditOutputs,
    steps=(Step(name="scan", run=scan), Step(name="judge", run=judge), Step(name="conclude", run=conclude)),
    example={
        "log_data": "2026-03-01T10:00:00Z INFO export started user=admin\n2026-03-01T10:00:02Z INFO sent report to jane.roe@example.org tls=off",
        "frameworks": ["HIPAA", "GDPR"],
    },
    probe=Probe(make=_make, check=_check),
)
