"""How far a cell climbs, by which calls, and what stops it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.unit.sweep import climbing
from tests.unit.sweep.climbing import Agent, Answer, Request
from windlass.agents.agent import Probe
from windlass.sweep.plan import Gate

FIRST, SECOND = (example["inputs"]["text"] for example in climbing.EXAMPLES)


def climbed(
    agent: Agent = climbing.honest, *, gate: Gate = "proof", probe: Probe | None = None, orchestrator: Agent = climbing.dispatched, **task: Any
):
    plan = climbing.planned(climbing.fleet(**task), gate=gate, probe=probe)
    row = climbing.climb(plan, plan.cells[0], agent, orchestrator=orchestrator)
    return row, [call["kind"] for call in row["calls"]]


def saying(**answers: Answer | Any) -> Agent:
    """Honest, except where the text of the request is a key here."""
    seen: list[str] = []

    def agent(request: Request) -> Answer:
        kind = {FIRST: "first", SECOND: "second"}.get(request["inputs"].get("text", ""), "invalid")
        kind += "_again" * (kind in seen)
        seen.append(kind)
        if kind not in answers:
            return climbing.honest(request)
        answer = answers[kind]
        return answer(request) if callable(answer) else answer

    return agent


def test_an_honest_agent_climbs_the_whole_ladder_by_questions_in_an_order_that_no_replicas_keep_step_with():
    row, kinds = climbed()
    assert (row["rung"], row["failure_class"], row["pass_fail"], row["by"]) == ("executed", None, "PASS", "examples")
    assert kinds == ["dispatch", "first", "second", "second_again", "again", "invalid"]


@pytest.mark.parametrize(("gate", "kinds", "rung"), [("dispatch", ["dispatch"], "dispatched"), ("execution", ["dispatch", "first"], "conformed")])
def test_the_seeds_gates_make_no_more_calls_than_the_seed(gate: Gate, kinds: list[str], rung: str):
    row, asked = climbed(gate=gate)
    assert (asked, row["rung"], row["pass_fail"], row["by"]) == (kinds, rung, "PASS", None)


def test_the_seeds_execution_gate_is_met_by_an_error_of_more_than_50_characters_and_the_row_says_what_it_is():
    error = {"status": "error", "error": {"code": "X", "message": "no"}}
    row, kinds = climbed(lambda request: climbing.envelope(request, {}, **error), gate="execution")
    assert (row["pass_fail"], row["rung"], row["failure_class"], kinds) == ("PASS", "responded", "BUSINESS_ERROR", ["dispatch", "first"])
    row, _ = climbed(lambda _: (200, b'{"ok":true}'), gate="execution")
    assert (row["pass_fail"], row["rung"]) == ("FAIL", "dispatched")


def test_no_answer_that_conforms_is_too_short_for_the_seeds_rule():
    shortest = orjson.dumps({"status": "ok", "request_id": climbing.SWEEP_ID + "-T-0123456789ab", "task_type": "T", "outputs": {"a": 1}})
    assert len(shortest) > 50


@pytest.mark.parametrize(
    ("agent", "rung", "failure", "calls"),
    [
        (lambda _: "REFUSED", "dispatched", "REFUSED", 2),
        (lambda _: (503, b""), "dispatched", "HTTP_5XX", 2),
        (lambda request: climbing.envelope(request, {}), "responded", "EMPTY_OUTPUT", 2),
        (lambda request: climbing.envelope(request, request["inputs"]), "conformed", "NOT_INPUT_SENSITIVE", 2),
        (lambda request: climbing.envelope(request, {"a": "canned"}), "conformed", "NOT_INPUT_SENSITIVE", 3),
        (saying(second="TIMEOUT"), "conformed", "TIMEOUT", 3),
        (saying(second=(200, b"<html>" * 20)), "conformed", "NOT_JSON", 3),
        (saying(second_again=(500, b"")), "conformed", "HTTP_5XX", 4),
        (saying(first_again=climbing.invalid), "conformed", "BUSINESS_ERROR", 6),
        (saying(invalid=(500, b"")), "conformed", "HTTP_5XX", 6),
        (saying(invalid="TIMEOUT"), "conformed", "TIMEOUT", 6),
        (saying(invalid=(404, b"")), "conformed", "ACCEPTS_INVALID_INPUT", 6),
        (saying(invalid=lambda request: climbing.envelope(request, {"words": 0})), "conformed", "ACCEPTS_INVALID_INPUT", 6),
        (saying(invalid=lambda request: climbing.envelope(request, {}, status="error", error="x")), "conformed", "ACCEPTS_INVALID_INPUT", 6),
        (saying(invalid=lambda request: climbing.envelope(request, {}, request_id="x")), "conformed", "ACCEPTS_INVALID_INPUT", 6),
    ],
)
def test_a_liar_is_stopped_where_it_lies_and_asked_no_further(agent: Agent, rung: str, failure: str, calls: int):
    row, kinds = climbed(agent)
    assert (row["rung"], row["failure_class"], len(kinds)) == (rung, failure, calls)
    assert row["pass_fail"] == "FAIL"


@pytest.mark.parametrize("rejection", [(400, b""), (422, b"{}"), climbing.invalid])
def test_a_rejection_is_http_400_or_422_or_a_validation_error(rejection: Any):
    assert climbed(saying(invalid=rejection))[0]["rung"] == "executed"


def test_expect_must_hold_each_time():
    expecting = [{**example, "expect": {"properties": {"words": {"const": words}}}} for example, words in zip(climbing.EXAMPLES, (4, 5), strict=True)]
    assert climbed(examples=expecting)[0]["rung"] == "executed"
    wrong = {"words": 9, "longest": "x"}
    for kind, said in {
        "first": "first example:",
        "second": "second example:",
        "second_again": "second example again:",
        "first_again": "first example again:",
    }.items():
        row, _ = climbed(saying(**{kind: lambda request: climbing.envelope(request, wrong)}), examples=expecting)
        assert row["failure_class"] == "PROBE_FAILED"
        assert row["error_preview"].startswith(said)


def test_a_canned_answer_is_called_canned_and_not_wrong():
    expecting = [{**climbing.EXAMPLES[0], "expect": {"required": ["a"]}}, {**climbing.EXAMPLES[1], "expect": {"required": ["b"]}}]
    assert climbed(lambda request: climbing.envelope(request, {"a": 1}), examples=expecting)[0]["failure_class"] == "NOT_INPUT_SENSITIVE"


def test_without_an_invalid_example_nothing_can_be_proved_and_the_agent_is_not_blamed():
    row, kinds = climbed(invalid_example=None)
    assert (row["rung"], row["failure_class"], row["pass_fail"], kinds) == ("conformed", "NOT_RUN", "FAIL", ["dispatch", "first"])
    assert "invalid_example" in row["error_preview"]


def test_an_unregistered_endpoint_is_called_at_no_gate():
    for gate in ("execution", "proof"):
        row, kinds = climbed(orchestrator=lambda request: climbing.dispatched(request, agent_url="http://127.0.0.1:1"), gate=gate)
        assert (row["rung"], row["failure_class"], kinds) == ("dispatched", "UNREGISTERED_ENDPOINT", ["dispatch"])


def probe(check: Any = lambda _seed, inputs, outputs: None if outputs["words"] == len(inputs["text"].split()) else "miscounted") -> Probe:
    return Probe(make=lambda seed: {"text": "word " * (2 + seed % 9) + str(seed)}, check=check)


def test_a_probe_asks_two_random_questions_and_a_misspelt_one():
    row, kinds = climbed(probe=probe())
    assert (row["rung"], row["by"], kinds) == ("executed", "probe", ["dispatch", "first", "second", "invalid"])


@pytest.mark.parametrize(
    ("agent", "failure"),
    [
        (lambda request: climbing.envelope(request, {"words": 3, "longest": "x"}), "NOT_INPUT_SENSITIVE"),
        (lambda request: climbing.envelope(request, {"words": len(str(request["inputs"]))}), "PROBE_FAILED"),
        (lambda request: climbing.envelope(request, {"other": str(request["inputs"])}), "PROBE_FAILED"),
        (
            lambda request: climbing.envelope(request, {"words": len(request["inputs"].get("text", "").split()), "n": str(request)}),
            "ACCEPTS_INVALID_INPUT",
        ),
    ],
)
def test_a_probe_tells_the_canned_from_the_wrong_from_the_uncritical(agent: Agent, failure: str):
    assert climbed(agent, probe=probe())[0]["failure_class"] == failure


@pytest.mark.parametrize("said", [True, False, "", 0, [], "wrong", 3])
def test_whatever_a_probe_says_but_none_is_a_no(said: Any):
    row, _ = climbed(probe=probe(lambda *_: said))
    assert (row["failure_class"], row["pass_fail"]) == ("PROBE_FAILED", "FAIL")
    assert isinstance(row["error_preview"], str)
    assert row["error_preview"]


def test_what_outputs_make_a_probe_raise_is_the_fault_of_the_outputs():
    row, _ = climbed(
        lambda request: climbing.envelope(request, {"words": str(request)}), probe=probe(lambda _seed, _inputs, outputs: outputs["words"] / 2)
    )
    assert row["failure_class"] == "PROBE_FAILED"
    assert "TypeError" in row["error_preview"]
