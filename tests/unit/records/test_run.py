from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.records import worlds
from windlass.errors import Refused, UnusableRecord
from windlass.infra import chain
from windlass.records.events import Contract
from windlass.records.run import RunRecord
from windlass.records.verify import verify

SEED_RECORD_KEYS = "run_id workflow depth status started_at finished_at gates invocations artifacts_index validations events".split()


def _view(directory: Path) -> dict[str, Any]:
    view: dict[str, Any] = json.loads((directory / "record" / "RUN.json").read_bytes())
    return view


def test_a_new_run_has_its_directories_its_id_and_no_draft(tmp_path: Path):
    with worlds.new(tmp_path) as record:
        assert re.fullmatch(r"run_20260119T143012000Z_the-word-robot_[a-z0-9]{13}", record.run_id)
        assert [path.name for path in (tmp_path / "runs").iterdir()] == [record.run_id]
        assert sorted(path.name for path in record.record_directory.iterdir()) == ["RUN.json", "evidence", "gates", "journal.jsonl"]
        assert record.logs_directory.is_dir()
        assert record.run.status == "QUEUED"


def test_run_ids_differ_by_default(tmp_path: Path):
    from windlass.records.events import GateName

    gates = [GateName(gate="G1", name="One")]
    ids = {RunRecord.create(tmp_path, root=tmp_path, workflow="w", slug="s", gates=gates).run_id for _ in range(5)}
    assert len(ids) == 5


@pytest.mark.parametrize("slug", ["", "../x", "a/b", "Upper", "-a", "a" * 65, "a\n", "ä"])
def test_a_slug_that_could_leave_its_directory_is_refused_and_nothing_is_written(tmp_path: Path, slug: str):
    with pytest.raises(Refused, match="slug"):
        worlds.new(tmp_path, slug=slug)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "bad",
    [
        {"artifact_path": "/etc"},
        {"artifact_path": "../x"},
        {"depth": "endless"},
        {"gates": "G1 G1"},
        {"gates": "../G"},
        {"git_commit": ""},
        {"version": ""},
    ],
)
def test_what_could_not_be_read_back_is_not_started(tmp_path: Path, bad: dict[str, Any]):
    with pytest.raises(Refused):
        worlds.new(tmp_path, **bad)
    assert list(tmp_path.iterdir()) == []


def test_a_run_of_the_same_id_is_not_started_twice(tmp_path: Path):
    worlds.new(tmp_path).close()
    with pytest.raises(Refused, match="exists"):
        worlds.new(tmp_path)


def test_run_json_has_every_key_of_the_original_and_of_this_one(tmp_path: Path):
    view = _view(worlds.passed(tmp_path))
    assert list(view) == ["run_id", "workflow", "depth", "prompt", *SEED_RECORD_KEYS[3:], "windlass"]
    assert view["workflow"] == {"name": "essay", "version": "local-dev", "slug": "the-word-robot", "artifact_path": "."}
    assert (view["status"], view["started_at"]) == ("PASSED", "2026-01-19T14:30:12.000Z")
    assert [(gate["gate"], gate["status"], len(gate["attempts"])) for gate in view["gates"]] == [
        ("WINDOW", "PASS", 1),
        ("G1", "PASS", 2),
        ("CLOSED", "PASS", 1),
    ]
    assert [(found["gate"], found["path"]) for found in view["artifacts_index"]] == [
        ("WINDOW", "{record}/evidence/note.txt"),
        ("G1", "{record}/evidence/deep/result.json"),
        ("CLOSED", "{record}/evidence/windows.jsonl"),
    ]
    assert [event["type"] for event in view["events"]] == (
        "RUN_STARTED GATE_STARTED WINDOW_OPENED GATE_PASSED GATE_STARTED GATE_FAILED RETRY GATE_STARTED GATE_PASSED "
        "GATE_STARTED WINDOW_CLOSED GATE_PASSED RUN_COMPLETED"
    ).split()
    assert view["windlass"]["journal_head"] == verify(tmp_path / "runs" / view["run_id"]).head


