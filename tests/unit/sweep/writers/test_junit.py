"""junit.xml shows every cell, try and gate as a test case, and hides none."""

import xml.etree.ElementTree as ET
from typing import Any

import pytest

from tests.unit.sweep import samples
from windlass.sweep.writers import junit


def suites(sweep: dict[str, Any]) -> tuple[ET.Element, dict[str | None, list[ET.Element]]]:
    root = ET.fromstring(junit.render(sweep))
    return root, {suite.get("name"): suite.findall("testcase") for suite in root}


def test_a_passing_sweep_has_a_case_per_task_type_try_and_gate():
    root, cases = suites(samples.sweep())
    assert {name: len(found) for name, found in cases.items()} == {"task types": 31, "door": 3, "gates": 3}
    assert [case.get("name") for case in cases["task types"]] == sorted(samples.FLEET)
    assert {key: root.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "37",
        "failures": "0",
        "errors": "0",
        "skipped": "0",
    }
    assert not [element.tag for element in root.iter() if element.tag in {"failure", "error", "skipped"}]


def test_a_failure_tells_class_message_and_next_command():
    _, cases = suites(samples.failing())
    failed = {case.get("name"): failure for case in cases["task types"] for failure in case.iter("failure")}
    assert {name: (failure.get("type"), failure.get("message")) for name, failure in failed.items()} == {
        name: (failure, preview) for name, (_, failure, preview) in samples.FAILURES.items()
    }
    assert (failed["CLAIM_VERIFY"].text or "").splitlines() == [
        "PROBE_FAILED: a claim whose number differs from its quote was passed",
        "next: windlass sweep show sweep_20261120T221404512Z_k3f9x2m8qa1c7 CLAIM_VERIFY",
    ]


def test_what_never_ran_is_an_error():
    root, cases = suites(samples.interrupted())
    assert len(cases["task types"]) == 31
    assert [error.get("type") for case in cases["task types"][27:] for error in case.iter("error")] == ["NOT_RUN"] * 4
    assert [error.get("type") for case in cases["gates"] for error in case.iter("error")] == ["INCOMPLETE"] * 3
    assert (root.get("failures"), root.get("errors")) == ("0", "7")


def test_an_empty_sweep_is_no_success():
    root, cases = suites(samples.sweep([]))
    assert "task types" not in cases
    assert root.get("errors") == "3"


@pytest.mark.parametrize("door", [None, {}, samples.door(locked=False)])
def test_a_door_that_was_open_or_not_tried_is_no_success(door):
    _, cases = suites(samples.sweep(door=door))
    assert all(len(case) == 1 for case in cases["door"])


def test_a_gate_that_was_not_asked_for_is_no_case():
    _, cases = suites(samples.sweep(gate="dispatch"))
    assert [case.get("name") for case in cases["gates"]] == ["gate dispatch"]
    assert "door" not in cases


def test_the_counts_of_each_suite_are_those_of_its_cases():
    root = ET.fromstring(junit.render(samples.failing()))
    for suite in root:
        assert suite.get("tests") == str(len(suite.findall("testcase")))
        assert suite.get("failures") == str(len(suite.findall("testcase/failure")))
        assert suite.get("errors") == str(len(suite.findall("testcase/error")))
    assert root.get("tests") == str(len(root.findall("testsuite/testcase")))


def test_classname_and_name_tell_every_case_from_every_other():
    root = ET.fromstring(junit.render(samples.sweep()))
    keys = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(set(keys)) == len(keys) == 37


@pytest.mark.parametrize("text", ["]]>", "</failure><testcase/>", "&amp;", "\x00\x1b\ud800\uffff", '" x="', "<!--", "a\nb"])
def test_hostile_text_stays_text(text):
    _, cases = suites(samples.hostile([text]))
    (case,) = cases["task types"]
    assert [child.tag for child in case] == ["failure"]
    assert len(case.attrib) == 3
