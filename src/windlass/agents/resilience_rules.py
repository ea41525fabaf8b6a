"""Rules that look for what makes a graph of services fragile. A rule applied to a node, an edge or a cycle is one check, passed or failed.

The score is the weight of the checks that passed in that of all, in hundredths; a rule weighs what its worst finding weighs. What a description
leaves out fails a check that it could have passed: nobody can rely on a timeout that is not stated. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from windlass.agents import graph_structure
from windlass.agents.agent import Item
from windlass.agents.service_graph import UNBOUNDED, Edge, Node, ServiceGraph

Severity = Literal["low", "medium", "high", "critical"]
RuleId = Literal[
    "missing_timeout",
    "unbounded_retries",
    "retry_without_idempotency",
    "retry_without_backoff",
    "missing_circuit_breaker",
    "external_without_second_way",
    "timeout_shorter_than_callee",
    "retries_outlast_caller",
    "single_point_of_failure",
    "articulation_point",
    "unbounded_cycle",
    "unreachable",
]
WEIGHTS: Mapping[RuleId, int] = {
    "missing_timeout": 5,
    "unbounded_retries": 5,
    "retry_without_idempotency": 5,
    "retry_without_backoff": 2,
    "missing_circuit_breaker": 3,
    "external_without_second_way": 2,
    "timeout_shorter_than_callee": 5,
    "retries_outlast_caller": 3,
    "single_point_of_failure": 8,
    "articulation_point": 3,
    "unbounded_cycle": 8,
    "unreachable": 1,
}


class Finding(Item):
    """A failed check: where, why, what to change, and the numbers that it rests on. `nodes` holds one node, both ends of an edge, or a cycle."""

    rule: RuleId
    severity: Severity
    subject: Literal["node", "edge", "cycle"]
    nodes: list[str]
    why: str
    change: str
    numbers: dict[str, float]


class Check(Item):
    """One application of a rule; no finding means that it passed."""

    rule: RuleId
    finding: Finding | None


class Structure(Item):
    """The shape that the rules read; `every_path` are the nodes that all ways from an entry to an exit go through."""

    entries: list[str]
    exits: list[str]
    cycles: list[list[str]]
    every_path: list[str]
    articulation_points: list[str]
    unreachable: list[str]


def structure(graph: ServiceGraph) -> Structure:
    """The graph's shape; a fallback is a second way to whatever its node is called for."""
    arrows = graph_structure.arrows((node.id for node in graph.nodes), ((edge.source, edge.target) for edge in graph.edges))
    led_to = {target for targets in arrows.values() for target in targets}
    fallback = {node.id: node.fallback for node in graph.nodes if node.fallback is not None}
    entries = graph.entry_points or [node.id for node in graph.nodes if node.id not in led_to | set(fallback.values())]
    detours = [(source, fallback[target]) for source, targets in arrows.items() for target in targets if target in fallback]
    rejoined = [(stand_in, target) for node, stand_in in fallback.items() for target in arrows[node]]
    ways = graph_structure.arrows(arrows, [*((one, other) for one, targets in arrows.items() for other in targets), *detours, *rejoined])
    exits = [node for node, targets in ways.items() if not targets]
    starts = [*entries, *(fallback[entry] for entry in entries if entry in fallback)]
    return Structure(
        entries=entries,
        exits=exits,
        cycles=graph_structure.cycles(arrows),
        every_path=graph_structure.on_every_path(ways, starts, exits),
        articulation_points=graph_structure.articulation_points(ways),
        unreachable=sorted(set(arrows) - graph_structure.reachable(ways, starts)) if entries else [],
    )


def checks(graph: ServiceGraph, shape: Structure) -> Iterator[Check]:
    """Every check of the graph, rule by rule within a node, then edges, then cycles."""
    called: dict[str, list[Edge]] = {node.id: [] for node in graph.nodes}
    for edge in graph.edges:
        called[edge.target].append(edge)
    passed, joints, lost = set(shape.every_path), set(shape.articulation_points), set(shape.unreachable)
    for node in graph.nodes:
        if not node.passive:
            yield from _of_node(node, called[node.id])
            yield from _of_place(node, passed_by_all=node.id in passed, joint=node.id in joints)
            if shape.entries:
                failed = node.id in lost
                yield _node("unreachable", node, "low", "no entry leads to it", "remove it, or name its entry point", failed=failed)
    nodes = {node.id: node for node in graph.nodes}
    for edge in graph.edges:
        if not (edge.asynchronous or edge.conditional):
            yield from _of_edge(edge, nodes[edge.source], nodes[edge.target])
    yield from _of_cycles(shape.cycles, graph)


def score(found: Sequence[Check]) -> float | None:
    """The weight of what passed in that of all, from 0 to 100 with one decimal; null where no rule applies."""
    total = sum(WEIGHTS[one.rule] for one in found)
    passed = sum(WEIGHTS[one.rule] for one in found if one.finding is None)
    return round(100 * passed / total, 1) if total else None


