from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents import numerals
from windlass.agents.reference.clinical_manuscript import AGENT

from . import probing, runs

ARMS = [{"name": "valoxin", "assigned": 100}, {"name": "placebo", "assigned": 98}]
STUDY: dict[str, Any] = {
    "title": "Valoxin for fatigue: a randomised trial",
    "design": "Parallel-group trial.",
    "allocation_ratio": "1:1",
    "participants": {"randomised": 198},
    "interventions": ARMS,
    "outcomes": [
        {
            "name": "recovery",
            "kind": "primary",
            "groups": [{"arm": "valoxin", "n": 100, "events": 33}, {"arm": "placebo", "n": 96, "events": 17}],
            "effects": [{"measure": "risk ratio", "value": 1.86, "ci_low": 1.11, "ci_high": 3.13, "ci_level": 95, "p_value": 0.00001}],
        }
    ],
}


def written(study: dict[str, Any], store: Any) -> dict[str, Any]:
    return runs.outputs(AGENT, {"study_data": study}, store)


def found(outputs: dict[str, Any]) -> set[str]:
    return {item["id"] for item in outputs["checklist"] if item["status"] == "found"}


def test_the_manuscript_says_the_data_and_computes_percentages_with_their_formula(tmp_path):
    outputs = written(STUDY, tmp_path)
    results = next(section for section in outputs["sections"] if section["heading"] == "Results")["statements"]
    assert results[-2]["text"] == "recovery: 33 of 100 (33.0%) in valoxin; 17 of 96 (17.7%) in placebo."
    assert results[-2]["derived"][1] == {"value": "17.7%", "formula": "100 * 17 / 96"}
    assert results[-1]["text"] == "recovery: risk ratio 1.86 (95% confidence interval 1.11 to 3.13), p = 0.00001."
    assert "outcomes.0.effects.0.p_value" in results[-1]["fields"]
    assert outputs["empty_sections"] == ["Abstract", "Introduction", "Discussion", "Other information"]


def test_what_is_not_given_is_missing_and_never_filled(tmp_path):
    outputs = written(STUDY, tmp_path)
    assert found(outputs) == {"1a", "3a", "17a"}
    assert outputs["checklist_counts"] == {"found": 3, "missing": 34, "total": 37}
    assert "concealment" not in outputs["text"]


def test_an_item_is_reported_only_in_full(tmp_path):
    assert "13a" not in found(written({**STUDY, "interventions": [{**ARMS[0], "received": 99, "analysed": 98}, ARMS[1]]}, tmp_path))
    assert "13a" in found(written({**STUDY, "interventions": [{**arm, "received": 90, "analysed": 90} for arm in ARMS]}, tmp_path))
    effects = [*STUDY["outcomes"][0]["effects"], {"measure": "risk difference", "value": 0.15, "ci_low": 0.03, "ci_high": 0.27}]
    assert "17b" in found(written({**STUDY, "outcomes": [{**STUDY["outcomes"][0], "effects": effects}]}, tmp_path))
    assert "13b" not in found(written({**STUDY, "interventions": [{**arm, "lost": 2} for arm in ARMS]}, tmp_path))
    assert "13b" in found(written({**STUDY, "interventions": [{**arm, "lost": 0} for arm in ARMS]}, tmp_path))