def test_an_attempt_file_is_what_run_json_says_of_it(tmp_path: Path):
    directory = worlds.passed(tmp_path)
    failed, passed = _view(directory)["gates"][1]["attempts"]
    folder = directory / "record" / "gates" / "G1"
    assert json.loads((folder / "attempt-1.json").read_bytes()) == failed
    assert json.loads((folder / "attempt-2.json").read_bytes()) == passed
    assert (failed["status"], failed["failure_reason"]) == ("FAIL", "Missing: {artifact_path}/research/FIGURES.md")
    assert failed["artifacts"] == [
        {"path": "{artifact_path}/research/FIGURES.md", "resolved_path": "research/FIGURES.md", "sha256": None, "size": None, "exists": False}
    ]
    assert (passed["failure_reason"], passed["window_id"]) == (None, "win-1")


def test_what_an_attempt_was_started_with_is_shown(tmp_path: Path):
    with worlds.new(tmp_path) as record:
        contract = Contract(sha256=record.bind(b"the rules"), version="1")
        record.gate_started("G1", "a", prompt_sha256=record.bind(b"do it"), required_outputs=["{slug}.md"], contract=contract)
        attempt = _view(record.directory)["gates"][0]["attempts"][0]
    assert (attempt["prompt_sha256"], attempt["required_outputs"]) == (hashlib.sha256(b"do it").hexdigest(), ["{slug}.md"])
    assert attempt["contract"] == {"sha256": hashlib.sha256(b"the rules").hexdigest(), "version": "1"}
    assert (attempt["status"], attempt["finished_at"]) == ("RUNNING", None)


def test_a_finished_attempt_keeps_its_bytes_through_retries(tmp_path: Path):
    with worlds.new(tmp_path) as record:
        record.gate_started("G1", "a")
        record.gate_finished("G1", "FAIL", validations=[], failure_reason="no")
        first = (record.record_directory / "gates/G1/attempt-1.json").read_bytes()
        assert record.gate_started("G1", "b") == 2
        record.gate_finished("G1", "PASS", validations=worlds.CHECKED)
        assert (record.record_directory / "gates/G1/attempt-1.json").read_bytes() == first


def test_a_gate_that_is_not_running_cannot_finish(tmp_path: Path):
    with worlds.new(tmp_path) as record:
        with pytest.raises(Refused, match="no attempt is running"):
            record.gate_finished("G1", "PASS", validations=worlds.CHECKED)
        record.gate_started("G1", "a")
        record.gate_finished("G1", "PASS", validations=worlds.CHECKED)
        with pytest.raises(Refused, match="no attempt is running"):
            record.gate_finished("G1", "FAIL", validations=[], failure_reason="second thoughts")


def test_a_refused_act_writes_nothing(tmp_path: Path):
    with worlds.new(tmp_path) as record:
        before = {path: path.read_bytes() for path in worlds.files(record.directory)}
        for act in (
            lambda: record.gate_started("G9", "a"),
            lambda: record.gate_started("G1", ""),
            lambda: record.complete("PASSED"),
            lambda: record.event("GATE_PASSED", "as if"),
            lambda: record.event("lower", "case"),
            lambda: record.event("ODD", "not JSON", details={"value": object()}),
            lambda: record.event("ODD", "not a gate", gate="G9"),
            lambda: record.window_closed("win-9", [], reason="manual"),
            lambda: record.window_opened("win-9", [], "tomorrow"),
        ):
            with pytest.raises(Refused):
                act()
        assert {path: path.read_bytes() for path in worlds.files(record.directory)} == before


