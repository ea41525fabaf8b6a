"""PERFORMANCE_OPTIMIZATION: where the time, the errors and the money of the measured operations go.

Percentiles interpolate linearly between the two nearest measurements (NumPy's default, Hyndman and Fan's type 7). Shares are of the sum of
all durations, so a span that lies within another one counts in both. A recommendation is a rule that found numbers, and names them.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field, JsonValue, model_validator

from windlass.agents.agent import Agent, Context, Inputs, Item, Outputs, Probe, Step, Work
from windlass.infra import instants

Metric = Literal["count", "mean_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "max_ms", "total_ms", "error_rate", "cost"]
Text = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"\S")]
Amount = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
_PERCENTILES = (50, 90, 95, 99)
_CHECK_EVERY = 10_000

DOMINANT_SHARE = 0.5
"""Share of all time (or cost) from which one operation of several is where to look first."""
TAIL_RATIO = 5.0
TAIL_COUNT = 20
"""p99 over p50 from which the tail is long, and the measurements it takes to say so."""
ERROR_RATE = 0.05
WASTED_SHARE = 0.1
"""Share of an operation's calls that fail, and of all time spent in failed calls, from which failures are worth a look."""


def _instant(text: str) -> str:
    instants.parse(text)
    return text


class Span(Item):
    """One measured call; `error` is true or a message where it failed. Keys of the caller's own go into `attributes`."""

    operation: Text
    duration_ms: Amount
    timestamp: Annotated[str, Field(max_length=64), AfterValidator(_instant)] | None = None
    error: bool | str | None = None
    cost: Amount | None = None
    attributes: dict[str, JsonValue] = Field(default_factory=dict)


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


class Measured(Item):
    """The figures of some calls: milliseconds, shares and rates from 0 to 1; `cost` is null where no call states one."""

    count: int
    errors: int
    error_rate: float
    total_ms: float
    failed_ms: float
    mean_ms: float
    min_ms: float
    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    cost: float | None
    calls_with_cost: int


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


class Recommendation(Item):
    """A rule that found something: the sentence, the numbers it rests on, and what usually helps."""

    rule: Literal["dominant_time", "dominant_cost", "long_tail", "failing", "wasted_time"]
    operation: str | None
    finding: str
    numbers: dict[str, float]
    suggestion: str


class Window(Item):
    """From the first to the last timestamp; `per_second` is calls with a timestamp over that time, null when it is 0."""

    first: str
    last: str
    seconds: float
    per_second: float | None


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
        measured[operation] = _figures(group)
    return {"operations": measured, "overall": _figures(spans), "window": _window(spans)}


