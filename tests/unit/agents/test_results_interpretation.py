from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents import interpretation
from windlass.agents.reference.results_interpretation import AGENT

from . import probing, runs

TABLE = {"kind": "two_by_two", "table": [[9, 33], [18, 22]]}


def interpreted(store, *results: dict[str, Any], **more: Any) -> dict[str, Any]:
    return runs.outputs(AGENT, {"results_data": list(results), **more}, store)


def test_the_example_shows_a_report_that_fits_and_one_that_changes_the_decision(tmp_path):
    answer = runs.answer(AGENT, AGENT.example, tmp_path)
    outputs = answer["outputs"]
    assert [one["consistent"] for one in outputs["results"]] == [True, None, False]
    (misfit,) = outputs["inconsistencies"]
    assert misfit["check"]["quote"] == "F(2, 45) = 1.10, p = .02"
    assert misfit["check"]["decision_error"] is True
    assert "the decision at alpha changes" in answer["warnings"][0]


def test_both_task_types_are_one_agent():
    assert AGENT.task_types == ("RESULTS_INTERPRETATION", "STATISTICAL_ANALYSIS")


def test_values_and_their_summary_give_the_same(tmp_path):
    values = [[4.1, 5.2, 6.0, 5.5], [5.0, 7.1, 6.6]]
    summaries = [{"n": 4, "mean": 5.2, "sd": 0.8041558721209878}, {"n": 3, "mean": 6.233333333333333, "sd": 1.0969655114602888}]
    raw, summed = interpreted(tmp_path, {"kind": "means", "groups": [{"values": one} for one in values]}, {"kind": "means", "groups": summaries})[
        "results"
    ]
    for one, other in zip(raw["tests"], summed["tests"], strict=True):
        assert one["p"] == pytest.approx(other["p"], abs=1e-12)


def test_a_report_of_students_t_is_not_blamed_for_not_being_welchs(tmp_path):
    groups = [{"n": 10, "mean": "5.00", "sd": "1.00"}, {"n": 40, "mean": "6.00", "sd": "3.00"}]
    (result,) = interpreted(tmp_path, {"kind": "means", "groups": groups, "reported": {"p": ".31", "statistic": "1.03"}})["results"]
    assert [(one["subject"], one["by"], one["consistent"]) for one in result["checks"]] == [("p", "pooled t", True), ("statistic", "pooled t", True)]
    assert "factor of 2" in result["notes"][0]


def test_the_rounding_of_the_stated_means_is_allowed_for(tmp_path):
    def consistent(mean: str, p: str) -> bool:
        groups = [{"n": 30, "mean": mean, "sd": "2.0"}, {"n": 30, "mean": "6.0", "sd": "2.0"}]
        (result,) = interpreted(tmp_path, {"kind": "means", "groups": groups, "reported": {"p": p}})["results"]
        return bool(result["consistent"])

    assert consistent("5.0", ".036")
    assert not consistent("5.000", ".036")
    assert not consistent("5.0", ".2")


def test_means_that_look_equal_may_differ_by_what_rounding_hides(tmp_path):
    groups = [{"n": 900, "mean": "5.0", "sd": "0.5"}, {"n": 900, "mean": "5.0", "sd": "0.5"}]
    results = [{"kind": "means", "groups": groups, "reported": {"p": p}} for p in (".99", ".02", ".0000001")]
    assert [one["consistent"] for one in interpreted(tmp_path, *results)["results"]] == [True, True, False]


def test_an_interval_that_does_not_fit_is_flagged(tmp_path):
    results = [{**TABLE, "reported": {"ci": ci}} for ci in (["0.13", "0.87"], ["0.13", "1.20"])]
    fits, wrong = interpreted(tmp_path, *results)["results"]
    assert (fits["consistent"], wrong["consistent"]) == (True, False)
    assert [one["subject"] for one in wrong["checks"] if not one["consistent"]] == ["interval high"]


def test_what_cannot_be_computed_is_said_and_does_not_stop_the_rest(tmp_path):
    outputs = interpreted(
        tmp_path,
        {"kind": "means", "groups": [{"n": 5, "mean": 1, "sd": 0}, {"n": 5, "mean": 2, "sd": 0}]},
        {"kind": "two_by_two", "table": [[0, 0], [1, 2]]},
        {"kind": "two_by_two", "table": [[0, 9], [0, 4]]},
        {"kind": "correlation", "x": [1, 1, 1], "y": [1, 2, 3]},
        {"kind": "correlation", "r": 1, "n": 9},
        {"kind": "reported", "text": "no statistic here"},
        TABLE,
    )
    assert [bool(one["tests"]) for one in outputs["results"]] == [False] * 6 + [True]
    assert all(one["notes"] for one in outputs["results"][:6])
    assert outputs["counts"]["tests"] == 1


def test_no_effect_found_is_not_called_the_absence_of_one(tmp_path):
    (result,) = interpreted(tmp_path, {"kind": "two_by_two", "table": [[10, 30], [12, 28]]})["results"]
    assert [one["rule"] for one in result["interpretation"]] == ["decision", "interval", "absence of evidence"]


