"""The rules of windows, as tables: what each state needs, what a closure may hold, when a service is up, when a window is due."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.windows.power.windows import NOON_MS, NOW, policy, window
from windlass.windows.backend import Closure, Facts, Health, Moment, Observation, Observed, RestartPolicy, ServiceState
from windlass.windows.power import rulings
from windlass.windows.power.asked import Refusal
from windlass.windows.power.policy import ServicePolicy
from windlass.windows.power.rulings import Act, CloseReason, Sighting, State, Window

ME, OTHER = "holder-2", "holder-1"
SOON = NOW
DUE = replace(NOW, epoch_ms=NOON_MS + 60_000, uptime_s=1060.0)
LATER = replace(DUE, uptime_s=5000.0, epoch_ms=NOON_MS + 4_000_000)
STATES: tuple[State, ...] = get_args(State)
ALWAYS, ON_FAILURE = RestartPolicy(name="always"), RestartPolicy(name="on-failure", max_retries=3)


def closing(state: State, **fields: Any) -> Window:
    return window(state=state, close_asked="manual", **fields)


# What a window needs now


@pytest.mark.parametrize(
    ("state", "soon", "due", "told_to_close"),
    [
        ("asked", "begin", "give_up", "give_up"),
        ("opening", "nothing", "close", "close"),
        ("open", "nothing", "close", "close"),
        ("degraded", "nothing", "close", "close"),
        ("closing", "stop", "stop", "stop"),
        ("stuck", "stop", "stop", "stop"),
        ("closed", "nothing", "nothing", "nothing"),
    ],
)
def test_what_each_state_needs(state: State, soon: Act, due: Act, told_to_close: Act) -> None:
    """Of a window that its holder brings up, whose lease says what the ledger says."""
    one = window(state=state, begun_by=ME, leased_ms=NOON_MS + 60_000)
    assert rulings.act(one, SOON, ME) == soon
    assert rulings.act(one, DUE, ME) == due
    for reason in get_args(CloseReason):
        assert rulings.act(replace(one, close_asked=reason), SOON, ME) == told_to_close


def test_the_table_has_every_state() -> None:
    assert set(STATES) == {"asked", "opening", "open", "degraded", "closing", "stuck", "closed"}
    assert set(STATES) - {"closed"} == rulings.LIVE


def test_an_opening_of_an_earlier_holder_is_closed_since_nobody_waits_for_it() -> None:
    assert rulings.act(window(state="opening", begun_by=OTHER), SOON, ME) == "close"
    assert rulings.act(window(state="opening"), SOON, ME) == "close"


def test_what_an_earlier_holder_opened_goes_on() -> None:
    assert rulings.act(window(state="open", begun_by=OTHER, leased_ms=NOON_MS + 60_000), SOON, ME) == "nothing"


@pytest.mark.parametrize("state", ["open", "degraded"])
@pytest.mark.parametrize("leased_ms", [None, 0, NOON_MS + 59_999, NOON_MS + 60_001])
def test_a_lease_that_says_another_deadline_is_renewed(state: State, leased_ms: int | None) -> None:
    assert rulings.act(window(state=state, leased_ms=leased_ms), SOON, ME) == "lease"


@pytest.mark.parametrize("state", ["closing", "stuck"])
@pytest.mark.parametrize(
    ("attempts", "retry_uptime_s", "boot_id", "needs"),
    [
        (0, 9999.0, "boot-1", "stop"),
        (1, 1000.0, "boot-1", "stop"),
        (1, 1000.001, "boot-1", "nothing"),
        (7, 1004.0, "boot-1", "nothing"),
        (7, 9999.0, "boot-2", "stop"),  # a clock of another boot says nothing: it is tried at once
    ],
)
def test_a_stop_is_tried_again_when_its_time_has_come(state: State, attempts: int, retry_uptime_s: float, boot_id: str, needs: Act) -> None:
    one = closing(state, attempts=attempts, retry_uptime_s=retry_uptime_s, boot_id=boot_id)
    assert rulings.act(one, NOW, ME) == needs


@pytest.mark.parametrize(("attempts", "pause_s"), [(0, 0.25), (1, 0.25), (2, 0.5), (3, 1.0), (4, 2.0), (5, 5.0), (6, 5.0), (10**6, 5.0)])
def test_pauses_grow_and_never_end(attempts: int, pause_s: float) -> None:
    assert rulings.retry_after_s(attempts) == pause_s


@pytest.mark.parametrize(
    ("state", "now", "reason"),
    [
        ("asked", SOON, "recovered"),
        ("asked", DUE, "start_failed"),
        ("opening", SOON, "recovered"),
        ("opening", DUE, "start_failed"),
        ("open", DUE, "ttl_expired"),
        ("degraded", DUE, "ttl_expired"),
    ],
)
def test_why_a_window_is_closed(state: State, now: Moment, reason: CloseReason) -> None:
    assert rulings.close_reason(window(state=state), now) == reason
    for told in get_args(CloseReason):
        assert rulings.close_reason(window(state=state, close_asked=told), now) == told, "who was told to close it says why"


@given(
    st.sampled_from(STATES), st.integers(-(10**7), 10**7), st.floats(0, 10**5), st.sampled_from(["boot-1", "boot-2"]), st.none() | st.just("manual")
)
def test_nothing_that_is_due_or_told_to_close_is_left_alone(
    state: State, wall_ms: int, uptime_s: float, boot_id: str, told: CloseReason | None
) -> None:
    now = Moment(epoch_ms=NOON_MS + wall_ms, boot_id=boot_id, uptime_s=uptime_s)
    one = window(state=state, close_asked=told, begun_by=ME, leased_ms=NOON_MS + 60_000)
    needs = rulings.act(one, now, ME)
    if state == "closed":
        assert needs == "nothing"
    elif told or one.is_due(now):
        assert needs in {"give_up", "close", "stop"}
    else:
        assert needs in {"begin", "nothing", "stop"}


# When it is due


@pytest.mark.parametrize(
    ("wall_s", "uptime_s", "boot_id", "is_due", "left_s"),
    [
        (0, 1000.0, "boot-1", False, 60.0),
        (59.999, 1059.999, "boot-1", False, 0.001),
        (60, 1060.0, "boot-1", True, 0.0),
        (61, 1061.0, "boot-1", True, 0.0),
        (30, 1060.0, "boot-1", True, 0.0),  # the wall clock was set back: the boot's decides
        (-86_400, 1010.0, "boot-1", False, 50.0),
        (60, 1001.0, "boot-1", True, 0.0),  # it was set forward: early is safe
        (10, 1001.0, "boot-1", False, 50.0),
        (10, 5.0, "boot-2", False, 50.0),  # another boot: only the wall clock is left
        (60, 5.0, "boot-2", True, 0.0),
        (-1, 5.0, "boot-2", True, 0.0),  # another boot, and a wall clock before the request: it counts for nothing
        (0, 5.0, "boot-2", False, 60.0),
    ],
)
def test_a_window_is_due_by_whichever_clock_is_first(wall_s: float, uptime_s: float, boot_id: str, *, is_due: bool, left_s: float) -> None:
    now = Moment(epoch_ms=NOON_MS + round(wall_s * 1000), boot_id=boot_id, uptime_s=uptime_s)
    one = window(state="open")
    assert one.is_due(now) == is_due
    assert one.remaining_s(now) == pytest.approx(left_s)


@given(st.integers(-(10**9), 10**9), st.floats(0, 10**6), st.sampled_from(["boot-1", "boot-2", ""]))
def test_what_remains_is_never_negative_never_more_than_either_clock_says_and_zero_when_due(wall_ms: int, uptime_s: float, boot_id: str) -> None:
    now, one = Moment(epoch_ms=NOON_MS + wall_ms, boot_id=boot_id, uptime_s=uptime_s), window(state="open")
    left = one.remaining_s(now)
    assert left >= 0
    assert (left == 0) == one.is_due(now)
    assert left <= max(0.0, (one.deadline_ms - now.epoch_ms) / 1000)
    if boot_id == one.boot_id:
        assert left <= max(0.0, one.deadline_uptime_s - uptime_s)


def test_the_lease_says_what_the_window_says() -> None:
    one = window(services=("a", "b"), fencing=7, grace_s=2.5)
    lease = one.lease
    assert (lease.window_id, lease.services, lease.fencing, lease.grace_s) == ("win_1", ("a", "b"), 7, 2.5)
    assert (lease.deadline_ms, lease.boot_id, lease.deadline_uptime_s) == (one.deadline_ms, "boot-1", 1060.0)


# What may be started


def closure(*services: str, unknown: tuple[str, ...] = (), reached: dict[str, str] | None = None, **facts: Facts) -> Closure:
    names = {*services, "a", "b", "madre", "stranger"}
    made = {name: facts.get(name, Facts(service=name, needs={})) for name in names}
    return Closure(requested=("a",), services=tuple(sorted(services)), facts=made, reached=reached or {}, unknown=unknown)


def seen(**states: ServiceState) -> Observation:
    return Observation(services={name: Observed(service=name, state=state) for name, state in states.items()}, leases=())


RUNS = seen(madre="running")


def test_what_lies_in_the_allowlist_and_the_running_core_is_started_and_the_core_is_not() -> None:
    assert rulings.admitted(closure("a", "b", "madre"), policy(), RUNS) == ("a", "b")


@pytest.mark.parametrize("state", get_args(ServiceState))
def test_a_core_service_that_is_needed_must_live(state: ServiceState) -> None:
    needs = closure("a", "madre", reached={"madre": "depends_on of a"})
    if state in {"running", "restarting", "paused", "removing"}:
        assert rulings.admitted(needs, policy(), seen(madre=state)) == ("a",)
        return
    with pytest.raises(Refusal) as refused:
        rulings.admitted(needs, policy(), seen(madre=state))
    assert str(refused.value) == "services: madre is core, is needed (depends_on of a), and does not run"


@pytest.mark.parametrize(
    ("needs", "words"),
    [
        (closure("a", "stranger", reached={"stranger": "depends_on of a"}), ["stranger is outside the allowlist (depends_on of a)"]),
        (closure("a", unknown=("ghost",)), ["ghost: the configuration has no such service"]),
        (
            closure("a", "stranger", "madre", unknown=("ghost",), reached={"ghost": "volumes_from of a"}),
            ["(volumes_from of a)", "stranger is outside", "madre is core"],
        ),
    ],
)
def test_everything_that_is_outside_is_named_at_once(needs: Closure, words: list[str]) -> None:
    with pytest.raises(Refusal) as refused:
        rulings.admitted(needs, policy(), seen())
    assert (refused.value.http, refused.value.code, refused.value.field) == (422, "OUTSIDE", "services")
    assert [word for word in words if word not in str(refused.value)] == []


@pytest.mark.parametrize(
    "powers",
    [
        {"privileged": True},
        {"host_namespaces": ("pid",)},
        {"engine_mounts": ("/var/run/docker.sock",)},
        {"cap_add": ("SYS_ADMIN",)},
        {"devices": ("/dev/sda",)},
        {"security_opt": ("seccomp:unconfined",)},
        {"other_powers": ("a privileged hook",)},
    ],
)
def test_what_could_leave_its_container_needs_the_policys_word(powers: dict[str, Any]) -> None:
    needs = closure("a", "b", b=Facts(service="b", needs={}, **powers))
    with pytest.raises(Refusal, match=r"b could leave its container: .*privileged_ok") as refused:
        rulings.admitted(needs, policy(), RUNS)
    assert refused.value.code == "NOT_BOUNDED"
    assert rulings.admitted(needs, policy(own=ServicePolicy(powers_ok=True)), RUNS) == ("a", "b")
    with pytest.raises(Refusal):
        rulings.admitted(needs, policy(own=ServicePolicy(takes_restart=True)), RUNS)


@pytest.mark.parametrize(("restart", "comes_back"), [("no", False), ("on-failure", False), ("unless-stopped", False), ("always", True)])
def test_what_would_come_back_with_the_engine_needs_the_policys_word(restart: Any, *, comes_back: bool) -> None:
    needs = closure("a", a=Facts(service="a", needs={}, restart=RestartPolicy(name=restart)))
    if comes_back:
        with pytest.raises(Refusal, match=r'a has restart: always.*restart_policy = "take_and_return"'):
            rulings.admitted(needs, policy(own=ServicePolicy(powers_ok=True)), RUNS)
    assert rulings.admitted(needs, policy(own=ServicePolicy(takes_restart=comes_back)), RUNS) == ("a",)


def test_the_core_may_do_what_it_likes() -> None:
    needs = closure("a", "madre", madre=Facts(service="madre", needs={}, privileged=True, restart=ALWAYS))
    assert rulings.admitted(needs, policy(), RUNS) == ("a",)


@given(st.sets(st.sampled_from(["a", "b", "c", "madre", "stranger"])), st.booleans())
def test_nothing_is_admitted_but_services_of_the_allowlist(names: set[str], lives: bool) -> None:
    try:
        services = rulings.admitted(closure(*names), policy(), RUNS if lives else seen())
    except Refusal:
        assert "stranger" in names or ("madre" in names and not lives)
    else:
        assert set(services) == names - {"madre"}
        assert "stranger" not in names


# When a service is up


CHECKED, PLAIN = Facts(service="a", needs={}, has_healthcheck=True), Facts(service="a", needs={})


@pytest.mark.parametrize(
    ("state", "health", "facts", "still_s", "ruling"),
    [
        ("running", "healthy", CHECKED, 0.0, "ready"),
        ("running", "starting", CHECKED, 99.0, "waiting"),
        ("running", "unhealthy", CHECKED, 99.0, "waiting"),
        ("running", "none", CHECKED, 99.0, "waiting"),
        ("running", "none", PLAIN, 1.999, "waiting"),
        ("running", "none", PLAIN, 2.0, "ready"),
        ("running", "starting", PLAIN, 99.0, "waiting"),  # an image may bring a health check that no configuration names
        ("running", "healthy", PLAIN, 0.0, "ready"),
        ("exited", "none", PLAIN, 0.0, "failed"),
        ("dead", "none", PLAIN, 99.0, "failed"),
        ("exited", "healthy", CHECKED, 0.0, "failed"),
        *((state, "healthy", CHECKED, 99.0, "waiting") for state in ("absent", "created", "restarting", "paused", "removing")),
    ],
)
def test_when_a_service_is_up(state: ServiceState, health: Health, facts: Facts, still_s: float, ruling: str) -> None:
    assert rulings.readiness(Observed(service="a", state=state, health=health), facts, still_s, 0) == ruling


@pytest.mark.parametrize("where", ["configuration", "engine"])
@pytest.mark.parametrize("restart", [ALWAYS, ON_FAILURE, RestartPolicy(name="unless-stopped")])
def test_what_something_restarts_must_stand_still_and_may_be_down_for_a_moment(where: str, restart: RestartPolicy) -> None:
    facts = replace(CHECKED, restart=restart) if where == "configuration" else CHECKED
    own = restart if where == "engine" else RestartPolicy()
    up = Observed(service="a", state="running", health="healthy", restart_policy=own)
    assert rulings.readiness(up, facts, 1.9, 0) == "waiting"
    assert rulings.readiness(up, facts, 2.0, 2) == "ready"
    assert rulings.readiness(replace(up, state="exited"), facts, 0.0, 1) == "waiting"


@given(st.sampled_from(get_args(ServiceState)), st.sampled_from(get_args(Health)), st.booleans(), st.floats(0, 100), st.integers(3, 50))
def test_a_crash_loop_is_never_up(state: ServiceState, health: Health, checked: bool, still_s: float, restarts: int) -> None:
    facts = replace(CHECKED if checked else PLAIN, restart=ALWAYS)
    assert rulings.readiness(Observed(service="a", state=state, health=health), facts, still_s, restarts) == "failed"


@given(st.sampled_from(get_args(ServiceState)), st.sampled_from(get_args(Health)), st.booleans(), st.floats(0, 100), st.integers(0, 2))
def test_nothing_is_up_but_what_runs_and_is_not_known_to_be_ill(
    state: ServiceState, health: Health, checked: bool, still_s: float, restarts: int
) -> None:
    one = Observed(service="a", state=state, health=health)
    if rulings.readiness(one, CHECKED if checked else PLAIN, still_s, restarts) == "ready":
        assert state == "running"
        assert health == "healthy" or (health == "none" and not checked and still_s >= rulings.STILL_S)
        assert rulings.is_well(one)


def test_a_sighting_lasts_while_state_count_and_start_stand_still() -> None:
    one = Observed(service="a", state="running", restart_count=1, started_at="t1")
    first = rulings.sighting(one, None, 10.0)
    assert first == Sighting(state="running", restart_count=1, started_at="t1", since_s=10.0)
    assert rulings.sighting(one, first, 20.0) is first
    assert rulings.sighting(replace(one, restart_count=2), first, 20.0).since_s == 20.0
    assert rulings.sighting(replace(one, started_at="t2"), first, 20.0).since_s == 20.0
    assert rulings.sighting(replace(one, state="restarting"), first, 20.0).since_s == 20.0


@pytest.mark.parametrize(
    ("state", "health", "well"),
    [("running", "healthy", True), ("running", "none", True), ("running", "starting", True), ("running", "unhealthy", False)]
    + [(state, "healthy", False) for state in get_args(ServiceState) if state != "running"],
)
def test_what_is_well(state: ServiceState, health: Health, *, well: bool) -> None:
    assert rulings.is_well(Observed(service="a", state=state, health=health)) == well
    assert not rulings.is_well(None)


def test_what_came_of_an_opening() -> None:
    for ups in itertools.product([True, False], repeat=3):
        state = rulings.opened_state(dict(zip("abc", ups, strict=True)))
        assert state == ("open" if all(ups) else "degraded" if any(ups) else "failed")
