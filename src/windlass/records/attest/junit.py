"""A run as JUnit XML, as GitLab and Jenkins read it: a suite per gate attempt, a case per check, and one for the gate's own verdict.

Every attempt is a suite of its own, so nothing that failed once disappears. What never ran or has not ended is an `error`; nothing is `skipped`.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass

from windlass.infra import escapes, instants
from windlass.records.attest.told import Attempt, Check, Gate, Story


@dataclass(frozen=True, kw_only=True)
class Case:
    """One test case. `tag` is failure, error, system-out (a warning) or None; lives as long as the rendering."""

    name: str
    tag: str | None = None
    kind: str = ""
    message: str = ""
    seconds: float = 0.0


def render(story: Story) -> str:
    """The document."""
    root = ET.Element("testsuites", name=_text(f"windlass run {story.run_id}"))
    cases: list[Case] = []
    for gate in story.gates:
        if not gate.attempts:
            cases += _suite(root, story, gate, None)
        for attempt in gate.attempts:
            cases += _suite(root, story, gate, attempt)
    _count(root, cases, story.took_ms / 1000)
    ET.indent(root)
    return escapes.xml_document(root)


def _suite(root: ET.Element, story: Story, gate: Gate, attempt: Attempt | None) -> list[Case]:
    title = f"{gate.gate} {gate.name}" + (f", attempt {attempt.number}" if attempt else "")
    suite = ET.SubElement(root, "testsuite", name=_text(title), timestamp=instants.stamp(attempt.started_at if attempt else story.started_at)[:19])
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(story, attempt):
        ET.SubElement(properties, "property", name=name, value=_text(value))
    cases = [_verdict(gate, attempt), *(_case(check) for check in (attempt.checks if attempt else ()))]
    for case in cases:
        _add(suite, f"{story.run.started.workflow.name}.{gate.gate}", case)
    _count(suite, cases, cases[0].seconds)
    return cases


def _properties(story: Story, attempt: Attempt | None) -> Iterable[tuple[str, str]]:
    yield "run_id", story.run_id
    yield "journal_head", story.head
    if attempt:
        yield "agent", attempt.agent
        if attempt.contract_sha256:
            yield "contract_sha256", attempt.contract_sha256


def _verdict(gate: Gate, attempt: Attempt | None) -> Case:
    """The gate itself: a person may fail it although every check held."""
    name = f"gate {gate.gate}"
    if attempt is None:
        return Case(name=name, tag="error", kind="NOT_RUN", message="the gate was never started")
    seconds = (attempt.took_ms or 0.0) / 1000
    if attempt.finished_at is None:
        return Case(name=name, tag="error", kind="NOT_FINISHED", message="the attempt has not finished")
    if attempt.status != "PASS":
        return Case(name=name, tag="failure", kind="FAIL", message=attempt.failure_reason or "no reason was recorded", seconds=seconds)
    return Case(name=name, seconds=seconds)


def _case(check: Check) -> Case:
    if check.outcome == "passed":
        return Case(name=check.name)
    tag = "failure" if check.outcome == "failed" else "system-out"
    return Case(name=check.name, tag=tag, kind=check.rule, message=check.says or "no reason was recorded")


def _add(suite: ET.Element, classname: str, case: Case) -> None:
    element = ET.SubElement(suite, "testcase", classname=_text(classname), name=_text(case.name), time=f"{case.seconds:.3f}")
    if case.tag is None:
        return
    said = _text(f"{case.kind}: {case.message}")
    if case.tag == "system-out":
        ET.SubElement(element, case.tag).text = f"warning: {said}"
    else:
        ET.SubElement(element, case.tag, type=_text(case.kind), message=_text(case.message)).text = said


def _count(element: ET.Element, cases: list[Case], seconds: float) -> None:
    counts = {"tests": len(cases), "failures": sum(case.tag == "failure" for case in cases), "errors": sum(case.tag == "error" for case in cases)}
    for name, number in counts.items():
        element.set(name, str(number))
    element.set("skipped", "0")
    element.set("time", f"{seconds:.3f}")


def _text(text: str) -> str:
    return escapes.visible(text)
