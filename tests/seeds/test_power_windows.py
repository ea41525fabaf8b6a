"""The seed on power windows, on a scripted engine with the seed's own ten services: its cycle, its scenarios, its words."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.engines.scripted import ScriptedEngine, scripted
from tests.integration import windows_services
from tests.integration.windows_services import Service, service, until

CORE = ("tentaculo_link", "madre", "redis")
POWERED = ("switch", "hermes", "spawner", "hormiguero", "manifestator", "shubniggurath", "mcp")


@pytest.fixture(name="engine")
def vx11(tmp_path: Path) -> Iterator[ScriptedEngine]:
    with scripted(tmp_path / "engine") as engine:
        file = engine.compose_file({name: {} for name in (*CORE, *POWERED)}, "docker-compose.yml")
        (engine.directory / "windlass.toml").write_text(
            f'[windows]\nproject = "vx"\nfiles = ["{file}"]\ncore = {list(CORE)}\nallowlist = {list(POWERED)}\n'
            "start_timeout_sec = 8\nstop_grace_sec = 1\n"
        )
        windows_services.up(engine, file, CORE)
        yield engine


@pytest.fixture(name="served")
def windows_service(engine: ScriptedEngine) -> Iterator[Service]:
    with service(engine, engine.directory / "windlass.toml") as served:
        yield served


def test_the_seeds_cycle_opens_switch_and_hermes_and_restores_the_three_of_the_core(engine: ScriptedEngine, served: Service) -> None:
    status, opened = served.open("switch", "hermes")
    assert (status, opened["state"], opened["status"]) == (200, "open", "ok")
    assert {"window_id", "created_at", "deadline", "ttl_remaining_sec"} <= opened.keys()
    assert len(engine.running("vx")) == 5
    status, closed = served.close()
    assert (closed["state"], closed["services_stopped"]) == ("closed", ["hermes", "switch"])
    assert engine.running("vx") == set(CORE)
    assert served.state()["state"] == "SOLO_MADRE_CORE"


def test_each_of_the_seven_can_be_opened_and_none_of_the_three(engine: ScriptedEngine, served: Service) -> None:
    assert served.open(*POWERED)[1]["services_started"] == sorted(POWERED)
    served.close()
    for name in CORE:
        assert served.open(name)[1]["code"] == "CORE_SERVICE"
    assert engine.running("vx") == set(CORE)


def test_the_header_is_the_seeds_in_any_case_of_its_letters(served: Service) -> None:
    assert served.call("GET", "/madre/power/state", token=None, headers={"x-vx11-token": windows_services.TOKEN})[0] == 200


def test_a_service_that_comes_up_is_told_with_its_time(served: Service) -> None:
    (one,) = served.open("switch")[1]["results"]
    assert (one["service"], one["returncode"], one["state"]) == ("switch", 0, "running")
    assert one["elapsed_ms"] >= 0


def test_a_service_that_takes_too_long_is_a_partial_failure_and_the_others_go_on(engine: ScriptedEngine, served: Service) -> None:
    engine.script(hermes={"health_s": 60})
    status, opened = served.open("switch", "hermes")
    assert (status, opened["status"], opened["services_started"]) == (200, "partial", ["switch"])


def test_without_docker_compose_everything_fails_and_no_window_is_left(engine: ScriptedEngine) -> None:
    with service(engine, engine.directory / "windlass.toml", PATH="/nowhere") as served:
        status, refused = served.open("switch")
        assert (status, refused["code"]) == (503, "UNAVAILABLE")
        assert "no such program" in refused["message"]
        assert served.state()["windows"] == []


def test_the_time_that_is_up_closes_the_window(engine: ScriptedEngine, served: Service) -> None:
    served.open("switch", ttl_sec=1)
    until(lambda: served.state()["state"] == "SOLO_MADRE_CORE", "the end of the window")
    assert engine.running("vx") == set(CORE)


def test_the_states_are_the_seeds(engine: ScriptedEngine, served: Service) -> None:
    engine.script(switch={"up_s": 0.5, "term_s": 0.9})
    told = [served.state()["state"]]
    with ThreadPoolExecutor(1) as pool:
        for asked in (lambda: served.open("switch"), served.close):
            answer = pool.submit(asked)
            while not answer.done():
                told.append(served.state()["state"])
            assert answer.result()[0] == 200
            told.append(served.state()["state"])
    assert [state for state, before in zip(told, [None, *told], strict=False) if state != before] == [
        "SOLO_MADRE_CORE",
        "OPENING",
        "OPEN",
        "CLOSING",
        "SOLO_MADRE_CORE",
    ]


def test_the_commands_that_the_seed_lists_are_those_that_are_run(engine: ScriptedEngine, served: Service) -> None:
    served.open("switch", "hermes")
    served.close()
    entries = served.call("GET", "/madre/power/audit")[1]["entries"]
    argv = next(entry["argv"] for entry in entries if entry["action"] == "start")
    words = " ".join(argv)
    assert words.startswith("docker compose --project-name vx ")
    assert " up --detach --no-deps --no-recreate " in words
    assert words.endswith(" -- hermes switch")
    stops = [event["service"] for event in engine.told()["events"] if event["what"] not in {"create", "start"}]
    assert set(stops) == {"switch", "hermes"}
