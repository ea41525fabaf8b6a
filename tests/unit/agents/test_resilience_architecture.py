from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents.reference.resilience_architecture import AGENT

from . import probing, runs

SOUND = {"timeout_s": 1, "replicas": 2}


def linted(store, nodes: list[dict[str, Any]], *edges: tuple[str, str], **more: Any) -> dict[str, Any]:
    graph = {"nodes": nodes, "edges": [{"source": one, "target": other} for one, other in edges], **more}
    return runs.outputs(AGENT, {"graph": graph}, store)


def rules(outputs: dict[str, Any]) -> set[tuple[str, str]]:
    return {(one["rule"], "→".join(one["nodes"])) for one in outputs["findings"]}


def test_a_sound_graph_has_no_findings_and_the_whole_score(tmp_path):
    found = linted(tmp_path, [{"id": "a", **SOUND, "timeout_s": 9}, {"id": "b", **SOUND}], ("a", "b"))
    assert (found["findings"], found["score"]) == ([], 100.0)
    assert found["checks"]["missing_timeout"] == {"checked": 1, "failed": 0, "weight": 5}


@pytest.mark.parametrize(
    ("callee", "rule", "severity"),
    [
        ({"timeout_s": None}, "missing_timeout", "medium"),
        ({"timeout_s": None, "type": "LLM", "circuit_breaker": True, "fallback": "c"}, "missing_timeout", "high"),
        ({"retries": -1, "backoff": "exponential", "idempotent": True}, "unbounded_retries", "high"),
        ({"retries": 2, "backoff": "exponential", "idempotent": False}, "retry_without_idempotency", "high"),
        ({"retries": 2, "backoff": "exponential"}, "retry_without_idempotency", "medium"),
        ({"retries": 2, "idempotent": True}, "retry_without_backoff", "medium"),
        ({"external": True, "fallback": "c"}, "missing_circuit_breaker", "medium"),
        ({"external": True, "circuit_breaker": True}, "external_without_second_way", "low"),
        ({"timeout_s": 10}, "timeout_shorter_than_callee", "high"),
        ({"timeout_s": 4, "retries": 2, "backoff": "exponential", "idempotent": True}, "retries_outlast_caller", "medium"),
        ({"replicas": 1}, "single_point_of_failure", "high"),
        ({"replicas": None}, "single_point_of_failure", "medium"),
    ],
)
def test_each_weakness_is_found_where_it_is(tmp_path, callee, rule, severity):
    nodes = [{"id": "a", **SOUND, "timeout_s": 9}, {"id": "b", **SOUND, **callee}, {"id": "c", **SOUND}]
    found = linted(tmp_path, nodes, ("a", "b"), ("b", "c"))
    (finding,) = found["findings"]
    assert (finding["rule"], finding["severity"], finding["nodes"][-1]) == (rule, severity, "b")
    assert finding["why"]
    assert finding["change"]
    assert found["score"] < 100


def test_a_second_way_or_a_fallback_makes_a_point_less_single(tmp_path):
    nodes = [{"id": one, "timeout_s": 1, "replicas": 2 if one in "ad" else 1} for one in "abcd"]
    assert "single_point_of_failure" not in str(linted(tmp_path, nodes, ("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"))["findings"])
    nodes[1]["fallback"] = "c"
    found = linted(tmp_path, nodes, ("a", "b"), ("b", "d"))
    assert found["structure"]["every_path"] == ["a", "d"]
    assert found["structure"]["unreachable"] == []


def test_a_side_branch_that_hangs_on_one_node_is_an_articulation_point(tmp_path):
    nodes = [{"id": one, "timeout_s": 1, "replicas": 1 if one == "b" else 2} for one in "abcd"]
    assert rules(linted(tmp_path, nodes, ("a", "b"), ("b", "c"), ("a", "d"))) == {("articulation_point", "b")}


def test_a_cycle_wants_a_bound_and_one_without_a_way_out_is_critical(tmp_path):
    nodes = [{"id": one, **SOUND} for one in "abc"]
    edges = [("a", "b"), ("b", "c"), ("c", "b")]
    (finding,) = linted(tmp_path, nodes, *edges)["findings"]
    assert (finding["rule"], finding["severity"], finding["nodes"]) == ("unbounded_cycle", "critical", ["b", "c"])
    assert linted(tmp_path, nodes, *edges, recursion_limit=25)["findings"] == []
    nodes[2]["max_iterations"] = 3
    assert linted(tmp_path, nodes, *edges)["findings"] == []


def test_calls_that_nobody_waits_for_have_time_of_their_own(tmp_path):
    graph = {
        "nodes": [{"id": "a", **SOUND}, {"id": "b", **SOUND, "timeout_s": 60}],
        "edges": [{"source": "a", "target": "b", "asynchronous": True}],
    }
    assert runs.outputs(AGENT, {"graph": graph}, tmp_path)["findings"] == []


def test_what_no_entry_leads_to_is_named(tmp_path):
    found = linted(tmp_path, [{"id": one, **SOUND} for one in "abc"], ("a", "b"), entry_points=["a"])
    assert rules(found) == {("unreachable", "c")}


