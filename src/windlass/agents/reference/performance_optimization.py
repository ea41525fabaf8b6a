"""PERFORMANCE_OPTIMIZATION: where the time, the errors and the money of the measured operations go.

Percentiles interpolate linearly between the two nearest measurements (NumPy's default, Hyndman and Fan's type 7). Shares are of the sum of
all durations, so a span that lies within another one counts in both. A recommendation is a rule that found numbers, and names them.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from windlass.agents import measurements, tuning_rules
from windlass.agents.agent import Agent, Context, Inputs, Item, Outputs, Probe, Step, Work
from windlass.agents.measurements import Amount, Measured, Span, Text, Window
from windlass.agents.tuning_rules import Recommendation

Metric = Literal["count", "mean_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "max_ms", "total_ms", "error_rate", "cost"]
_CHECK_EVERY = 10_000


class Threshold(Item):
    """The most that a metric may be, of one operation or (without one) of all calls together."""

    metric: Metric
    max: Amount
    operation: Text | None = None


class MetricsData(Item):
    """The measurements, as `spans` or as `requests`, and what they are held against."""

    spans: Annotated[list[Span], Field(max_length=200_000)] = Field(default_factory=list)
    requests: Annotated[list[Span], Field(max_length=200_000)] = Field(default_factory=list)
    thresholds: Annotated[list[Threshold], Field(max_length=10_000)] = Field(default_factory=list)
    currency: Annotated[str, Field(max_length=16)] | None = None

    @model_validator(mode="after")
    def _measured(self) -> MetricsData:
        if bool(self.spans) == bool(self.requests):
            raise ValueError("one of spans and requests holds the measurements; " + ("both are given" if self.spans else "both are empty"))
        return self


class PerformanceOptimizationInputs(Inputs):
    """Measured calls and thresholds."""

    metrics_data: MetricsData


class Bottleneck(Item):
    """An operation with its place by total time, its share of all time, and its figures."""

    rank: int
    operation: str
    time_share: float
    cost_share: float | None
    figures: Measured


class Alert(Item):
    """A threshold that was exceeded (`ratio` = value / max, null for a max of 0), or that nothing was measured for."""

    metric: Metric
    operation: str | None
    max: float
    status: Literal["exceeded", "not_measured"]
    value: float | None
    ratio: float | None


class PerformanceOptimizationOutputs(Outputs):
    """Figures of all calls, operations by total time, alerts and recommendations.

    `within_thresholds` is null when no threshold was given, and false when one could not be measured.
    """

    overall: Measured
    bottlenecks: list[Bottleneck]
    alerts: list[Alert]
    within_thresholds: bool | None
    thresholds_checked: int
    recommendations: list[Recommendation]
    window: Window | None
    currency: str | None
    percentile_rule: str


def measure(inputs: PerformanceOptimizationInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """The figures of each operation and of all calls."""
    spans = inputs.metrics_data.spans or inputs.metrics_data.requests
    groups: dict[str, list[Span]] = {}
    for place, span in enumerate(spans):
        if place % _CHECK_EVERY == 0:
            context.check()
        groups.setdefault(span.operation, []).append(span)
    measured = {}
    for operation, group in groups.items():
        context.check()
        measured[operation] = measurements.figures(group).model_dump()
    window = measurements.window(spans)
    return {"operations": measured, "overall": measurements.figures(spans).model_dump(), "window": window.model_dump() if window else None}


def rank(_inputs: PerformanceOptimizationInputs, work: Work, _context: Context) -> Mapping[str, Any]:
    """The operations by total time, the greatest first; ties by name."""
    time, cost = work["overall"]["total_ms"], work["overall"]["cost"]
    ordered = sorted(work["operations"].items(), key=lambda entry: (-entry[1]["total_ms"], entry[0]))
    return {
        "bottlenecks": [
            {
                "rank": number,
                "operation": operation,
                "time_share": measurements.share(figures["total_ms"], time) or 0.0,
                "cost_share": None if figures["cost"] is None else measurements.share(figures["cost"], cost),
                "figures": figures,
            }
            for number, (operation, figures) in enumerate(ordered, 1)
        ]
    }


def alert(inputs: PerformanceOptimizationInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """The thresholds that were exceeded or that nothing was measured for, in the order of the thresholds."""
    alerts: list[dict[str, Any]] = []
    for threshold in inputs.metrics_data.thresholds:
        context.check()
        figures = work["overall"] if threshold.operation is None else work["operations"].get(threshold.operation, {})
        value = figures.get(threshold.metric)
        if value is None or value > threshold.max:
            alerts.append(
                {
                    **threshold.model_dump(),
                    "status": "not_measured" if value is None else "exceeded",
                    "value": value,
                    "ratio": None if value is None else measurements.share(value, threshold.max),
                }
            )
    return {"alerts": alerts}


def recommend(inputs: PerformanceOptimizationInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """What the rules find in the figures, beside the figures."""
    overall = Measured.model_validate(work["overall"])
    found: list[dict[str, Any]] = []
    for entry in work["bottlenecks"]:
        context.check()
        figures = Measured.model_validate(entry["figures"])
        several = len(work["bottlenecks"]) > 1
        found += [
            one.model_dump()
            for one in tuning_rules.of_operation(entry["operation"], figures, entry["time_share"], entry["cost_share"], several=several)
        ]
    found += [one.model_dump() for one in tuning_rules.of_all(overall)]
    thresholds = inputs.metrics_data.thresholds
    outputs = {
        "overall": work["overall"],
        "bottlenecks": work["bottlenecks"],
        "alerts": work["alerts"],
        "within_thresholds": not work["alerts"] if thresholds else None,
        "thresholds_checked": len(thresholds),
        "recommendations": found,
        "window": work["window"],
        "currency": inputs.metrics_data.currency,
        "percentile_rule": "linear interpolation (type 7)",
    }
    return {"outputs": outputs, "warnings": [] if thresholds else ["no thresholds were given: nothing was judged, only measured"]}


def _make(seed: int) -> dict[str, Any]:
    """Random calls of a few operations, one of which takes most of the time, with thresholds on both sides of what is measured."""
    rng = random.Random(seed)
    operations = [f"op-{number}" for number in rng.sample(range(10**6), rng.randrange(3, 6))]
    spans: list[dict[str, Any]] = []
    for place, operation in enumerate(operations):
        for _ in range(rng.randrange(5, 12)):
            span: dict[str, Any] = {"operation": operation, "duration_ms": round(rng.uniform(1, 50) * (60 if place == 0 else 1), 3)}
            if rng.random() < 0.8:
                span["cost"] = round(rng.random(), 4)
            if rng.random() < 0.3:
                span["error"] = rng.choice([True, "timed out"])
            spans.append(span)
    rng.shuffle(spans)
    metrics = [metric for metric in get_args(Metric) if metric != "cost"]
    thresholds: list[dict[str, Any]] = [
        {
            "metric": rng.choice(metrics),
            "max": round(rng.choice([0.2, 5, 30, 300, 1000]) * rng.random(), 3),
            "operation": rng.choice([*operations, None]),
        }
        for _ in range(8)
    ]
    thresholds += [{"metric": "count", "max": 0, "operation": f"op-none-{rng.randrange(10**6)}"}, {"metric": "p95_ms", "max": 10**7}]
    rng.shuffle(thresholds)
    return {"metrics_data": {rng.choice(["spans", "requests"]): spans, "thresholds": thresholds}}


def _expected(spans: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The figures by the standard library's statistics, whose inclusive quantiles are type 7."""
    times = [span["duration_ms"] for span in spans]
    hundredths = statistics.quantiles(times, n=100, method="inclusive")
    errors = sum("error" in span for span in spans)
    return {
        "count": len(times),
        "errors": errors,
        "error_rate": errors / len(times),
        "total_ms": sum(times),
        "mean_ms": statistics.fmean(times),
        "min_ms": min(times),
        "max_ms": max(times),
        "cost": sum(span.get("cost", 0.0) for span in spans),
        **{f"p{percent}_ms": hundredths[percent - 1] for percent in (50, 90, 95, 99)},
    }


