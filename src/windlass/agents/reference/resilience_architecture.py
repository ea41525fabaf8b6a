"""RESILIENCE_ARCHITECTURE: where does a graph of services break, and what would keep it whole? Lints of the description that was handed in.

Nothing is measured and nothing is known of the services but what their graph states; what is not stated is not taken for granted.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Annotated, Any, NoReturn

from pydantic import Field, ValidationError, model_validator

from windlass.agents import graph_text, resilience_rules
from windlass.agents.agent import Agent, Context, Inputs, Item, Outputs, Probe, Step, Work
from windlass.agents.resilience_rules import Check, Finding, Severity, Structure
from windlass.agents.service_graph import Node, ServiceGraph
from windlass.errors import AgentError
from windlass.model import field_errors, summary

_SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")
_MOST_LINES = 200_000
_NOT_READ = 20
"""Lines of a context that a warning names at most."""


class ResilienceArchitectureInputs(Inputs):
    """A graph, or a text that draws one: Mermaid arrows, and lines such as `search: timeout_s=5, retries=2`."""

    graph: ServiceGraph | None = None
    context: Annotated[str, Field(min_length=1, max_length=10_000_000, pattern=r"\S")] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> ResilienceArchitectureInputs:
        if (self.graph is None) == (self.context is None):
            raise ValueError("one of graph and context is required" + ("" if self.graph is None else "; both are given"))
        return self


class Tally(Item):
    """How often a rule was applied and how often it failed; each application weighs `weight`."""

    checked: int
    failed: int
    weight: int


class ResilienceArchitectureOutputs(Outputs):
    """Findings, the most severe first; `score` follows from `checks` by `score_rule`, and is null where no rule applies."""

    findings: list[Finding]
    counts: dict[str, int]
    score: float | None
    score_rule: str
    checks: dict[str, Tally]
    structure: Structure
    nodes: int
    edges: int


def read(inputs: ResilienceArchitectureInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """The graph, read from the text where it is one."""
    if inputs.graph is not None:
        return {"graph": inputs.graph.model_dump()}
    text = inputs.context or ""
    if text.count("\n") > _MOST_LINES:
        _misfit({"context": [f"has more than {_MOST_LINES} lines"]})
    found = graph_text.read(text, context.check)
    if not found.nodes:
        _misfit({"context": ["holds no graph: neither an arrow such as `a --> b` nor a node such as `a: timeout_s=5`"]})
    try:
        graph = ServiceGraph.model_validate({"nodes": [{"id": one, **stated} for one, stated in found.nodes.items()], "edges": list(found.edges)})
    except ValidationError as failure:
        errors = field_errors(failure, Node.model_fields)
        _misfit({f"context.{field}": messages for field, messages in errors.items()}, failure)
    lines = ", ".join(map(str, found.not_read[:_NOT_READ])) + (" …" if len(found.not_read) > _NOT_READ else "")
    return {"graph": graph.model_dump(), "warnings": [f"these lines of the context say nothing of a graph: {lines}"] if found.not_read else []}


def analyse(_inputs: ResilienceArchitectureInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """The graph's shape: entries, exits, cycles, and what all ways go through."""
    context.check()
    return {"structure": resilience_rules.structure(ServiceGraph.model_validate(work["graph"])).model_dump()}


