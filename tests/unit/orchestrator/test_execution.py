"""What an agent answers is judged: passed on as it is, or named as the fault that it is."""

from __future__ import annotations

import orjson
import pytest

from tests.unit.orchestrator import worlds
from windlass.infra.http import Answer
from windlass.model import DispatchRequest
from windlass.orchestrator import execution
from windlass.orchestrator.refusal import Refusal
from windlass.orchestrator.routing import Routed

ROUTED = Routed(task_type="CLAIM_VERIFY", agent_name="agent-verify", agent_url="http://agent")


def run(*, token=None, limit_s=120.0, **changed) -> execution.Run | Refusal:
    asked = DispatchRequest.model_validate(worlds.body(**changed))
    return execution.planned(ROUTED, asked, limit_s=limit_s, headers={}, token=token)


def judged(status=200, body=b"{}", *, fault=None, token=None) -> bytes | Refusal:
    plan = run(token=token)
    assert isinstance(plan, execution.Run)
    return execution.judged(Answer(status=status, body=body, elapsed_ms=1.0, fault=fault, detail="of the peer"), plan)


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("DNS", 502, "AGENT_UNREACHABLE"),
        ("REFUSED", 502, "AGENT_UNREACHABLE"),
        ("TLS", 502, "AGENT_UNREACHABLE"),
        ("UNREGISTERED_ENDPOINT", 502, "AGENT_UNREACHABLE"),
        ("TIMEOUT", 504, "AGENT_TIMEOUT"),
        ("TOO_LARGE", 502, "AGENT_BAD_ANSWER"),
    ],
)
def test_every_fault_of_a_call_has_its_code(fault, status, code):
    refusal = judged(0, b"", fault=fault)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.code) == (status, code)
    assert refusal.extras["agent_key"] == "agent-verify"


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, b"{}", "AGENT_REFUSED"),
        (422, b"{}", "AGENT_REFUSED"),
        (302, b"{}", "AGENT_BAD_ANSWER"),
        (100, b"{}", "AGENT_BAD_ANSWER"),
        (500, b"{}", "AGENT_BAD_ANSWER"),
        (200, b"", "AGENT_BAD_ANSWER"),
        (200, b"<html>", "AGENT_BAD_ANSWER"),
        (200, b'"ok"', "AGENT_BAD_ANSWER"),
        (200, b'{"a":"\xff"}', "AGENT_BAD_ANSWER"),
    ],
)
def test_every_answer_that_is_none_has_its_code_and_its_status(status, body, code):
    refusal = judged(status, body)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.code) == (502, code)
    assert refusal.extras["agent_status"] == status


def test_an_answer_is_passed_on_byte_for_byte():
    content = b'{ "status":"ok", "n":123456789012345678901234567890, "deep":' + b"[" * 500 + b"]" * 500 + b"}"
    assert judged(200, content, token=worlds.AGENT_TOKEN) == content


@pytest.mark.parametrize("number", range(3))
def test_the_token_of_the_agent_is_taken_out_of_its_answer_however_it_is_escaped(number):
    token = worlds.AGENT_TOKEN
    written = [orjson.dumps(token), orjson.dumps(token).replace(b"/", b"\\/"), b'"' + b"".join(b"\\u%04x" % ord(letter) for letter in token) + b'"']
    found = judged(200, b'{"status":"ok","seen":[{"a":' + written[number] + b"}]," + written[number] + b":1}", token=token)
    assert isinstance(found, bytes)
    assert orjson.loads(found) == {"status": "ok", "seen": [{"a": "[redacted]"}], "[redacted]": 1}


def test_nothing_that_a_failing_agent_says_is_repeated():
    refusal = judged(401, b'{"error":"no such token: secret"}')
    assert "secret" not in repr(refusal)


@pytest.mark.parametrize(("budget_ms", "limit_s", "waits_s"), [(None, 120.0, 120.0), (500, 120.0, 0.75), (60_000, 2.0, 2.0)])
def test_a_run_waits_no_longer_than_its_budget_and_the_limit(budget_ms, limit_s, waits_s):
    plan = run(limit_s=limit_s, budgets={} if budget_ms is None else {"timeout_ms": budget_ms})
    assert isinstance(plan, execution.Run)
    assert plan.timeout_s == waits_s


@pytest.mark.parametrize("wrong", [0, -1, "500", True, 1.5, 10**9])
def test_a_budget_that_is_no_time_is_refused_by_its_name(wrong):
    refusal = run(budgets={"timeout_ms": wrong})
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.code) == (400, "VALIDATION_ERROR")
    assert list(refusal.details["fieldErrors"]) == ["budgets.timeout_ms"]


def test_the_agent_is_sent_what_was_asked_defaults_included():
    plan = run(inputs={"claims": ["a"]}, budgets={"max_output_tokens": 5, "own": 1}, workflow_id="w", token="token-of-agent")
    assert isinstance(plan, execution.Run)
    assert orjson.loads(plan.body) == {
        "task_type": "CLAIM_VERIFY",
        "request_id": "req-1",
        "workflow_id": "w",
        "mode": "DEMO",
        "risk_tier": "NON_SENSITIVE",
        "domain_id": "clinical",
        "inputs": {"claims": ["a"]},
        "budgets": {"max_output_tokens": 5, "own": 1},
    }
    assert plan.headers == {"Authorization": "Bearer token-of-agent"}
