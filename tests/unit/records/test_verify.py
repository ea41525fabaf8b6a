from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.records import worlds
from windlass.errors import Refused, UnusableRecord
from windlass.infra.chain import GENESIS, ChainedLog, scan, seal
from windlass.records.verify import verify


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return worlds.passed(tmp_path)


def test_an_honest_record_is_intact_and_says_when_nothing_anchors_it(directory: Path):
    report = verify(directory)
    assert (report.verdict, report.problems, report.warnings) == ("intact, unanchored", (), ())
    assert (report.entries, report.artifacts_checked) == (13, 3)
    assert verify(directory, report.head).verdict == "intact"
    assert verify(directory, report.head.upper()).verdict == "intact"


def test_a_record_can_be_moved_and_verified_from_any_of_its_directories(directory: Path, tmp_path: Path):
    head = verify(directory).head
    moved = shutil.copytree(directory / "record", tmp_path / "moved")
    shutil.rmtree(directory)
    assert verify(moved, head).verdict == "intact"


def test_a_report_is_plain_json(directory: Path):
    (directory / "record" / "evidence" / "note.txt").write_text("other")
    told = json.loads(json.dumps(verify(directory).as_json()))
    assert told["verdict"] == "damaged"
    assert told["problems"][0]["file"] == "evidence/note.txt"
    assert (told["problems"][0]["start"], told["problems"][0]["end"]) == (0, 5)


@pytest.mark.parametrize("head", ["", "abc", "g" * 64, GENESIS, "0" * 63 + "\n"])
def test_an_anchor_that_is_none_is_refused(directory: Path, head: str):
    with pytest.raises(Refused, match="head"):
        verify(directory, head)


def test_an_earlier_anchor_holds_and_what_follows_it_is_named(directory: Path):
    entries = scan((directory / "record" / "journal.jsonl").read_bytes()).entries
    report = verify(directory, entries[-3].hash)
    assert report.verdict == "intact"
    assert "entries after the anchor: 2" in report.warnings[0].reason


def test_an_unknown_anchor_is_damage(directory: Path):
    report = verify(directory, "a" * 64)
    assert (report.verdict, report.problems[0].file) == ("damaged", "journal.jsonl")


def _remove(path: Path) -> None:
    path.unlink()


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


@pytest.mark.parametrize("change", [_remove, _link])
@pytest.mark.parametrize("name", ["journal.jsonl", "RUN.json", "gates/G1/attempt-1.json", "evidence/note.txt", "evidence/windows.jsonl"])
def test_a_file_that_is_gone_or_became_a_link_is_named(directory: Path, name: str, change: Callable[[Path], None]):
    change(directory / "record" / name)
    report = verify(directory)
    assert report.verdict == "damaged"
    assert name in [problem.file for problem in report.problems]


@pytest.mark.parametrize("name", ["stranger.txt", "evidence/stranger.json", "gates/G1/attempt-3.json", "gates/G9/attempt-1.json"])
def test_a_file_that_nobody_recorded_is_named(directory: Path, name: str):
    path = directory / "record" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"{}")
    assert [problem.file for problem in verify(directory).problems] == [name]


def test_a_name_that_is_no_text_is_reported_all_the_same(directory: Path):
    (directory / "record" / os.fsdecode(b"\xff\xfe")).touch()
    report = verify(directory)
    assert [problem.file for problem in report.problems] == ["\\xff\\xfe"]
    json.dumps(report.as_json()).encode()


def test_a_changed_view_is_placed_by_bytes_and_pointer(directory: Path):
    path = directory / "record" / "RUN.json"
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"FAIL"', b'"PASS"', 1))
    problem = verify(directory).problems[0]
    assert (problem.file, problem.pointer) == ("RUN.json", "/gates/1/attempts/0/status")
    assert content[problem.start : problem.end] == b"FAIL"


def test_a_log_among_the_evidence_is_placed_by_its_line(directory: Path):
    path = directory / "record" / "evidence" / "windows.jsonl"
    second = path.read_bytes().index(b"\n") + 1
    worlds.flip(path, second + 5, 0)
    places = [(problem.file, problem.start) for problem in verify(directory).problems]
    assert ("evidence/windows.jsonl", second) in places


