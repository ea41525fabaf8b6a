"""The rules of a cycle: when less is done at once, and what keeps a cycle from passing."""

from __future__ import annotations

from typing import Any

import pytest

from windlass.windows.cycle import rules
from windlass.windows.cycle.rules import MOST_AT_ONCE, Limits, Sample

OPENED = {"status": "ok", "services_started": ["web"], "results": [{"service": "web", "up": True}]}
CLOSED = {"state": "closed"}


def look(*, cpu: float | None = 10.0, memory: float | None = 10.0, psi: dict[str, float] | None = None, trouble: str = "", **web: Any) -> Sample:
    well = {"state": "running", "health": "healthy", "restarts": 0, "started_at": "then", "cpu_sec": None, "cpu_percent": None, "memory_bytes": None}
    return Sample(at_s=1.0, cpu=cpu, memory=memory, psi=psi or {}, services={} if trouble else {"web": {**well, **web}}, trouble=trouble)


@pytest.mark.parametrize(
    ("sample", "says"),
    [
        (look(cpu=90.0, memory=90.0, psi={"io": 60.0}), ()),
        (look(cpu=None, memory=None), ()),
        (look(cpu=91.0), ("CPU 91 % > 90 %",)),
        (look(memory=99.6), ("memory 100 % > 90 %",)),
        (look(cpu=100.0, psi={"cpu": 61.0, "io": 5.0}), ("CPU 100 % > 90 %", "PSI cpu 61 % > 60 %")),
    ],
)
def test_what_is_over_its_limit_is_named_and_what_is_not_told_is_not(sample: Sample, says: tuple[str, ...]):
    assert rules.over(sample, Limits()) == says


def test_half_as_much_is_done_while_the_host_is_over_and_one_more_otherwise_within_bounds():
    def levels(cpu: float, level: int, count: int) -> list[int]:
        found = []
        for _ in range(count):
            level = rules.at_once(level, look(cpu=cpu), Limits())
            found.append(level)
        return found

    assert levels(100.0, 13, 5) == [6, 3, 1, 1, 1]
    assert levels(10.0, 14, 4) == [15, MOST_AT_ONCE, MOST_AT_ONCE, MOST_AT_ONCE]


@pytest.mark.parametrize(
    ("before", "now", "passed", "percent"),
    [(1.0, 1.5, 2.0, 25.0), (None, 1.0, 1.0, None), (1.0, None, 1.0, None), (5.0, 0.1, 1.0, None), (1.0, 1.0, 0.0, None)],
)
def test_cpu_is_percent_of_one_and_not_told_where_it_was_counted_from_zero_again(
    before: float | None, now: float | None, passed: float, percent: float | None
):
    assert rules.cpu_percent(before, now, passed) == percent


@pytest.mark.parametrize(
    ("looks", "times"),
    [
        ([look(), look()], 0),
        ([look(restarts=2), look(restarts=2)], 0),
        ([look(restarts=0), look(restarts=3, started_at="later")], 3),
        ([look(), look(started_at="by hand")], 1),
        ([look(), look(trouble="silent"), look(started_at="by hand")], 1),
        ([look(), look(state="exited", started_at="")], 0),
        ([], 0),
    ],
)
def test_restarts_are_those_that_the_engine_counts_and_those_by_hand(looks: list[Sample], times: int):
    assert rules.restarts("web", looks) == times


def test_a_cycle_in_which_everything_was_well_has_no_failures():
    assert rules.failures(OPENED, [look(), look()], CLOSED, {"db": "running"}, {"verdict": "PASS"}) == ()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"opened": {"status": "partial", "results": [{"service": "db", "up": False}]}}, "not up: db"),
        ({"opened": {"status": "fail", "message": "no Docker"}}, "not opened: no Docker"),
        ({"samples": [look(), look(state="exited")]}, "web did not stay well: exited"),
        ({"samples": [look(), look(health="unhealthy")]}, "web did not stay well: unhealthy"),
        ({"samples": [look(trouble="silent")]}, "no service could be looked at: silent"),
        ({"sweep": {"verdict": "INCOMPLETE", "summary": "3 of 5"}}, "sweep: 3 of 5"),
        ({"closed": None}, "the window was not confirmed closed"),
        ({"closed": {"state": "stuck", "trouble": "web still there"}}, "the window is stuck: web still there"),
        ({"closed": {"state": "closed", "core_changed": ["db"]}}, "the core changed: db"),
        ({"core": {"db": "unhealthy", "madre": "running"}}, "the core is not up: db unhealthy"),
    ],
)
def test_each_thing_that_went_wrong_is_one_failure(changed: dict[str, Any], says: str):
    told: dict[str, Any] = {"opened": OPENED, "samples": [look()], "closed": CLOSED, "core": {"db": "running"}, "sweep": None, **changed}
    assert rules.failures(**told) == (says,)
