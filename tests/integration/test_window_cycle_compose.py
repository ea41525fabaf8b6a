"""`windlass window cycle` over Compose: the core is looked at, restarts are counted, and a whole cycle on a real engine."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests import docker_engine
from tests.engines import real
from tests.engines.scripted import ScriptedEngine, scripted
from tests.integration.test_window_cli import free_port
from tests.integration.windows_services import configured, core_up, until
from tests.unit.cli.test_start import environment


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[ScriptedEngine]:
    with scripted(tmp_path) as made:
        yield made


def cycling(config: Path, variables: Mapping[str, str], services: str, *options: str) -> subprocess.Popen[str]:
    """A cycle that has measured once."""
    argv = [sys.executable, "-m", "windlass", "window", "cycle", "--services", services, "--interval", "0.2", "--out", "out", *options]
    process = subprocess.Popen(argv, cwd=config.parent, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "measure  1/" not in (line := process.stderr.readline()):
        assert line, "the cycle ended by itself"
    return process


def ended(process: subprocess.Popen[str], config: Path) -> tuple[int, Any]:
    """The exit code, and what the report says."""
    process.communicate(timeout=120)
    return process.returncode, json.loads((config.parent / "out/test_results.json").read_bytes())


def age_s(engine: ScriptedEngine, service: str) -> float:
    """How long a service of the engine has been running."""
    (started,) = [one["started"] for one in engine.told()["containers"] if one["service"] == service]
    return time.time() - float(started)


def test_a_cycle_over_compose_measures_restores_the_core_and_passes(engine: ScriptedEngine) -> None:
    config = configured(engine)
    core_up(engine)
    code, told = ended(cycling(config, engine.environment, "hermes,switch"), config)
    assert (code, told["failures"], told["core"]) == (0, [], {"madre": "running", "redis": "running"})
    assert told["metrics"][-1]["services"]["hermes"]["memory_bytes"] == 3_000_000, "without the files that the kernel may drop, as docker stats"
    assert told["metrics"][-1]["services"]["hermes"]["cpu_percent"] > 0
    assert engine.running("vx") == {"madre", "redis"}


def test_a_service_that_the_engine_restarts_while_the_window_is_open_fails_the_cycle(engine: ScriptedEngine) -> None:
    config = configured(engine, {"hermes": {"restart": "on-failure"}})
    core_up(engine)
    process = cycling(config, engine.environment, "hermes", "--samples", "10")
    engine.script(hermes={"runs_s": age_s(engine, "hermes"), "exit_code": 1})
    code, told = ended(process, config)
    assert code == 1
    assert any(failure.startswith("hermes restarted while the window was open: ") for failure in told["failures"]), told["failures"]
    assert max(one["services"]["hermes"]["restarts"] for one in told["metrics"]) >= 1


def test_a_core_service_that_goes_down_while_the_window_is_open_fails_the_cycle(engine: ScriptedEngine) -> None:
    config = configured(engine)
    core_up(engine)
    process = cycling(config, engine.environment, "hermes", "--samples", "15")
    engine.script(redis={"runs_s": 0.0})
    code, told = ended(process, config)
    assert (code, told["state"]) == (1, "closed")
    assert told["failures"] == ["the core changed: redis", "the core is not up: redis exited"]


def test_a_core_that_is_not_there_fails_the_cycle(engine: ScriptedEngine) -> None:
    config = configured(engine)
    code, told = ended(cycling(config, engine.environment, "hermes"), config)
    assert (code, told["failures"]) == (1, ["the core is not up: madre absent, redis absent"])


SERVER = ["python3", "-m", "http.server", "8000"]
CHECK = {"test": ["CMD", "python3", "-c", "import socket; socket.create_connection(('127.0.0.1', 8000), 1).close()"], "interval": "1s", "retries": 30}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A Compose project on the real engine, its core up; its windlass.toml, and its name."""
    real.needed()
    with real.project() as project:
        web = {"command": SERVER, "init": True, "healthcheck": CHECK, "depends_on": ["db"]}
        file = real.compose_file(tmp_path, {"db": {"command": ["sleep", "600"], "init": True}, "web": web, "broken": {"command": ["false"]}})
        lines = ["[windows]", f'project = "{project}"', f'files = ["{file.name}"]', 'core = ["db"]', 'allowlist = ["web", "broken"]']
        (tmp_path / "windlass.toml").write_text("\n".join([*lines, "stop_grace_sec = 1"]))
        argv = ["docker", "compose", "--project-name", project, "--file", file.name, "up", "--detach", "--pull", "never", "db"]
        subprocess.run(argv, cwd=tmp_path, check=True, capture_output=True)
        yield tmp_path / "windlass.toml", project


@pytest.mark.docker
def test_a_whole_cycle_on_a_real_engine(shop: tuple[Path, str]) -> None:
    config, project = shop
    code, told = ended(cycling(config, environment(), "web", "--samples", "5"), config)
    assert (code, told["status"], told["failures"]) == (0, "PASS", [])
    assert (told["state"], told["services_started"], told["services_stopped"], told["core"]) == ("closed", ["web"], ["web"], {"db": "running"})
    (found,) = told["results"]
    assert (found["state"], found["health"]) == ("running", "healthy")
    looks = [one["services"]["web"] for one in told["metrics"]]
    assert all(look["memory_bytes"] > 1_000_000 and look["cpu_sec"] > 0 for look in looks), looks
    assert any(look["cpu_percent"] is not None for look in looks)
    assert told["cost"]["web"]["cpu_sec"] > 0
    assert (config.parent / "out/report.html").read_text().count("<polyline") >= 4
    assert real.running(project) == {"db"}