def test_an_artifact_outside_the_record_is_counted_and_not_blamed(tmp_path: Path):
    (tmp_path / "notes.md").write_text("now")
    with worlds.new(tmp_path) as record:
        record.gate_started("G1", "a")
        record.gate_finished("G1", "PASS", validations=worlds.CHECKED, artifacts=[record.artifact("notes.md")])
    (tmp_path / "notes.md").write_text("later")
    report = verify(record.directory)
    assert (report.verdict, report.artifacts_checked, report.artifacts_outside) == ("intact, unanchored", 0, 1)


def test_evidence_that_grew_is_honest_and_evidence_that_was_overwritten_is_not(tmp_path: Path):
    with worlds.new(tmp_path) as record:
        path = record.evidence_directory / "audit.jsonl"
        for content in ("one\n", "one\ntwo\n"):
            path.write_text(content)
            record.gate_started("G1", "a")
            record.gate_finished("G1", "PASS", validations=worlds.CHECKED, artifacts=record.evidence())
        assert verify(record.directory).problems == ()
        path.write_text("three\n")
        record.gate_started("G1", "a")
        record.gate_finished("G1", "PASS", validations=worlds.CHECKED, artifacts=record.evidence())
    problems = verify(record.directory).problems
    assert [problem.file for problem in problems] == ["evidence/audit.jsonl"] * 2
    assert "overwritten" in problems[0].reason


def test_evidence_of_a_running_gate_is_not_recorded_yet_and_no_damage(tmp_path: Path):
    with worlds.new(tmp_path) as record:
        record.gate_started("G1", "a")
        (record.evidence_directory / "early.txt").write_text("x")
        report = verify(record.directory)
        assert (report.verdict, [warning.file for warning in report.warnings]) == ("intact, unanchored", ["evidence/early.txt"])
        record.gate_finished("G1", "FAIL", validations=[], failure_reason="no")
        assert [problem.file for problem in verify(record.directory).problems] == ["evidence/early.txt"]


def test_a_torn_tail_is_a_warning(directory: Path):
    journal = directory / "record" / "journal.jsonl"
    with journal.open("ab") as stream:
        stream.write(b'{"seq":13,"pr')
    report = verify(directory)
    assert report.verdict == "intact, unanchored"
    assert [str(warning) for warning in report.warnings] == [
        f"journal.jsonl bytes {journal.stat().st_size - 13} to {journal.stat().st_size}: torn tail of 13 bytes, never acknowledged"
    ]


def test_a_last_newline_that_is_changed_or_gone_is_damage(directory: Path):
    journal = directory / "record" / "journal.jsonl"
    content = journal.read_bytes()
    journal.write_bytes(content[:-1] + b"\x0b")
    assert [problem.file for problem in verify(directory).problems] == ["journal.jsonl"]
    journal.write_bytes(content[:-1])
    assert "journal.jsonl" in [problem.file for problem in verify(directory).problems]


def test_a_legal_chain_of_illegal_acts_is_damage_at_its_entry(directory: Path):
    journal = directory / "record" / "journal.jsonl"
    entries = scan(journal.read_bytes()).entries
    with ChainedLog(journal) as log:
        log.append({"type": "note", "v": 2, "at": worlds.DEADLINE, "name": "LATE", "message": "after the end", "gate": None, "details": {}})
    problem = verify(directory).problems[0]
    assert (problem.file, problem.start) == ("journal.jsonl", entries[-1].end)
    assert "can't follow its completion" in problem.reason


def test_views_more_than_one_entry_behind_are_damage(tmp_path: Path):
    with worlds.new(tmp_path) as record:
        old = (record.record_directory / "RUN.json").read_bytes()
        record.event("ONE", "1")
        record.event("TWO", "2")
        (record.record_directory / "RUN.json").write_bytes(old)
        assert [problem.file for problem in verify(record.directory).problems] == ["RUN.json"]


def test_a_record_in_the_place_of_another_is_damage(directory: Path, tmp_path: Path):
    other = worlds.passed(tmp_path / "other", seed=2)
    shutil.rmtree(directory)
    shutil.copytree(other, directory)
    problem = verify(directory).problems[0]
    assert "in the place of" in problem.reason


