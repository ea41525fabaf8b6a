from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents import log_signs
from windlass.agents.reference.compliance_audit import AGENT

from . import probing, runs

LOG = (
    "2026-03-01T10:00:00Z INFO start user=jroe42\n"
    "2026-03-01T10:00:01Z INFO patient: Jane Example mrn=12345678 diagnosis=angina pectoris status=ok\n"
    "2026-03-01T10:00:02Z WARN mail to jane@example.org tls=off\n"
    '{"ssn": "123-45-6789", "password": "correct horse", "dob": "1980-02-03"}\n'
    "paid with 4111 1111 1111 1111 cvv=123\r\n"
)


def broken(outputs: Mapping[str, Any]) -> dict[str, Any]:
    return {one["rule_id"]: one for one in outputs["violations"]}


def shown(log: str, one: Mapping[str, Any]) -> list[str]:
    return [log.split("\n")[place["line"] - 1][place["start"] : place["end"]] for place in one["evidence"]]


def test_each_sign_is_found_in_its_line_under_the_rule_that_it_breaks(tmp_path):
    outputs = runs.outputs(AGENT, {"log_data": LOG, "frameworks": ["HIPAA", "GDPR", "PCI_DSS"]}, tmp_path)
    rules = broken(outputs)
    assert shown(LOG, rules["HIPAA.mrn"]) == ["12345678"]
    assert shown(LOG, rules["HIPAA.ssn"]) == ["123-45-6789"]
    assert shown(LOG, rules["HIPAA.credential"]) == ["correct horse"]
    assert shown(LOG, rules["GDPR.special"]) == ["angina pectoris"]
    assert shown(LOG, rules["GDPR.encryption_off"]) == ["off"]
    assert shown(LOG, rules["PCI_DSS.card_number"]) == ["4111 1111 1111 1111"]
    assert shown(LOG, rules["PCI_DSS.card_code"]) == ["123"]
    assert rules["GDPR.personal"]["subjects"] == {"account": 1, "email": 1, "mrn": 1, "name": 1, "ssn": 1}
    assert (outputs["lines"], outputs["verdict"], outputs["worst"]) == (5, "signs_found", "critical")


def test_the_logs_own_clock_is_no_date_of_a_person_but_a_birthday_is(tmp_path):
    outputs = runs.outputs(AGENT, {"log_data": LOG, "frameworks": ["HIPAA"]}, tmp_path)
    assert shown(LOG, broken(outputs)["HIPAA.date"]) == ["1980-02-03"]


def test_no_value_is_repeated_in_the_answer(tmp_path):
    said = json.dumps(runs.answer(AGENT, {"log_data": LOG, "frameworks": ["HIPAA", "GDPR", "PCI_DSS"]}, tmp_path))
    for value in ("Jane", "12345678", "angina", "pectoris", "jane@example.org", "123-45-6789", "correct horse", "1980", "4111"):
        assert value not in said
    assert "###-##-####" in said


def test_only_the_frameworks_that_were_asked_for_are_applied(tmp_path):
    outputs = runs.outputs(AGENT, {"log_data": LOG, "frameworks": ["PCI_DSS"]}, tmp_path)
    assert {one["framework"] for one in outputs["violations"]} == {"PCI_DSS"}
    assert outputs["rules_applied"] == 4


def test_a_quiet_log_is_not_called_compliant(tmp_path):
    answer = runs.answer(AGENT, {"log_data": ["nothing to see", "took 12 ms"]}, tmp_path)
    assert answer["outputs"]["verdict"] == "no_signs_found"
    assert (answer["outputs"]["worst"], answer["outputs"]["violations"]) == (None, [])
    assert {one["kind"] for one in answer["outputs"]["not_searched"]} == {"biometric", "photograph"}
    assert "does not mean" in answer["warnings"][0]


def test_records_are_read_field_by_field_and_a_key_that_is_an_identifier_is_masked(tmp_path):
    log = [{"event": {"mrn": "12345678", "tags": ["a", "b@example.org"]}}, {"jane@example.org": {"consent": "withdrawn"}}, "consent=false"]
    outputs = runs.outputs(AGENT, {"log_data": log, "frameworks": ["HIPAA", "GDPR"]}, tmp_path)
    rules = broken(outputs)
    assert [(one["line"], one["field"]) for one in rules["HIPAA.mrn"]["evidence"]] == [(1, "event.mrn")]
    assert [(one["line"], one["field"]) for one in rules["HIPAA.email"]["evidence"]] == [(1, "event.tags[1]")]
    assert [(one["line"], one["field"]) for one in rules["GDPR.consent"]["evidence"]] == [(2, "xxxx@xxxxxxx.xxx.consent"), (3, None)]
    assert outputs["lines"] == 3


