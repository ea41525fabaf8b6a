"""Evidence on disk: committed first, in order, whole or refused."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sweep import climbing
from windlass.errors import UnusableRecord
from windlass.sweep import evidence


def begun(directory: Path) -> evidence.Evidence:
    evidence.begin(directory, directory / "bodies", {"nonce": "n"}, b"{}")
    return evidence.Evidence(directory, directory / "bodies")


def test_the_expectation_is_there_before_anything_is_called(tmp_path: Path):
    digest = evidence.begin(tmp_path / "new/out", tmp_path / "elsewhere/bodies", {"nonce": "n"}, b"{}")
    content = (tmp_path / "new/out/expectation.json").read_bytes()
    assert json.loads(content) == {"nonce": "n"}
    assert digest == hashlib.sha256(content).hexdigest() == evidence.digest_of(tmp_path / "new/out/expectation.json")
    assert (tmp_path / "elsewhere/bodies").is_dir()


@pytest.mark.parametrize("name", ["expectation.json", "rows.jsonl", "sweep.json"])
def test_a_directory_with_a_part_of_another_sweep_is_refused(tmp_path: Path, name: str):
    (tmp_path / name).write_text("{}")
    with pytest.raises(UnusableRecord, match="holds a sweep already"):
        evidence.begin(tmp_path, tmp_path / "bodies", {}, b"{}")


@pytest.mark.parametrize("name", ["out\n::error::", "\x1b[31m", os.fsdecode(b"\xff")])
def test_a_directory_whose_name_no_evidence_can_repeat_is_refused(tmp_path: Path, name: str):
    with pytest.raises(UnusableRecord) as refused:
        evidence.begin(tmp_path / name, tmp_path / "bodies", {}, b"{}")
    assert str(refused.value).isprintable()


def test_a_place_that_can_not_be_made_or_written_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UnusableRecord, match="can't be made"):
        evidence.begin(tmp_path / "file/out", tmp_path / "bodies", {}, b"{}")
    (tmp_path / "out/fleet.json/x").mkdir(parents=True)
    with pytest.raises(UnusableRecord, match="the evidence can't be written"):
        evidence.begin(tmp_path / "out", tmp_path / "bodies", {}, b"{}")
    (tmp_path / "dir/rows.jsonl").mkdir(parents=True)
    with pytest.raises(UnusableRecord, match="the evidence can't be written"):
        evidence.Evidence(tmp_path / "dir", tmp_path / "bodies")


def test_bodies_are_stored_once_under_their_digest_for_their_owner_only(tmp_path: Path):
    kept = begun(tmp_path)
    names = [kept.keep(content) for content in (b"one", b"two", b"one", b"")]
    kept.close()
    assert names == [hashlib.sha256(content).hexdigest() for content in (b"one", b"two", b"one", b"")]
    assert {path.name for path in (tmp_path / "bodies").iterdir()} == set(names)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "bodies").iterdir()} == {0o600}
    assert evidence.body(tmp_path / "bodies", names[1]) == b"two"


def test_rows_stand_in_the_order_in_which_they_ended_each_on_its_line(tmp_path: Path):
    kept = begun(tmp_path)
    for number in range(500):
        kept.row({"task_type": f"T{number}", "error_preview": "a\nb\r\u2028c\x85"})
    kept.close()
    kept.close()
    found, size = evidence.read_rows(tmp_path / "rows.jsonl")
    assert [row["task_type"] for row in found] == [f"T{number}" for number in range(500)]
    assert size == (tmp_path / "rows.jsonl").stat().st_size


def test_no_row_stands_before_its_bodies(tmp_path: Path):
    kept = begun(tmp_path)
    (tmp_path / "bodies").rmdir()
    digest = kept.keep(b"x")
    with pytest.raises(UnusableRecord, match="the evidence can't be written"):
        _hand_in_and_close(kept, digest)
    assert (tmp_path / "rows.jsonl").read_bytes() == b""
    with pytest.raises(UnusableRecord):
        kept.keep(b"y")
    with pytest.raises(UnusableRecord):
        kept.close()


def _hand_in_and_close(kept: evidence.Evidence, digest: str) -> None:
    """The writer's failure comes out at the next row or at the end, whichever it is."""
    for _ in range(1000):
        kept.row({"task_type": "T", "request_sha256": digest})
    kept.close()


def test_a_row_that_a_kill_cut_short_is_no_row(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    lines = [json.dumps({"task_type": f"T{number}"}) + "\n" for number in range(3)]
    whole = "".join(lines)
    for cut in range(len(whole) + 1):
        path.write_text(whole[:cut])
        found, size = evidence.read_rows(path)
        assert len(found) == whole[:cut].count("\n")
        assert size == len("".join(lines[: len(found)]))
    assert evidence.read_rows(tmp_path / "none") == ([], 0)


@pytest.mark.parametrize("content", [b"{\n", b'{"a":1}\n\x00\x00\x00\n', b"3\n", b"[]\n", b'{"task_type": 3}\n', b"\n", b"\xff\n"])
def test_rows_that_are_damaged_inside_are_refused_by_the_files_name(tmp_path: Path, content: bytes):
    (tmp_path / "rows.jsonl").write_bytes(content)
    with pytest.raises(UnusableRecord, match=r"rows\.jsonl"):
        evidence.read_rows(tmp_path / "rows.jsonl")


def test_what_can_not_be_read_is_refused_by_its_name(tmp_path: Path):
    (tmp_path / "dir").mkdir()
    (tmp_path / "text").write_text("no")
    for read in (evidence.read_json, evidence.read_rows, evidence.digest_of):
        with pytest.raises(UnusableRecord, match="dir"):
            read(tmp_path / "dir")
    for name in ("text", "none"):
        with pytest.raises(UnusableRecord, match=name):
            evidence.read_json(tmp_path / name)


def test_a_body_is_there_or_not_carried_or_damaged(tmp_path: Path):
    digest = hashlib.sha256(b"x").hexdigest()
    assert evidence.body(tmp_path, None) == b""
    assert evidence.body(tmp_path, digest) is None
    (tmp_path / digest).write_bytes(b"y")
    with pytest.raises(UnusableRecord, match=digest):
        evidence.body(tmp_path, digest)


def test_a_whole_sweep_can_be_written_and_its_place_lost_afterwards(tmp_path: Path):
    sweep: dict[str, Any] = climbing.write(tmp_path / "out", climbing.planned(), {"T": climbing.honest})
    assert json.loads((tmp_path / "out/sweep.json").read_bytes()) == sweep
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {"expectation.json", "fleet.json", "rows.jsonl", "gate.md", "report.html"}
    shutil.rmtree(tmp_path / "out")
    with pytest.raises(UnusableRecord, match="can't be written"), evidence.writing(tmp_path / "out"):
        (tmp_path / "out/sweep.json").write_bytes(b"")
