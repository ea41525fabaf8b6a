"""P-01, the random part: a record is never torn by a kill.

The budget counts killed writers (see `budget.py`), and for every three of them a killed creation; the seed says when.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from random import Random

from tests.promises import budget
from tests.unit.records import worlds
from windlass.infra import chain
from windlass.records.run import RunRecord
from windlass.records.verify import verify

KILLS = budget.of(small=15, full=1000)
SEED = budget.seed(1)
PER_RUN = 50
"""Kills that one run suffers: its journal and evidence grow with each, and checking them all again with it."""

_WORKER = """
import sys
from pathlib import Path
from windlass.infra import files
from windlass.records.run import RunRecord

def acknowledge(record):
    sys.stdout.write(record.head + "\\n")
    sys.stdout.flush()

root, directory = Path(sys.argv[1]), Path(sys.argv[2])
with RunRecord.open(directory, root=root) as record:
    for start in record.run.running:
        seen = record.evidence(f"{start.gate}-{start.attempt}")
        record.gate_finished(start.gate, "FAIL", validations=[], failure_reason="interrupted", artifacts=seen)
        acknowledge(record)
    while True:
        number = record.gate_started("G1", "a")
        acknowledge(record)
        folder = record.evidence_directory / f"G1-{number}"
        folder.mkdir()
        (folder / "seen.txt").write_text("seen" * number)
        record.event("SEEN", "something", gate="G1", details={"number": number})
        acknowledge(record)
        record.gate_finished("G1", "PASS", validations=[{"type": "seen", "pass": True}], artifacts=record.evidence(f"G1-{number}"))
        acknowledge(record)
"""

_STARTER = """
import sys
from pathlib import Path
from windlass.records.events import GateName
from windlass.records.run import RunRecord

while True:
    with RunRecord.create(Path(sys.argv[1]), root=Path(sys.argv[1]), workflow="w", slug="s", gates=[GateName(gate="G1", name="One")]) as record:
        sys.stdout.write(record.run_id + " " + record.head + "\\n")
        sys.stdout.flush()
"""


def _killed_at_random(random: Random, code: str, *arguments: Path) -> list[str]:
    """Run `code` and SIGKILL it at a random moment after a random number of acknowledged acts; returns what it acknowledged."""
    child = subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child.stdout as stream:
        lines = [stream.readline() for _ in range(random.randrange(1, 12))]
        assert all(lines), "the child ended by itself"
        try:
            child.wait(timeout=random.random() * 0.006)
        except subprocess.TimeoutExpired:
            child.kill()
        lines += stream.readlines()
    assert child.wait() == -9
    return [line.rstrip("\n") for line in lines if line.endswith("\n")]


def test_a_killed_writer_leaves_whole_files_and_loses_nothing_that_it_acknowledged(tmp_path: Path):
    random = Random(SEED)
    acknowledged = 0
    for start in range(0, KILLS, PER_RUN):
        root = tmp_path / str(start)
        root.mkdir()
        acknowledged += _suffered(root, random, min(PER_RUN, KILLS - start))
    budget.tell("P-01", SEED, f"{KILLS} kills, {acknowledged:,} acknowledged acts, none lost")


def _suffered(root: Path, random: Random, kills: int) -> int:
    """Kill the writer of one run that often, checking everything after each kill; returns how many acts it acknowledged."""
    with worlds.new(root) as record:
        directory = record.directory
    acknowledged: list[str] = []
    for kill in range(kills):
        acknowledged += _killed_at_random(random, _WORKER, root, directory)
        view = json.loads((directory / "record" / "RUN.json").read_bytes())
        assert view["run_id"] == record.run_id
        for path in (directory / "record" / "gates").glob("*/attempt-*.json"):
            assert json.loads(path.read_bytes())["status"] in {"RUNNING", "PASS", "FAIL"}, path
        scan = chain.scan((directory / "record" / "journal.jsonl").read_bytes())
        assert scan.breaks == (), kill
        lost = set(acknowledged) - {entry.hash for entry in scan.entries}
        assert not lost, kill
        report = verify(directory, acknowledged[-1])
        assert report.problems == (), kill
        RunRecord.open(directory, root=root).close()
        left = [warning for warning in verify(directory).warnings if not warning.file.startswith("evidence/")]
        assert left == [], kill
    assert len(acknowledged) > kills
    return len(acknowledged)


def test_a_run_whose_creation_is_killed_is_whole_or_not_there(tmp_path: Path):
    random = Random(SEED + 1)
    for _ in range(max(3, KILLS // 3)):
        acknowledged = dict(line.split() for line in _killed_at_random(random, _STARTER, tmp_path))
        there = {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")}
        assert acknowledged.keys() <= there
        for name in there:
            assert verify(tmp_path / name, acknowledged.get(name)).problems == ()
