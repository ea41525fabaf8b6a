"""P-03: a full or failing disk never yields PASS or loses older attempts.

Each mutating system call of each act on a run fails once, with ENOSPC and with EIO, and so do reads. Whatever happens, a command that
says that it is done has its entry in the journal; what the journal held before is there afterwards, and the record verifies.

Then each act meets a disk that takes a part of a write and no more: no file may grow beyond some size, anywhere within what the act writes.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

from tests.promises import budget, faults

FAULTS = budget.of(small=16, full=3000)
SHORT = FAULTS // 2
SEED = budget.seed(1)
ERRORS = ("ENOSPC", "EIO")
FROM_THEN_ON = "+"
"""A disk that is full stays full."""


def test_a_disk_that_fails_at_any_call_yields_no_pass_and_loses_nothing(tmp_path: Path) -> None:
    faults.needs_strace()
    scenarios = list(faults.scenarios(tmp_path))
    points = [
        (scenario, point, error, lasting)
        for scenario in scenarios
        for point in scenario.points(tmp_path / "counted")
        for error in ERRORS
        for lasting in ("", FROM_THEN_ON)
    ]
    chosen = points if len(points) <= FAULTS else Random(SEED).sample(points, FAULTS)
    refused = 0
    for scenario, point, error, lasting in chosen:
        place = scenario.copy(tmp_path / "struck")
        before = faults.journals(place)
        fault = f"inject={point.call}:error={error}:when={point.number}{lasting}"
        ended = faults.struck(place, scenario.arguments, ["-o", "/dev/null", "-e", f"trace={point.call}", "-e", fault])
        what = f"{scenario.name}, {error} at {point}{lasting}"
        assert "Traceback" not in ended.stderr, (what, ended.stderr)
        if ended.returncode == scenario.code:
            assert faults.journals(place) != before, f"{what}: says that it is done, and nothing is recorded"
        else:
            refused += 1
        faults.check(scenario.project, place, what)
    assert refused >= len(chosen) // 3
    budget.tell("P-03", SEED, f"{len(chosen)} of {len(points)} faults in {len(scenarios)} scenarios, {refused} acts refused, nothing lost")


def test_a_disk_that_takes_a_part_of_a_write_yields_no_pass_and_loses_nothing(tmp_path: Path) -> None:
    random = Random(SEED)
    scenarios = list(faults.scenarios(tmp_path))
    refused = 0
    for number in range(SHORT):
        scenario = scenarios[number % len(scenarios)]
        place = scenario.copy(tmp_path / "struck")
        before = faults.journals(place)
        limit = random.randrange(max([2000, *(len(content) + 1500 for content in before.values())]))
        ended = faults.cut_short(place, scenario.arguments, limit)
        what = f"{scenario.name}, no file beyond {limit} bytes"
        assert "Traceback" not in ended.stderr, (what, ended.stderr)
        if ended.returncode == scenario.code:
            assert faults.journals(place) != before, f"{what}: says that it is done, and nothing is recorded"
        else:
            refused += 1
        faults.check(scenario.project, place, what)
    assert refused >= SHORT // 3
    budget.tell("P-03", SEED, f"{SHORT} writes cut short in {len(scenarios)} scenarios, {refused} acts refused, nothing lost")
