"""P-04: concurrent writers lose nothing.

The budget counts rounds (see `budget.py`): 1 is 4 processes of 50 acts, more are 8 processes of 500 acts each.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.promises import budget
from tests.unit.records import worlds
from windlass.infra import chain
from windlass.records.verify import verify

ROUNDS = budget.of(small=1, full=20)
SEED = budget.seed(1)
WRITERS, ACTS = (4, 50) if ROUNDS == 1 else (8, 500)

_NOTER = """
import sys
from pathlib import Path
from windlass.records.run import RunRecord

with RunRecord.open(Path(sys.argv[2]), root=Path(sys.argv[1])) as record:
    for number in range(int(sys.argv[4])):
        record.event("SEEN", "something", details={"who": sys.argv[3], "number": number})
        print(record.head, flush=True)
"""


@pytest.mark.parametrize("round_seed", range(SEED, SEED + ROUNDS))
def test_writers_in_several_processes_lose_nothing(tmp_path: Path, round_seed: int):
    with worlds.new(tmp_path, seed=round_seed) as record:
        directory = record.directory
    children = [
        subprocess.Popen([sys.executable, "-c", _NOTER, str(tmp_path), str(directory), str(who), str(ACTS)], stdout=subprocess.PIPE, text=True)
        for who in range(WRITERS)
    ]
    acknowledged = [head for child in children for head in child.communicate(timeout=120)[0].split()]
    assert [child.returncode for child in children] == [0] * WRITERS
    scan = chain.scan((directory / "record" / "journal.jsonl").read_bytes())
    assert {entry.hash for entry in scan.entries} >= set(acknowledged)
    assert len(acknowledged) == WRITERS * ACTS
    events = json.loads((directory / "record" / "RUN.json").read_bytes())["events"]
    for who in range(WRITERS):
        told = [event["details"]["number"] for event in events if event["type"] == "SEEN" and event["details"]["who"] == str(who)]
        assert told == list(range(ACTS))
    report = verify(directory, scan.head)
    assert (report.verdict, report.warnings) == ("intact", ())
    budget.tell("P-04", SEED, f"{ROUNDS} rounds of {WRITERS} processes with {ACTS} acts each, none lost")
