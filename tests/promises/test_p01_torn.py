"""P-01 and P-04, the small form: a record is never torn by a kill, and concurrent writers lose nothing.

WINDLASS_PROMISE_KILLS: how many processes are killed (default 15). WINDLASS_PROMISE_SEED: when.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from tests.unit.records import worlds
from windlass.infra import chain
from windlass.records.run import RunRecord
from windlass.records.verify import verify

KILLS = int(os.environ.get("WINDLASS_PROMISE_KILLS", "15"))
SEED = int(os.environ.get("WINDLASS_PROMISE_SEED", "1"))

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
from windlass.records.journal import GateName
from windlass.records.run import RunRecord

while True:
    with RunRecord.create(Path(sys.argv[1]), root=Path(sys.argv[1]), workflow="w", slug="s", gates=[GateName(gate="G1", name="One")]) as record:
        sys.stdout.write(record.run_id + " " + record.head + "\\n")
        sys.stdout.flush()
"""

_NOTER = """
import sys
from pathlib import Path
from windlass.records.run import RunRecord

with RunRecord.open(Path(sys.argv[2]), root=Path(sys.argv[1])) as record:
    for number in range(int(sys.argv[4])):
        record.event("SEEN", "something", details={"who": sys.argv[3], "number": number})
        print(record.head, flush=True)
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
    with worlds.new(tmp_path) as record:
        directory = record.directory
    acknowledged: list[str] = []
    for kill in range(KILLS):
        acknowledged += _killed_at_random(random, _WORKER, tmp_path, directory)
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
        RunRecord.open(directory, root=tmp_path).close()
        left = [warning for warning in verify(directory).warnings if not warning.file.startswith("evidence/")]
        assert left == [], kill
    assert len(acknowledged) > KILLS


def test_a_run_whose_creation_is_killed_is_whole_or_not_there(tmp_path: Path):
    random = Random(SEED + 1)
    for _ in range(max(3, KILLS // 3)):
        acknowledged = dict(line.split() for line in _killed_at_random(random, _STARTER, tmp_path))
        there = {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")}
        assert acknowledged.keys() <= there
        for name in there:
            assert verify(tmp_path / name, acknowledged.get(name)).problems == ()


@pytest.mark.parametrize(("writers", "acts"), [(4, 50)])
def test_writers_in_several_processes_lose_nothing(tmp_path: Path, writers: int, acts: int):
    with worlds.new(tmp_path) as record:
        directory = record.directory
    children = [
        subprocess.Popen([sys.executable, "-c", _NOTER, str(tmp_path), str(directory), str(who), str(acts)], stdout=subprocess.PIPE, text=True)
        for who in range(writers)
    ]
    acknowledged = [head for child in children for head in child.communicate(timeout=60)[0].split()]
    assert [child.returncode for child in children] == [0] * writers
    scan = chain.scan((directory / "record" / "journal.jsonl").read_bytes())
    assert {entry.hash for entry in scan.entries} >= set(acknowledged)
    assert len(acknowledged) == writers * acts
    events = json.loads((directory / "record" / "RUN.json").read_bytes())["events"]
    for who in range(writers):
        told = [event["details"]["number"] for event in events if event["type"] == "SEEN" and event["details"]["who"] == str(who)]
        assert told == list(range(acts))
    report = verify(directory, scan.head)
    assert (report.verdict, report.warnings) == ("intact", ())
