"""P-04: concurrent writers lose nothing.

The budget counts rounds (see `budget.py`): 1 is 4 processes of 50 acts, more are 8 processes of 500 acts each.
An act is a gate that is started, finished or failed, an invocation, or an event; one gate is wanted by all of them at once.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from tests.promises import budget
from windlass.infra import chain
from windlass.records.events import GateName
from windlass.records.run import RunRecord
from windlass.records.verify import verify

ROUNDS = budget.of(small=1, full=20)
SEED = budget.seed(1)
WRITERS, ACTS = (4, 50) if ROUNDS == 1 else (8, 500)

_WRITER = """
import sys
from pathlib import Path
from windlass.errors import Refused
from windlass.records.run import RunRecord

who, acts = sys.argv[3], int(sys.argv[4])

def acknowledge(*words):
    print(record.head, *words, flush=True)

def shared():
    # the gate that everybody wants: who gets it ends it
    try:
        attempt = record.gate_started("SHARED", who, packet=lambda attempt: f"attempt {attempt} for {who}".encode())
    except Refused:
        return 0
    acknowledge("started", "SHARED", attempt)
    record.gate_finished("SHARED", "FAIL", validations=[], failure_reason=f"{who} has had it")
    acknowledge("finished", "SHARED", attempt, "FAIL")
    return 2

with RunRecord.open(Path(sys.argv[2]), root=Path(sys.argv[1])) as record:
    done = turn = 0
    while done < acts:
        own, turn = f"OWN{who}", turn + 1
        attempt = record.gate_started(own, who, packet=lambda attempt: f"packet {attempt} of {who}".encode())
        acknowledge("started", own, attempt)
        acknowledge("invoked", record.invocation_recorded(own, who, tokens_in=turn))
        record.event("SEEN", "something", gate=own, details={"who": who, "number": turn})
        acknowledge("noted", who, turn)
        if turn % 2:
            record.gate_finished(own, "PASS", validations=[{"type": "seen", "pass": True}])
            acknowledge("finished", own, attempt, "PASS")
        else:
            record.gate_finished(own, "FAIL", validations=[], failure_reason="no")
            acknowledge("finished", own, attempt, "FAIL")
        done += 4
        if turn % 4 == 0:
            done += shared()
"""


@pytest.mark.parametrize("round_seed", range(SEED, SEED + ROUNDS))
def test_writers_in_several_processes_lose_nothing(tmp_path: Path, round_seed: int):
    gates = [GateName(gate=gate, name=gate) for gate in ("SHARED", *(f"OWN{who}" for who in range(WRITERS)))]
    with RunRecord.create(tmp_path, root=tmp_path, workflow="w", slug="s", gates=gates, random=Random(round_seed).randrange) as record:
        directory = record.directory
    children = [
        subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path), str(directory), str(who), str(ACTS)], stdout=subprocess.PIPE, text=True)
        for who in range(WRITERS)
    ]
    told = [line.split() for child in children for line in _output(child).splitlines()]
    assert [child.returncode for child in children] == [0] * WRITERS
    assert len(told) >= WRITERS * ACTS
    scan = chain.scan((directory / "record" / "journal.jsonl").read_bytes())
    assert {entry.hash for entry in scan.entries} >= {head for head, *_ in told}
    assert len(scan.entries) == 1 + len(told), "each act is one entry, and there is no other"
    _assert_shown(orjson.loads((directory / "record" / "RUN.json").read_bytes()), [words for _, *words in told])
    report = verify(directory, scan.head)
    assert (report.verdict, report.warnings) == ("intact", ())
    budget.tell("P-04", SEED, f"{ROUNDS} rounds of {WRITERS} processes with {ACTS} acts each, none lost, no attempt twice")


def _output(child: subprocess.Popen[str]) -> str:
    return child.communicate(timeout=600)[0]


def _assert_shown(view: Any, told: list[list[str]]) -> None:
    """RUN.json shows what every writer was told, once each."""
    attempts = {(gate["gate"], str(attempt["attempt"])): attempt["status"] for gate in view["gates"] for attempt in gate["attempts"]}
    started = [(words[1], words[2]) for words in told if words[0] == "started"]
    assert len(set(started)) == len(started), "two writers were given the same attempt"
    assert attempts == {(words[1], words[2]): words[3] for words in told if words[0] == "finished"}
    for gate in view["gates"]:
        assert [attempt["attempt"] for attempt in gate["attempts"]] == list(range(1, len(gate["attempts"]) + 1))
    assert sorted(found["invocation_id"] for found in view["invocations"]) == sorted(words[1] for words in told if words[0] == "invoked")
    noted = [(event["details"]["who"], str(event["details"]["number"])) for event in view["events"] if event["type"] == "SEEN"]
    assert sorted(noted) == sorted((words[1], words[2]) for words in told if words[0] == "noted")
    assert any(gate == "SHARED" for gate, _ in started), "nobody ever got the gate that all wanted"