def _store_bodies(directory: Path, folder: Path, bodies: list[bytes]) -> None:
    folder.mkdir(parents=True)
    for body in bodies:
        (folder / hashlib.sha256(body).hexdigest()).write_bytes(body)


@pytest.fixture
def swept(tmp_path: Path) -> Path:
    """A run whose recorded sweep names two response bodies, neither of them stored."""
    with worlds.new(tmp_path) as record:
        folder = record.evidence_directory / "sweep"
        folder.mkdir()
        rows = [{"task_type": "A", "response_sha256": hashlib.sha256(body).hexdigest()} for body in (b"one", b"two")]
        (folder / "sweep.json").write_text(json.dumps({"schema_version": 1, "rows": rows}))
        record.gate_started("G1", "a")
        record.gate_finished("G1", "PASS", validations=worlds.CHECKED, artifacts=record.evidence("sweep"))
        return record.directory


def test_bodies_that_are_not_carried_are_counted(swept: Path):
    report = verify(swept)
    assert (report.verdict, report.bodies_checked, report.bodies_not_carried) == ("intact, unanchored", 0, 2)


@pytest.mark.parametrize("folder", ["logs/sweep/bodies", "record/evidence/sweep/bodies"])
def test_stored_bodies_are_hashed_and_a_changed_one_is_named(swept: Path, folder: str):
    _store_bodies(swept, swept / folder, [b"one", b"two"])
    report = verify(swept)
    assert (report.verdict, report.bodies_checked, report.bodies_not_carried) == ("intact, unanchored", 2, 0)
    body = swept / folder / hashlib.sha256(b"one").hexdigest()
    body.write_bytes(b"changed")
    problems = verify(swept).problems
    assert [Path(problem.file).name for problem in problems] == [body.name]


def test_a_body_in_the_record_that_no_sweep_names_is_a_stranger(swept: Path):
    _store_bodies(swept, swept / "record/evidence/sweep/bodies", [b"three"])
    assert len(verify(swept).problems) == 1


def test_a_bare_log_is_verified_by_itself(tmp_path: Path):
    path = tmp_path / "audit.jsonl"
    with ChainedLog(path) as log:
        head = log.append_all([{"n": n} for n in range(5)])[-1]
    assert (verify(path).verdict, verify(path).entries, verify(path, head).verdict) == ("intact, unanchored", 5, "intact")
    cut = path.read_bytes().splitlines(keepends=True)[:3]
    path.write_bytes(b"".join(cut))
    assert (verify(path).verdict, verify(path, head).verdict) == ("intact, unanchored", "damaged")
    worlds.flip(path, 0, 0)
    assert verify(path).problems[0].file == "audit.jsonl"


def test_a_one_line_log_is_a_log_whichever_bit_is_flipped(tmp_path: Path):
    path = tmp_path / "audit.jsonl"
    path.write_bytes(seal(0, GENESIS, {"n": 1})[0])
    for offset in range(path.stat().st_size):
        worlds.flip(path, offset, 1)
        assert verify(path).verdict == "damaged", offset
        worlds.flip(path, offset, 1)


@pytest.mark.parametrize("content", [b"hello", b"hello\n", b'{"a": 1}\n'])
def test_what_is_no_log_is_not_called_intact(tmp_path: Path, content: bytes):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UnusableRecord):
        verify(tmp_path / "file")


def test_a_directory_that_holds_no_record_is_unusable(tmp_path: Path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UnusableRecord):
            verify(path)


def test_a_record_of_the_original_runner_is_said_to_be_one(tmp_path: Path):
    (tmp_path / "record").mkdir()
    (tmp_path / "record" / "RUN.json").write_text('{"run_id": "run_20260119T222303959Z_the-word-robot_uc2s1f"}')
    with pytest.raises(UnusableRecord, match="original runner"):
        verify(tmp_path)


def test_verifying_changes_nothing(directory: Path):
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in worlds.files(directory)}
    verify(directory)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in worlds.files(directory)} == before
