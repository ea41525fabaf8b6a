"""Leases as labels of volumes: what is written is what is read, and what is none is told."""

import math
from typing import Any

import pytest

from windlass.windows.backend import Lease, Moment, Observation, Observed, RestartPolicy, Restore, restore_of, to_stop
from windlass.windows.compose import leases

LEASE = Lease(
    window_id="win_1",
    project="vx",
    services=("web", 'ünïcode, "quoted"'),
    deadline_ms=1_795_000_000_123,
    fencing=7,
    grace_s=2.5,
    restore={"web": Restore(restart=RestartPolicy(name="on-failure", max_retries=3), was_running=True)},
    boot_id="b",
    deadline_uptime_s=1234.5678,
)


def volume(labels, name="windlass-win_1") -> dict[str, Any]:
    return {"Name": name, "Labels": labels}


def test_what_is_written_is_what_is_read():
    [kept], damaged = leases.read([volume(leases.labels(LEASE, 4))])
    assert (kept.lease, kept.generation, damaged) == (LEASE, 4, [])


def test_a_lease_without_a_boot_is_read_too():
    lease = Lease(window_id="w", project="p", services=("a",), deadline_ms=1, fencing=1, grace_s=0)
    [kept], _ = leases.read([volume(leases.labels(lease, 0))])
    assert kept.lease == lease
    assert kept.lease.deadline_uptime_s == math.inf


def test_of_two_leases_of_a_window_the_later_claim_counts_and_then_the_later_generation():
    early, late = LEASE, Lease(**{**vars(LEASE), "deadline_ms": 2, "fencing": 8})
    kept, _ = leases.read([volume(leases.labels(early, 9)), volume(leases.labels(late, 0)), volume(leases.labels(late, 1), "n")])
    assert leases.newest(kept) == (late,)
    assert kept[0].volume == "n"


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("dev.windlass.schema_version", "2"),
        ("dev.windlass.services", "web"),
        ("dev.windlass.services", '{"web": 1}'),
        ("dev.windlass.services", '["web", 3]'),
        ("dev.windlass.deadline_ms", "soon"),
        ("dev.windlass.deadline_ms", None),
        ("dev.windlass.grace_s", "-1"),
        ("dev.windlass.grace_s", "nan"),
        ("dev.windlass.grace_s", "1e9"),
        ("dev.windlass.restore", "[]"),
        ("dev.windlass.restore", '{"web": []}'),
        ("dev.windlass.deadline_uptime_s", "nan"),
        ("dev.windlass.generation", ""),
        ("dev.windlass.services", "[" * 100_000),
    ],
)
def test_a_label_that_does_not_fit_makes_a_damaged_lease_and_hides_no_other(label, value):
    broken = leases.labels(LEASE, 0) | {label: value}
    kept, damaged = leases.read([volume(broken, "broken"), volume(leases.labels(LEASE, 0))])
    assert [one.lease for one in kept] == [LEASE]
    assert [one.name for one in damaged] == ["broken"]


@pytest.mark.parametrize("labels", [None, {}, [], "text", {"dev.windlass.window": "x"}])
def test_no_labels_make_a_damaged_lease(labels):
    assert leases.read([volume(labels)])[0] == []


@pytest.mark.parametrize(("window_id", "can"), [("win_20261120T221404Z_a1", True), ("", False), ("a/b", False), ("-x", False), ("a" * 201, False)])
def test_an_id_that_no_volume_can_have_is_none(window_id, can):
    assert leases.can_identify(window_id) is can


def at(ms) -> Moment:
    return Moment(epoch_ms=ms, boot_id="", uptime_s=0.0)


def a_lease(window_id, *services, due_ms=1000, **more) -> Lease:
    return Lease(window_id=window_id, project=more.pop("project", "p"), services=services, deadline_ms=due_ms, fencing=1, grace_s=1, **more)


def test_a_window_stops_all_but_what_ran_before_and_what_others_hold():
    first = a_lease("1", "a", "b", "c", restore={"c": Restore(was_running=True)})
    second, third = a_lease("2", "b", due_ms=5000), a_lease("3", "a", due_ms=5000, project="another")
    assert to_stop(first, [first, second, third], at(1000)) == ("a",)
    assert to_stop(first, [first, second], at(5000)) == ("a", "b")


def test_what_ran_only_for_another_window_was_not_running_by_itself():
    services = {name: Observed(service=name, state="running") for name in ("held", "free")}
    seen = Observation(services=services, leases=(a_lease("1", "held"),))
    assert {name: one.was_running for name, one in restore_of(seen, ["held", "free", "absent"]).items()} == {
        "held": False,
        "free": True,
        "absent": False,
    }
