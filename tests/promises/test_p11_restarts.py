"""P-11: what was closed stays closed, however often the engine is restarted; `restart: always` included.

An engine of the test's own is ended (every other time by SIGKILL) and started again. Before each restart one window is closed, one is
open and becomes overdue while the engine is down, and one is open and stays so; the core has `restart: always` and must come back by
itself. Once a reaper runs all the time, and nobody else; once `windlass serve windows`, which opens and closes. The seed can be set.
"""

import asyncio
import functools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import pytest

from tests.engines import own
from tests.engines.own import OwnEngine
from tests.engines.scripted import ROOT
from tests.integration import windows_services
from tests.integration.windows_services import Service
from tests.promises import budget
from windlass.windows import moments
from windlass.windows.backend import Lease
from windlass.windows.compose.compose import Compose, Place

pytestmark = pytest.mark.docker
RESTARTS = budget.of(small=1, full=50)
SEED = budget.seed(SystemRandom().randrange(1, 10**9))
WATCHED_S = 1.0
GRACE_S = 1.0
X_S = GRACE_S + 3.0
POLICIES = ("always", "unless-stopped", "on-failure", "no")
CONFIG = """[windows]
project = "p11"
files = ["{file}"]
core = ["core"]
policy = "shared"
health_interval_sec = 0.5
{services}"""
SERVICE = """
[windows.services.{name}]
restart_policy = "take_and_return"
stop_grace_sec = 1
start_timeout_sec = 30
"""
REAPER = "from windlass.cli import window_reap; window_reap.command(['--every', '1', '--json'])"


def lease(project: str, services: list[str], number: int, ttl_s: float) -> Lease:
    now = moments.now()
    return Lease(
        window_id=f"win_{number}_{services[0]}",
        project=project,
        services=tuple(services),
        deadline_ms=now.epoch_ms + round(ttl_s * 1000),
        fencing=number,
        grace_s=GRACE_S,
        boot_id=now.boot_id,
        deadline_uptime_s=now.uptime_s + ttl_s,
    )


async def before(place: Place, number: int, chance: Random) -> set[str]:
    """Close one window, leave one to become overdue, keep one open; returns the services of the last."""
    closed = [f"closed-{policy}" for policy in POLICIES]
    overdue, kept = [f"overdue-{chance.choice(POLICIES)}"], ["kept-always"]
    async with Compose(place) as backend:
        for services, ttl_s in ((closed, 60.0), (kept, 600.0), (overdue, 1.5)):
            outcomes = await backend.start(services, lease(place.project, services, number, ttl_s), timeout_s=30)
            assert not [one.stderr for one in outcomes if not one.is_done]
        await backend.stop(closed, GRACE_S, kill=bool(number % 3))
        assert not (await backend.observe()).alive() & set(closed)
        await backend.drop_lease(f"win_{number}_{closed[0]}")
    return set(kept)


def restart(engine: OwnEngine, number: int, allowed: set[str], chance: Random) -> list[str]:
    """End the engine, start it, and watch; what ran that should not have, and what did not that should."""
    engine.end(signal.SIGKILL if number % 2 else signal.SIGTERM)
    time.sleep(chance.uniform(0.0, 1.5))
    engine.start()
    up, wrong = time.monotonic(), list[str]()
    while time.monotonic() < up + X_S + WATCHED_S:
        running = {name.partition("/")[2] for name in engine.running()}
        reborn = {name for name in running if name.startswith("closed")}
        late = {name for name in running if name.startswith("overdue")} if time.monotonic() > up + X_S else set()
        wrong += [f"{name} runs" for name in sorted(reborn | late)]
        if not running - allowed and time.monotonic() > up + WATCHED_S:
            break
        time.sleep(0.1)
    wrong += [f"{name} does not run" for name in sorted(allowed - {name.partition("/")[2] for name in engine.running()})]
    return [f"restart {number}: {one}" for one in dict.fromkeys(wrong)]


