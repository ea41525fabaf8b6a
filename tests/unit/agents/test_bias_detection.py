from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents.reference.bias_detection import AGENT

from . import probing, runs


def rows(group: str, selected: int, rejected: int, **more: Any) -> list[dict[str, Any]]:
    return [{"sex": group, "offered": 1, **more}] * selected + [{"sex": group, "offered": 0, **more}] * rejected


def audited(store, table: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return runs.outputs(AGENT, {"table": table, "sensitive_attributes": ["sex"], "outcome": "offered", **more}, store)


def test_the_textbook_example_of_the_four_fifths_rule(tmp_path):
    """29 CFR 1607, question 12 of the 1979 clarification: 48 of 80 white and 12 of 40 black applicants; 30 % is half of 60 %."""
    found = audited(tmp_path, [*rows("white", 48, 32), *rows("black", 12, 28)])
    (one,) = found["audits"][0]["comparisons"]
    assert (one["group"], one["reference"], one["impact_ratio"], one["four_fifths"]) == ("black", "white", 0.5, "not met")
    assert found["four_fifths"] == "not met"
    assert {finding["rule"] for finding in found["findings"]} == {"four_fifths", "parity_interval"}


def test_groups_at_four_fifths_exactly_are_alike(tmp_path):
    found = audited(tmp_path, [*rows("a", 30, 70), *rows("b", 24, 76)])
    assert (found["four_fifths"], found["findings"]) == ("met", [])


def test_a_small_group_is_shown_and_not_judged(tmp_path):
    answer = runs.answer(AGENT, {"table": [*rows("a", 40, 10), *rows("b", 0, 5)], "sensitive_attributes": ["sex"], "outcome": "offered"}, tmp_path)
    assert answer["outputs"]["four_fifths"] == "not judged"
    assert answer["outputs"]["findings"] == []
    assert "'b' has 5: too few for a verdict" in answer["warnings"][0]


def test_one_group_is_no_comparison_and_no_pass(tmp_path):
    found = audited(tmp_path, rows("a", 40, 10))
    assert (found["four_fifths"], found["audits"][0]["notes"]) == ("not judged", ["there are no two groups to compare"])


def test_nobody_selected_is_no_pass(tmp_path):
    assert audited(tmp_path, [*rows("a", 0, 50), *rows("b", 0, 50)])["four_fifths"] == "not judged"


def test_a_named_reference_can_be_the_one_that_is_treated_worse(tmp_path):
    found = audited(tmp_path, [*rows("a", 20, 80), *rows("b", 60, 40)], reference_groups={"sex": "a"})
    assert (found["audits"][0]["reference"], found["four_fifths"]) == ("a", "not met")


def test_with_predictions_the_odds_are_compared(tmp_path):
    table = [
        *rows("a", 40, 10, truth=True),
        *rows("a", 10, 40, truth=False),
        *rows("b", 20, 30, truth=True),
        *rows("b", 30, 20, truth=False),
    ]
    found = runs.outputs(AGENT, {"table": table, "sensitive_attributes": ["sex"], "outcome": "truth", "prediction": "offered"}, tmp_path)
    (audit,) = found["audits"]
    assert audit["equal_opportunity_gap"] == pytest.approx(0.4)
    assert audit["equalised_odds_gap"] == pytest.approx(0.4)
    assert audit["parity_gap"] == 0
    assert found["four_fifths"] == "met"
    assert {finding["rule"] for finding in found["findings"]} == {"equal_opportunity", "equalised_odds"}


def test_counts_and_rows_give_the_same(tmp_path):
    table = [*rows("a", 40, 20), *rows("b", 30, 35)]
    summary = [{"attribute": "sex", "group": "a", "n": 60, "selected": 40}, {"attribute": "sex", "group": "b", "n": 65, "selected": 30}]
    by_rows = audited(tmp_path, table)
    by_counts = runs.outputs(AGENT, {"dataset_summary": summary, "sensitive_attributes": ["sex"]}, tmp_path)
    assert by_rows["audits"] == by_counts["audits"]


def test_rows_that_lack_a_value_are_left_out_and_counted(tmp_path):
    table = [*rows("a", 40, 20), *rows("b", 30, 35), {"sex": None, "offered": 1}, {"offered": 1}, {"sex": "a"}]
    assert audited(tmp_path, table)["skipped"] == {"sex": 3}


def test_words_are_decisions_once_the_positive_one_is_named(tmp_path):
    table = [{"sex": "a", "offered": "yes"}, {"sex": "b", "offered": "no"}]
    error = runs.refusal(AGENT, {"table": table, "sensitive_attributes": ["sex"], "outcome": "offered"}, tmp_path)
    assert "positive_value: is required" in error["message"]
    found = audited(tmp_path, table, positive_value="yes")
    assert [group["selected"] for group in found["audits"][0]["groups"]] == [1, 0]


TABLE = [{"sex": "a", "offered": 1}, {"sex": "b", "offered": 0}]
COUNTS = {"attribute": "sex", "group": "a", "n": 5, "selected": 3}


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"table": TABLE, "outcome": "offered"}, "sensitive_attributes: is required"),
        ({"sensitive_attributes": ["sex"], "outcome": "offered"}, "one of table and dataset_summary is required"),
        ({"table": TABLE, "sensitive_attributes": ["sex"]}, "outcome is required"),
        ({"table": [], "sensitive_attributes": ["sex"], "outcome": "offered"}, "table"),
        ({"table": TABLE, "sensitive_attributes": ["age"], "outcome": "offered"}, "no row has the column 'age'"),
        ({"table": TABLE, "sensitive_attributes": ["sex"], "outcome": "hired"}, "no row has the column 'hired'"),
        ({"table": TABLE, "sensitive_attributes": ["sex"], "outcome": "offered", "reference_groups": {"sex": "c"}}, "'c' is no group of 'sex'"),
        ({"table": TABLE, "sensitive_attributes": ["sex"], "outcome": "offered", "reference_groups": {"age": "c"}}, "'age' is none of"),
        ({"dataset_summary": [{**COUNTS, "selected": 9}], "sensitive_attributes": ["sex"]}, "9 selected of 5"),
        ({"dataset_summary": [{**COUNTS, "true_positives": 2}], "sensitive_attributes": ["sex"]}, "come together"),
        ({"dataset_summary": [COUNTS, COUNTS], "sensitive_attributes": ["sex"]}, "stands there twice"),
        ({"dataset_summary": [COUNTS], "sensitive_attributes": ["age"]}, "no group of the attribute 'age'"),
        ({"tabel": TABLE, "sensitive_attributes": ["sex"], "outcome": "offered"}, "did you mean 'table'"),
        ({"table": [{"sex": ["a"]}], "sensitive_attributes": ["sex"], "outcome": "offered"}, "table.0.sex"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_by_name(tmp_path, inputs, said):
    error = runs.refusal(AGENT, inputs, tmp_path)
    assert error["code"] == "VALIDATION_ERROR"
    assert said in error["message"]


def test_an_identifier_is_no_sensitive_attribute(tmp_path):
    table = [{"sex": str(number), "offered": 1} for number in range(500)]
    assert "put them into bins" in runs.refusal(AGENT, {"table": table, "sensitive_attributes": ["sex"], "outcome": "offered"}, tmp_path)["message"]


def test_a_hundred_thousand_rows_are_audited_in_time(tmp_path):
    table = [{"sex": "äöü"[number % 3], "offered": number % 2} for number in range(100_000)]
    assert audited(tmp_path, table)["four_fifths"] == "met"


def test_the_probe_passes_for_real_work(tmp_path):
    probing.passes(AGENT, tmp_path)


def test_the_probe_rejects_canned_answers(tmp_path):
    probing.rejects_canned_answers(AGENT, tmp_path)


def test_the_probe_needs_every_step(tmp_path):
    probing.needs_every_step(AGENT, tmp_path)


@pytest.mark.parametrize(
    ("step", "change"),
    [
        (
            "compare",
            lambda result: {
                "audits": [{**one, "comparisons": [{**two, "impact_ratio": 1.0} for two in one["comparisons"]]} for one in result["audits"]]
            },
        ),
        ("compare", lambda result: {"audits": [{**one, "comparisons": []} for one in result["audits"]]}),
        ("compare", lambda result: {"audits": [{**one, "equal_opportunity_gap": 0.0} for one in result["audits"]]}),
        ("judge", lambda result: {"outputs": {**result["outputs"], "four_fifths": "unknown"}}),
    ],
)
def test_the_probe_notices_work_that_is_skipped(tmp_path, step, change):
    assert all(probing.fails(AGENT, step, change, seed, AGENT.probe.make(seed), tmp_path) for seed in range(4))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), min_size=1, max_size=120))
def test_groups_add_up_and_every_finding_names_numbers_of_the_audit(tmp_path_factory, decisions):
    table = [{"sex": group, "offered": offered} for group, offered in decisions]
    found = audited(tmp_path_factory.getbasetemp(), table, min_group_size=5)
    (audit,) = found["audits"]
    assert sum(group["n"] for group in audit["groups"]) == len(table)
    figures = {value for one in audit["comparisons"] for value in one.values()} | {found["threshold"]}
    for finding in found["findings"]:
        assert set(finding["numbers"].values()) <= figures
