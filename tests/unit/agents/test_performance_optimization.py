from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents import measurements
from windlass.agents.measurements import Span
from windlass.agents.reference.performance_optimization import AGENT

from . import probing, runs


def calls(operation: str, *durations: float, **more: Any) -> list[dict[str, Any]]:
    return [{"operation": operation, "duration_ms": duration, **more} for duration in durations]


def measured(store: Path, spans: list[dict[str, Any]], *thresholds: dict[str, Any]) -> dict[str, Any]:
    return runs.outputs(AGENT, {"metrics_data": {"spans": spans, "thresholds": list(thresholds)}}, store)


def test_percentiles_interpolate_linearly(tmp_path):
    figures = measured(tmp_path, calls("a", *range(1, 11)))["overall"]
    assert [figures[name] for name in ("p50_ms", "p90_ms", "p95_ms", "p99_ms", "min_ms", "max_ms", "mean_ms")] == [5.5, 9.1, 9.55, 9.91, 1, 10, 5.5]


def test_operations_are_ranked_by_their_share_of_all_time(tmp_path):
    found = measured(tmp_path, [*calls("often", *[10] * 30), *calls("rare", 600), *calls("tie-b", 50), *calls("tie-a", 50)])
    assert [(one["rank"], one["operation"], one["time_share"]) for one in found["bottlenecks"]] == [
        (1, "rare", 0.6),
        (2, "often", 0.3),
        (3, "tie-a", 0.05),
        (4, "tie-b", 0.05),
    ]
    (advice,) = found["recommendations"]
    assert (advice["rule"], advice["operation"]) == ("dominant_time", "rare")
    assert "60.0% of all time" in advice["finding"]


def test_errors_and_cost_are_counted_where_they_are_stated(tmp_path):
    found = measured(tmp_path, [*calls("a", 10, 10, cost=0.25), *calls("a", 30, error="timed out"), *calls("a", 50, error=False), *calls("b", 101)])
    figures = found["bottlenecks"][1]["figures"]
    assert (figures["errors"], figures["error_rate"], figures["cost"], figures["calls_with_cost"]) == (1, 0.25, 0.5, 2)
    assert (found["overall"]["failed_ms"], found["bottlenecks"][0]["cost_share"]) == (30, None)
    assert [one["rule"] for one in found["recommendations"]] == ["dominant_time", "dominant_cost", "failing", "wasted_time"]


def test_a_long_tail_is_pointed_at_with_its_numbers(tmp_path):
    (advice,) = measured(tmp_path, calls("a", *[10] * 30, 900))["recommendations"]
    assert (advice["rule"], advice["numbers"]) == ("long_tail", {"p50_ms": 10, "p99_ms": 633, "count": 31})


def test_even_calls_of_one_operation_call_for_nothing(tmp_path):
    assert measured(tmp_path, calls("a", 10, 11, 12))["recommendations"] == []


def test_thresholds_alert_when_exceeded_and_when_nothing_was_measured(tmp_path):
    found = measured(
        tmp_path,
        calls("a", 10, 20),
        {"metric": "max_ms", "max": 20},
        {"metric": "max_ms", "max": 16, "operation": "a"},
        {"metric": "p95_ms", "max": 1000, "operation": "b"},
        {"metric": "cost", "max": 1},
    )
    assert [(one["metric"], one["status"], one["value"], one["ratio"]) for one in found["alerts"]] == [
        ("max_ms", "exceeded", 20, 1.25),
        ("p95_ms", "not_measured", None, None),
        ("cost", "not_measured", None, None),
    ]
    assert found["within_thresholds"] is False


def test_without_thresholds_there_is_no_verdict(tmp_path):
    assert measured(tmp_path, calls("a", 1))["within_thresholds"] is None
    assert measured(tmp_path, calls("a", 1), {"metric": "p50_ms", "max": 1})["within_thresholds"] is True


def test_timestamps_give_the_window_and_the_rate(tmp_path):
    spans = [*calls("a", 1, timestamp="2026-03-02T10:00:04+01:00"), *calls("a", 1, timestamp="2026-03-02T09:00:00Z"), *calls("a", 1)]
    window = {"first": "2026-03-02T09:00:00.000Z", "last": "2026-03-02T09:00:04.000Z", "seconds": 4.0, "per_second": 0.5}
    assert measured(tmp_path, spans)["window"] == window


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({}, "both are empty"),
        ({"spans": calls("a", 1), "requests": calls("a", 1)}, "both are given"),
        ({"spans": [{"operation": "a", "duration": 3}]}, "metrics_data.spans.0.duration_ms: is required"),
        ({"spans": calls("a", -1)}, "metrics_data.spans.0.duration_ms"),
        ({"spans": calls("a", 1, eror=True)}, "metrics_data.spans.0.eror"),
        ({"spans": calls("a", 1, timestamp="2026-03-02T09:00:00")}, "has no offset"),
        ({"spans": calls("a", 1, timestamp="0001-01-01T00:00:00+05:00")}, "is outside the calendar"),
        ({"spans": calls("a", 1), "thresholds": [{"metric": "p42_ms", "max": 1}]}, "metrics_data.thresholds.0.metric"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_by_name(tmp_path, metrics, said):
    error = runs.refusal(AGENT, {"metrics_data": metrics}, tmp_path)
    assert error["code"] == "VALIDATION_ERROR"
    assert said in error["message"]


def test_a_misspelt_key_is_answered_with_the_right_one(tmp_path):
    assert "did you mean 'metrics_data'" in runs.refusal(AGENT, {"metric_data": {}}, tmp_path)["message"]


def test_a_hundred_thousand_calls_of_as_many_operations_are_measured(tmp_path):
    spans = [{"operation": f"op {number}", "duration_ms": number} for number in range(100_000)]
    assert measured(tmp_path, spans)["bottlenecks"][0]["operation"] == "op 99999"


def test_the_probe_passes_for_real_work(tmp_path):
    probing.passes(AGENT, tmp_path)


def test_the_probe_rejects_canned_answers(tmp_path):
    probing.rejects_canned_answers(AGENT, tmp_path)


def test_the_probe_needs_every_step(tmp_path):
    probing.needs_every_step(AGENT, tmp_path)


@pytest.mark.parametrize(
    ("step", "change"),
    [
        ("rank", lambda result: {"bottlenecks": result["bottlenecks"][::-1]}),
        ("rank", lambda result: {"bottlenecks": [{**one, "time_share": 0.5} for one in result["bottlenecks"]]}),
        ("measure", lambda result: {**result, "overall": {**result["overall"], "p95_ms": result["overall"]["p90_ms"]}}),
        ("alert", lambda _result: {"alerts": []}),
        ("recommend", lambda result: {"outputs": {**result["outputs"], "recommendations": []}}),
    ],
)
def test_the_probe_notices_work_that_is_skipped(tmp_path, step, change):
    assert all(probing.fails(AGENT, step, change, seed, AGENT.probe.make(seed), tmp_path) for seed in range(4))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=50))
def test_percentiles_never_fall_and_stay_between_the_extremes(durations):
    figures = measurements.figures([Span(operation="a", duration_ms=duration) for duration in durations])
    ordered = [figures.min_ms, figures.p50_ms, figures.p90_ms, figures.p95_ms, figures.p99_ms, figures.max_ms]
    assert all(before <= after or math.isclose(before, after) for before, after in pairwise(ordered))
