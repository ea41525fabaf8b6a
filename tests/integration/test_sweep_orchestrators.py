"""A sweep through orchestrators that lie: nothing unregistered is called, nothing unlocked passes, nothing they say is taken for a proof."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.liars import leaks, orchestrators, services, town
from tests.integration.liars.citizens import Citizen, counted, working

from windlass.fleet import Fleet
from windlass.sweep import conduct, plan
from windlass.sweep.run import Access

CITIZENS = [
    Citizen(name="honest", behave=working(lambda asked: counted(asked.text))),
    Citizen(name="victim", behave=working(lambda asked: counted(asked.text))),
]
ROUTES = {
    "honest-orchestrator": orchestrators.HONEST,
    "strange": orchestrators.STRANGE,
    "echoing": orchestrators.ECHOING,
    **orchestrators.NAMING_ANOTHER,
    **orchestrators.REFUSING,
    **orchestrators.CONFUSING,
    **orchestrators.OPEN,
}


@pytest.fixture(scope="module")
def standing() -> Iterator[town.Town]:
    with town.standing(CITIZENS, ROUTES) as found:
        yield found


def sweep_through(who: str, standing: town.Town, directory: Path, gate: plan.Gate = "proof", url: str | None = None) -> dict[str, Any]:
    """Sweep the one honest agent through one of the orchestrators."""
    written = standing.fleet()
    fleet = Fleet.model_validate(
        {**written, "agents": {"honest": written["agents"]["honest"]}, "tasks": {orchestrators.KNOWN: written["tasks"][orchestrators.KNOWN]}}
    )
    planned = plan.plan(fleet, plan.Terms(gate=gate), sweep_id="sweep_20261120T221404512Z_k3f9x2m8qa1c7", nonce="5f" * 16, probe_for=lambda *_: None)
    access = Access(orchestrator_url=url or f"{standing.url}/{who}", token=services.TOKEN, agent_tokens={}, concurrency=4, timeout_s=5)
    place = conduct.Place(
        directory=directory / "out", bodies=directory / "out/bodies", bodies_from_directory="bodies", show="windlass sweep show x", git_commit=None
    )
    return asyncio.run(conduct.conduct(planned, access, place, lambda _: None))


def test_through_an_honest_one_the_agent_passes(standing: town.Town, tmp_path: Path):
    sweep = sweep_through("honest-orchestrator", standing, tmp_path)
    assert [gate["verdict"] for gate in sweep["gates"].values()] == ["PASS"] * 3
    assert sweep["summary"] == {"passed": 1, "total": 1}


@pytest.mark.parametrize("who", orchestrators.NAMING_ANOTHER)
def test_an_endpoint_that_the_fleet_does_not_register_is_never_called(standing: town.Town, tmp_path: Path, who: str):
    before = len(standing.heard)
    sweep = sweep_through(who, standing, tmp_path)
    [row] = sweep["rows"]
    assert (row["rung"], row["failure_class"], row["run_http"]) == ("dispatched", "UNREGISTERED_ENDPOINT", 0)
    assert [call["kind"] for call in row["calls"]] == ["dispatch"]
    assert len(standing.heard) == before
    assert [gate["verdict"] for gate in sweep["gates"].values()] == ["PASS", "FAIL", "FAIL"]


@pytest.mark.parametrize("who", ["the-victim", "metadata"])
def test_nor_does_the_seeds_execution_gate_call_it(standing: town.Town, tmp_path: Path, who: str):
    before = len(standing.heard)
    sweep = sweep_through(who, standing, tmp_path, gate="execution")
    assert sweep["rows"][0]["failure_class"] == "UNREGISTERED_ENDPOINT"
    assert sweep["gates"]["execution"]["verdict"] == "FAIL"
    assert len(standing.heard) == before


@pytest.mark.parametrize("who", orchestrators.REFUSING)
def test_an_answer_that_names_no_agent_is_a_refusal(standing: town.Town, tmp_path: Path, who: str):
    before = len(standing.heard)
    sweep = sweep_through(who, standing, tmp_path)
    [row] = sweep["rows"]
    assert (row["rung"], row["failure_class"]) == ("none", "DISPATCH_REFUSED")
    assert [gate["verdict"] for gate in sweep["gates"].values()] == ["FAIL"] * 3
    assert len(standing.heard) == before


@pytest.mark.parametrize("who", orchestrators.CONFUSING)
def test_the_answer_to_another_request_passes_the_seeds_gates_and_proves_nothing(standing: town.Town, tmp_path: Path, who: str):
    sweep = sweep_through(who, standing, tmp_path / "proof")
    [row] = sweep["rows"]
    assert (row["rung"], row["failure_class"]) == ("dispatched", "CONTRACT")
    assert "request_id" in row["error_preview"]
    assert sweep["gates"]["proof"]["verdict"] == "FAIL"
    sweep = sweep_through(who, standing, tmp_path / "execution", gate="execution")
    assert [gate["verdict"] for gate in sweep["gates"].values()] == ["PASS", "PASS", "INCOMPLETE"]


@pytest.mark.parametrize("who", orchestrators.OPEN)
def test_behind_an_open_door_nothing_is_proved(standing: town.Town, tmp_path: Path, who: str):
    sweep = sweep_through(who, standing, tmp_path)
    [row] = sweep["rows"]
    assert (row["rung"], row["failure_class"], row["pass_fail"]) == ("executed", "AUTH_NOT_ENFORCED", "FAIL")
    assert row["next_command"]
    assert sweep["gates"]["proof"]["verdict"] == "FAIL"
    assert "AUTH_NOT_ENFORCED" in sweep["gates"]["proof"]["reason"]
    assert sweep["gates"]["execution"]["verdict"] == "PASS"
    assert sweep["summary"] == {"passed": 0, "total": 1}
    assert not conduct.passed(sweep)


def test_a_name_that_is_no_name_forges_nothing_and_a_trailing_slash_is_no_other_endpoint(standing: town.Town, tmp_path: Path):
    sweep = sweep_through("strange", standing, tmp_path)
    [row] = sweep["rows"]
    assert row["pass_fail"] == "PASS"
    out = tmp_path / "out"
    [tsv] = out.glob("*.tsv")
    assert [len(line.split("\t")) for line in tsv.read_text().splitlines()] == [8, 8]
    assert (out / "gate.md").read_text().splitlines()[-1] == "SUMMARY: 1/1 PASS"
    assert json.loads((out / "sweep.json").read_bytes()) == sweep
    assert {path.relative_to(out).parts[0] for path in out.rglob("summary.json")} == {"validation"}


def test_the_service_token_that_an_orchestrator_tells_is_in_no_file(standing: town.Town, tmp_path: Path):
    sweep = sweep_through("echoing", standing, tmp_path)
    assert sweep["rows"][0]["failure_class"] == "DISPATCH_REFUSED"
    assert "[redacted]" in sweep["rows"][0]["error_preview"]
    for path in (tmp_path / "out").rglob("*"):
        assert not path.is_file() or leaks.found(services.TOKEN, path.read_bytes()) is None, path


def test_without_an_orchestrator_every_gate_fails_and_the_next_command_does_not_blame_the_agent(standing: town.Town, tmp_path: Path):
    dead = sweep_through("", standing, tmp_path / "dead", url=f"http://127.0.0.1:{standing.dead_port}")
    assert dead["rows"][0]["failure_class"] == "REFUSED"
    unknown = sweep_through("", standing, tmp_path / "unknown", url="http://nobody.invalid")
    assert unknown["rows"][0]["failure_class"] == "DNS"
    for sweep in (dead, unknown):
        assert [gate["verdict"] for gate in sweep["gates"].values()] == ["FAIL"] * 3
        assert sweep["rows"][0]["next_command"] == "windlass sweep show x HONEST"


def test_what_is_tried_at_the_door_does_not_tell_the_nonce(standing: town.Town, tmp_path: Path):
    """An orchestrator that knew the nonce could tell the agents what they will be asked."""
    sweep_through("honest-orchestrator", standing, tmp_path)
    stored = b"".join(path.read_bytes() for path in (tmp_path / "out/bodies").iterdir())
    assert b"5f5f5f5f" not in stored.lower()
