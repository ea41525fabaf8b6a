"""What schema 2 tells: invocations, approvals, resumption, order, and what a run's status says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.unit.records import worlds
from windlass.errors import Refused
from windlass.records import projects
from windlass.records.verify import verify

FAILED = [{"type": "min_sources", "pass": False}]
APPROVAL = {"payload": "e30=", "payloadType": "application/vnd.in-toto+json", "signatures": []}


def view(directory: Path) -> Any:
    return orjson.loads((directory / "record" / "RUN.json").read_bytes())


def test_an_invocation_belongs_to_the_newest_attempt_and_is_shown_as_the_original_shows_it(tmp_path: Path) -> None:
    with worlds.new(tmp_path) as record:
        early = record.invocation_recorded("G1", "scout")
        record.gate_started("G1", "a")
        during = record.invocation_recorded("G1", "writer", model="m", tokens_in=12, tokens_out=3, cost_usd=0.5, duration_ms=40, status="FAIL")
        record.gate_finished("G1", "PASS", validations=worlds.CHECKED)
        after = record.invocation_recorded("G1", "writer")
        shown = view(record.directory)
        assert [line["attempt"] for line in shown["invocations"]] == [None, 1, 1]
        assert shown["gates"][0]["attempts"][0]["invocation_ids"] == [during, after]
        assert shown["invocations"][1] | {"started_at": "", "finished_at": ""} == {
            "invocation_id": during,
            "gate": "G1",
            "agent": "writer",
            "model": "m",
            "started_at": "",
            "finished_at": "",
            "duration_ms": 40,
            "status": "FAIL",
            "input_refs": [],
            "output_refs": [],
            "attempt": 1,
            "tokens_in": 12,
            "tokens_out": 3,
            "cost_usd": 0.5,
        }
        assert [line["invocation_id"] for line in shown["events"] if line["type"] == "INVOCATION_RECORDED"] == [early, during, after]
        assert verify(record.directory).problems == ()


@pytest.mark.parametrize(
    "bad",
    [
        {"gate": "G9"},
        {"duration_ms": -1},
        {"tokens_in": -1},
        {"cost_usd": -0.1},
        {"cost_usd": float("nan")},
        {"status": "MAYBE"},
        {"agent": ""},
        {"model": ""},
    ],
)
def test_a_bad_invocation_is_refused_and_nothing_is_written(tmp_path: Path, bad: dict[str, Any]) -> None:
    with worlds.new(tmp_path) as record:
        head = record.head
        with pytest.raises(Refused):
            record.invocation_recorded(**({"gate": "G1", "agent": "a"} | bad))
        assert record.head == head


def approve(record, nonce: str, gate: str = "G1") -> None:
    record.gate_approved(gate, 1, APPROVAL, who="ada", key_id="k", nonce=nonce, expires_at=worlds.DEADLINE, keys=b"{}")


def test_only_a_running_attempt_is_approved_and_a_nonce_is_used_once(tmp_path: Path) -> None:
    with worlds.new(tmp_path) as record:
        with pytest.raises(Refused, match="attempt 1 is not running"):
            approve(record, "n1")
        record.gate_started("G1", "a")
        approve(record, "n1")
        with pytest.raises(Refused, match="used already"):
            approve(record, "n1")
        approve(record, "n2")
        assert [event.nonce for event in record.run.approvals("G1", 1)] == ["n1", "n2"]
        record.gate_finished("G1", "PASS", validations=worlds.CHECKED)
        record.gate_started("G2", "a")
        with pytest.raises(Refused, match="used already"):
            approve(record, "n1", "G2")
        with pytest.raises(Refused, match="not running"):
            approve(record, "n3")


def test_a_run_that_stopped_at_a_failed_gate_is_failed_until_work_on_it_goes_on(tmp_path: Path) -> None:
    with worlds.new(tmp_path) as record:
        statuses = [record.run.status]
        record.gate_started("G1", "a")
        statuses.append(record.run.status)
        record.gate_finished("G1", "FAIL", validations=FAILED, failure_reason="too few")
        statuses.append(record.run.status)
        record.resumed("G1", "once more")
        record.gate_started("G1", "a")
        statuses.append(record.run.status)
        record.gate_finished("G1", "PASS", validations=worlds.CHECKED)
        statuses.append(record.run.status)
        assert statuses == ["QUEUED", "RUNNING", "FAILED", "RUNNING", "RUNNING"]


def test_a_gate_that_is_started_before_the_one_in_front_has_passed_says_so(tmp_path: Path) -> None:
    with worlds.new(tmp_path) as record:
        record.gate_started("G2", "a")
        record.gate_started("G1", "a")
        record.gate_finished("G1", "PASS", validations=worlds.CHECKED)
        record.gate_finished("G2", "PASS", validations=worlds.CHECKED)
        record.gate_started("G2", "a")
        shown = {
            (gate["gate"], attempt["attempt"]): attempt["out_of_order"] for gate in view(record.directory)["gates"] for attempt in gate["attempts"]
        }
        assert shown == {("G1", 1): False, ("G2", 1): True, ("G2", 2): False}


def test_each_file_is_indexed_once_as_it_was_seen_last(tmp_path: Path) -> None:
    with worlds.new(tmp_path) as record:
        for text in ("one", "two"):
            record.gate_started("G1", "a")
            (tmp_path / "out.md").write_text(text)
            record.gate_finished("G1", "FAIL", validations=FAILED, artifacts=[record.artifact("out.md")], failure_reason="no")
        (line,) = view(record.directory)["artifacts_index"]
        newest = record.run.gates["G1"].attempts[-1].finished
        assert newest is not None
        assert line["sha256"] == newest.artifacts[0].sha256
        assert line["recorded_at"] < line["updated_at"] == newest.at


def test_nothing_but_warnings_is_no_pass(tmp_path: Path) -> None:
    with worlds.new(tmp_path) as record:
        record.gate_started("G1", "a")
        with pytest.raises(Refused, match="nothing but warnings"):
            record.gate_finished("G1", "PASS", validations=[{"type": "x", "pass": True, "severity": "warning"}])


def test_a_project_is_found_upwards_by_its_marks(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    for mark in ("orchestration", "windlass.toml", ".git"):
        path = tmp_path / mark
        path.mkdir() if mark != "windlass.toml" else path.write_text("")
        assert projects.find(deep).root == tmp_path
        assert projects.find(deep, deep).root == deep
        path.rmdir() if path.is_dir() else path.unlink()
    with pytest.raises(Refused, match=r"--root .*: is not a directory"):
        projects.find(deep, deep / "none")
