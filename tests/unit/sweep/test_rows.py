"""One row, what to try next, and how rows add up to gates; P-08 tries the sums at random."""

from __future__ import annotations

import shlex
from typing import Any

import orjson
import pytest

from tests.unit.sweep import climbing
from tests.unit.sweep.climbing import Answer
from windlass.sweep import rows

EXPECTED = ["A", "B"]


def made(name: str = "T", answer: Answer | None = None, url: str = climbing.URL) -> dict[str, Any]:
    fleet = climbing.fleet([name])
    fleet = fleet.model_copy(update={"agents": {"agent": fleet.agents["agent"].model_copy(update={"url": url})}})
    plan = climbing.planned(fleet)
    return climbing.climb(
        plan,
        plan.cells[0],
        climbing.honest if answer is None else lambda _: answer,
        orchestrator=lambda request: climbing.dispatched(request, agent_url=url),
    )


def verdicts(of: list[dict[str, Any]], gate: Any = "proof", door: Any = None) -> dict[str, Any]:
    return rows.gates(of, EXPECTED, gate, climbing.door() if door is None else door)


def test_a_row_has_the_documented_keys_in_their_order_and_survives_json():
    row = made()
    assert (
        list(row)
        == (
            "task_type agent_name agent_url dispatch_http run_http latency_ms pass_fail rung by failure_class error_preview next_command "
            "timings request_sha256 response_sha256 response_bytes calls"
        ).split()
    )
    assert (row["dispatch_http"], row["run_http"], row["latency_ms"]) == (200, 200, 12.5)
    assert list(row["timings"]) == ["dispatch_ms", "run_ms", "proof_ms", "total_ms"]
    assert orjson.loads(orjson.dumps(row)) == row
    assert [rows.call(call).kind for call in row["calls"]] == [call["kind"] for call in row["calls"]]


def test_a_cell_that_was_never_called_has_a_row_without_figures():
    plan = climbing.planned()
    row = climbing.climb(plan, plan.cells[0], climbing.honest, at_most=0)
    assert (row["dispatch_http"], row["run_http"], row["latency_ms"], row["timings"]["total_ms"]) == (0, 0, None, 0.0)
    assert (row["failure_class"], row["pass_fail"], row["agent_name"]) == ("NOT_RUN", "FAIL", "agent")


def test_a_preview_has_at_most_300_characters():
    error = {"status": "error", "error": {"code": "C" * 5000, "message": "m" * 5000}}
    plan = climbing.planned()
    row = climbing.climb(plan, plan.cells[0], lambda request: climbing.envelope(request, {}, **error))
    assert len(row["error_preview"]) == 300


@pytest.mark.parametrize(
    ("answer", "url", "command"),
    [
        ("DNS", "http://agent.example:9000/x", ["getent", "hosts", "agent.example"]),
        ("REFUSED", "http://h:1/a", ["curl", "-sS", "-m", "10", "http://h:1/a/health/ready"]),
        ("TIMEOUT", "http://h/$(x)", ["curl", "-sS", "-m", "10", "http://h/$(x)/health/ready"]),
        ((500, b""), "http://h", ["curl", "-sS", "-m", "10", "http://h/health/ready"]),
        ((200, b"no JSON" * 20), "http://h", ["windlass", "sweep", "show", "x", "T"]),
    ],
)
def test_a_failed_row_names_one_command_that_only_looks(answer: Answer, url: str, command: list[str]):
    assert shlex.split(made(answer=answer, url=url)["next_command"]) == command


def test_a_fault_on_the_way_to_the_orchestrator_does_not_point_at_the_agent():
    plan = climbing.planned()
    for fault in ("DNS", "REFUSED", "TIMEOUT"):
        row = climbing.climb(plan, plan.cells[0], climbing.honest, orchestrator=lambda _, fault=fault: fault)  # type: ignore[misc]  # bound now
        assert (row["failure_class"], row["rung"], row["next_command"]) == (fault, "none", "windlass sweep show x T")


