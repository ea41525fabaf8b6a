"""P-02: whatever a disk may hold after a power loss, a run is whole, or it is not there yet; what the user was told is there.

The budget counts crash states: of each act on a run, a power loss after each of its changes to the disk, with nothing, everything, only the
names, only the bytes of what no sync had made sure; then with any part of it, torn within its writes (see `disks.py`). The last act is a whole
run, whose programs do the work of three gates and which tells of each as it goes.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

from tests.integration.gated_projects import RUN, leaves, project
from tests.promises import budget, disks, faults
from windlass.infra import chain
from windlass.records import layout
from windlass.records.run import RunRecord
from windlass.records.verify import verify

STATES = budget.of(small=300, full=12_000)
SEED = budget.seed(2)


_EVIDENCE = """
import sys
from pathlib import Path
from windlass.records.events import GateName
from windlass.records.run import RunRecord

here, gates = Path.cwd(), [GateName(gate="G1", name="One")]
with RunRecord.create(here / "orchestration/runs", root=here, workflow="w", slug="s", gates=gates) as record:
    print(record.head, flush=True)
    for number in range(1, 4):
        record.gate_started("G1", "a")
        print(record.head, flush=True)
        folder = record.evidence_directory / f"seen-{number}/deep"
        folder.mkdir(parents=True)
        for name in ("report.html", "rows.csv"):
            (folder / name).write_text(f"{name} of {number}" * 200)
        seen = record.evidence(f"seen-{number}")
        record.gate_finished("G1", "PASS", validations=[{"type": "seen", "pass": True}], artifacts=seen)
        print(record.head, flush=True)
"""


def test_evidence_that_an_attempt_names_is_there_when_the_attempt_is(tmp_path: Path) -> None:
    faults.needs_strace()
    random = Random(SEED)
    place = tmp_path / "done"
    place.mkdir()
    disk = disks.recorded(place, (), 0, tmp_path / "trace", ("-c", _EVIDENCE))
    count = STATES // 6
    for what, told, write in disk.states(random, count):
        disk.as_told(told, emptied(tmp_path / "told"))
        write(emptied(tmp_path / "state"))
        check({}, faults.journals(tmp_path / "told"), tmp_path / "state", f"evidence: {what}")
    budget.tell("P-02", SEED, f"{count} states of disks after a power loss while evidence is written, none without what its record names")


def test_a_power_loss_at_any_moment_tears_no_record_and_loses_nothing_that_was_told(tmp_path: Path) -> None:
    faults.needs_strace()
    random = Random(SEED)
    scenarios = [*faults.scenarios(tmp_path), whole_run(tmp_path / "whole")]
    made = 0
    for scenario in scenarios:
        before, done = scenario.project, scenario.copy(tmp_path / "done")
        disk = disks.recorded(done, scenario.arguments, scenario.code, tmp_path / "trace")
        assert disk.told_at, f"{scenario.name}: tells nobody anything"
        disk.as_told(len(disk.changes), emptied(tmp_path / "told"))
        assert faults.journals(tmp_path / "told") == faults.journals(done), f"{scenario.name}: the model of the disk ends with what is really there"
        then: dict[int, dict[str, bytes]] = {}
        for what, told, write in disk.states(random, STATES // len(scenarios)):
            if told not in then:
                disk.as_told(told, emptied(tmp_path / "told"))
                then[told] = faults.journals(tmp_path / "told")
            place = emptied(tmp_path / "state")
            write(place)
            check(faults.journals(before), then[told], place, f"{scenario.name}: {what}")
            made += 1
    budget.tell("P-02", SEED, f"{made} states of disks after a power loss in {len(scenarios)} acts, none torn, nothing lost that was told")


def whole_run(place: Path) -> faults.Scenario:
    """A run of three gates that programs do, up to a fourth that waits for a person."""
    place.mkdir()
    (place / "out").mkdir()
    (place / "out/it.txt").write_text("done\n")
    done = {"executor": {"kind": "command", "argv": ["sh", "-c", "echo done"], "timeout_s": 60}}
    project(place, {"C1": done, "C2": done, "C3": done, "P1": {}}, {gate: leaves("it.txt") for gate in ("C1", "C2", "C3", "P1")})
    shutil.rmtree(place / ".git/hooks")
    return faults.Scenario(name="whole run", project=place, arguments=RUN, code=75)


def emptied(place: Path) -> Path:
    """Where a state is written."""
    shutil.rmtree(place, ignore_errors=True)
    return place


def check(was: dict[str, bytes], told: dict[str, bytes], after: Path, what: str) -> None:
    """Every run that was there, and all that the user was `told` of, is whole and can be gone on with."""
    now = faults.journals(after)
    for name, content in was.items():
        assert now.get(name, b"").startswith(content), f"{what}: an entry of {name} is lost"
    for name, content in told.items():
        assert now.get(name, b"").startswith(content), f"{what}: what the user was told of {name} is lost"
    for name in now:
        directory = after / "orchestration/runs" / name
        report = verify(directory)
        assert report.problems == (), (what, report.problems)
        with RunRecord.open(directory, root=after) as record:
            if not record.run.completed:
                record.event("SEEN", "after the power came back")
        report = verify(directory)
        assert report.problems == (), (what, report.problems)
        assert [found for found in report.warnings if not found.file.startswith("evidence/")] == [], what
        assert chain.scan((directory / layout.RECORD / layout.JOURNAL).read_bytes()).breaks == (), what
