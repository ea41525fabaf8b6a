"""Small real records, for tests of what is written and of what is found when it is changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from windlass.infra.chain import ChainedLog
from windlass.records.events import GateName
from windlass.records.run import RunRecord

STARTED = datetime(2026, 1, 19, 14, 30, 12, tzinfo=UTC)
CHECKED = [{"type": "file_exists", "path": "{record}/evidence/note.txt", "pass": True}]
DEADLINE = "2026-01-19T14:35:12.000Z"


def ticking() -> Callable[[], datetime]:
    """A clock that goes on by 250 ms whenever it is read."""
    ticks = count()
    return lambda: STARTED + timedelta(milliseconds=250 * next(ticks))


def new(root: Path, *, gates: str = "G1 G2", seed: int = 1, slug: str = "the-word-robot", **started: Any) -> RunRecord:
    """A run that has just been created below `root/runs`, the same for the same seed."""
    named = [GateName(gate=gate, name=f"Gate {gate}") for gate in gates.split()]
    random = Random(seed)
    return RunRecord.create(root / "runs", root=root, workflow="essay", slug=slug, gates=named, clock=ticking(), random=random.randrange, **started)


def passed(root: Path, *, seed: int = 1) -> Path:
    """The directory of a completed run of three gates: a failed and a passed attempt, artifacts, a log, a window, a note."""
    with new(root, gates="WINDOW G1 CLOSED", seed=seed) as record:
        evidence = record.evidence_directory
        record.gate_started("WINDOW", "windlass")
        record.window_opened("win-1", ["fleet"], DEADLINE)
        (evidence / "note.txt").write_text(f"what was seen by run {seed}\n")
        record.gate_finished("WINDOW", "PASS", validations=CHECKED, artifacts=record.evidence(), window_id="win-1")
        record.gate_started("G1", "someone", window_id="win-1")
        missing = record.artifact("{artifact_path}/research/FIGURES.md")
        failed = [{"type": "file_exists", "path": missing.path, "pass": False}]
        record.gate_finished("G1", "FAIL", validations=failed, artifacts=[missing], failure_reason="Missing: {artifact_path}/research/FIGURES.md")
        record.event("RETRY", "once more", gate="G1", details={"by": "someone"})
        record.gate_started("G1", "someone", window_id="win-1")
        (evidence / "deep").mkdir()
        (evidence / "deep" / "result.json").write_bytes(b'{"ok":true}\n')
        record.gate_finished("G1", "PASS", validations=CHECKED, artifacts=record.evidence("deep"))
        record.gate_started("CLOSED", "windlass")
        record.window_closed("win-1", ["fleet"], reason="manual")
        with ChainedLog(evidence / "windows.jsonl") as log:
            log.append_all([{"act": "open"}, {"act": "close"}])
        record.gate_finished("CLOSED", "PASS", validations=CHECKED, artifacts=[record.artifact(evidence / "windows.jsonl")])
        record.complete("PASSED")
        return record.directory


def files(directory: Path) -> list[Path]:
    """Every file below `directory`."""
    return sorted(path for path in directory.rglob("*") if path.is_file())


def flip(path: Path, offset: int, bit: int) -> None:
    """Change one bit of a file in place; once more restores it."""
    with path.open("r+b") as stream:
        stream.seek(offset)
        byte = stream.read(1)[0]
        stream.seek(offset)
        stream.write(bytes([byte ^ (1 << bit)]))
