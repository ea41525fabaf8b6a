"""`junit.xml`: one test case per task type, one per try at the door and one per gate, as GitLab and Jenkins read it.

GitLab shows `classname` as the suite and the text of `failure` as the output; Jenkins groups by `classname` up to its last dot. So
`classname` is `<fleet>.<agent>`, and the text repeats type and message. What never ran is an `error`; nothing is ever `skipped`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from windlass.infra.escapes import xml
from windlass.sweep.plan import GATES
from windlass.sweep.writers import cells


@dataclass(frozen=True, kw_only=True)
class Case:
    """One test case; passes if `failure` is None. Lives as long as the rendering."""

    classname: str
    name: str
    seconds: float = 0.0
    failure: str | None = None
    message: str = ""
    next_command: str | None = None

    @property
    def is_error(self) -> bool:
        """Whether it could not be judged, rather than was judged and failed."""
        return self.failure in {"NOT_RUN", "INCOMPLETE"}


def render(sweep: Mapping[str, Any]) -> str:
    """The document: suites `task types`, `door` (when it was to be tried) and `gates` (those asked for)."""
    fleet = sweep["fleet"]["name"]
    suites = [
        ("task types", [_cell(fleet, row) for row in cells.every(sweep)]),
        ("door", _door(fleet, sweep["door"]) if sweep["gate"] == "proof" else []),
        ("gates", [_gate(fleet, name, sweep["gates"][name]) for name in GATES if sweep["gates"][name]["asked"]]),
    ]
    body = [line for name, cases in suites if cases for line in _suite(sweep, name, cases)]
    every = [case for _, cases in suites for case in cases]
    head = f'<testsuites name="{xml(f"windlass sweep of {fleet}")}" {_counts(every, float(sweep["duration_ms"]) / 1000)}>'
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', head, *body, "</testsuites>"]) + "\n"


def _cell(fleet: str, row: cells.Row) -> Case:
    return Case(
        classname=f"{fleet}.{row['agent_name'] or 'unknown agent'}",
        name=row["task_type"],
        seconds=row["timings"]["total_ms"] / 1000,
        failure=None if cells.passed(row) else cells.failure_class(row),
        message=row["error_preview"],
        next_command=row["next_command"],
    )


def _door(fleet: str, door: Mapping[str, Any] | None) -> list[Case]:
    return [_try(f"{fleet}.door", label, (door or {}).get(name)) for name, label in cells.DOOR.items()]


def _try(classname: str, label: str, found: Mapping[str, Any] | None) -> Case:
    if found is None:
        return Case(classname=classname, name=f"dispatch {label}", failure="NOT_RUN", message="the door was not tried")
    failure = None if found["pass"] is True else "AUTH_NOT_ENFORCED"
    return Case(classname=classname, name=f"dispatch {label}", failure=failure, message=f"answered {found['http']} instead of {found['expected']}")


def _gate(fleet: str, name: str, gate: Mapping[str, Any]) -> Case:
    counted = f"{cells.result(gate)}: {gate['passed']} of {gate['total']}" + (f"; {gate['reason']}" if gate["reason"] else "")
    failure = None if gate["verdict"] == "PASS" else "INCOMPLETE" if gate["verdict"] == "INCOMPLETE" else "FAIL"
    return Case(classname=f"{fleet}.gates", name=f"gate {name}", failure=failure, message=counted)


def _suite(sweep: Mapping[str, Any], name: str, cases: Sequence[Case]) -> list[str]:
    seconds = sum(case.seconds for case in cases)
    properties = {
        "sweep_id": sweep["sweep_id"],
        "nonce": sweep["nonce"],
        "fleet_sha256": sweep["fleet"]["sha256"],
        "expectation_sha256": sweep["expectation_sha256"],
        "git_commit": sweep["git_commit"] or "",
    }
    return [
        f'  <testsuite name="{name}" timestamp="{cells.began(sweep).isoformat(timespec="seconds")}" {_counts(cases, seconds)}>',
        "    <properties>",
        *(f'      <property name="{key}" value="{xml(str(value))}"/>' for key, value in properties.items()),
        "    </properties>",
        *map(_case, cases),
        "  </testsuite>",
    ]


def _counts(cases: Sequence[Case], seconds: float) -> str:
    errors = sum(case.is_error for case in cases)
    failures = sum(case.failure is not None for case in cases) - errors
    return f'tests="{len(cases)}" failures="{failures}" errors="{errors}" skipped="0" time="{seconds:.3f}"'


def _case(case: Case) -> str:
    head = f'    <testcase classname="{xml(case.classname)}" name="{xml(case.name)}" time="{case.seconds:.3f}"'
    if case.failure is None:
        return head + "/>"
    element = "error" if case.is_error else "failure"
    text = f"{xml(case.failure)}: {xml(case.message)}" + (f"\nnext: {xml(case.next_command)}" if case.next_command else "")
    return f'{head}><{element} type="{xml(case.failure)}" message="{xml(case.message)}">{text}</{element}></testcase>'