def _check(_seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    given = inputs["metrics_data"]
    spans = given.get("spans") or given["requests"]
    names = {span["operation"] for span in spans}
    truth = {name: _expected([span for span in spans if span["operation"] == name]) for name in names}
    everything = _expected(spans)
    order = sorted(names, key=lambda name: -truth[name]["total_ms"])
    if [entry["operation"] for entry in outputs["bottlenecks"]] != order or [entry["rank"] for entry in outputs["bottlenecks"]] != [
        *range(1, len(order) + 1)
    ]:
        return "the operations are not ranked by their total time"
    for wanted, figures in [(everything, outputs["overall"]), *((truth[entry["operation"]], entry["figures"]) for entry in outputs["bottlenecks"])]:
        wrong = [name for name, value in wanted.items() if abs((figures[name] or 0.0) - value) > 1e-5]
        if wrong:
            return f"{wrong[0]} is {figures[wrong[0]]}, the measurements make it {wanted[wrong[0]]}"
    for entry in outputs["bottlenecks"]:
        if abs(entry["time_share"] - truth[entry["operation"]]["total_ms"] / everything["total_ms"]) > 1e-5:
            return f"the time share of {entry['operation']} is not its part of all time"
    raised = []
    for threshold in given["thresholds"]:
        figures = everything if threshold.get("operation") is None else truth.get(threshold["operation"], {})
        value = figures.get(threshold["metric"])
        if value is None or value > threshold["max"]:
            raised.append((threshold["metric"], threshold.get("operation"), threshold["max"], "exceeded" if value is not None else "not_measured"))
    if [(one["metric"], one["operation"], one["max"], one["status"]) for one in outputs["alerts"]] != raised or outputs[
        "within_thresholds"
    ] is not False:
        return "the alerts are not those of the thresholds that were exceeded or not measured"
    dominant = [one["operation"] for one in outputs["recommendations"] if one["rule"] == "dominant_time"]
    if dominant != [name for name in order if truth[name]["total_ms"] >= everything["total_ms"] / 2]:
        return "the operation that takes most of the time is not pointed at"
    failing = {one["operation"]: one["numbers"]["errors"] for one in outputs["recommendations"] if one["rule"] == "failing"}
    return (
        None
        if failing == {name: truth[name]["errors"] for name in names if truth[name]["error_rate"] >= 0.05}
        else "not the failing operations are pointed at"
    )


AGENT = Agent(
    name="agent-performance-optimizer-proxy",
    task_types=("PERFORMANCE_OPTIMIZATION",),
    summary="Measures calls: percentiles, error rates, cost and bottlenecks by total time, with alerts against your thresholds.",
    version="1.0.0",
    inputs=PerformanceOptimizationInputs,
    outputs=PerformanceOptimizationOutputs,
    steps=(Step(name="measure", run=measure), Step(name="rank", run=rank), Step(name="alert", run=alert), Step(name="recommend", run=recommend)),
    example={
        "metrics_data": {
            "requests": [
                {"operation": "retrieve", "duration_ms": 41.5, "cost": 0.001, "timestamp": "2026-03-02T09:00:00Z"},
                {"operation": "retrieve", "duration_ms": 44.0, "cost": 0.001, "timestamp": "2026-03-02T09:00:02Z"},
                {"operation": "draft", "duration_ms": 1830.0, "cost": 0.02, "timestamp": "2026-03-02T09:00:03Z"},
                {"operation": "draft", "duration_ms": 2410.0, "cost": 0.03, "timestamp": "2026-03-02T09:00:06Z", "error": "timed out"},
            ],
            "thresholds": [{"metric": "p95_ms", "operation": "draft", "max": 2000}, {"metric": "error_rate", "max": 0.5}],
        }
    },
    probe=Probe(make=_make, check=_check),
)