def test_gates_pass_when_all_that_is_expected_is_there_and_got_there():
    assert [gate["verdict"] for gate in verdicts([made("A"), made("B")]).values()] == ["PASS"] * 3
    assert verdicts([made("A"), made("B")])["proof"] == {"verdict": "PASS", "passed": 2, "total": 2, "asked": True, "reason": None}


def test_a_row_that_is_missing_is_incomplete_and_one_that_failed_fails():
    missing = verdicts([made("A")])
    assert {gate["verdict"] for gate in missing.values()} == {"INCOMPLETE"}
    assert missing["proof"]["reason"] == "1 never run"
    failed = verdicts([made("A"), made("B", (500, b""))])
    assert [gate["verdict"] for gate in failed.values()] == ["PASS", "FAIL", "FAIL"]
    assert failed["proof"] == {"verdict": "FAIL", "passed": 1, "total": 2, "asked": True, "reason": "1 failed"}


def test_another_row_takes_no_failure_back():
    failing, passing = made("B", (500, b"")), made("B")
    for repeated in ([failing, passing], [passing, failing]):
        assert verdicts([made("A"), *repeated])["proof"]["verdict"] == "FAIL"
        assert rows.summary([made("A"), *repeated], EXPECTED) == {"passed": 1, "total": 2}


def test_rows_of_others_count_for_nothing():
    assert rows.summary([made("C"), made("D")], EXPECTED) == {"passed": 0, "total": 2}
    assert verdicts([made("C"), made("D")])["dispatch"]["verdict"] == "INCOMPLETE"


def test_nothing_expected_is_nothing_passed():
    assert {gate["verdict"] for gate in rows.gates([], [], "proof", climbing.door()).values()} == {"INCOMPLETE"}


def test_a_gate_that_was_not_asked_for_has_no_verdict_on_anybody():
    found = verdicts([made("A"), made("B")], gate="execution")
    assert [gate["verdict"] for gate in found.values()] == ["PASS", "PASS", "INCOMPLETE"]
    assert (found["proof"]["asked"], found["proof"]["reason"]) == (False, "was not asked for")


@pytest.mark.parametrize(
    ("door", "reason"),
    [
        ({}, "no token answered nothing"),
        (climbing.door(no_token=200), "no token answered 200 instead of 401"),
        (climbing.door(wrong_token=0), "wrong token got no answer instead of 401"),
        (climbing.door(unknown_task=200), "unknown task answered 200 instead of 400"),
        ({name: {"http": 200, "expected": 200, "pass": True} for name in rows.DOOR}, "no token answered 200"),
    ],
)
def test_an_open_door_fails_the_proof_whatever_it_says_of_itself(door: Any, reason: str):
    found = verdicts([made("A"), made("B")], door=door)
    assert [gate["verdict"] for gate in found.values()] == ["PASS", "PASS", "FAIL"]
    assert "AUTH_NOT_ENFORCED" in found["proof"]["reason"]
    assert reason in (rows.door_reason(door) or "")


def test_a_door_that_was_not_tried_is_incomplete():
    assert rows.door_reason(None) is None
    found = rows.gates([made("A"), made("B")], EXPECTED, "proof", None)
    assert (found["proof"]["verdict"], found["proof"]["reason"]) == ("INCOMPLETE", "the door was not tried")


def test_behind_an_open_door_a_passing_row_fails_with_a_command_and_a_failing_one_keeps_its_reason():
    passing = rows.behind_open_door(made(), "no token answered 200", "http://o")
    assert (passing["pass_fail"], passing["failure_class"], passing["error_preview"]) == ("FAIL", "AUTH_NOT_ENFORCED", "no token answered 200")
    assert shlex.split(passing["next_command"])[-1] == "http://o/api/ai/router/task-types"
    failing = made(answer=(500, b""))
    assert rows.behind_open_door(failing, "x", "http://o") == failing
