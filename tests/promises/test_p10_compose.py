"""P-10, the part of Compose: an open window is closed by its deadline + X, though its controller is SIGKILLed at any moment.

A controller opens, extends and closes a window, and is killed on its way: every other one by strace at the n-th system call of a kind,
in whichever thread or child that comes first, the others at a random moment. Nobody is left but a reaper, which looks every second. Some
services ignore TERM, some crash and come back, some start slowly. On the scripted engine and on the real one; the seed can be set.
"""

import asyncio
import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import pytest

from tests.engines import real
from tests.engines.scripted import ROOT, scripted
from tests.promises import budget

SCRIPTED = budget.of(small=10, full=1000)
REAL = budget.of(small=3, full=200)
SEED = budget.seed(SystemRandom().randrange(1, 10**9))
PER_ENGINE = 50
GRACE_S = 1.0
X_S = GRACE_S + 3.0
TTL_S = 4.0
"""The longest that a window of the opener may be open, its opening included."""
HOLD_S = 1.0
SYSTEM_CALLS = {
    "sendto": 60,
    "connect": 8,
    "write": 20,
    "pwrite64": 60,
    "fsync,fdatasync": 40,
    "execve": 3,
    "clone,clone3,vfork": 12,
    "pipe2": 14,
    "socket": 8,
    "futex": 300,
}
"""Kinds of system calls that an opening makes, and how many of each its busiest thread makes."""
REAPER = "from windlass.cli import window_reap; window_reap.command(['--every', '1', '--json'])"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One killed controller. Lives as long as the test; `overshoot_s` is None where nothing ever ran."""

    project: str
    how: str
    last_step: str
    overshoot_s: float | None
    left: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Window:
    """A window to be: whose project, which services, until when at most. Lives as long as its kill."""

    project: str
    file: Path
    services: tuple[str, ...]


def kill_once(chance: Random, window: Window, environment: dict[str, str]) -> tuple[str, str, float]:
    """Run a controller and kill it; says how, how far it had come, and the last deadline that it may have given the window."""
    ttl_s = TTL_S
    terms = {"project": window.project, "file": str(window.file), "services": window.services, "ttl_s": ttl_s, "grace_s": GRACE_S, "hold_s": HOLD_S}
    argv, how, moment_s = [sys.executable, "-m", "tests.engines.opener", json.dumps(terms)], "", 30.0
    if chance.random() < 0.5 and shutil.which("strace"):
        calls = chance.choice(sorted(SYSTEM_CALLS))
        number = chance.randint(1, SYSTEM_CALLS[calls])
        # names that this machine does not have are no error with a question mark before them
        names = ",".join(f"?{name}" for name in calls.split(","))
        argv = [
            "strace",
            "-f",
            "--seccomp-bpf",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            f"trace={names}",
            "-e",
            f"inject={names}:signal=KILL:when={number}",
            *argv,
        ]
        how = f"{calls} {number}"
    else:
        moment_s = chance.uniform(0.2, TTL_S + 1)
        how = f"{moment_s:.2f} s"
    with subprocess.Popen(
        argv, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    ) as controller:
        with contextlib.suppress(subprocess.TimeoutExpired):
            controller.wait(min(moment_s, TTL_S + 4))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(controller.pid, 9)  # the controller with its tracer; commands that it started are in sessions of their own
        assert controller.stdout is not None
        steps = [line.split() for line in controller.stdout.read().splitlines()]
    deadlines = [int(step[1]) / 1000 for step in steps if len(step) > 1 and len(step[1]) == 13]  # a killed writer may leave half a line
    if chance.random() < 0.5:  # the next controller comes; else nobody does, and the reaper is left alone
        how += ", recovered"
        again = [sys.executable, "-m", "tests.engines.opener", json.dumps({**terms, "recover": True})]
        subprocess.run(again, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, timeout=TTL_S + X_S + 20)
    return how, steps[-1][0] if steps else "nothing", max(deadlines, default=0.0)


@contextlib.contextmanager
def reaping(environment: dict[str, str], log: Path) -> Iterator[None]:
    """A reaper, and nobody else; what it says is in the log."""
    with log.open("wb") as said, subprocess.Popen([sys.executable, "-c", REAPER], cwd=ROOT, env=environment, stdout=said, stderr=said) as reaper:
        try:
            yield
        finally:
            reaper.terminate()


def until_gone(look, limit_s: float):
    """The first look that finds nothing, or the last one."""
    end = time.monotonic() + limit_s
    while (left := look()) and time.monotonic() < end:
        time.sleep(0.05)
    return left


async def at_once(number: int, works: Sequence[Callable[[], Any]]) -> list[Any]:
    """Each of these functions in a thread, so many at a time."""
    gate = asyncio.Semaphore(number)

    async def one(work: Callable[[], Any]) -> Any:
        async with gate:
            return await asyncio.to_thread(work)

    return await asyncio.gather(*(one(work) for work in works))


SCRIPTS: Mapping[str, Mapping[str, Any]] = {
    "web": {},
    "stubborn": {"ignores_term": True},
    "slow": {"start_s": 0.3, "term_s": 0.2},
    "crash": {"runs_s": 0.2, "exit_code": 1},
    "late": {"up_s": 0.4},
}


def on_scripted(directory: Path, kills: int, chance: Random) -> list[Outcome]:
    """So many killed controllers on one scripted engine."""
    with scripted(directory) as engine:
        engine.script(**SCRIPTS)
        file = engine.compose_file({name: {"restart": "always"} for name in SCRIPTS})
        windows = [
            Window(project=f"p{number}", file=file, services=tuple(chance.sample(sorted(SCRIPTS), chance.randint(1, 3)))) for number in range(kills)
        ]
        with reaping(engine.environment, directory / "reaper.log"):
            seeds = [Random(chance.random()) for _ in windows]
            works = [lambda window=window, own=own: kill_once(own, window, engine.environment) for window, own in zip(windows, seeds, strict=True)]
            came_to = asyncio.run(at_once(4, works))
            until_gone(lambda: [one for window in windows for one in engine.running(window.project)] or engine.told()["volumes"], TTL_S + X_S + 3)
        told = engine.told()
        (directory / "told.json").write_text(json.dumps(told))
    return [_scripted_outcome(window, how, step, told) for window, (how, step, _) in zip(windows, came_to, strict=True)]


def _scripted_outcome(window: Window, how: str, step: str, told) -> Outcome:
    deadlines = [int(one["dev.windlass.deadline_ms"]) / 1000 for one in told["labels_made"] if one["dev.windlass.project"] == window.project]
    events = [one for one in told["events"] if one["project"] == window.project]
    ended = [one["at"] for one in events if one["what"] in {"stop", "kill", "die"}]
    alive = tuple(one["service"] for one in told["containers"] if one["project"] == window.project and one["status"] not in {"created", "exited"})
    held = tuple(one["Name"] for one in told["volumes"] if one["Labels"]["dev.windlass.project"] == window.project)
    overshoot = max(ended) - max(deadlines) if ended else None
    return Outcome(project=window.project, how=how, last_step=step, overshoot_s=overshoot, left=alive + held)


def on_real(directory: Path, number: int, chance: Random, environment: dict[str, str]) -> Outcome:
    """One killed controller on the real engine; looked at by the command line."""
    services: dict[str, dict[str, Any]] = {
        "web": {"command": ["sleep", "600"], "init": True, "restart": "always"},
        "stubborn": {"command": ["python", "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"]},
        "crash": {"command": ["sh", "-c", "sleep 0.3; exit 1"], "restart": "always"},
    }
    wanted = tuple(chance.sample(sorted(services), chance.randint(1, 2)))
    file = real.compose_file(directory, services, f"{number}.yaml")
    with real.project() as project:
        how, step, deadline = kill_once(chance, Window(project=project, file=file, services=wanted), environment)
        leases = ["volume", "ls", "-q", "--filter", f"label=dev.windlass.project={project}"]
        left = until_gone(lambda: [*real.running(project), *real.lines(*leases)], TTL_S + X_S + 5)
        ends = [_finished(one) for one in real.lines("ps", "-aq", "--no-trunc", "--filter", f"label=com.docker.compose.project={project}")]
        ledger = file.parent / "states" / project / "ledger.sqlite3"
        promised = (_promised(ledger) if ledger.exists() else 0.0) or deadline
        return Outcome(project=project, how=how, last_step=step, overshoot_s=max(ends) - promised if ends else None, left=tuple(left))


def _promised(ledger: Path) -> float:
    """The deadline of the last window, by the ledger; 0 where there was none. It counts from the claim, which comes after the request."""
    with contextlib.closing(sqlite3.connect(ledger)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'windows'").fetchall():
            return 0.0  # killed before there was a ledger
        rows = connection.execute("SELECT window FROM windows ORDER BY fencing DESC LIMIT 1").fetchall()
    return json.loads(rows[0][0])["deadline_ms"] / 1000 if rows else 0.0


def _finished(container: str) -> float:
    at = real.lines("inspect", "--format", "{{.State.FinishedAt}}", container)[0]
    return datetime.fromisoformat(at[:19] + "+00:00").timestamp() + float("0" + at[19:].rstrip("Z"))


def judged(outcomes: list[Outcome], where: str) -> None:
    """Tell what they came to, and fail for any that is late or left something behind."""
    overshoots = sorted(one.overshoot_s for one in outcomes if one.overshoot_s is not None)
    steps = {step: sum(one.last_step == step for one in outcomes) for step in dict.fromkeys(one.last_step for one in outcomes)}
    p99 = overshoots[max(0, -(-len(overshoots) * 99 // 100) - 1)] if overshoots else 0.0
    most = overshoots[-1] if overshoots else 0.0
    counted = f"{killed(outcomes)} kills on the {where} engine (and {steps.pop('closed', 0)} that had closed before), last step {steps}"
    figures = f"{counted}, something ran in {len(overshoots)}, overshoot p99 {p99:.2f} s, most {most:.2f} s"
    budget.tell("P-10", SEED, figures)
    late = [one for one in outcomes if one.left or (one.overshoot_s or 0.0) > X_S]
    assert not late, (figures, late)
    assert overshoots or len(outcomes) < 10, figures  # a few kills may all come before anything ran


def killed(outcomes: Sequence[Outcome]) -> int:
    """How many controllers were killed while there was a window to close; one that had closed it first is no test of anything."""
    return sum(one.last_step != "closed" for one in outcomes)


def test_p10_a_window_on_the_scripted_engine_is_closed_by_its_deadline(tmp_path):
    chance, outcomes = Random(SEED), list[Outcome]()
    while (left := SCRIPTED - killed(outcomes)) > 0:
        outcomes += on_scripted(tmp_path / str(len(outcomes)), min(PER_ENGINE, left), chance)
    judged(outcomes, "scripted")


@pytest.mark.docker
def test_p10_a_window_on_the_real_engine_is_closed_by_its_deadline(tmp_path):
    real.needed()
    chance, outcomes = Random(SEED + 1), list[Outcome]()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COMPOSE_", "WINDLASS_"))}
    with reaping(environment, tmp_path / "reaper.log"):
        while (left := REAL - killed(outcomes)) > 0:
            numbers = range(len(outcomes), len(outcomes) + left)
            seeds = [Random(chance.random()) for _ in numbers]
            works = [partial(on_real, tmp_path, number, own, environment) for number, own in zip(numbers, seeds, strict=True)]
            outcomes += asyncio.run(at_once(3, works))
    judged(outcomes, "real")
