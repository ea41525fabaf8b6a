from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents.agent import Context
from windlass.agents.policy_rules import LineEvidence, Rule, evaluate
from windlass.agents.reference.policy_review import AGENT

from . import probing, runs

TEXT = "Participants give written consent.\nRecords are kept for 10 years.\nA breach is reported within 72 hours."
RESOURCE = {"phi_export": False, "consent_documented": True, "ethics_approval": "EC-17", "encrypted_at_rest": True, "retention_years": 10}


def review(tmp_path: Path, *rules: dict[str, Any], **inputs: Any) -> dict[str, Any]:
    inputs = {"resource_id": "r-1", **inputs} if "policy_text" not in inputs else inputs
    return runs.outputs(AGENT, {**inputs, **({"rules": list(rules)} if rules else {})}, tmp_path)


def test_the_built_in_clinical_rules_allow_a_careful_study_and_say_that_they_were_used(tmp_path):
    answer = runs.answer(AGENT, AGENT.example, tmp_path)
    assert (answer["outputs"]["allowed"], answer["outputs"]["risk_level"], answer["outputs"]["rules_source"]) == (True, "low", "built-in")
    assert "built-in example rules for 'clinical'" in answer["warnings"][0]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("Data are used without the participants' prior consent where possible.", None),
        ("Consent is waived for all.", "clinical.text.no-consent"),
        ("Recordings may be kept indefinitely.", "clinical.text.retention-endless"),
        ("Recordings must not be kept indefinitely.", None),
        ("PHI may be shared with vendors.", "clinical.text.phi-export"),
        ("PHI may not be shared with vendors.", None),
        ("Staff can e-mail the patient records.", "clinical.text.phi-export"),
    ],
)
def test_a_forbidden_line_is_denied_and_shown_and_its_opposite_is_not(tmp_path, line, rule):
    found = review(tmp_path, policy_text=f"{TEXT}\r\n{line}")
    assert found["allowed"] is (rule is None)
    if rule:
        assert found["reasons"][0]["rule_id"] == rule
        quote = found["reasons"][0]["evidence"][0]
        assert quote["line"] == 4
        assert line[quote["start"] : quote["end"]] == quote["quote"]


@pytest.mark.parametrize("attribute", sorted(RESOURCE))
def test_each_built_in_requirement_on_a_resource_counts_when_it_is_not_known(tmp_path, attribute):
    known = {name: value for name, value in RESOURCE.items() if name != attribute}
    assert review(tmp_path, resource=RESOURCE)["allowed"] is True
    found = review(tmp_path, resource=known)
    assert found["allowed"] is False
    assert attribute in found["reasons"][0]["message"]


def test_a_resource_of_which_nothing_is_known_is_not_allowed(tmp_path):
    found = review(tmp_path)
    assert (found["allowed"], found["risk_level"], found["looked_at"]) == (False, "critical", ["resource"])


def test_what_no_rule_covers_is_not_allowed(tmp_path):
    found = review(tmp_path, {"id": "a", "effect": "deny", "field": "size", "op": "gt", "value": 5}, resource={"size": 1})
    assert (found["allowed"], found["risk_level"]) == (False, "unknown")
    assert "no rule allows this" in found["reasons"][0]["message"]


def test_deny_wins_over_allow(tmp_path):
    rules = (
        {"id": "ok", "effect": "allow", "field": "owner", "op": "equals", "value": "lab"},
        {"id": "big", "effect": "deny", "field": "size", "op": "gt", "value": 5, "severity": "high"},
    )
    assert review(tmp_path, *rules, resource={"owner": "lab", "size": 1})["allowed"] is True
    found = review(tmp_path, *rules, resource={"owner": "lab", "size": 9})
    assert (found["allowed"], found["risk_level"], found["reasons"][0]["rule_id"]) == (False, "high", "big")


def test_met_requirements_do_not_replace_a_missing_permission(tmp_path):
    rules = (
        {"id": "named", "effect": "require", "field": "owner", "op": "present"},
        {"id": "ok", "effect": "allow", "field": "owner", "op": "equals", "value": "lab"},
    )
    assert review(tmp_path, *rules, resource={"owner": "else"})["allowed"] is False


@pytest.mark.parametrize("size", ["9", None, [9]])
def test_a_deny_rule_that_cannot_be_evaluated_blocks(tmp_path, size):
    rules = (
        {"id": "ok", "effect": "allow", "field": "resource_id", "op": "matches", "value": "^r-"},
        {"id": "big", "effect": "deny", "field": "size", "op": "gt", "value": 5},
    )
    found = review(tmp_path, *rules, resource={"size": size})
    assert found["allowed"] is False
    assert "can't be evaluated" in found["reasons"][0]["message"]