def test_words_report_an_item_with_the_field_that_they_stand_in(tmp_path):
    blinding = "Nobody knew. The list lay in sealed envelopes."
    item = next(item for item in written({**STUDY, "blinding": blinding}, tmp_path)["checklist"] if item["id"] == "9")
    assert (item["status"], item["fields"], item["shown"]["source"], item["shown"]["quote"]) == (
        "found",
        [],
        "blinding",
        "The list lay in sealed envelopes.",
    )
    assert blinding[item["shown"]["start"] : item["shown"]["end"]] == item["shown"]["quote"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"participants": {"randomised": 200}}, "add up to 198, participants.randomised is 200"),
        ({"participants": {"randomised": 198, "screened": 150}}, "fewer than the 198 randomised"),
        ({"interventions": [{**ARMS[0], "analysed": 101}, ARMS[1]]}, "analysed 101 of 100 assigned"),
        ({"outcomes": [{"name": "o", "groups": [{"arm": "placebo", "n": 90, "events": 91}]}]}, "91 events of n 90"),
        ({"outcomes": [{"name": "o", "groups": [{"arm": "placebo", "n": 99, "events": 1}]}]}, "n 99 in 'placebo', where 98 were assigned"),
        ({"outcomes": [{"name": "o", "effects": [{"measure": "RR", "value": 2, "ci_high": 1.5}]}]}, "outside its interval"),
    ],
)
def test_numbers_that_do_not_agree_are_named_and_left(tmp_path, change, said):
    answered = runs.answer(AGENT, {"study_data": {**STUDY, **change}}, tmp_path)
    assert [said in problem for problem in answered["outputs"]["inconsistencies"]] == [True]
    assert said in answered["warnings"][0]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "study_data: is required"),
        ({"study-data": {}}, "did you mean 'study_data'"),
        ({"study_data": {}}, "study_data.title: is required"),
        ({"study_data": {"titel": "x"}}, "did you mean 'title'"),
        ({"study_data": {"title": "x", "participants": {"randomized": 3}}}, "did you mean 'randomised'"),
        ({"study_data": {"title": "x", "outcomes": [{"name": "o", "groups": [{"arm": "a", "event": 3}]}]}}, "did you mean 'events'"),
        ({"study_data": {"title": "x", "participants": {"randomised": "3"}}}, "study_data.participants.randomised"),
        ({"study_data": {**STUDY, "outcomes": [{"name": "o", "groups": [{"arm": "valoxine"}]}]}}, "'valoxine' is not an arm"),
        ({"study_data": {**STUDY, "interventions": [ARMS[0], ARMS[0]]}}, "two arms have the same name"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_by_name(tmp_path, inputs, said):
    error = runs.refusal(AGENT, inputs, tmp_path)
    assert error["code"] == "VALIDATION_ERROR"
    assert said in error["message"]


def test_live_mode_writes_nothing_of_a_title_alone(tmp_path):
    assert runs.refusal(AGENT, {"study_data": {"title": "x"}}, tmp_path, mode="LIVE")["code"] == "EVIDENCE_REQUIRED"
    assert runs.outputs(AGENT, {"study_data": {"title": "x"}}, tmp_path)["word_count"] == 0


def test_a_thousand_outcomes_are_written_in_time(tmp_path):
    outcomes = [{**STUDY["outcomes"][0], "name": f"outcome {number}", "definition": "d" * 10_000} for number in range(1000)]
    assert written({**STUDY, "outcomes": outcomes}, tmp_path)["sections"][3]["statements"][-1]["text"].startswith("outcome 999:")


def test_it_is_proved(tmp_path):
    probing.passes(AGENT, tmp_path)
    probing.rejects_canned_answers(AGENT, tmp_path)
    probing.needs_every_step(AGENT, tmp_path)


@pytest.mark.parametrize(
    ("step", "change"),
    [
        ("audit", lambda result: {"checklist": [{**item, "status": "found"} for item in result["checklist"]]}),
        ("audit", lambda result: {"checklist": result["checklist"][:-1]}),
        ("assemble", lambda result: {"sections": result["sections"][:-2]}),
        ("examine", lambda result: {"inconsistencies": [*result["inconsistencies"], "another"]}),
    ],
)
def test_the_probe_notices_work_that_is_skipped(tmp_path, step, change):
    assert all(probing.fails(AGENT, step, change, seed, AGENT.probe.make(seed), tmp_path) for seed in range(4))


_NAMES = st.text(alphabet="ab 12%.,-()twohundre", min_size=1, max_size=12).filter(lambda name: name.strip() != "")
_VALUES = st.integers(-4000, 4000).map(lambda quarters: quarters / 4)


@settings(max_examples=30, deadline=None)
@given(_NAMES, _NAMES, st.integers(1, 10**6), st.integers(0, 10**6), _VALUES, _VALUES)
def test_every_number_of_the_manuscript_is_given_or_computed(tmp_path_factory, name, arm, n, events, value, low):
    effect = {"measure": name, "value": value, "ci_low": low}
    outcome = {"name": name, "groups": [{"arm": arm, "n": n, "events": events}], "effects": [effect]}
    baseline = [{"name": name, "values": {arm: name}}]
    study = {"title": name, "outcomes": [outcome], "participants": {"baseline": baseline}, "sample_size": name}
    outputs = written(study, tmp_path_factory.getbasetemp())
    sources = frozenset().union(*(numerals.figures(f"{source}") for source in (name, " ".join(name.split()), arm, n, events, value, low)))
    for statement in (one for section in outputs["sections"] for one in section["statements"]):
        unexplained = numerals.figures(statement["text"]) - sources
        assert unexplained <= {figure for one in statement["derived"] for figure in numerals.figures(one["value"])}
        for one in statement["derived"]:
            assert abs(float(one["value"].rstrip("%")) - 100 * events / n) <= 0.05 + 1e-9
