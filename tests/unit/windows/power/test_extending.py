"""How long a window gets, whatever the clocks do: never longer than its maximum by either, never shorter by an extension."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.windows.power.windows import HOLD_S, MOST_S, Windows, jump, windows
from windlass.windows.power.controller import Answer

EXACT_S = 0.002
"""Deadlines are written in milliseconds."""


STEP = st.one_of(
    st.tuples(st.just("pass"), st.sampled_from([1, 50, 300, 590])),
    st.tuples(st.just("jump"), st.sampled_from([-86_400, -500, -1, 1, 400, 86_400])),
    st.tuples(st.just("extend"), st.sampled_from([1, 60, 300, 599, 600, 601, 1800, 10**6])),
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["ttl", "hold"]), st.sampled_from([30, 300, 600]), st.lists(STEP, max_size=14))
@example("hold", 600, [("jump", -500), ("pass", 300), ("extend", 600)])
def test_no_order_of_extensions_and_clock_jumps_makes_a_window_longer_than_its_maximum(mode: str, ttl_sec: int, steps: list[tuple[str, int]]) -> None:
    most_s = HOLD_S if mode == "hold" else MOST_S
    with windows() as held:
        first = held.open(ttl_sec, mode)
        assert first.deadline_uptime_s - first.ready_uptime_s <= ttl_sec + EXACT_S
        for what, number in steps:
            if what == "pass":
                held.world.pass_time(number)
            elif what == "jump":
                jump(held.world, number)
            else:
                _extended(held, number, most_s)
            held.settle()
            one, now = held.window, held.world.now()
            if one.state in {"open", "degraded"}:
                so_far_s = held.world.true_s - held.ready_true_s
                assert so_far_s + one.remaining_s(now) <= most_s + EXACT_S
                assert not one.is_due(now)


def _extended(held: Windows, ttl_sec: int, most_s: int) -> None:
    before, asked_at = held.window, held.world.now()
    answer = held.extend(ttl_sec)
    after = held.window
    if answer.http != 200:
        assert (after.deadline_ms, after.deadline_uptime_s) == (before.deadline_ms, before.deadline_uptime_s)
        return
    assert ttl_sec <= MOST_S
    assert after.remaining_s(asked_at) >= before.remaining_s(asked_at) - EXACT_S, "an extension never shortens"
    assert after.remaining_s(asked_at) == pytest.approx(ttl_sec, abs=EXACT_S)
    assert after.ready_ms is not None
    assert after.deadline_uptime_s - after.ready_uptime_s <= most_s + EXACT_S
    assert held.world.leases[held.window_id].deadline_ms == after.deadline_ms


def code(answer: Answer) -> Any:
    return answer.body.get("code", answer.http)


@pytest.mark.parametrize(
    ("mode", "passed_s", "ttl_sec", "told"),
    [
        ("ttl", 100, 200, 200),
        ("ttl", 100, 199, "NOT_LONGER"),
        ("ttl", 100, 500, 200),
        ("ttl", 100, 501, "OVER_MAXIMUM"),
        ("hold", 100, 600, 200),
        ("hold", 100, 601, "OVER_MAXIMUM"),
    ],
)
def test_the_edges_of_an_extension(mode: str, passed_s: int, ttl_sec: int, told: object) -> None:
    with windows() as held:
        ready = held.open(300, mode)
        held.world.uptime_s, held.world.wall_ms = ready.ready_uptime_s + passed_s, (ready.ready_ms or 0) + passed_s * 1000
        assert code(held.extend(ttl_sec)) == told


def test_a_hold_is_affirmed_until_its_own_maximum_and_not_one_second_more() -> None:
    with windows() as held:
        ready = held.open(600, "hold")
        for so_far_s in (500, 1000, 1200):
            held.world.uptime_s, held.world.wall_ms = ready.ready_uptime_s + so_far_s, (ready.ready_ms or 0) + so_far_s * 1000
            assert held.extend(600).http == 200
        held.world.pass_time(1)
        refused = held.extend(600)
        assert (code(refused), refused.body["details"]["field"]) == ("OVER_MAXIMUM", "ttl_sec")
        assert refused.body["details"]["left_sec"] <= 599


def test_a_wall_clock_that_was_set_back_refuses_no_extension_that_is_longer() -> None:
    with windows() as held:
        held.open(600, "hold")
        held.world.pass_time(400)
        jump(held.world, -3600)
        assert held.extend(60).body["code"] == "NOT_LONGER"
        assert held.extend(600).http == 200
        assert held.window.remaining_s(held.world.now()) == pytest.approx(600, abs=1)


@pytest.mark.parametrize("uptime_s", [20.0, 50_000.0])
def test_after_a_reboot_the_maximum_counts_on_from_what_was_used(uptime_s: float) -> None:
    """The clock of the new boot says nothing of the old one, whichever of them had counted further."""
    with windows() as held:
        held.world.uptime_s = uptime_s
        held.open(600, "hold")
        held.world.pass_time(200)
        held.world.reboot(100)
        assert held.extend(600).http == 200
        for passed_s, told in ((500, 200), (380, 200), (100, "OVER_MAXIMUM")):  # 800, 1180 and 1280 s since it was ready
            held.world.pass_time(passed_s)
            jump(held.world, -passed_s)  # from here on only the new boot's clock goes on
            assert code(held.extend(600)) == told


@pytest.mark.parametrize(("passed_s", "jumped_s"), [(700, 0), (700, -86_400), (0, 86_400)])
def test_what_is_over_by_either_clock_can_not_be_extended(passed_s: int, jumped_s: int) -> None:
    with windows() as held:
        held.open(600, "hold")
        held.world.pass_time(passed_s)
        jump(held.world, jumped_s)
        assert code(held.extend(600)) == "NOT_OPEN"
        held.settle()
        assert held.window.state == "closed"
