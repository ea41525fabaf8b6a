"""`different_agent`: who produced may not audit, under whatever spelling of the name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.records.checks import gates
from windlass.errors import Refused

CHECK = {"type": "different_agent", "from_gate": "G2"}


@pytest.mark.parametrize("agent", ["auditor", "research-orchestrator-2", "researcher", "исследователь"])
def test_another_agent_passes(tmp_path: Path, agent: str) -> None:
    assert gates.result(tmp_path, CHECK, agent=agent, producers={"G2": "research-orchestrator"})["pass"]


@pytest.mark.parametrize(
    "agent",
    [
        "research-orchestrator",
        "Research-Orchestrator",
        " research-orchestrator ",
        "research_orchestrator",
        "research  orchestrator",
        "research‑orchestrator",
        "ｒｅｓｅａｒｃｈ-orchestrator",
        "resеаrсh-orсhеstrаtоr",
        "rese\u200barch-orchestrator",
        "research-orchestrator\ufe0f",
        "research-orchestrator\u3164",
        "𝓻𝓮𝓼𝓮𝓪𝓻𝓬𝓱-𝓸𝓻𝓬𝓱𝓮𝓼𝓽𝓻𝓪𝓽𝓸𝓻",
    ],
)
def test_another_spelling_is_no_other_agent(tmp_path: Path, agent: str) -> None:
    found = gates.result(tmp_path, CHECK, agent=agent, producers={"G2": "research-orchestrator"})
    assert (found["pass"], found["code"]) == (False, "VALIDATION_FAILED")
    assert "may not audit" in found["reason"]


def test_without_a_passing_attempt_of_the_other_gate_nobody_is_shown_to_differ(tmp_path: Path) -> None:
    found = gates.result(tmp_path, CHECK, agent="auditor", producers={"G1": "somebody"})
    assert not found["pass"]
    assert "no attempt that passed" in found["reason"]


def test_a_name_that_shows_nothing_names_nobody(tmp_path: Path) -> None:
    assert not gates.result(tmp_path, CHECK, agent="\u200b \u3164", producers={"G2": "a"})["pass"]


@pytest.mark.parametrize("gate", ["", "../G2", "G 2", 3, None])
def test_a_contract_must_name_a_gate(gate: object) -> None:
    with pytest.raises(Refused, match="from_gate"):
        gates.read({"type": "different_agent", "from_gate": gate})
