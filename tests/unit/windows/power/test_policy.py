"""What holds for several services is what holds for the strictest, or for the slowest, of them."""

from __future__ import annotations

import pytest

from windlass.windows.power.policy import Policy, ServicePolicy

POLICY = Policy(
    project="p",
    core=frozenset({"madre"}),
    services={
        "a": ServicePolicy(max_ttl_sec=600, start_timeout_sec=10, stop_grace_sec=0),
        "b": ServicePolicy(max_ttl_sec=60, start_timeout_sec=90, stop_grace_sec=20),
    },
)


@pytest.mark.parametrize(("services", "most", "start_s", "grace_s"), [(("a",), 600, 10, 0), (("b",), 60, 90, 20), (("a", "b"), 60, 90, 20)])
def test_bounds_of_several_services(services: tuple[str, ...], most: int, start_s: float, grace_s: float) -> None:
    assert POLICY.max_ttl_sec(services) == most
    assert POLICY.start_timeout_sec(services) == start_s
    assert POLICY.grace_sec(services) == grace_s


def test_nothing_needs_no_grace() -> None:
    assert POLICY.grace_sec(()) == 0


def test_without_a_word_a_window_is_short_alone_and_closed_at_the_end() -> None:
    assert (POLICY.kind, POLICY.default_ttl_sec, POLICY.hold_max_sec, POLICY.on_shutdown) == ("single", 300, 14_400, "close")
    own = ServicePolicy()
    assert (own.max_ttl_sec, own.start_timeout_sec, own.stop_grace_sec, own.daily_budget_sec) == (3600, 30.0, 5.0, None)
    assert (own.takes_restart, own.powers_ok) == (False, False)
