"""P-08: a sweep passes only if every expected cell was executed.

Random fleets of honest agents and liars, swept by the real rules without a network; the truth about each is known beforehand.
The budget counts sweeps (see `budget.py`). The liars of the wire are in `tests/integration/test_sweep_liars.py`.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.promises import budget
from tests.unit.sweep import climbing
from tests.unit.sweep.climbing import Agent, Answer, Request
from windlass.fleet import Fleet, Task
from windlass.sweep import conduct
from windlass.sweep.plan import Gate

BUDGET = budget.of(small=3000, full=10_000)
SEED = budget.seed(8)


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """One way to be an agent, and whether it executes. Lives as long as the module."""

    make: Callable[[random.Random], Agent]
    executes: bool = False
    responds: bool = True
    task: dict[str, Any] | None = None
    at_most: int = 99
    """Calls after which the sweep is cut short at this cell."""


def _plain(agent: Agent) -> Callable[[random.Random], Agent]:
    return lambda _: agent


def _valid(outputs: Callable[[Request], Any]) -> Agent:
    return lambda request: climbing.envelope(request, outputs(request)) if "text" in request["inputs"] else climbing.invalid(request)


def _replaying(_: random.Random) -> Agent:
    first: list[Answer] = []

    def agent(request: Request) -> Answer:
        first.append(climbing.honest(request))
        return first[0]

    return agent


def _choosing(rng: random.Random) -> Agent:
    return _valid(lambda _: {"summary": f"canned {uuid.UUID(int=rng.getrandbits(128))}"})


def _unless_valid(answer: Answer) -> Callable[[random.Random], Agent]:
    return _plain(lambda request: climbing.honest(request) if "text" in request["inputs"] else answer)


BEHAVIOURS = {
    "honest": Behaviour(make=_plain(climbing.honest), executes=True),
    "stamped": Behaviour(make=lambda rng: _valid(lambda request: {"n": len(request["inputs"]["text"]), "id": rng.random()}), executes=True),
    "by 422": Behaviour(make=_unless_valid((422, b"{}")), executes=True),
    "canned": Behaviour(make=_plain(_valid(lambda _: {"summary": "all is well"}))),
    "salted": Behaviour(make=_choosing),
    "echo": Behaviour(make=_plain(_valid(lambda request: {"result": request["inputs"], "note": "done"}))),
    "replayed": Behaviour(make=_replaying),
    "error": Behaviour(make=_plain(lambda request: climbing.envelope(request, {"a": 1}, error="no key"))),
    "wrong id": Behaviour(make=_plain(lambda request: climbing.envelope(request, {"a": request["inputs"]}, request_id="x"))),
    "empty": Behaviour(make=_plain(lambda request: climbing.envelope(request, {}))),
    "short": Behaviour(make=_plain(lambda _: (200, b"{}")), responds=False),
    "html": Behaviour(make=_plain(lambda _: (200, b"<html>" + b"x" * 60))),
    "fails": Behaviour(make=_plain(lambda _: (500, b"x" * 99)), responds=False),
    "hangs": Behaviour(make=_plain(lambda _: "TIMEOUT"), responds=False),
    "accepts all": Behaviour(make=_plain(lambda request: climbing.envelope(request, {"n": str(request["inputs"])}))),
    "hangs when wrong": Behaviour(make=_unless_valid("TIMEOUT")),
    "fails when wrong": Behaviour(make=_unless_valid((503, b""))),
    "never asked": Behaviour(make=_plain(climbing.honest), responds=False, at_most=0),
    "cut short": Behaviour(make=_plain(climbing.honest), at_most=2),
    "cut short later": Behaviour(make=_plain(climbing.honest), at_most=4),
    "unprovable": Behaviour(make=_plain(climbing.honest), task={"invalid_example": None}),
}
LIARS = [name for name, behaviour in BEHAVIOURS.items() if not behaviour.executes]
DOORS: list[tuple[dict[str, Any] | None, bool]] = [
    (climbing.door(), True),
    (None, False),
    ({}, False),
    ({name: found for name, found in climbing.door().items() if name != "wrong_token"}, False),
    (climbing.door(no_token=200), False),
    (climbing.door(wrong_token=0), False),
    (climbing.door(unknown_task=404) | {"unknown_task": {"http": 404, "expected": 404, "pass": True}}, False),
]


@dataclass(frozen=True, kw_only=True)
class World:
    """One random sweep and the truth about it. Lives as long as one turn of the test."""

    fleet: Fleet
    names: dict[str, str]
    gate: Gate
    rows: list[dict[str, Any]]
    door: dict[str, Any] | None
    locked: bool

    def conclude(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        expectation = climbing.planned(self.fleet, gate=self.gate).expectation() | {"started_at": climbing.STARTED}
        swept = {
            "orchestrator_url": climbing.URL,
            "finished_at": None,
            "duration_ms": 1.0,
            "interrupted": False,
            "bodies": "bodies",
            "expectation_sha256": "0" * 64,
        }
        return conduct.conclude(expectation, swept, rows, self.door)

    def all(self, holds: Callable[[Behaviour], bool]) -> bool:
        return all(holds(BEHAVIOURS[name]) for name in self.names.values())


def world(rng: random.Random) -> World:
    """Mostly honest fleets: a sweep that fails for ten reasons proves no single rule."""
    few = rng.choice([0, 0, 0.1, 0.5])
    honest = [name for name in BEHAVIOURS if name not in LIARS]
    names = {f"TASK_{number}": rng.choice(LIARS if rng.random() < few else honest) for number in range(rng.randrange(1, 9))}
    tasks = {task: Task.model_validate({"agent": "agent", **climbing.JOB, **(BEHAVIOURS[name].task or {})}) for task, name in names.items()}
    fleet = climbing.fleet().model_copy(update={"tasks": tasks})
    gate: Gate = rng.choice(["proof", "proof", "proof", "execution", "dispatch"])
    plan = climbing.planned(fleet, gate=gate)
    door, locked = rng.choice([DOORS[0], DOORS[0], *DOORS])
    rows = [
        climbing.climb(plan, cell, behaviour.make(rng), at_most=behaviour.at_most)
        for cell in plan.cells
        for behaviour in (BEHAVIOURS[names[cell.task_type]],)
    ]
    return World(fleet=fleet, names=names, gate=gate, rows=rows, door=door, locked=locked)


def test_a_gate_passes_exactly_when_every_expected_cell_did_what_it_asks_for_and_no_row_more_or_less_makes_it_pass():
    rng = random.Random(SEED)
    passes = 0
    for number in range(BUDGET):
        one = world(rng)
        sweep = one.conclude(one.rows)
        told = f"sweep {number} of seed {SEED}: {one.names} {one.gate} {one.door}"
        gates = {name: gate["verdict"] for name, gate in sweep["gates"].items()}
        assert (gates["proof"] == "PASS") == (one.gate == "proof" and one.locked and one.all(lambda each: each.executes)), told
        if one.gate != "dispatch":
            assert (gates["execution"] == "PASS") == one.all(lambda each: each.responds), told
        assert sweep["summary"]["total"] == len(one.names), told
        assert sweep["summary"]["passed"] <= len(one.names), told
        assert conduct.passed(sweep) <= (sweep["summary"]["passed"] == len(one.names)), told
        passes += conduct.passed(sweep)
        for changed in _changed(one.rows, rng):
            again = one.conclude(changed)
            for name, verdict in gates.items():
                assert verdict == "PASS" or again["gates"][name]["verdict"] != "PASS", f"{told}: {name} by other rows"
            assert again["summary"]["total"] == len(one.names), told
            assert again["summary"]["passed"] <= sweep["summary"]["passed"], told
            if len({row["task_type"] for row in changed} & set(one.names)) < len(one.names):
                assert all(gate["verdict"] != "PASS" for gate in again["gates"].values()), told
    assert 0.15 * BUDGET < passes < 0.85 * BUDGET
    budget.tell("P-08", SEED, f"{BUDGET} sweeps, {passes} passed, each as it was known to")


def _changed(rows: list[dict[str, Any]], rng: random.Random) -> list[list[dict[str, Any]]]:
    """Rows lost, repeated, shuffled, and rows that a passing agent of another fleet, or of this one at another time, would have."""
    picked = rng.randrange(len(rows))
    passing = {**rows[picked], "pass_fail": "PASS", "rung": "executed", "failure_class": None}
    shuffled = rng.sample(rows, len(rows))
    return [
        rows[:picked] + rows[picked + 1 :],
        [*rows, rows[picked]],
        [*rows, passing],
        [passing, *rows],
        [*rows[:picked], {**passing, "task_type": "OF_ANOTHER_FLEET"}, *rows[picked + 1 :]],
        shuffled[: rng.randrange(len(rows))],
        [*shuffled, *shuffled],
        [],
    ]


def test_thirty_that_passed_and_one_that_was_never_run_are_incomplete_and_never_a_pass():
    fleet = climbing.fleet([f"TASK_{number:02d}" for number in range(31)])
    plan = climbing.planned(fleet)
    rows = [climbing.climb(plan, cell, climbing.honest) for cell in plan.cells]
    whole = World(fleet=fleet, names=dict.fromkeys(fleet.tasks, "honest"), gate="proof", rows=rows, door=climbing.door(), locked=True)
    assert [gate["verdict"] for gate in whole.conclude(rows)["gates"].values()] == ["PASS"] * 3
    never_asked = climbing.climb(plan, plan.cells[7], climbing.honest, at_most=0)
    for short in (rows[:-1], rows[1:], [*rows[:7], never_asked, *rows[8:]], [*rows[1:], rows[5]]):
        sweep = whole.conclude(short)
        assert [gate["verdict"] for gate in sweep["gates"].values()] == ["INCOMPLETE"] * 3
        assert sweep["summary"] == {"passed": 30, "total": 31}
        assert not conduct.passed(sweep)


def test_an_interrupted_sweep_never_passes_even_if_every_row_is_there():
    plan = climbing.planned(gate="execution")
    rows = [climbing.climb(plan, plan.cells[0], climbing.honest)]
    swept = {"orchestrator_url": "", "finished_at": None, "duration_ms": 1.0, "interrupted": True, "bodies": "", "expectation_sha256": ""}
    sweep = conduct.conclude(plan.expectation() | {"started_at": climbing.STARTED}, swept, rows, None)
    assert [gate["verdict"] for gate in sweep["gates"].values()] == ["INCOMPLETE"] * 3
