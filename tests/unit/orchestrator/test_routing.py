"""Where a task goes is decided by the fleet alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.orchestrator import worlds
from windlass.fleet import Fleet
from windlass.model import DispatchRequest
from windlass.orchestrator.refusal import Refusal
from windlass.orchestrator.routing import Routed, decide


def request(**changed: Any) -> DispatchRequest:
    return DispatchRequest.model_validate(worlds.body(**changed))


def refused(fleet: Fleet, **changed: Any) -> Refusal:
    decision = decide(fleet, request(**changed))
    assert isinstance(decision, Refusal)
    return decision


def test_a_task_goes_to_the_registered_endpoint_of_its_agent():
    decision = decide(worlds.fleet("http://127.0.0.1:9/base"), request())
    assert decision == Routed(task_type="CLAIM_VERIFY", agent_name="agent-verify", agent_url="http://127.0.0.1:9/base")


def test_an_unknown_task_type_is_answered_with_those_there_are():
    refusal = refused(worlds.fleet(), task_type="CLAIM_VERIFI")
    assert (refusal.status, refusal.code) == (400, "UNSUPPORTED_TASK_TYPE")
    assert refusal.extras == {"supportedTypes": ["CLAIM_VERIFY", "LIT_TRIAGE"]}


@pytest.mark.parametrize(
    ("governed", "asked", "code"),
    [
        ({"modes": ["DEMO"]}, {"mode": "LIVE"}, "MODE_NOT_ALLOWED"),
        ({"risk_tiers": ["NON_SENSITIVE"]}, {"risk_tier": "PHI"}, "RISK_TIER_NOT_ALLOWED"),
        ({"risk_tiers": ["PHI"]}, {}, "RISK_TIER_NOT_ALLOWED"),
    ],
)
def test_governance_is_enforced_defaults_included(governed, asked, code):
    refusal = refused(worlds.fleet(**governed), **asked)
    assert (refusal.status, refusal.code) == (403, code)


def test_an_agent_without_endpoint_is_named_and_no_other_and_no_url():
    refusal = refused(worlds.fleet(None))
    assert (refusal.status, refusal.code) == (500, "AGENT_NOT_CONFIGURED")
    assert refusal.extras == {"agent_key": "agent-verify", "task_type": "CLAIM_VERIFY"}
    assert "triage" not in repr(refusal)
    assert "http" not in repr(refusal)
