"""`windlass window …` on Compose over a scripted engine: each way in which an opening goes wrong is one clear message, and leaves nothing open."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.engines.scripted import ScriptedEngine, scripted
from tests.integration import windows_services
from tests.integration.test_window_cli import processes_of
from tests.integration.windows_services import configured, core_up, service, touched, until

START_S = 20.0
SOON_S = 4.0
"""For what never comes up; a service without a health check has to stand still for two of them."""


@pytest.fixture(name="engine")
def engine_with_core(tmp_path: Path) -> Iterator[ScriptedEngine]:
    """An engine with the core up; whatever happens to the rest, the core is not touched and nothing is left."""
    with scripted(tmp_path) as made:
        configured(made, {"switch": {"restart": "no"}}, start_timeout_sec=START_S)
        core_up(made)
        try:
            yield made
            assert touched(made) == []
        finally:
            for pid in processes_of(tmp_path, b"windlass"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def command(engine: ScriptedEngine, *arguments: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "windlass", "window", *arguments]
    return subprocess.Popen(argv, cwd=engine.directory, env=engine.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(engine: ScriptedEngine, *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    with command(engine, *arguments) as process:
        said, trouble = process.communicate(timeout=60)
    return process.returncode, said, trouble


def told(engine: ScriptedEngine, *arguments: str, code: int = 0) -> Any:
    found, said, trouble = ended(engine, *arguments, "--json")
    assert found == code, said + trouble
    return json.loads(said)


def powered(engine: ScriptedEngine) -> set[str]:
    return engine.running("vx") - set(windows_services.CORE)


def killed_on_its_way(engine: ScriptedEngine, opening: subprocess.Popen[str], *, leased: bool) -> None:
    """Kill an opening at a random moment: after it began to start services, or before it has done anything."""
    if leased:
        until(lambda: engine.told()["volumes"] or opening.poll() is not None, "the lease", 60)
    at = time.monotonic() + random.uniform(0.0, 1.5)
    until(lambda: time.monotonic() >= at or opening.poll() is not None, "the moment", 60)
    opening.kill()
    opening.communicate(timeout=30)


def assert_nothing_left(engine: ScriptedEngine) -> None:
    until(lambda: not powered(engine) and not engine.told()["volumes"], "the end of services and leases", 60)
    until(lambda: not processes_of(engine.directory, b"windlass.windows"), "the end of the watcher", 60)
    assert told(engine, "status")["state"] == "SOLO_MADRE_CORE"


FAILURES: dict[str, tuple[dict[str, Any], str]] = {
    "it ends by itself": ({"runs_s": 0.1, "exit_code": 3, "log": "no such module"}, "| no such module"),
    "it never turns healthy": ({"health_s": 0.1, "unhealthy": True, "log": "still waiting for redis"}, "| still waiting for redis"),
    "the engine refuses": ({"start_error": "driver failed: no space left on device"}, "no space left on device"),
    "compose fails": ({"up_error": "yaml: unmarshal errors"}, "yaml: unmarshal errors"),
    "compose hangs": ({"up_hangs": True}, "its time was up"),
    "the engine never answers the start": ({"start_hangs": True}, "its time was up"),
}


@pytest.mark.parametrize("how", FAILURES)
def test_what_does_not_come_up_is_told_in_its_own_words_and_nothing_stays(engine: ScriptedEngine, how: str) -> None:
    script, says = FAILURES[how]
    configured(engine, start_timeout_sec=SOON_S)
    engine.script(switch=script)
    code, said, trouble = ended(engine, "open", "switch", "--ttl", "60")
    assert (code, trouble) == (1, "")
    assert "  closed  switch did not come up\n" in said
    assert says in said
    assert_nothing_left(engine)


def test_a_crash_loop_is_never_open(engine: ScriptedEngine) -> None:
    configured(engine, {"switch": {"restart": "always"}}, start_timeout_sec=START_S)
    with (engine.directory / "windlass.toml").open("a") as toml:
        toml.write('[windows.services.switch]\nrestart_policy = "take_and_return"\n')
    engine.script(switch={"runs_s": 0.1, "exit_code": 1, "log": "ModuleNotFoundError: No module named 'switch'"})
    code, said, _ = ended(engine, "open", "switch", "hermes", "--ttl", "60", "--on-partial", "rollback")
    assert (code, "ModuleNotFoundError: No module named 'switch'" in said) == (1, True)
    assert_nothing_left(engine)


def test_what_starts_late_is_open_once_it_is_there(engine: ScriptedEngine) -> None:
    engine.script(switch={"up_s": 0.5, "start_s": 0.5, "health_s": 0.5})
    opened = told(engine, "open", "switch", "--ttl", "60")
    assert (opened["state"], opened["results"][0]["health"]) == ("open", "healthy")
    assert told(engine, "close")["services_stopped"] == ["switch"]
    assert_nothing_left(engine)


def test_a_part_is_open_with_a_warning(engine: ScriptedEngine) -> None:
    engine.script(hermes={"runs_s": 0.1, "exit_code": 1})
    code, said, _ = ended(engine, "open", "switch", "hermes", "--ttl", "60")
    assert (code, said.splitlines()[2]) == (0, "  warning: 1 of 2 did not come up: hermes; the others are open")
    seen = ended(engine, "status")[1].splitlines()
    assert (seen[0].split()[0], seen[2:4]) == ("DEGRADED", ["  runs   switch", "  down   hermes"])
    assert ended(engine, "close")[0] == 0
    assert_nothing_left(engine)


def test_a_stop_that_fails_is_stuck_told_and_done_later(engine: ScriptedEngine) -> None:
    told(engine, "open", "switch", "--ttl", "60")
    engine.script(switch={"stop_errors": 4})
    code, said, _ = ended(engine, "close")
    assert (code, "  stuck  manual" in said, "did not receive an exit event" in said) == (1, True, True)
    assert_nothing_left(engine)


@pytest.mark.parametrize("arguments", [("open", "switch"), ("doctor",), ("apply-core",), ("reap", "--once")], ids=" ".join)
def test_without_an_engine_every_command_says_which_and_fails(engine: ScriptedEngine, arguments: tuple[str, ...]) -> None:
    gone = {**engine.environment, "DOCKER_HOST": f"unix://{engine.directory}/gone.sock"}
    argv = [sys.executable, "-m", "windlass", "window", *arguments]
    ran = subprocess.run(argv, cwd=engine.directory, env=gone, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1), ran.stdout + ran.stderr
    assert f"the Docker engine at unix://{engine.directory}/gone.sock" in ran.stderr
    assert_nothing_left(engine)


def test_without_docker_an_opening_says_so(engine: ScriptedEngine) -> None:
    argv = [sys.executable, "-m", "windlass", "window", "open", "switch"]
    bare = {**engine.environment, "PATH": str(engine.directory)}
    ran = subprocess.run(argv, cwd=engine.directory, env=bare, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr.startswith("error: docker: no such program")) == (1, True), ran.stderr


def test_status_says_that_the_engine_is_silent_and_what_the_ledger_has(engine: ScriptedEngine) -> None:
    told(engine, "open", "switch", "--ttl", "60")
    gone = {**engine.environment, "DOCKER_HOST": f"unix://{engine.directory}/gone.sock"}
    argv = [sys.executable, "-m", "windlass", "window", "status"]
    ran = subprocess.run(argv, cwd=engine.directory, env=gone, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout.splitlines()[0]) == (0, "OPEN  windowed  observed never")
    assert "  trouble: the Docker engine at unix://" in ran.stdout
    ended(engine, "close")
    assert_nothing_left(engine)


def test_an_engine_that_goes_silent_in_the_middle_of_an_opening_keeps_nothing_open(engine: ScriptedEngine) -> None:
    configured(engine, start_timeout_sec=SOON_S)
    engine.script(switch={"start_s": 1.0})
    with command(engine, "open", "switch", "--ttl", "60") as opening:
        until(lambda: engine.told()["volumes"], "the lease")
        engine.post("silent", {"s": 3 * SOON_S})
        said, trouble = opening.communicate(timeout=60)
    assert opening.returncode == 1
    assert "the Docker engine at " in said + trouble or "not confirmed" in said + trouble, said + trouble
    ended(engine, "apply-core")
    assert_nothing_left(engine)


def test_a_command_that_is_killed_at_any_moment_leaves_nothing_past_its_deadline(engine: ScriptedEngine) -> None:
    """Nobody else is there: what closes is the watcher that it left before anything started."""
    engine.script(switch={"start_s": 0.4}, hermes={"up_s": 0.3})
    for number in range(6):
        with command(engine, "open", "switch", "hermes", "--ttl", "1") as opening:
            killed_on_its_way(engine, opening, leased=number % 3 > 0)
        assert_nothing_left(engine)
    assert told(engine, "audit", "verify")["problems"] == []


def test_commands_that_are_killed_beside_a_service_leave_it_to_close(engine: ScriptedEngine) -> None:
    engine.script(switch={"start_s": 0.4})
    with service(engine, engine.directory / "windlass.toml") as served:
        for number in range(4):
            with command(engine, "open", "switch", "--ttl", "1") as opening:
                killed_on_its_way(engine, opening, leased=number > 0)
            until(lambda: not powered(engine) and served.state()["state"] == "SOLO_MADRE_CORE", "the end of the window", 60)
        assert served.open("switch", ttl_sec=60)[0] == 200
        assert told(engine, "close")["services_stopped"] == ["switch"]
        assert not processes_of(engine.directory, b"windlass.windows.power.watcher")
    assert_nothing_left(engine)


def test_a_service_that_is_killed_in_the_middle_of_an_opening_leaves_it_to_the_command_that_waits(engine: ScriptedEngine) -> None:
    engine.script(switch={"start_s": 1.0})
    with service(engine, engine.directory / "windlass.toml") as served, command(engine, "open", "switch", "--ttl", "60") as opening:
        until(lambda: engine.told()["volumes"], "the lease")
        windows_services.kill(served.process.pid)
        said, trouble = opening.communicate(timeout=60)
        assert opening.returncode == 1, said + trouble
        assert_nothing_left(engine)


def test_an_opening_that_is_asked_for_beside_a_command_that_ends_is_not_cut_short(engine: ScriptedEngine) -> None:
    """Whoever holds the loop brings up what others asked for; ended before that, it would close what it had begun."""
    engine.script(switch={"start_s": 0.5})
    for _ in range(3):
        with command(engine, "apply-core") as ending, command(engine, "open", "switch", "--ttl", "60", "--json") as opening:
            said, trouble = opening.communicate(timeout=60)
            ending.communicate(timeout=60)
        opened = json.loads(said)
        assert opened.get("state") == "open" or opened.get("code") == "CLOSED_MEANWHILE", said + trouble
        ended(engine, "apply-core")
    assert_nothing_left(engine)