@pytest.mark.parametrize(
    ("status", "finish"),
    [
        ("PASS", {"validations": []}),
        ("PASS", {"validations": [{"type": "x", "pass": False}]}),
        ("PASS", {"validations": worlds.CHECKED, "failure_reason": "but"}),
        ("PASS", {"validations": [{"type": "x"}]}),
        ("PASS", {"validations": [{"pass": True}]}),
        ("FAIL", {"validations": []}),
        ("MAYBE", {"validations": worlds.CHECKED}),
    ],
)
def test_a_verdict_that_its_checks_do_not_carry_is_refused(tmp_path: Path, status: Any, finish: dict[str, Any]):
    with worlds.new(tmp_path) as record:
        record.gate_started("G1", "a")
        with pytest.raises(Refused):
            record.gate_finished("G1", status, **finish)
        assert record.run.gates["G1"].status == "RUNNING"


def test_a_failed_check_of_severity_warning_does_not_stop_a_pass(tmp_path: Path):
    with worlds.new(tmp_path) as record:
        record.gate_started("G1", "a")
        record.gate_finished("G1", "PASS", validations=[*worlds.CHECKED, {"type": "not_contains", "pass": False, "severity": "warning"}])
        assert record.run.gates["G1"].status == "PASS"


def test_passed_is_refused_until_every_gate_passed(tmp_path: Path):
    with worlds.new(tmp_path) as record:
        record.gate_started("G1", "a")
        record.gate_finished("G1", "PASS", validations=worlds.CHECKED)
        with pytest.raises(Refused, match="G2 NOT_STARTED"):
            record.complete("PASSED")
        record.gate_started("G2", "a")
        with pytest.raises(Refused, match="running"):
            record.complete("PASSED")
        record.gate_finished("G2", "PASS", validations=worlds.CHECKED)
        record.complete("PASSED")
        assert _view(record.directory)["status"] == "PASSED"


def test_a_run_without_gates_is_not_passed(tmp_path: Path):
    with worlds.new(tmp_path, gates="") as record:
        with pytest.raises(Refused, match="without gates"):
            record.complete("PASSED")
        record.complete("CANCELED")


def test_ending_a_run_fails_what_is_still_running_and_says_why(tmp_path: Path):
    with worlds.new(tmp_path) as record:
        record.gate_started("G1", "a")
        record.gate_started("G2", "b")
        record.complete("CANCELED")
        view = _view(record.directory)
    assert view["status"] == "CANCELED"
    assert [gate["attempts"][0]["failure_reason"] for gate in view["gates"]] == ["the run ended (CANCELED) while this attempt was running"] * 2


def test_nothing_follows_completion(tmp_path: Path):
    with worlds.new(tmp_path) as record:
        record.complete("FAILED")
        for act in (lambda: record.gate_started("G1", "a"), lambda: record.complete("CANCELED"), lambda: record.event("LATE", "news")):
            with pytest.raises(Refused, match="FAILED"):
                act()


def test_an_opened_run_goes_on_where_it_was_left(tmp_path: Path):
    with worlds.new(tmp_path) as record:
        record.gate_started("G1", "a")
    with RunRecord.open(record.directory, root=tmp_path) as again:
        assert (again.run_id, again.head) == (record.run_id, record.head)
        again.gate_finished("G1", "PASS", validations=worlds.CHECKED)
    assert verify(record.directory, again.head).verdict == "intact"


def test_two_open_records_of_one_run_see_each_others_acts(tmp_path: Path):
    with worlds.new(tmp_path) as one, RunRecord.open(one.directory, root=tmp_path) as other:
        one.gate_started("G1", "a")
        other.gate_finished("G1", "PASS", validations=worlds.CHECKED)
        assert one.gate_started("G2", "a") == 1
        with pytest.raises(Refused, match="still running"):
            other.gate_started("G2", "b")
    assert verify(one.directory).warnings == ()


def test_a_directory_without_a_journal_is_no_run(tmp_path: Path):
    with pytest.raises(UnusableRecord, match="no journal"):
        RunRecord.open(tmp_path, root=tmp_path)


def _killed_before_the_views(directory: Path, fields: dict[str, Any]) -> None:
    """What a kill leaves between the append and the views."""
    with chain.ChainedLog(directory / "record" / "journal.jsonl") as log:
        log.append({"type": "gate.started", "v": 2, "at": worlds.DEADLINE, **fields})


