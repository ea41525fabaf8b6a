"""P-01, the systematic part: killed at each of its mutating system calls, no act on a run tears its record or loses what was recorded.

The budget counts kills; where it is less than there are calls, they are chosen by the seed.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

from tests.promises import budget, faults

KILLS = budget.of(small=15, full=1000)
SEED = budget.seed(1)


def test_an_act_that_is_killed_at_a_system_call_leaves_a_whole_record(tmp_path: Path) -> None:
    faults.needs_strace()
    scenarios = list(faults.scenarios(tmp_path))
    points = [(scenario, point) for scenario in scenarios for point in scenario.points(tmp_path / "counted")]
    chosen = points if len(points) <= KILLS else Random(SEED).sample(points, KILLS)
    killed = 0
    for scenario, point in chosen:
        place = scenario.copy(tmp_path / "struck")
        kill = f"inject={point.call}:signal=KILL:when={point.number}"
        ended = faults.struck(place, scenario.arguments, ["-o", "/dev/null", "-e", f"trace={point.call}", "-e", kill])
        killed += ended.returncode != scenario.code
        faults.check(scenario.project, place, f"{scenario.name} killed at {point}")
    assert killed >= len(chosen) * 0.9
    budget.tell("P-01", SEED, f"{killed} kills at {len(points)} system calls of {len(scenarios)} scenarios, nothing torn, nothing lost")