@pytest.mark.parametrize(
    "line",
    [
        "password=[REDACTED]",
        "password: ****",
        "api_key=null",
        "diagnosis=",
        "diagnosis: unknown",
        "tls=on",
        "consent=given",
        "paid 4111 1111 1111 1112",
    ],
)
def test_what_is_masked_empty_or_in_order_is_no_sign(tmp_path, line):
    outputs = runs.outputs(AGENT, {"log_data": line, "frameworks": ["HIPAA", "GDPR", "PCI_DSS"]}, tmp_path)
    assert outputs["violations"] == []


def test_more_signs_than_are_shown_are_counted(tmp_path):
    answer = runs.answer(AGENT, {"log_data": "tls=off\n" * 120, "frameworks": ["GDPR"]}, tmp_path)
    rule = broken(answer["outputs"])["GDPR.encryption_off"]
    assert (rule["count"], len(rule["evidence"])) == (120, log_signs.SHOWN)
    assert any("GDPR.encryption_off" in warning for warning in answer["warnings"])


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "log_data: is required"),
        ({"log_dat": "x"}, "did you mean 'log_data'"),
        ({"log_data": "x", "framework": ["GDPR"]}, "did you mean 'frameworks'"),
        ({"log_data": "x", "frameworks": ["SOX"]}, "'HIPAA', 'GDPR' or 'PCI_DSS'"),
        ({"log_data": "x", "frameworks": []}, "frameworks"),
        ({"log_data": " \n"}, "log_data is empty"),
        ({"log_data": []}, "log_data is empty"),
        ({"log_data": [3]}, "log_data"),
        ({"log_data": ["x" * 900_000] * 12}, "holds more than"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_by_name(tmp_path, inputs, said):
    error = runs.refusal(AGENT, inputs, tmp_path)
    assert error["code"] == "VALIDATION_ERROR"
    assert said in error["message"]


@pytest.mark.parametrize("piece", ["GET /health took 12 ms\n", "x", "\n", "水 email "])
def test_ten_megabytes_are_looked_through_in_time(tmp_path, piece):
    log = piece * (10_000_000 // len(piece.encode()))
    runs.outputs(AGENT, {"log_data": log + "x"}, tmp_path, budgets={"timeout_ms": 15_000})


@pytest.mark.parametrize("piece", ["password=", "diagnosis=a b c d ", "a@b.co ", "1980-02-03 "])
def test_one_endless_line_full_of_signs_is_read_once(tmp_path, piece):
    runs.outputs(AGENT, {"log_data": piece * (1_000_000 // len(piece))}, tmp_path, budgets={"timeout_ms": 15_000})


def test_time_that_is_up_ends_the_scan(tmp_path):
    error = runs.refusal(AGENT, {"log_data": "a b@example.org 123-45-6789\n" * 300_000}, tmp_path, budgets={"timeout_ms": 200})
    assert error["code"] == "BUDGET_EXCEEDED"


_PIECES = st.sampled_from(
    ["jane@example.org", "123-45-6789", "mrn=12345678", "password=pw12345", "é", "水", "ok", "\n", "tls=off", "4111111111111111"]
)


@settings(max_examples=30, deadline=None)
@given(pieces=st.lists(_PIECES, min_size=1, max_size=12))
def test_every_place_has_the_shape_that_is_shown(pieces):
    log = " ".join(pieces)
    lines = log.split("\n")
    for subject in log_signs.scan(log, lambda: None).values():
        assert subject.count == len(subject.signs)
        for sign in subject.signs:
            value = lines[sign.row][sign.start : sign.end]
            shape = "".join("#" if one.isdigit() else "x" if one.isalpha() else one for one in value)
            assert sign.shape == (shape if len(shape) <= 40 else f"{shape[:40]}…")
            assert value


def test_the_probe_passes_for_real_work(tmp_path):
    probing.passes(AGENT, tmp_path)


def test_the_probe_rejects_canned_answers(tmp_path):
    probing.rejects_canned_answers(AGENT, tmp_path)


def test_the_probe_needs_every_step(tmp_path):
    probing.needs_every_step(AGENT, tmp_path)
