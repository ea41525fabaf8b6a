"""A stage has ended when every cell has left it; the ends are told once, in the order of the stages."""

from __future__ import annotations

import itertools

from windlass.sweep import stages
from windlass.sweep.run import Moment, Stage


def told(moments: list[tuple[str, Stage]], total: int) -> list[str]:
    story: list[str] = []
    watch = stages.watching(total, lambda moment: story.append(f"{moment.task_type} {moment.stage}"), lambda stage: story.append(f"END {stage}"))
    for task_type, stage in moments:
        watch(Moment(task_type=task_type, stage=stage, passed=True))
    return story


def test_ends_come_in_order_whatever_the_order_of_cells() -> None:
    of_a: list[tuple[str, Stage]] = [("A", stage) for stage in stages.STAGES]
    of_b: list[tuple[str, Stage]] = [("B", stage) for stage in stages.STAGES]
    for places in itertools.combinations(range(6), 3):
        a, b = iter(of_a), iter(of_b)
        story = told([next(a) if place in places else next(b) for place in range(6)], 2)
        assert [line for line in story if line.startswith("END")] == ["END dispatch", "END execute", "END prove"]
        for stage in stages.STAGES:
            assert story.index(f"END {stage}") > max(story.index(f"A {stage}"), story.index(f"B {stage}"))


def test_a_stage_that_a_cell_has_not_left_has_not_ended() -> None:
    assert told([("A", "dispatch"), ("B", "dispatch"), ("A", "execute"), ("A", "prove")], 2)[-1] == "A prove"
