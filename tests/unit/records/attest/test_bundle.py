"""A bundle is the same bytes for the same record, checks itself, and is read back without trust."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.records import worlds
from windlass.errors import Refused, UnusableRecord
from windlass.records.attest import bundle
from windlass.records.verify import verify


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return worlds.passed(tmp_path)


def bundled(directory: Path, place: Path, *, compressed: bool = False) -> Path:
    with place.open("wb") as out:
        bundle.write(directory / "record", directory.name, out, compressed=compressed)
    return place


@pytest.mark.parametrize("compressed", [False, True])
def test_the_same_record_gives_the_same_bytes_and_verifies_out_of_its_bundle(directory: Path, tmp_path: Path, compressed: bool):
    one = bundled(directory, tmp_path / "one", compressed=compressed)
    for path in worlds.files(directory):
        os.utime(path, (1, 1))
        path.chmod(0o600)
    assert bundled(directory, tmp_path / "other", compressed=compressed).read_bytes() == one.read_bytes()
    assert bundle.is_bundle(one)
    with bundle.opened(one) as unpacked:
        assert verify(unpacked, verify(directory).head).verdict == "intact"
        kept = unpacked
    assert not kept.exists()


def test_a_stranger_unpacks_it_and_runs_the_program_that_lies_in_it(directory: Path, tmp_path: Path):
    path = bundled(directory, tmp_path / "run.tar")
    place = tmp_path / "elsewhere"
    with tarfile.open(path) as tar:
        tar.extractall(place, filter="data")
    told = subprocess.run([sys.executable, "-I", "-S", place / directory.name / "verify_record.py"], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout) == (0, f"intact, unanchored: 13 entries, head {verify(directory).head}\n")


def test_a_log_is_no_bundle(directory: Path):
    assert not bundle.is_bundle(directory / "record/journal.jsonl")
    assert not bundle.is_bundle(directory / "nothing")


def test_a_record_with_a_link_is_not_bundled(directory: Path, tmp_path: Path):
    (directory / "record/evidence/link").symlink_to("/etc/passwd")
    with pytest.raises(Refused, match="symbolic link"):
        bundled(directory, tmp_path / "run.tar")


RUN = "run_20260119T143012000Z_s_aaaaaaaaaaaaa"


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


@pytest.mark.parametrize(
    "hostile",
    [
        member("../outside"),
        member("/absolute"),
        member(f"{RUN}/record/../../outside"),
        member(f"{RUN}/record/./x"),
        member(f"{RUN}/record//x"),
        member(f"{RUN}/record/a\\b"),
        member(f"{RUN}/record/link", tarfile.SYMTYPE, "/etc/passwd"),
        member(f"{RUN}/record/hard", tarfile.LNKTYPE, f"{RUN}/record/journal.jsonl"),
        member(f"{RUN}/record/fifo", tarfile.FIFOTYPE),
        member(f"{RUN}/record/device", tarfile.CHRTYPE),
        member(f"{RUN}/stranger.py"),
        member(f"{RUN}/record"),
        member(RUN),
        member("other/record/x"),
        member("run_20260119T143012000Z_s_bbbbbbbbbbbbb/record/x"),
        member(f"{RUN}/record/journal.jsonl"),
    ],
    ids=lambda made: f"{made.name}-{made.type.decode()}",
)
def test_a_member_that_leads_elsewhere_is_refused_and_leaves_nothing(tmp_path: Path, hostile: tarfile.TarInfo):
    path = tmp_path / "run.tar"
    with tarfile.open(path, "w") as tar:
        tar.addfile(member(f"{RUN}/record/journal.jsonl"), io.BytesIO())
        tar.addfile(hostile, io.BytesIO())
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UnusableRecord, match=r"run\.tar: "), bundle.opened(path):
        pass
    assert sorted(tmp_path.rglob("*")) == before


def cut_short(content: bytes) -> bytes:
    return content[: len(content) // 2]


def nothing(content: bytes) -> bytes:
    return content[:0]


def other_bytes(content: bytes) -> bytes:
    return b"\x1f\x8b" + content[2:]


@pytest.mark.parametrize("damage", [cut_short, nothing, other_bytes])
def test_a_file_that_is_no_whole_bundle_is_refused(directory: Path, tmp_path: Path, damage: Callable[[bytes], bytes]):
    path = bundled(directory, tmp_path / "run.tar")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UnusableRecord, match=r"run\.tar: "), bundle.opened(path):
        pass


def test_a_compressed_bundle_with_any_byte_changed_is_refused_damaged_or_still_the_same_record(directory: Path, tmp_path: Path):
    path = bundled(directory, tmp_path / "run.tgz", compressed=True)
    content, head = path.read_bytes(), verify(directory).head
    for place in range(0, len(content), 397):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        try:
            report = verify(path)
        except UnusableRecord:
            continue
        assert report.problems or report.head == head


def test_a_bundle_whose_program_was_changed_says_so(directory: Path, tmp_path: Path):
    path = bundled(directory, tmp_path / "run.tar")
    assert verify(path).warnings == ()
    path.write_bytes(path.read_bytes().replace(b"def main", b"def niam", 1))
    (warning,) = verify(path).warnings
    assert warning.file == "verify_record.py"
    assert "read it before you run it" in warning.reason


def test_a_tar_without_a_record_is_refused(tmp_path: Path):
    path = tmp_path / "run.tar"
    with tarfile.open(path, "w") as tar:
        tar.addfile(member(f"{RUN}/verify_record.py"), io.BytesIO())
    with pytest.raises(UnusableRecord, match="holds no record"), bundle.opened(path):
        pass
