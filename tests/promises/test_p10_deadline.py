"""P-10, the part of the process backend: an open window is closed by its deadline + X, though its opener is SIGKILLed at any moment.

Openers, which the budget counts (see `budget.py`), are killed at random moments between their first step and a while after the window is
open; some of their services ignore TERM, some leave a daemon in another session. Nothing of any may run later than the outer bound
+ grace + X. The seed is printed and can be set (WINDLASS_PROMISE_SEED).
"""

import asyncio
import contextlib
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.promises import budget
from tests.unit.windows import services
from windlass.windows import window

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")

BUDGET = budget.of(small=10, full=1000)
SEED = budget.seed(random.SystemRandom().randrange(1, 10**9))
AT_ONCE = 5
TTL_S = 1
START_TIMEOUT_S = 3.0
GRACE_S = 0.3
X_S = 3.0

OPENER = """
import asyncio, sys
from pathlib import Path
from tests.unit.windows import services
from windlass.windows import window
world = services.World(Path(sys.argv[1]))
world.tag = sys.argv[2]
codes = [services.SERVE, services.IGNORE_TERM, services.SERVE_WITH_DAEMON]
wanted = [world.service(f"s{number}", code, stop_grace_s=float(sys.argv[5]), start_timeout_s=float(sys.argv[4])) for number, code in enumerate(codes)]
async def main():
    print("begin", flush=True)
    await window.open_window(wanted, int(sys.argv[3]), world.state_dir)
    print("open", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One killed opener: after how long it was killed, how far it had come, and when nothing was left; lives as long as the test."""

    killed_after_s: float
    was_open: bool
    started: int
    last_seen_s: float
    in_time: bool
    state: str


def kill_once(directory: Path, moment_s: float) -> Outcome:
    """Run an opener, kill it that long after it began, and watch from outside until nothing of it runs."""
    directory.mkdir()
    with services.world(directory) as world:
        arguments = [str(directory), world.tag, str(TTL_S), str(START_TIMEOUT_S), str(GRACE_S)]
        with subprocess.Popen([sys.executable, "-c", OPENER, *arguments], stdout=subprocess.PIPE, text=True) as opener:
            assert opener.stdout is not None
            assert opener.stdout.readline() == "begin\n"
            begun = time.monotonic()
            with contextlib.suppress(subprocess.TimeoutExpired):
                opener.wait(moment_s)
            opener.kill()
            was_open = "open" in opener.stdout.read()
        killed_after = time.monotonic() - begun
        started = len(world.processes())
        limit = begun + START_TIMEOUT_S + TTL_S + GRACE_S + X_S
        in_time = asyncio.run(services.until(lambda: not world.processes(), limit - time.monotonic()))
        last_seen = time.monotonic() - begun
        state = _closed(world.state_dir)
        return Outcome(killed_after_s=killed_after, was_open=was_open, started=started, last_seen_s=last_seen, in_time=in_time, state=state)


def _closed(state_dir: Path) -> str:
    """What closing says once nothing runs. `stuck` says that an end could not be confirmed in time, and asks to be tried again: once, here."""
    if not (state_dir / "window.json").exists():
        return "closed"
    first = asyncio.run(window.close_directory(state_dir)).state
    return first if first == "closed" else asyncio.run(window.close_directory(state_dir)).state


async def kill_all(directory: Path, moments: list[float]) -> list[Outcome]:
    """Run the kills, a few at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, moment: float) -> Outcome:
        async with gate:
            return await asyncio.to_thread(kill_once, directory / str(number), moment)

    return await asyncio.gather(*(one(number, moment) for number, moment in enumerate(moments)))


def test_p10_a_window_is_closed_by_its_deadline_though_its_opener_was_killed_at_any_moment(tmp_path):
    chance = random.Random(SEED)
    moments = [chance.uniform(0.0, 0.6) if number % 2 else chance.uniform(0.0, 1.2) for number in range(BUDGET)]
    outcomes = asyncio.run(kill_all(tmp_path, moments))
    late = [outcome for outcome in outcomes if not outcome.in_time or outcome.state != "closed"]
    slowest = max(outcome.last_seen_s for outcome in outcomes)
    opened = sum(outcome.was_open for outcome in outcomes)
    between = sum(bool(outcome.started) and not outcome.was_open for outcome in outcomes)
    figures = f"{len(outcomes)} kills, {between} while services were starting, {opened} when open, slowest end {slowest:.2f} s"
    budget.tell("P-10", SEED, figures)
    assert not late, figures
    assert opened + between, f"no kill came when there was anything to close; {figures}"