def test_a_ring_has_no_entry_and_says_so(tmp_path):
    graph = {"nodes": [{"id": "a", **SOUND}, {"id": "b", **SOUND}], "edges": [{"source": "a", "target": "b"}, {"source": "b", "target": "a"}]}
    answer = runs.answer(AGENT, {"graph": graph}, tmp_path)
    assert "no node is an entry" in answer["warnings"][0]
    assert answer["outputs"]["counts"]["critical"] == 1


def test_where_no_rule_applies_there_is_no_score(tmp_path):
    answer = runs.answer(AGENT, {"graph": {"nodes": [{"id": "__start__"}]}}, tmp_path)
    assert answer["outputs"]["score"] is None
    assert "it was not judged" in answer["warnings"][0]


def test_a_mermaid_drawing_with_statements_is_read_like_its_graph(tmp_path):
    text = """---
config:
  flowchart:
---
graph TD;
    __start__([<p>__start__</p>]):::first
    __start__ --> plan;
    plan(plan) -.-> search;
    plan -. done .-> __end__;
    search --> plan;
    search: timeout_s=5, retries=2, backoff=none, external
    plan: timeout_s=9, replicas=2
    this says nothing
"""
    answer = runs.answer(AGENT, {"context": text}, tmp_path)
    assert answer["outputs"]["structure"]["cycles"] == [["plan", "search"]]
    assert {"retry_without_backoff", "missing_circuit_breaker", "unbounded_cycle"} <= {one["rule"] for one in answer["outputs"]["findings"]}
    assert "say nothing of a graph: 13" in answer["warnings"][0]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "one of graph and context is required"),
        ({"graph": {"nodes": [{"id": "a"}]}, "context": "a --> b"}, "both are given"),
        ({"graph": {"nodes": []}}, "graph.nodes"),
        ({"graph": {"nodes": [{"id": "a"}, {"id": "a"}]}}, "the id 'a' stands there twice"),
        ({"graph": {"nodes": [{"id": "a"}], "edges": [{"source": "a", "target": "b"}]}}, "'b' is the id of no node"),
        ({"graph": {"nodes": [{"id": "a", "fallback": "z"}]}}, "'z' is the id of no node"),
        ({"graph": {"nodes": [{"id": "a", "timeout": 3}]}}, "graph.nodes.0.timeout"),
        ({"graph": {"nodes": [{"id": "a", "retries": -2}]}}, "graph.nodes.0.retries"),
        ({"context": "nothing here"}, "holds no graph"),
        ({"context": "a: timeout=3"}, "context.nodes.0.timeout"),
        ({"grahp": {"nodes": [{"id": "a"}]}}, "did you mean 'graph'"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_by_name(tmp_path, inputs, said):
    error = runs.refusal(AGENT, inputs, tmp_path)
    assert error["code"] == "VALIDATION_ERROR"
    assert said in error["message"]


@pytest.mark.parametrize("piece", ["a", "a --> ", "a --> b\n", "a --> b\n" + " " * 90, "-- ", "水: x\n", "a[", "|"])
def test_ten_megabytes_are_read_in_time(tmp_path, piece):
    text = piece * (10_000_000 // len(piece.encode()))
    assert runs.answer(AGENT, {"context": text}, tmp_path)["status"] in {"ok", "error"}


def test_a_large_graph_is_linted_in_time(tmp_path):
    nodes = [{"id": f"n{number}", "replicas": 1} for number in range(5000)]
    edges = [(f"n{number}", f"n{(number + step) % 5000}") for number in range(5000) for step in (1, 2, 3)]
    assert linted(tmp_path, nodes, *edges, entry_points=["n0"])["nodes"] == 5000


def test_the_probe_passes_for_real_work(tmp_path):
    probing.passes(AGENT, tmp_path)


def test_the_probe_rejects_canned_answers(tmp_path):
    probing.rejects_canned_answers(AGENT, tmp_path)


def test_the_probe_needs_every_step(tmp_path):
    probing.needs_every_step(AGENT, tmp_path)


@pytest.mark.parametrize(
    ("step", "change"),
    [
        ("analyse", lambda result: {"structure": {**result["structure"], "every_path": []}}),
        ("analyse", lambda result: {"structure": {**result["structure"], "cycles": [["x"]]}}),
        ("lint", lambda result: {"checks": [{**one, "finding": None} for one in result["checks"]]}),
        ("lint", lambda result: {"checks": [one for one in result["checks"] if one["finding"]]}),
        ("judge", lambda result: {"outputs": {**result["outputs"], "score": 50.0}}),
    ],
)
def test_the_probe_notices_work_that_is_skipped(tmp_path, step, change):
    assert sum(probing.fails(AGENT, step, change, seed, AGENT.probe.make(seed), tmp_path) for seed in range(6)) >= 3


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), max_size=10), st.integers(-1, 3), st.booleans())
def test_findings_name_nodes_of_the_graph_and_are_the_failed_checks(tmp_path_factory, edges, retries, external):
    nodes = [{"id": one, "timeout_s": 2, "retries": retries, "external": external} for one in "abcd"]
    found = linted(tmp_path_factory.getbasetemp(), nodes, *edges)
    assert {node for one in found["findings"] for node in one["nodes"]} <= set("abcd")
    assert sum(tally["failed"] for tally in found["checks"].values()) == len(found["findings"])