def test_the_text_true_does_not_clear_a_rule_on_true_and_1_is_not_true(tmp_path):
    rule = {"id": "phi", "effect": "deny", "field": "phi", "op": "equals", "value": True}
    for value in ("true", 1):
        assert review(tmp_path, rule, resource={"phi": value})["evaluations"][0]["outcome"] == "not_evaluable"


def test_terms_are_whole_words_in_any_case_and_script(tmp_path):
    rules = [{"id": term, "effect": "require", "terms": [term]} for term in ("ÉTAT", "data use", "同意", "consent")]
    found = review(tmp_path, *rules, policy_text="L'état\nData  use\n参加者の同意書\nconsenting")
    assert [one["outcome"] for one in found["evaluations"]] == ["matched", "matched", "matched", "not_matched"]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "resource_id or policy_text is required"),
        ({"resource_id": "r", "rules": []}, "rules"),
        ({"resource_id": "r", "domain": "mining"}, "rules: are required"),
        ({"resource_id": "r", "resource": {"resource_id": "s"}}, "resource.resource_id differs"),
        ({"resource_id": "r", "rules": [{"id": "a", "effect": "deny"}]}, "exactly one of field, pattern and terms"),
        ({"resource_id": "r", "rules": [{"id": "a", "effect": "deny", "field": "x"}]}, "needs an op"),
        ({"resource_id": "r", "rules": [{"id": "a", "effect": "deny", "field": "x", "op": "in", "value": 3}]}, "a list that is not empty"),
        ({"resource_id": "r", "rules": [{"id": "a", "effect": "deny", "field": "x", "op": "lt", "value": "3"}]}, "a number"),
        ({"resource_id": "r", "rules": [{"id": "a", "effect": "deny", "pattern": "(a"}]}, "not a valid RE2 expression: missing )"),
        ({"resource_id": "r", "rules": [{"id": "a", "effect": "deny", "pattern": r"(a)\1"}]}, "not a valid RE2 expression"),
        ({"resource_id": "r", "rules": [{"id": "a", "effect": "deny", "terms": ["x"]}] * 2}, "the id 'a' stands there twice"),
        ({"resource_idd": "r"}, "did you mean 'resource_id'"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_by_name(tmp_path, inputs, said):
    error = runs.refusal(AGENT, inputs, tmp_path)
    assert error["code"] == "VALIDATION_ERROR"
    assert said in error["message"]


def test_ten_megabytes_and_hostile_patterns_are_looked_through_in_time(tmp_path):
    rules = [{"id": f"p{number}", "effect": "deny", "pattern": f"(a*)*(a|aa)+{number}$"} for number in range(20)]
    assert review(tmp_path, *rules, policy_text="a" * 5_000_000 + "\n" * 5_000_000)["allowed"] is False


def test_the_probe_passes_for_real_work(tmp_path):
    probing.passes(AGENT, tmp_path)


def test_the_probe_rejects_canned_answers(tmp_path):
    probing.rejects_canned_answers(AGENT, tmp_path)


def test_the_probe_needs_every_step(tmp_path):
    probing.needs_every_step(AGENT, tmp_path)


@pytest.mark.parametrize("broken", [{"allowed": True}, {"allowed": False}, {"risk_level": "low"}, {"reasons": []}])
def test_the_probe_notices_a_decision_that_does_not_depend_on_the_rules(tmp_path, broken):
    def change(result):
        return {**result, "outputs": {**result["outputs"], **broken}}

    assert any(probing.fails(AGENT, "decide", change, seed, AGENT.probe.make(seed), tmp_path) for seed in range(8))


@settings(max_examples=30, deadline=None)
@given(text=st.text(alphabet="ab \né水", max_size=60), pattern=st.sampled_from(["a", "^b", "a b$", "é?水", "(a)|(b)", "^$", r"\s"]))
def test_evidence_stands_in_the_line_that_it_names(tmp_path_factory, text, pattern):
    clock = Context(request_id="r", mode="DEMO", risk_tier="PHI", store=tmp_path_factory.getbasetemp(), deadline=time.monotonic() + 60, timeout_ms=1)
    outcome, evidence = evaluate(Rule(id="r", effect="deny", pattern=pattern), {}, text, clock)
    places = [place for place in evidence if isinstance(place, LineEvidence)]
    lines = text.split("\n")
    assert (outcome == "matched") is bool(places)
    for place in places:
        assert lines[place.line - 1][place.start : place.end] == place.quote
    if pattern == "a":
        assert [place.line for place in places] == [number for number, line in enumerate(lines, 1) if "a" in line][:20]