@pytest.mark.docker
def test_a_cycle_on_a_real_engine_tells_the_last_words_of_what_does_not_come_up(shop: tuple[Path, str]) -> None:
    config, project = shop
    argv = [sys.executable, "-m", "windlass", "window", "cycle", "--services", "web,broken", "--samples", "1", "--out", "out"]
    process = subprocess.Popen(argv, cwd=config.parent, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    code, told = ended(process, config)
    assert (code, told["failures"]) == (1, ["not up: broken"])
    assert real.running(project) == {"db"}


@pytest.mark.docker
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGHUP])
def test_a_cycle_on_a_real_engine_that_is_interrupted_leaves_only_the_core(shop: tuple[Path, str], how: signal.Signals) -> None:
    config, project = shop
    process = cycling(config, environment(), "web", "--samples", "1000")
    process.send_signal(how)
    code, told = ended(process, config)
    assert (code, told["interrupted"], told["state"]) == (130, True, "closed")
    until(lambda: real.running(project) == {"db"}, "only the core")


@pytest.mark.docker
def test_a_service_that_is_restarted_by_hand_on_a_real_engine_fails_the_cycle(shop: tuple[Path, str]) -> None:
    config, project = shop
    process = cycling(config, environment(), "web", "--samples", "50")
    (container,) = real.lines(
        "ps", "-q", "--filter", f"label=com.docker.compose.project={project}", "--filter", "label=com.docker.compose.service=web"
    )
    real.lines("restart", "--time", "0", container)
    code, told = ended(process, config)
    assert code == 1
    assert "web restarted while the window was open: 1 time" in told["failures"]


TOKEN = "a-token-of-this-test"
FLEET = """
name: composed
agents:
  agent-verify: {{url: "http://127.0.0.1:{port}"}}
tasks:
  CLAIM_VERIFY: {{agent: agent-verify, {examples}}}
"""
CLAIM = "claims: [Statins reduced mortality by {}%.]"
PACK = "groundingPack: {chunks: [{chunk_id: c1, text: Statins reduced mortality by 12%.}]}"
ASKED = ", ".join(f"{{inputs: {{{CLAIM.format(number)}, {PACK}}}}}" for number in (12, 40))
EXAMPLES = f"examples: [{ASKED}], invalid_example: {{claim: [Statins reduced mortality by 12%.]}}"


def answering(port: int, published: int, **more: Any) -> dict[str, Any]:
    """What a service of ours adds that answers at a port of this machine, and is healthy when it is ready."""
    code = f"import urllib.request; urllib.request.urlopen('http://127.0.0.1:{port}/health/ready', timeout=2)"
    check = {"test": ["CMD", "/usr/bin/python3", "-c", code], "interval": "1s", "retries": 60}
    return {"ports": [f"127.0.0.1:{published}:{port}"], "healthcheck": check, **more}


@pytest.mark.docker
def test_a_whole_cycle_on_a_real_engine_opens_a_fleet_and_sweeps_it(tmp_path: Path) -> None:
    docker_engine.ask_for()
    agent_port, door_port = free_port(), free_port()
    (tmp_path / "fleet.yaml").write_text(FLEET.format(port=agent_port, examples=EXAMPLES))
    agent = docker_engine.windlass(
        "serve", "executor", "--agents", "agent-verify", "--host", "0.0.0.0", "--port", "9001", "--anonymous-agents", **answering(9001, agent_port)
    )
    words = ("serve", "orchestrator", "--fleet", "/fleet.yaml", "--host", "0.0.0.0", "--port", "3001")
    mounted = {"volumes": [f"{tmp_path / 'fleet.yaml'}:/fleet.yaml:ro"], "environment": {"WORKER_SERVICE_TOKEN": TOKEN}}
    door = docker_engine.windlass(*words, **answering(3001, door_port, **mounted))
    with real.project() as project:
        file = real.compose_file(tmp_path, {"agent": agent, "orchestrator": door})
        lines = [
            "[windows]",
            f'project = "{project}"',
            f'files = ["{file.name}"]',
            'allowlist = ["agent", "orchestrator"]',
            "start_timeout_sec = 120",
        ]
        (tmp_path / "windlass.toml").write_text("\n".join(lines))
        sweep = ("--sweep", "fleet.yaml", "--orchestrator-url", f"http://127.0.0.1:{door_port}")
        process = cycling(tmp_path / "windlass.toml", environment(WORKER_SERVICE_TOKEN=TOKEN), "agent,orchestrator", *sweep, "--ttl", "120")
        code, told = ended(process, tmp_path / "windlass.toml")
        assert (code, told["failures"]) == (0, [])
        assert told["sweep"]["summary"] == "1/1 passed; dispatch PASS, execution PASS, proof PASS"
        assert {name: one["health"] for name, one in told["metrics"][-1]["services"].items()} == {"agent": "healthy", "orchestrator": "healthy"}
        assert real.running(project) == set()