STARTED = {"gate": "G1", "attempt": 1, "agent": "a", "window_id": None, "prompt_sha256": None, "required_outputs": [], "contract": None}
STARTED |= {"executor": None, "inputs": [], "out_of_order": False}


def test_views_that_a_kill_left_behind_are_a_warning_and_are_mended_by_opening(tmp_path: Path):
    worlds.new(tmp_path).close()
    directory = next((tmp_path / "runs").iterdir())
    _killed_before_the_views(directory, STARTED)
    (directory / "record" / f".RUN.json.{'0' * 12}.tmp").write_bytes(b"{")
    report = verify(directory)
    assert (report.verdict, len(report.warnings)) == ("intact, unanchored", 3)
    with RunRecord.open(directory, root=tmp_path) as record:
        assert record.run.gates["G1"].status == "RUNNING"
    report = verify(directory)
    assert (report.verdict, report.warnings) == ("intact, unanchored", ())


def test_an_open_writer_mends_what_another_was_killed_over(tmp_path: Path):
    with worlds.new(tmp_path) as record:
        _killed_before_the_views(record.directory, STARTED)
        record.event("NEXT", "act")
        report = verify(record.directory)
    assert (report.verdict, report.warnings) == ("intact, unanchored", ())


def test_an_act_whose_views_the_disk_refused_is_shown_by_the_next_one(tmp_path: Path):
    with worlds.new(tmp_path) as record:
        in_the_way = record.record_directory / "gates" / "G2"
        in_the_way.write_bytes(b"")
        with pytest.raises(FileExistsError):
            record.gate_started("G2", "a")
        in_the_way.unlink()
        record.event("NEXT", "act")
        assert record.run.gates["G2"].status == "RUNNING"
        report = verify(record.directory)
    assert (report.verdict, report.warnings) == ("intact, unanchored", ())


def test_opening_hides_no_change_of_a_view(tmp_path: Path):
    worlds.new(tmp_path).close()
    view = next((tmp_path / "runs").iterdir()) / "record" / "RUN.json"
    changed = view.read_bytes().replace(b"QUEUED", b"PASSED")
    view.write_bytes(changed)
    with pytest.raises(UnusableRecord, match=r"/status: is \"PASSED\", the journal says \"QUEUED\""):
        RunRecord.open(view.parents[1], root=tmp_path)
    assert view.read_bytes() == changed


def test_opening_a_broken_journal_names_the_line(tmp_path: Path):
    directory = worlds.passed(tmp_path)
    worlds.flip(directory / "record" / "journal.jsonl", 700, 2)
    with pytest.raises(UnusableRecord, match=r"line \d+ \(bytes"):
        RunRecord.open(directory, root=tmp_path)


def test_a_run_survives_a_copy_without_its_empty_folders(tmp_path: Path):
    with worlds.new(tmp_path) as record:
        pass
    for folder in ("gates", "evidence"):
        (record.record_directory / folder).rmdir()
    with RunRecord.open(record.directory, root=tmp_path) as again:
        again.gate_started("G1", "a")
    assert verify(record.directory).verdict == "intact, unanchored"


def test_run_json_grows_with_the_work_and_not_with_its_square(tmp_path: Path):
    def size(attempts: int) -> int:
        with worlds.new(tmp_path / str(attempts)) as record:
            (record.evidence_directory / "a.txt").write_text("a")
            for _ in range(attempts):
                record.gate_started("G1", "a")
                record.gate_finished("G1", "PASS", validations=worlds.CHECKED, artifacts=record.evidence())
            return (record.record_directory / "RUN.json").stat().st_size

    small, large = size(5), size(20)
    assert large < small * 4


def test_records_cost_little_to_import():
    heavy = "pydantic fastapi aiohttp langgraph rich".split()
    code = f"import sys, windlass.records.run, windlass.records.verify; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
