"""A record that somebody filled with traps: verify never waits, never reads elsewhere, never reads for ever, and says what it found."""

from __future__ import annotations

import os
import resource
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.records import worlds

from windlass.errors import UnusableRecord
from windlass.infra import chain
from windlass.infra.chain import ChainedLog
from windlass.records.events import GateName
from windlass.records.run import RunRecord
from windlass.records.verify import verify

TERABYTE = 2**40


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return worlds.passed(tmp_path)


@pytest.fixture(autouse=True)
def quickly() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 5


def files(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in (directory / "record").rglob("*") if path.is_file())


@pytest.mark.parametrize("trap", ["terabyte", "fifo", "directory", "device", "link out", "link nowhere", "loop"])
def test_a_trap_in_the_place_of_any_file_is_damage_of_that_file(directory: Path, trap: str) -> None:
    for name in files(directory):
        place, kept = directory / name, (directory / name).read_bytes()
        place.unlink()
        match trap:
            case "terabyte":
                with place.open("wb") as sparse:
                    sparse.truncate(TERABYTE)
            case "fifo":
                os.mkfifo(place)
            case "directory":
                place.mkdir()
            case "device":
                place.symlink_to("/dev/zero")
            case "link out":
                place.symlink_to("/etc/passwd")
            case "link nowhere":
                place.symlink_to("nowhere")
            case _:
                place.symlink_to(place.name)
        report = verify(directory)
        assert report.problems, name
        assert "root:" not in str(report.as_json())
        place.rmdir() if place.is_dir() and not place.is_symlink() else place.unlink()
        place.write_bytes(kept)
    assert verify(directory).problems == ()


def test_logs_that_lead_elsewhere_are_not_read(directory: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "bodies"
    elsewhere.mkdir(parents=True)
    (elsewhere / ("a" * 64)).write_text("would be damage, if it were the run's")
    shutil.rmtree(directory / "logs", ignore_errors=True)
    (directory / "logs").symlink_to(tmp_path / "elsewhere")
    report = verify(directory)
    assert (report.problems, report.bodies_checked) == ((), 0)


def test_a_body_of_a_terabyte_is_not_hashed(directory: Path) -> None:
    bodies = directory / "logs" / "sweep" / "bodies"
    bodies.mkdir(parents=True)
    with (bodies / ("a" * 64)).open("wb") as sparse:
        sparse.truncate(TERABYTE)
    assert "larger than any body" in str(verify(directory).problems[0])


def test_seals_that_close_nothing_cost_linear_time(directory: Path) -> None:
    with (directory / "record" / "journal.jsonl").open("ab") as journal:
        journal.write((b',"hash":"' + b"a" * 64 + b'"}') * 50_000)
    assert "torn tail" in str(verify(directory).warnings[0])


def test_millions_of_lines_that_are_none_are_told_in_a_thousand(directory: Path) -> None:
    with (directory / "record" / "journal.jsonl").open("ab") as journal:
        journal.write(b"\n" * 3_000_000)
    report = verify(directory)
    assert len(report.problems) == chain.MAX_BREAKS + 1
    assert "is not read" in str(report.problems[-1])


@pytest.mark.parametrize("name", ["x" * 300, "/".join(["x" * 200] * 40)])
def test_a_name_that_no_file_can_have_holds_no_record(name: str) -> None:
    with pytest.raises(UnusableRecord):
        verify(Path(name))


@pytest.mark.parametrize("trap", ["fifo", "device"])
def test_a_log_that_would_keep_nothing_is_not_opened(tmp_path: Path, trap: str) -> None:
    path = tmp_path / "audit.jsonl"
    if trap == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/null")
    with pytest.raises(OSError, match="is not a regular file"):
        ChainedLog(path)


def test_a_full_disk_leaves_the_views_at_most_one_entry_behind(tmp_path: Path) -> None:
    """The journal still has room where RUN.json, which is larger, has none; what is tried after that must not widen the gap."""
    gates = [GateName(gate=gate, name=gate) for gate in ("G1", "G2")]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with RunRecord.create(tmp_path, root=tmp_path, workflow="w", slug="s", gates=gates) as record:
        record.gate_started("G1", "somebody", required_outputs=["a"] * 2000)
        sizes = [(record.record_directory / name).stat().st_size for name in ("journal.jsonl", "RUN.json")]
        assert sizes[0] + 4096 < sizes[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (sizes[0] + 4096, limits[1]))
        try:
            for _ in range(3):
                with pytest.raises(OSError, match="File too large"):
                    record.event("NOTE", "there is room for this line, and none for the view of it")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert verify(record.directory).problems == ()
        record.event("NOTE", "there is room again")
        report = verify(record.directory)
        assert (report.problems, report.warnings) == ((), ())
