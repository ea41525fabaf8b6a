from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tests.unit.records import worlds
from windlass.errors import Refused
from windlass.records import artifacts
from windlass.records.artifacts import Places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    record = tmp_path / "root" / "runs" / "r" / "record"
    (record / "evidence").mkdir(parents=True)
    return Places(root=tmp_path / "root", record=record, slug="robot", artifact_path="essays/robot")


def test_a_template_is_kept_and_resolved_relative_to_the_root(places: Places):
    path = places.root / "essays" / "robot" / "FIGURES.md"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"figures")
    found = places.describe("{artifact_path}/FIGURES.md")
    assert (found.path, found.resolved_path, found.exists) == ("{artifact_path}/FIGURES.md", "essays/robot/FIGURES.md", True)
    assert (found.sha256, found.size, found.carried) == (hashlib.sha256(b"figures").hexdigest(), 7, None)
    assert places.resolve("specs/{slug}.md") == "specs/robot.md"


def test_a_file_of_the_record_is_named_by_its_place_in_the_record(places: Places):
    (places.record / "evidence" / "x.txt").write_bytes(b"x")
    for template in ("{record}/evidence/x.txt", "runs/r/record/evidence/x.txt"):
        found = places.describe(template)
        assert (found.resolved_path, found.carried, found.exists) == ("{record}/evidence/x.txt", "evidence/x.txt", True)


def test_a_missing_file_is_described_as_missing(places: Places):
    (places.root / "file").write_bytes(b"")
    for template in ("nope.md", "no/such/folder.md", "file/below"):
        found = places.describe(template)
        assert (found.exists, found.sha256, found.size) == (False, None, None)


@pytest.mark.parametrize(
    "template",
    ["/etc/passwd", "../x", "a/../../x", "{nope}/x", "a//b", "", "a\\b", "a\0b", "{record}/../x", "{record}/RUN.json", "{record}/journal.jsonl"],
)
def test_a_path_that_leaves_the_root_or_names_the_journal_is_refused(places: Places, template: str):
    with pytest.raises(Refused):
        places.describe(template)


def test_no_link_is_followed_not_even_inside_the_root(places: Places):
    (places.root / "real").mkdir()
    (places.root / "real" / "file").write_bytes(b"x")
    (places.root / "folder").symlink_to(places.root / "real")
    (places.root / "link").symlink_to(places.root / "real" / "file")
    (places.root / "dangling").symlink_to("/nowhere")
    for template in ("folder/file", "link", "dangling"):
        with pytest.raises(Refused, match="symbolic link"):
            places.describe(template)


def test_what_is_not_a_regular_file_is_refused_and_blocks_nobody(places: Places):
    os.mkfifo(places.root / "fifo")
    (places.root / "folder").mkdir()
    for template in ("fifo", "folder"):
        with pytest.raises(Refused, match="not a regular file"):
            places.describe(template)


def test_a_file_is_hashed_with_its_beginnings_in_one_pass(tmp_path: Path):
    content = os.urandom(700_000)
    (tmp_path / "big").write_bytes(content)
    stops = [0, 1, 256 * 1024, 300_000, 700_000, 900_000]
    with artifacts.opened(tmp_path, "big") as descriptor:
        found = artifacts.digests(descriptor, stops)
    assert (found.sha256, found.size) == (hashlib.sha256(content).hexdigest(), 700_000)
    assert found.prefixes == {stop: hashlib.sha256(content[:stop]).hexdigest() for stop in stops if stop <= 700_000}


def test_a_path_on_this_machine_is_recorded_relative_or_refused(tmp_path: Path):
    with worlds.new(tmp_path / "project") as record:
        (record.evidence_directory / "a.txt").write_text("a")
        assert record.artifact(record.evidence_directory / "a.txt").path == "{record}/evidence/a.txt"
        assert record.artifact(tmp_path / "project" / "notes.md").path == "notes.md"
        with pytest.raises(Refused, match="outside"):
            record.artifact(tmp_path / "elsewhere.md")


def test_all_evidence_is_described_in_order(tmp_path: Path):
    with worlds.new(tmp_path) as record:
        for name in ("b/2.txt", "b/1.txt", "a.txt"):
            (record.evidence_directory / name).parent.mkdir(exist_ok=True)
            (record.evidence_directory / name).write_text(name)
        assert [found.carried for found in record.evidence()] == ["evidence/a.txt", "evidence/b/1.txt", "evidence/b/2.txt"]
        assert [found.carried for found in record.evidence("b")] == ["evidence/b/1.txt", "evidence/b/2.txt"]
