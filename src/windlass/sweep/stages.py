"""Tells when a whole sweep has left a stage, from the moments at which its cells do. Pure but for the functions that it is given."""

from __future__ import annotations

from collections.abc import Callable

from windlass.sweep.run import Moment, OnMoment, Stage

STAGES: tuple[Stage, ...] = ("dispatch", "execute", "prove")


def watching(total: int, on_moment: OnMoment, on_stage_end: Callable[[Stage], None]) -> OnMoment:
    """Passes moments of `total` cells on, and calls `on_stage_end` once per stage, in order, when every cell has left it."""
    left: dict[Stage, int] = dict.fromkeys(STAGES, total)
    ended: list[Stage] = []

    def pass_on(moment: Moment) -> None:
        on_moment(moment)
        left[moment.stage] -= 1
        for stage in STAGES[len(ended) :]:
            if left[stage]:
                return
            ended.append(stage)
            on_stage_end(stage)

    return pass_on