def test_p11_what_was_closed_stays_closed_through_restarts_of_the_engine(tmp_path):
    own.needed()
    chance = Random(SEED)
    services = {name: _service(name.partition("-")[2]) for kind in ("closed", "overdue") for name in (f"{kind}-{policy}" for policy in POLICIES)}
    services |= {"kept-always": _service("always"), "core": _service("always")}
    file = tmp_path / "compose.json"
    file.write_text(json.dumps({"services": services}))
    wrong: list[str] = []
    with own.own_engine() as engine, (tmp_path / "reaper.log").open("wb") as said:
        place = Place(project="p11", files=(str(file),), directory=Path(tmp_path), environment=engine.environment)
        engine.docker("compose", "--project-name", "p11", "--file", str(file), "up", "--detach", "core")
        environment = {**os.environ, "DOCKER_HOST": engine.host}
        with subprocess.Popen([sys.executable, "-c", REAPER], cwd=ROOT, env=environment, stdout=said, stderr=said) as reaper:
            try:
                for number in range(1, RESTARTS + 1):
                    kept = asyncio.run(before(place, number, chance))
                    wrong += restart(engine, number, kept | {"core"}, chance)
            finally:
                reaper.terminate()
    figures = f"{RESTARTS} engine restarts, {RESTARTS // 2 + RESTARTS % 2} by SIGKILL, {len(POLICIES)} restart policies"
    budget.tell("P-11", SEED, figures)
    assert not wrong, (figures, wrong)


def test_p11_a_windows_service_keeps_what_it_closed_closed_through_restarts_of_its_engine(tmp_path):
    own.needed()
    chance, wrong = Random(SEED), list[str]()
    allowed = [f"{kind}-{policy}" for kind in ("closed", "overdue") for policy in POLICIES] + ["kept-always"]
    file, config = tmp_path / "compose.json", tmp_path / "windlass.toml"
    file.write_text(json.dumps({"services": {name: _service(name.partition("-")[2]) for name in allowed} | {"core": _service("always")}}))
    with own.own_engine() as engine:
        engine.docker("compose", "--project-name", "p11", "--file", str(file), "up", "--detach", "core")
        config.write_text(CONFIG.format(file=file, services="".join(SERVICE.format(name=name) for name in allowed)))
        with windows_services.service(engine, config) as served:
            core = engine.docker("inspect", "--format", "{{.Id}}", "p11-core-1")
            for number in range(1, RESTARTS + 1):
                overdue = f"overdue-{chance.choice(POLICIES)}"
                closed, kept, late = _windows(served, overdue)
                wrong += restart(engine, number, {"core", "kept-always"}, chance)
                ended = windows_services.until(functools.partial(_ended, served, late), f"the end of {overdue}", 30)
                wrong += [f"restart {number}: {overdue} ended as {ended['state']}"] if ended["state"] != "closed" else []
                status, answer = served.close(window_id=kept)
                wrong += [] if (status, answer["state"]) == (200, "closed") else [f"restart {number}: {answer}"]
                again = served.close(window_id=closed)[1]
                wrong += [] if again["state"] == "closed" else [f"restart {number}: {again}"]
            wrong += [] if core == engine.docker("inspect", "--format", "{{.Id}}", "p11-core-1") else ["the core was made anew"]
    figures = f"{RESTARTS} engine restarts under a windows service, {3 * RESTARTS} windows"
    budget.tell("P-11", SEED, figures)
    assert not wrong, (figures, wrong)


def _windows(served: Service, overdue: str) -> tuple[str, str, str]:
    """One that is closed, one that stays open and one whose deadline passes while the engine is away; their ids."""
    opened = [
        served.open(*names, ttl_sec=ttl_s)
        for names, ttl_s in (([f"closed-{policy}" for policy in POLICIES], 60), (["kept-always"], 600), ([overdue], 2))
    ]
    assert [status for status, _ in opened] == [200, 200, 200], opened
    closed, kept, late = (answer["window_id"] for _, answer in opened)
    assert served.close(window_id=closed)[1]["state"] == "closed"
    return closed, kept, late


def _ended(served: Service, window_id: str) -> dict[str, Any] | None:
    """What closing says of a window that is over: it answers like the first time, and stops nothing more."""
    live = [one["window_id"] for one in served.state().get("windows", ())]
    return None if window_id in live else served.close(window_id=window_id)[1]


def _service(policy: str) -> dict[str, object]:
    return {"image": own.IMAGE, "command": ["/bin/sleep", "1000"], "init": False, "network_mode": "none", "restart": policy, "stop_signal": "SIGKILL"}