def lint(_inputs: ResilienceArchitectureInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """Every check of every rule."""
    context.check()
    graph, shape = ServiceGraph.model_validate(work["graph"]), Structure.model_validate(work["structure"])
    return {"checks": [one.model_dump() for one in resilience_rules.checks(graph, shape)]}


def judge(_inputs: ResilienceArchitectureInputs, work: Work, _context: Context) -> Mapping[str, Any]:
    """The failed checks in order of severity, and the score."""
    checks = [Check.model_validate(one) for one in work["checks"]]
    findings = [one.finding for one in checks if one.finding is not None]
    findings.sort(key=lambda one: _SEVERITIES.index(one.severity))
    applied, failed = Counter(one.rule for one in checks), Counter(one.rule for one in findings)
    severities = Counter(one.severity for one in findings)
    shape = work["structure"]
    outputs = {
        "findings": [one.model_dump() for one in findings],
        "counts": {severity: severities[severity] for severity in _SEVERITIES},
        "score": resilience_rules.score(checks),
        "score_rule": "100 × weight of passed checks / weight of all checks, one decimal; each check weighs its rule's weight",
        "checks": {rule: {"checked": applied[rule], "failed": failed[rule], "weight": resilience_rules.WEIGHTS[rule]} for rule in sorted(applied)},
        "structure": shape,
        "nodes": len(work["graph"]["nodes"]),
        "edges": len(work["graph"]["edges"]),
    }
    warnings = [] if shape["entries"] else ["no node is an entry: ways and reachability were not judged; name entry_points"]
    return {"outputs": outputs, "warnings": warnings + ([] if checks else ["no rule applies to this graph: it was not judged"])}


def _misfit(errors: dict[str, list[str]], cause: Exception | None = None) -> NoReturn:
    raise AgentError("VALIDATION_ERROR", summary(errors)[:1000], {"fieldErrors": errors}) from cause


def _make(seed: int) -> dict[str, Any]:
    """A graph of layers with a detour or none, a cycle or none, and random statements on every node."""
    rng = random.Random(seed)
    tag = rng.randrange(10**6)
    layers = [[f"n{tag}-{layer}{place}" for place in range(rng.choice([1, 1, 2, 3]))] for layer in range(rng.randrange(4, 6))]
    edges = {(one, other) for upper, lower in pairwise(layers) for one in upper for other in lower}
    if rng.random() < 0.4:
        edges.add((layers[0][0], layers[2][0]))
    for _ in range(rng.randrange(3)):
        upper = rng.randrange(1, len(layers))
        edges.add((rng.choice(layers[upper]), rng.choice(layers[rng.randrange(1, upper + 1)])))
    states: dict[str, Callable[[], Any]] = {
        "timeout_s": lambda: rng.choice([1, 2, 5, 10, 30]),
        "retries": lambda: rng.choice([-1, 1, 2, 3]),
        "backoff": lambda: rng.choice(["none", "exponential", "fixed"]),
        "idempotent": lambda: rng.random() < 0.5,
        "replicas": lambda: rng.choice([1, 1, 2]),
        "external": lambda: rng.random() < 0.5,
        "circuit_breaker": lambda: rng.random() < 0.5,
    }
    nodes = [{"id": one, **{key: value() for key, value in states.items() if rng.random() < 0.7}} for layer in layers for one in layer]
    rng.shuffle(nodes)
    graph: dict[str, Any] = {"nodes": nodes, "edges": [{"source": one, "target": other} for one, other in sorted(edges)]}
    graph["entry_points"] = layers[0]
    if rng.random() < 0.2:
        graph["recursion_limit"] = 25
    return {"graph": graph}


def _led(edges: set[tuple[str, str]], starts: set[str], without: str | None = None) -> set[str]:
    """What these lead to, themselves included, when one node is taken out: by going over all edges until nothing is added."""
    found = starts - {without}
    while True:
        more = found | {other for one, other in edges if one in found and other != without}
        if more == found:
            return found
        found = more


def _wanted(graph: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Rule and nodes of every finding that the graph calls for."""
    nodes = {node["id"]: node for node in graph["nodes"]}
    edges = {(edge["source"], edge["target"]) for edge in graph["edges"]}
    entries = set(graph["entry_points"])
    exits = {one for one in nodes if not any(source == one for source, _ in edges)}
    both = edges | {(other, one) for one, other in edges}
    for name, node in nodes.items():
        called, outside, retries = any(target == name for _, target in edges), node.get("external", False), node.get("retries", 0)
        tests = {
            "missing_timeout": (called or outside) and "timeout_s" not in node,
            "unbounded_retries": retries == -1,
            "retry_without_idempotency": retries and not node.get("idempotent"),
            "retry_without_backoff": retries and node.get("backoff", "none") == "none",
            "missing_circuit_breaker": outside and not node.get("circuit_breaker"),
            "external_without_second_way": outside and not retries,
        }
        passed_by_all = not _led(edges, entries, name) & exits and bool(_led(edges, entries) & exits)
        alone = node.get("replicas", 1) == 1
        around = {other for one, other in both if one == name} - {name}
        splits = bool(around) and not around <= _led(both, {min(around)}, name)
        tests["single_point_of_failure"] = alone and passed_by_all
        tests["articulation_point"] = alone and splits and not passed_by_all
        yield from ((rule, (name,)) for rule, failed in tests.items() if failed)
    for one, other in edges:
        mine, yours = nodes[one].get("timeout_s"), nodes[other].get("timeout_s")
        if one != other and mine and yours:
            if mine < yours:
                yield "timeout_shorter_than_callee", (one, other)
            if nodes[other].get("retries", 0) > 0 and mine < yours * (1 + nodes[other]["retries"]):
                yield "retries_outlast_caller", (one, other)
    after = {name: _led(edges, {other for one, other in edges if one == name}) for name in nodes}
    if "recursion_limit" not in graph:
        for group in {
            tuple(sorted(other for other in nodes if other in after[name] and name in after[other])) for name in nodes if name in after[name]
        }:
            yield "unbounded_cycle", group


def _check(_seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    wanted = sorted(_wanted(inputs["graph"]))
    found = sorted((one["rule"], tuple(one["nodes"])) for one in outputs["findings"])
    if found != wanted:
        odd = sorted(set(found) ^ set(wanted))
        return f"the findings are not those of the graph: {odd[:1] or 'one stands there twice'}"
    order = [("critical", "high", "medium", "low").index(one["severity"]) for one in outputs["findings"]]
    if order != sorted(order) or list(outputs["counts"].values()) != [order.count(place) for place in range(4)]:
        return "the findings are not in order of severity, or not counted"
    if len(outputs["structure"]["unreachable"]) or outputs["nodes"] != len(inputs["graph"]["nodes"]):
        return "the graph's nodes are not all seen as reachable"
    tallies = outputs["checks"]
    if any(tally["failed"] != sum(rule == name for name, _ in wanted) for rule, tally in tallies.items()):
        return "the failed checks are not the findings"
    if tallies["unreachable"]["checked"] != len(inputs["graph"]["nodes"]):
        return "a check was left out"
    whole = sum(tally["checked"] * tally["weight"] for tally in tallies.values())
    lost = sum(tally["failed"] * tally["weight"] for tally in tallies.values())
    return None if abs(outputs["score"] - 100 * (1 - lost / whole)) <= 0.051 else "the score does not follow from the checks"


AGENT = Agent(
    name="agent-resilience-architecture-advisor-proxy",
    task_types=("RESILIENCE_ARCHITECTURE",),
    summary="Lints a graph of services or LangGraph nodes: timeouts, retries, single points, cycles; says what to change, and scores.",
    version="1.0.0",
    inputs=ResilienceArchitectureInputs,
    outputs=ResilienceArchitectureOutputs,
    steps=(Step(name="read", run=read), Step(name="analyse", run=analyse), Step(name="lint", run=lint), Step(name="judge", run=judge)),
    example={
        "graph": {
            "nodes": [
                {"id": "gateway", "type": "service", "timeout_s": 10, "replicas": 2},
                {"id": "search", "type": "api", "timeout_s": 30, "retries": 3, "backoff": "none"},
                {"id": "writer", "type": "llm", "fallback": "template", "circuit_breaker": True, "timeout_s": 8},
                {"id": "template", "type": "service", "timeout_s": 1, "replicas": 2},
                {"id": "store", "type": "database", "replicas": 1, "timeout_s": 2, "retries": 2, "backoff": "exponential", "idempotent": True},
            ],
            "edges": [
                {"source": "gateway", "target": "search"},
                {"source": "search", "target": "writer"},
                {"source": "writer", "target": "store"},
                {"source": "writer", "target": "search", "conditional": True},
            ],
        }
    },
    probe=Probe(make=_make, check=_check),
)
