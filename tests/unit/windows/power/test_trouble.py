"""Trouble that lasts is told, and does not fill the disk; when it is over, what was to be done is done."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.unit.windows.power.windows import windows
from windlass.infra import chain
from windlass.windows.power import repeats
from windlass.windows.power.log import FILE_NAME

HOUR_S, LOOK_S = 3600, 6


def test_an_engine_that_is_silent_for_an_hour_is_told_a_bounded_number_of_times_and_the_window_is_closed_after_it(tmp_path: Path) -> None:
    with windows(tmp_path) as held:
        held.open(600, "ttl")
        held.world.is_silent = True
        looks = HOUR_S // LOOK_S
        for _ in range(looks):
            held.world.pass_time(LOOK_S)
            held.settle()
        states = [held.state]
        held.world.is_silent = False
        held.world.pass_time(LOOK_S)
        held.settle()
        assert [*states, held.state] == ["stuck", "closed"]
    found = chain.scan((tmp_path / FILE_NAME).read_bytes())
    told = Counter(entry.fields["action"] for entry in found.entries)
    counted = sum(row["times"] for entry in found.entries if entry.fields["action"] == "repeated" for row in entry.fields["of"])
    assert (told["window_closed"], told["stuck"], found.breaks) == (1, 1, ())
    assert told["health_unknown"] <= repeats.OWN_AT_ONCE + HOUR_S / repeats.OWN_EVERY_S + 1
    assert told["health_unknown"] + counted >= looks / 2, "every look that saw nothing is in the sum"
