"""P-02: whatever a disk may hold after a power loss, a run is whole, or it is not there yet; what the user was told is there.

The budget counts crash states: of each act on a run, a power loss after each of its changes to the disk, with nothing, everything, only the
names, only the bytes of what no sync had made sure; then with any part of it, torn within its writes (see `disks.py`).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

from tests.promises import budget, disks, faults
from windlass.infra import chain
from windlass.records import layout
from windlass.records.run import RunRecord
from windlass.records.verify import verify

STATES = budget.of(small=300, full=12_000)
SEED = budget.seed(2)


def test_a_power_loss_at_any_moment_tears_no_record_and_loses_nothing_that_was_told(tmp_path: Path) -> None:
    faults.needs_strace()
    random = Random(SEED)
    scenarios = list(faults.scenarios(tmp_path))
    made = 0
    for scenario in scenarios:
        before, done = scenario.project, scenario.copy(tmp_path / "done")
        disk = disks.recorded(done, scenario.arguments, scenario.code, tmp_path / "trace")
        for what, told, write in disk.states(random, STATES // len(scenarios)):
            place = tmp_path / "state"
            shutil.rmtree(place, ignore_errors=True)
            write(place)
            check(before, done if told else None, place, f"{scenario.name}: {what}")
            made += 1
    budget.tell("P-02", SEED, f"{made} states of disks after a power loss in {len(scenarios)} acts, none torn, nothing lost that was told")


def check(before: Path, done: Path | None, after: Path, what: str) -> None:
    """Every run that was there is whole and can be gone on with; `done` is the project as the user was told that it is."""
    was, now = faults.journals(before), faults.journals(after)
    for name, content in was.items():
        assert now.get(name, b"").startswith(content), f"{what}: an entry of {name} is lost"
    for name, content in (faults.journals(done) if done else {}).items():
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