def rank(_inputs: PerformanceOptimizationInputs, work: Work, _context: Context) -> Mapping[str, Any]:
    """The operations by total time, the greatest first; ties by name."""
    time, cost = work["overall"]["total_ms"], work["overall"]["cost"]
    ordered = sorted(work["operations"].items(), key=lambda entry: (-entry[1]["total_ms"], entry[0]))
    return {
        "bottlenecks": [
            {
                "rank": number,
                "operation": operation,
                "time_share": _share(figures["total_ms"], time) or 0.0,
                "cost_share": None if figures["cost"] is None else _share(figures["cost"], cost),
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
                    "ratio": None if value is None else _share(value, threshold.max),
                }
            )
    return {"alerts": alerts}


def recommend(inputs: PerformanceOptimizationInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """What the rules find in the figures, beside the figures."""
    found: list[dict[str, Any]] = []
    for entry in work["bottlenecks"]:
        context.check()
        found += _found(entry, several=len(work["bottlenecks"]) > 1)
    overall = work["overall"]
    wasted = _share(overall["failed_ms"], overall["total_ms"]) or 0.0
    if wasted >= WASTED_SHARE:
        numbers = {"failed_share": wasted, "failed_ms": overall["failed_ms"], "total_ms": overall["total_ms"]}
        finding = f"{wasted:.1%} of all time ({overall['failed_ms']:g} of {overall['total_ms']:g} ms) goes into calls that fail"
        found.append(_advice("wasted_time", None, finding, numbers, "fail earlier: shorter timeouts, a circuit breaker, checks before the call"))
    thresholds = inputs.metrics_data.thresholds
    outputs = {
        "overall": overall,
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


def _figures(spans: Sequence[Span]) -> dict[str, Any]:
    durations = sorted(span.duration_ms for span in spans)
    failed = [span.duration_ms for span in spans if span.error]
    costs = [span.cost for span in spans if span.cost is not None]
    total = math.fsum(durations)
    return {
        "count": len(durations),
        "errors": len(failed),
        "error_rate": _round(len(failed) / len(durations)),
        "total_ms": _round(total),
        "failed_ms": _round(math.fsum(failed)),
        "mean_ms": _round(total / len(durations)),
        "min_ms": _round(durations[0]),
        **{f"p{percent}_ms": _round(_percentile(durations, percent)) for percent in _PERCENTILES},
        "max_ms": _round(durations[-1]),
        "cost": _round(math.fsum(costs)) if costs else None,
        "calls_with_cost": len(costs),
    }


def _percentile(ordered: Sequence[float], percent: int) -> float:
    whole, rest = divmod((len(ordered) - 1) * percent, 100)
    below, above = ordered[whole], ordered[min(whole + 1, len(ordered) - 1)]
    return below + (above - below) * rest / 100


def _window(spans: Iterable[Span]) -> dict[str, Any] | None:
    stamps = sorted(instants.parse(span.timestamp) for span in spans if span.timestamp is not None)
    if not stamps:
        return None
    seconds = (stamps[-1] - stamps[0]).total_seconds()
    per_second = _round(len(stamps) / seconds) if seconds else None
    return {"first": instants.stamp(stamps[0]), "last": instants.stamp(stamps[-1]), "seconds": seconds, "per_second": per_second}


def _found(entry: Mapping[str, Any], *, several: bool) -> list[dict[str, Any]]:
    operation, figures = entry["operation"], entry["figures"]
    found: list[dict[str, Any]] = []
    if several and entry["time_share"] >= DOMINANT_SHARE:
        numbers = {"time_share": entry["time_share"], "total_ms": figures["total_ms"], "count": figures["count"], "mean_ms": figures["mean_ms"]}
        finding = f"{operation} takes {entry['time_share']:.1%} of all time ({figures['count']} calls, {figures['mean_ms']:g} ms on average)"
        found.append(_advice("dominant_time", operation, finding, numbers, "look here first: fewer calls (cache, batch) or a faster one"))
    if several and (entry["cost_share"] or 0.0) >= DOMINANT_SHARE:
        numbers = {"cost_share": entry["cost_share"], "cost": figures["cost"]}
        finding = f"{operation} makes {entry['cost_share']:.1%} of all cost ({figures['cost']:g})"
        found.append(_advice("dominant_cost", operation, finding, numbers, "look here first: cache, a cheaper tier, fewer calls"))
    if figures["count"] >= TAIL_COUNT and figures["p50_ms"] > 0 and figures["p99_ms"] / figures["p50_ms"] >= TAIL_RATIO:
        numbers = {"p50_ms": figures["p50_ms"], "p99_ms": figures["p99_ms"], "count": figures["count"]}
        finding = f"the slowest hundredth of {operation} takes {figures['p99_ms']:g} ms and more, half of it at most {figures['p50_ms']:g} ms"
        found.append(_advice("long_tail", operation, finding, numbers, "look for waits rather than work: locks, retries, cold starts, queues"))
    if figures["error_rate"] >= ERROR_RATE:
        numbers = {"error_rate": figures["error_rate"], "errors": figures["errors"], "count": figures["count"]}
        finding = f"{figures['errors']} of {figures['count']} calls of {operation} fail ({figures['error_rate']:.1%})"
        found.append(_advice("failing", operation, finding, numbers, "read the errors before tuning: a failing call's time says little"))
    return found


def _advice(rule: str, operation: str | None, finding: str, numbers: Mapping[str, float], suggestion: str) -> dict[str, Any]:
    return {"rule": rule, "operation": operation, "finding": finding, "numbers": dict(numbers), "suggestion": suggestion}


def _share(part: float, whole: float) -> float | None:
    return _round(part / whole) if whole else None


def _round(number: float) -> float:
    return round(number, 9)


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
