import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.errors import Refused
from windlass.windows import rules
from windlass.windows.rules import Seen, Service


def service(**changes: Any) -> Service:
    fields: dict[str, Any] = {
        "name": "web",
        "argv": ("web",),
        "env": {},
        "directory": Path(),
        "ready_url": "http://127.0.0.1:9/",
        "log_file": Path("log"),
        **changes,
    }
    return Service(**fields)


@pytest.mark.parametrize("ttl", [None, 0, -1, -(10**9), True, False, 1.0, float("nan"), "60", "", [], 3601, pytest.param(10**5000, id="huge"), b"60"])
def test_no_ttl_but_a_whole_number_within_the_maximum_is_taken(ttl):
    with pytest.raises(Refused, match="ttl_sec") as refusal:
        rules.checked_ttl(ttl)
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize("ttl", [1, 2, 3600])
def test_a_ttl_within_the_maximum_is_taken(ttl):
    assert rules.checked_ttl(ttl) == ttl


def test_a_ttl_above_the_policys_own_maximum_is_refused():
    with pytest.raises(Refused, match="from 1 to 60"):
        rules.checked_ttl(61, maximum=60)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "../etc"),
        ("name", ""),
        ("name", "window"),
        ("name", "a.b"),
        ("name", "a\n"),
        ("name", "-a"),
        ("argv", ()),
        ("argv", ("",)),
        ("argv", ("a", "b\0c")),
        ("env", {"A=B": "c"}),
        ("env", {"": "c"}),
        ("env", {"A": "\0"}),
        ("stop_grace_s", -1),
        ("stop_grace_s", float("nan")),
        ("stop_grace_s", 1e9),
        ("start_timeout_s", 0),
        ("start_timeout_s", float("inf")),
        ("ready_url", "https://127.0.0.1/"),
        ("ready_url", "http:///x"),
        ("ready_url", "http://a:x/"),
        ("ready_url", "http://a/\r\nX: y"),
        ("ready_url", "file:///etc/passwd"),
    ],
)
def test_a_service_that_no_keeper_could_run_is_refused_and_its_field_named(field, value):
    with pytest.raises(Refused, match=field):
        service(**{field: value})


def test_a_window_without_services_or_with_one_name_twice_is_refused():
    with pytest.raises(Refused, match="at least one"):
        rules.checked_services(())
    with pytest.raises(Refused, match="twice"):
        rules.checked_services((service(name="a"), service(name="A")))


def test_a_service_does_not_show_its_environment():
    assert "hunter22" not in repr(service(env={"PASSWORD": "hunter22"}))


@given(requested=st.floats(0, 1e9), timeout=st.floats(0.1, 600), ttl=st.integers(1, 3600), waited=st.floats(0, 10_000))
def test_a_deadline_counts_from_readiness_and_never_passes_the_outer_bound(requested, timeout, ttl, waited):
    ready = requested + waited
    found = rules.deadline(requested=requested, start_timeout_s=timeout, ttl_sec=ttl, ready=ready)
    assert found == min(ready + ttl, requested + timeout + ttl)


@pytest.mark.parametrize(
    ("services", "state"),
    [
        (["closed", "closed"], "core"),
        ([], "core"),
        (["open", "open"], "open"),
        (["open", "closed"], "degraded"),
        (["open", "orphaned"], "degraded"),
        (["orphaned"], "degraded"),
        (["opening", "open"], "opening"),
        (["closing", "open"], "closing"),
        (["closed", "stuck"], "stuck"),
    ],
)
def test_the_state_of_a_window_follows_from_its_services(services, state):
    assert rules.window_state(services) == state


def test_a_window_never_becomes_core_but_by_closing():
    assert [state for state, following in rules.NEXT_STATES.items() if "core" in following] == ["closing"]


@given(
    grace=st.floats(0, 5),
    deadline=st.floats(0, 20),
    close_at=st.none() | st.floats(0, 20),
    exit_at=st.none() | st.floats(0, 20),
    dies_of=st.sampled_from(["term", "kill", "third kill"]),
    leaves_daemon=st.booleans(),
)
@settings(max_examples=300)
def test_a_keeper_ends_every_tree_in_time_and_none_too_early(grace, deadline, close_at, exit_at, dies_of, leaves_daemon):
    """A simulated tree: whatever happens, TERM comes when it must and not before, KILL follows the grace, and the keeper finishes."""
    now, termed, killed, kills, left = 0.0, None, None, 0, True
    for _ in range(200):
        exited = exit_at is not None and now >= exit_at
        if exited and not leaves_daemon:
            left = False
        seen = Seen(
            now=now,
            deadline=deadline,
            grace_s=grace,
            close_asked=close_at is not None and now >= close_at,
            exited=exited,
            left=left,
            termed_at=termed,
            killed_at=killed,
            kills=kills,
        )
        decision = rules.decide(seen)
        if decision.act == "finished":
            break
        if decision.act == "term":
            termed = now
            left = dies_of != "term"
        elif decision.act == "kill":
            killed, kills = now if killed is None else killed, kills + 1
            left = dies_of == "third kill" and kills < 3
        else:
            assert decision.until > now, "a wait that does not pass is a busy loop"
            events = [moment for moment in (close_at, exit_at) if moment is not None and moment > now]
            now = min([decision.until, *events])
    else:
        pytest.fail("the keeper never finished")
    first = min(moment for moment in (deadline, close_at, exit_at) if moment is not None)
    assert termed is None or termed == first
    assert killed is None or killed == pytest.approx(first + grace)
    assert now <= first + grace + 0.1


def test_a_tree_that_outlives_its_kills_is_called_stuck_and_killed_on():
    seen = Seen(now=100, deadline=0, grace_s=1, close_asked=False, exited=False, left=True, termed_at=10, killed_at=11, kills=20)
    decision = rules.decide(seen)
    assert (decision.act, decision.stuck) == ("kill", True)


def test_kills_follow_each_other_at_growing_intervals_of_at_most_a_second():
    moments = [rules.kill_again_at(0.0, kills) for kills in range(1, 40)]
    pauses = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert moments[0] == pytest.approx(0.02)
    assert max(pauses) <= 1.0 + 1e-9
    assert min(pauses) > 0.03


def test_a_log_tail_shows_no_secret_and_the_end_of_the_log():
    text = "x" * 1000 + " token s3cr3t-value, path /usr/bin\nlast line\n"
    tail = rules.tail(text, {"API_TOKEN": "s3cr3t-value", "PATH": "/usr/bin"}, 60, cut=False)
    assert tail.endswith("token [API_TOKEN], path /usr/bin\nlast line")
    assert len(tail) == 60


def test_a_secret_that_the_reading_cut_in_two_is_not_shown():
    secret = "abcdefghij" * 3
    assert "efghij" not in rules.tail(secret[4:] + "\nnext\n", {"MY_SECRET": secret}, 500, cut=True)


def test_a_secret_that_holds_another_is_replaced_whole():
    assert rules.tail("longer-secret", {"A_KEY": "longer", "B_KEY": "longer-secret"}, 500, cut=False) == "[B_KEY]"