def _of_node(node: Node, calls: Sequence[Edge]) -> Iterator[Check]:
    if calls or node.outside:
        untimed = node.timeout_s is None and not (calls and all(edge.timeout_s is not None for edge in calls))
        severity: Severity = "high" if node.outside else "medium"
        yield _node("missing_timeout", node, severity, "calls to it may wait for ever", "state a timeout_s for the node or each call", failed=untimed)
    retries = max([node.retries or 0, *(edge.retries or 0 for edge in calls)])
    endless = UNBOUNDED in (node.retries, *(edge.retries for edge in calls))
    if endless or retries:
        yield _node("unbounded_retries", node, "high", "calls to it are retried without end", "bound the retries", failed=endless)
        why = (
            "calls to it are retried, and it is not idempotent"
            if node.idempotent is False
            else "calls to it are retried, and nothing says it is idempotent"
        )
        severity = "high" if node.idempotent is False else "medium"
        change = "make it idempotent (a key per request), or do not retry"
        yield _node("retry_without_idempotency", node, severity, why, change, failed=node.idempotent is not True, retries=retries)
        plain = node.backoff in {None, "none"}
        why = "retries follow at once" if node.backoff == "none" else "nothing says how long a retry waits"
        yield _node("retry_without_backoff", node, "medium", why, "back off exponentially, with jitter", failed=plain, retries=retries)
    if node.outside:
        open_ended = node.circuit_breaker is not True
        change = "put a circuit breaker before it"
        yield _node("missing_circuit_breaker", node, "medium", "when it is down, every call still waits for it", change, failed=open_ended)
        alone = node.fallback is None and not retries and not endless
        change = "retry a bounded number of times, or name a fallback"
        yield _node("external_without_second_way", node, "low", "one failed call is a failed step", change, failed=alone)


def _of_place(node: Node, *, passed_by_all: bool, joint: bool) -> Iterator[Check]:
    single = node.replicas is None or node.replicas == 1
    numbers = {} if node.replicas is None else {"replicas": node.replicas}
    stated = "has one replica" if node.replicas == 1 else "does not say how many replicas it has"
    severity: Severity
    if passed_by_all:
        severity = "high" if node.replicas == 1 else "medium"
        why = f"every way from an entry to an exit goes through it, and it {stated}"
        change = "run two replicas or more, or name a fallback"
        yield _node("single_point_of_failure", node, severity, why, change, failed=single and node.fallback is None, **numbers)
    elif joint:
        severity = "medium" if node.replicas == 1 else "low"
        why = f"without it the graph falls apart, and it {stated}"
        change = "run two replicas or more, or name a fallback"
        yield _node("articulation_point", node, severity, why, change, failed=single and node.fallback is None, **numbers)


def _of_edge(edge: Edge, caller: Node, callee: Node) -> Iterator[Check]:
    waits = edge.timeout_s if edge.timeout_s is not None else callee.timeout_s
    if caller.timeout_s is None or waits is None or caller.id == callee.id:
        return
    numbers = {"caller_timeout_s": caller.timeout_s, "callee_timeout_s": waits}
    shorter = caller.timeout_s < waits
    why = f"the caller gives up after {caller.timeout_s:g} s, the callee works for up to {waits:g} s"
    yield _edge("timeout_shorter_than_callee", edge, "high", why, "give the callee less time than its caller has", failed=shorter, **numbers)
    retries = edge.retries if edge.retries is not None else callee.retries
    if retries is not None and retries > 0:
        longest = waits * (1 + retries)
        why = f"{1 + retries} attempts of {waits:g} s take up to {longest:g} s, the caller has {caller.timeout_s:g} s"
        outlast = caller.timeout_s < longest
        change = "fewer attempts, shorter ones, or more time for the caller"
        yield _edge("retries_outlast_caller", edge, "medium", why, change, failed=outlast, **numbers, attempts=1 + retries, longest_s=longest)


def _of_cycles(cycles: Sequence[Sequence[str]], graph: ServiceGraph) -> Iterator[Check]:
    place = {node: number for number, cycle in enumerate(cycles) for node in cycle}
    bounded = {place.get(node.id) for node in graph.nodes if node.max_iterations is not None}
    left: set[int | None] = set()
    for edge in graph.edges:
        if place.get(edge.source) != place.get(edge.target):
            left.add(place.get(edge.source))
        elif edge.max_iterations is not None:
            bounded.add(place.get(edge.source))
    for number, cycle in enumerate(cycles):
        failed = graph.recursion_limit is None and number not in bounded
        finding = Finding(
            rule="unbounded_cycle",
            severity="high" if number in left else "critical",
            subject="cycle",
            nodes=list(cycle),
            why="nothing bounds how often this goes round" + ("" if number in left else ", and no edge leaves it"),
            change="state a max_iterations for a node or an edge of it, or a recursion_limit for the graph",
            numbers={"nodes": len(cycle)},
        )
        yield Check(rule="unbounded_cycle", finding=finding if failed else None)


def _node(rule: RuleId, node: Node, severity: Severity, why: str, change: str, *, failed: bool, **numbers: float) -> Check:
    finding = Finding(rule=rule, severity=severity, subject="node", nodes=[node.id], why=why, change=change, numbers=numbers)
    return Check(rule=rule, finding=finding if failed else None)


def _edge(rule: RuleId, edge: Edge, severity: Severity, why: str, change: str, *, failed: bool, **numbers: float) -> Check:
    finding = Finding(rule=rule, severity=severity, subject="edge", nodes=[edge.source, edge.target], why=why, change=change, numbers=numbers)
    return Check(rule=rule, finding=finding if failed else None)