def test_several_statistics_of_one_text_are_a_family_of_their_own(tmp_path):
    text = "We saw t(28) = 2.20, p = .036, χ2(1, N = 90) = 3.84, p = .05; r(48) = .30, p < .05 and z = 0.51, ns."
    outputs = interpreted(tmp_path, {"kind": "reported", "id": "a", "text": text})
    assert [one["id"] for one in outputs["multiple_comparisons"]["tests"]] == ["a.1", "a.2", "a.3", "a.4"]
    assert outputs["results"][0]["consistent"] is True
    assert all(text[one["start"] : one["end"]] == one["quote"] for one in outputs["results"][0]["checks"])


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"kind": "anova"}, "results_data.0"),
        ({"kind": "means", "groups": [{"n": 5, "mean": 1}, {"values": [1, 2]}]}, "either values, or n, mean and sd"),
        ({"kind": "means", "groups": [{"n": 5, "mean": 1, "sd": "-1"}, {"values": [1, 2]}]}, "sd is not negative"),
        ({"kind": "means", "groups": [{"n": 5, "mean": "five", "sd": 1}, {"values": [1, 2]}]}, "results_data.0.means.groups.0.mean"),
        ({"kind": "proportion", "events": 5, "n": 4}, "5 events of 4"),
        ({"kind": "paired", "before": [1, 2]}, "either as before and after"),
        ({"kind": "paired", "before": [1, 2], "after": [1, 2, 3]}, "before has 2 values and after 3"),
        ({"kind": "correlation", "r": "1.2", "n": 9}, "r lies from -1 to 1"),
        ({"kind": "reported", "statistic": "F", "value": "2.1", "df": [3], "p": ".1"}, "F takes 2 degrees of freedom, 1 are given"),
        ({"kind": "reported", "statistic": "z", "value": "2.1"}, "either a text, or statistic, value and p"),
        ({**TABLE, "tabel": 1}, "results_data.0.two_by_two.tabel"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_by_name(tmp_path, result, said):
    error = runs.refusal(AGENT, {"results_data": [result]}, tmp_path)
    assert error["code"] == "VALIDATION_ERROR"
    assert said in error["message"]


def test_an_empty_list_and_an_id_given_twice_are_refused(tmp_path):
    assert "results_data" in runs.refusal(AGENT, {"results_data": []}, tmp_path)["message"]
    assert "stands there twice" in runs.refusal(AGENT, {"results_data": [{**TABLE, "id": "a"}, {**TABLE, "id": "a"}]}, tmp_path)["message"]


def test_a_misspelt_key_is_answered_with_the_right_one(tmp_path):
    assert "did you mean 'results_data'" in runs.refusal(AGENT, {"result_data": [TABLE]}, tmp_path)["message"]


def test_ten_megabytes_of_text_are_read_in_time(tmp_path):
    assert interpreted(tmp_path, {"kind": "reported", "text": "t(28 = p < " * 900_000})["counts"]["checks"] == 0


def test_thousands_of_results_and_large_counts_are_answered(tmp_path):
    large = {"kind": "two_by_two", "table": [[9_000_000, 9_100_000], [9_050_000, 9_000_000]]}
    assert interpreted(tmp_path, large, *[TABLE] * 3000)["counts"]["tests"] == 3001


def test_the_probe_passes_for_real_work(tmp_path):
    probing.passes(AGENT, tmp_path)


def test_the_probe_rejects_canned_answers(tmp_path):
    probing.rejects_canned_answers(AGENT, tmp_path)


def test_the_probe_needs_every_step(tmp_path):
    probing.needs_every_step(AGENT, tmp_path)


def _nudged(result: Any, key: str, by: dict[str, Any]) -> dict[str, Any]:
    return {**result, "measures": [{**one, key: [{**entry, **by} for entry in one[key]]} for one in result["measures"]]}


@pytest.mark.parametrize(
    ("step", "change"),
    [
        ("measure", lambda result: _nudged(result, "tests", {"p": 0.04})),
        ("measure", lambda result: _nudged(result, "estimates", {"low": -1.0, "high": 99.0})),
        ("measure", lambda result: _nudged(result, "estimates", {"value": 0.5})),
        ("check", lambda result: {"checks": [[{**one, "consistent": True} for one in checks] for checks in result["checks"]]}),
        ("correct", lambda result: {"family": [{**one, "adjusted_p": one["p"]} for one in result["family"]]}),
    ],
)
def test_the_probe_notices_work_that_is_skipped(tmp_path, step, change):
    assert all(probing.fails(AGENT, step, change, seed, AGENT.probe.make(seed), tmp_path) for seed in range(4))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.floats(-1e12, 1e12), min_size=2, max_size=4), min_size=2, max_size=3), st.floats(0, 1e12))
def test_no_values_however_large_or_small_break_the_computation(tmp_path_factory, samples, sd):
    groups = [{"values": values} for values in samples]
    results: list[dict[str, Any]] = [
        {"kind": "means", "groups": groups, "reported": {"p": 0.04, "ci": [1, 2]}},
        {"kind": "one_sample", "group": groups[0]},
        {"kind": "means", "groups": [{"n": 3, "mean": samples[0][0], "sd": sd}, {"n": 9, "mean": 0, "sd": sd}], "reported": {"p": 0.04}},
    ]
    assert interpreted(tmp_path_factory.getbasetemp(), *results)["counts"]["results"] == 3


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=4, max_size=4), st.integers(0, 40), st.floats(-0.99, 0.99), st.floats(0.01, 0.5))
def test_a_sentence_names_no_number_but_its_own(tmp_path_factory, cells, events, r, alpha):
    outputs = interpreted(
        tmp_path_factory.getbasetemp(),
        {"kind": "two_by_two", "table": [cells[:2], cells[2:]]},
        {"kind": "proportion", "events": events, "n": 40, "expected": 0.3},
        {"kind": "correlation", "r": r, "n": 20},
        {"kind": "means", "groups": [{"n": 9, "mean": r, "sd": 1}, {"n": 12, "mean": 0, "sd": 2}]},
        alpha=alpha,
    )
    sentences = [one for result in outputs["results"] for one in result["interpretation"]]
    assert sentences
    for one in sentences:
        assert interpretation.unsupported(one["sentence"], one["numbers"].values()) == []
        assert interpretation.unsupported(one["sentence"] + " Also 123.456.", one["numbers"].values()) == ["123.456"]
