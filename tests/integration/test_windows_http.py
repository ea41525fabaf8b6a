"""The windows service over HTTP, as its callers know it: a real process, the real routes, a scripted engine behind it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.engines.scripted import ScriptedEngine, scripted
from tests.integration import windows_services
from tests.integration.windows_services import Service, configured, core_up, service, touched, until

from windlass.infra import chain, server
from windlass.windows.web import routes

ROUTES = [
    ("POST", "/madre/power/window/open"),
    ("POST", "/madre/power/window/close"),
    ("POST", "/madre/power/window/extend"),
    ("GET", "/madre/power/state"),
    ("GET", "/madre/power/policy/solo_madre/status"),
    ("POST", "/madre/power/policy/solo_madre/apply"),
    ("GET", "/madre/power/audit"),
    ("GET", "/madre/power/events"),
    ("GET", "/metrics"),
]


@pytest.fixture(name="engine")
def scripted_engine(tmp_path: Path) -> Iterator[ScriptedEngine]:
    with scripted(tmp_path / "engine") as engine:
        core_up_needs = configured(engine)
        assert core_up_needs.exists()
        core_up(engine)
        yield engine


@pytest.fixture(name="served")
def windows_service(engine: ScriptedEngine) -> Iterator[Service]:
    with service(engine, configured(engine)) as served:
        yield served


def test_a_window_is_opened_told_of_and_closed_and_the_core_is_not_touched(engine: ScriptedEngine, served: Service) -> None:
    status, opened = served.open("switch", "hermes", "switch", ttl_sec=60, reason="a test")
    assert (status, opened["status"], opened["state"]) == (200, "ok", "open")
    assert opened["services_started"] == ["hermes", "switch"]
    assert 55 <= opened["ttl_remaining_sec"] <= 60
    assert {one["service"]: (one["returncode"], one["state"]) for one in opened["results"]} == {"hermes": (0, "running"), "switch": (0, "running")}
    assert engine.running("vx") == {"madre", "redis", "switch", "hermes"}

    state = served.state()
    assert (state["policy"], state["state"], state["window_id"]) == ("windowed", "OPEN", opened["window_id"])
    assert (state["active_services"], state["drift"], state["core"]) == (["hermes", "switch"], [], {"madre": "running", "redis": "running"})

    status, closed = served.close(window_id=opened["window_id"])
    assert (status, closed["state"], closed["services_stopped"]) == (200, "closed", ["hermes", "switch"])
    assert served.close(window_id=opened["window_id"])[1]["closed_at"] == closed["closed_at"], "closed already is closed"
    assert served.close()[0] == 404
    assert served.state()["state"] == "SOLO_MADRE_CORE"
    assert engine.running("vx") == {"madre", "redis"}
    assert engine.told()["volumes"] == {} or not engine.told()["volumes"]
    assert touched(engine) == []
    for body in (opened, state, closed):
        assert body["timestamp"].endswith("Z")
        assert body["audit_id"]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_control_route_asks_for_the_token(served: Service, method: str, path: str) -> None:
    assert served.call(method, path, token=None)[0] == 401
    status, body = served.call(method, path, token="another-token")
    assert (status, body["code"]) == (403, "WRONG_TOKEN")
    assert body["audit_id"].startswith("aud_")
    entries = served.call("GET", "/madre/power/audit")[1]["entries"]
    assert [entry["code"] for entry in entries[-2:]] == ["AUTH_REQUIRED", "WRONG_TOKEN"], "refused requests are in the audit"


def test_health_asks_for_none(served: Service) -> None:
    assert served.call("GET", "/health", token=None)[1]["status"] == "up"
    assert served.call("GET", "/health/ready", token=None)[1]["status"] == "ready"


def test_without_a_token_of_its_own_the_service_does_not_start(engine: ScriptedEngine) -> None:
    argv = [sys.executable, "-m", "windlass", "serve", "windows", "--config", str(engine.directory / "windlass.toml"), "--port", "0"]
    ended = subprocess.run(argv, env=engine.environment, cwd=engine.directory, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, "WINDLASS_WINDOWS_TOKEN is not set" in ended.stderr) == (2, True)


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"services": ["madre"]}, "CORE_SERVICE", "services[0]"),
        ({"services": ["stranger"]}, "NOT_ALLOWED", "services[0]"),
        ({"services": ["--help"]}, "NOT_ALLOWED", "services[0]"),
        ({"services": ["spawner"]}, "OUTSIDE", "services"),
        ({"services": []}, "INVALID_BODY", "services"),
        ({"services": "switch"}, "INVALID_BODY", "services"),
        ({"services": ["switch"], "ttl_sec": 0}, "BAD_TTL", "ttl_sec"),
        ({"services": ["switch"], "ttl_sec": None}, "BAD_TTL", "ttl_sec"),
        ({"services": ["switch"], "ttl_sec": -5}, "BAD_TTL", "ttl_sec"),
        ({"services": ["switch"], "ttl_sec": 3601}, "BAD_TTL", "ttl_sec"),
        ({"services": ["switch"], "ttl_sec": True}, "BAD_TTL", "ttl_sec"),
        ({"services": ["switch"], "mode": "hodl"}, "BAD_MODE", "mode"),
        ({"services": ["switch"], "ttl": 5}, "INVALID_BODY", "ttl"),
        (b"not json", "INVALID_BODY", "body"),
        (b"", "INVALID_BODY", "body"),
        (b'{"services": ["switch"], "services": ["hermes"]}', "INVALID_BODY", "services"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_field_and_starts_nothing(
    engine: ScriptedEngine, served: Service, body: Any, code: str, field: str
) -> None:
    status, refused = served.call("POST", "/madre/power/window/open", body)
    assert (status, refused["code"], refused["details"]["field"]) == (422, code, field)
    assert refused["audit_id"]
    assert engine.started("vx") == {"madre", "redis"}


def test_a_second_window_is_refused_with_the_id_of_the_first(served: Service) -> None:
    _, first = served.open("switch")
    status, second = served.open("hermes")
    assert (status, second["code"], second["window_id"]) == (409, "WINDOW_OPEN", first["window_id"])


def test_the_default_ttl_makes_no_window_endless(served: Service) -> None:
    _, opened = served.open("switch")
    assert 290 <= opened["ttl_remaining_sec"] <= 300


def test_a_window_ends_by_its_deadline_by_itself(engine: ScriptedEngine, served: Service) -> None:
    served.open("switch", ttl_sec=1)
    until(lambda: served.state()["state"] == "SOLO_MADRE_CORE", "the end of the window", 6)
    assert engine.running("vx") == {"madre", "redis"}
    entries = served.call("GET", "/madre/power/audit")[1]["entries"]
    assert [entry["reason"] for entry in entries if entry["action"] == "window_closed"] == ["ttl_expired"]


def test_a_window_is_extended_within_its_maximum(served: Service) -> None:
    _, opened = served.open("switch", ttl_sec=60)
    status, longer = served.call("POST", "/madre/power/window/extend", {"window_id": opened["window_id"], "ttl_sec": 600})
    assert (status, longer["deadline"] > opened["deadline"]) == (200, True)
    for ttl, code in ((3601, "OVER_MAXIMUM"), (5, "NOT_LONGER")):
        status, refused = served.call("POST", "/madre/power/window/extend", {"window_id": opened["window_id"], "ttl_sec": ttl})
        assert (status, refused["code"]) == (422, code)


def test_the_state_is_told_while_an_opening_hangs_and_the_opening_can_be_cut_short(engine: ScriptedEngine, served: Service) -> None:
    engine.script(switch={"up_hangs": True})
    served.state()
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(served.open, "switch", "hermes")
        until(lambda: served.state()["state"] == "OPENING", "the opening")
        took = []
        for _ in range(20):
            began = time.monotonic()
            served.state()
            took.append(time.monotonic() - began)
        assert sorted(took)[len(took) // 2] < 0.1
        assert served.close()[1]["state"] == "closed"
        status, answer = opening.result(30)
    assert (status, answer["code"]) == (409, "CLOSED_MEANWHILE")
    assert engine.running("vx") == {"madre", "redis"}


def test_a_crash_loop_is_never_up_and_its_last_words_are_told(engine: ScriptedEngine) -> None:
    with service(engine, configured(engine, {"switch": {"restart": "on-failure"}})) as served:
        engine.script(switch={"runs_s": 0.2, "exit_code": 1, "log": "ModuleNotFoundError: No module named 'switch'"})
        status, failed = served.open("switch")
        assert (status, failed["code"], failed["state"], failed["status"]) == (500, "START_FAILED", "closed", "fail")
        assert "ModuleNotFoundError" in failed["results"][0]["log_tail"]
    assert engine.running("vx") == {"madre", "redis"}


def test_a_partial_start_is_degraded_or_rolled_back_as_asked(engine: ScriptedEngine, served: Service) -> None:
    engine.script(hermes={"start_error": "no such device"})
    status, opened = served.open("switch", "hermes")
    assert (status, opened["state"], opened["status"], opened["services_started"]) == (200, "degraded", "partial", ["switch"])
    served.close()
    status, rolled = served.open("switch", "hermes", on_partial="rollback")
    assert (status, rolled["state"], rolled["status"]) == (500, "closed", "partial")
    assert engine.running("vx") == {"madre", "redis"}


def test_a_service_that_dies_makes_its_window_degraded(engine: ScriptedEngine, served: Service) -> None:
    engine.script(switch={"runs_s": 3.0, "exit_code": 3, "log": "out of memory"})
    served.open("switch", "hermes")
    until(lambda: served.state()["state"] == "DEGRADED", "the degraded window")
    entries = served.call("GET", "/madre/power/audit")[1]["entries"]
    health = next(entry for entry in entries if entry["action"] == "health")
    assert (health["ill"], health["log_tails"]) == (["switch"], {"switch": "out of memory"})


def test_a_stop_that_fails_is_stuck_and_never_forgotten(engine: ScriptedEngine, served: Service) -> None:
    engine.script(switch={"stop_errors": 3})
    served.open("switch")
    status, closed = served.close()
    assert (status, closed["state"]) == (200, "stuck")
    assert served.state()["state"] in {"STUCK", "CLOSING"}
    until(lambda: served.state()["state"] == "SOLO_MADRE_CORE", "the stop that is tried again")
    assert engine.running("vx") == {"madre", "redis"}


def test_a_window_outlives_a_killed_service_and_the_next_one_closes_it(engine: ScriptedEngine) -> None:
    config = configured(engine)
    with service(engine, config) as first:
        _, opened = first.open("switch", ttl_sec=4)
        windows_services.kill(first.process.pid)
        first.process.wait(10)
    with service(engine, config) as second:
        state = second.state()
        assert (state["window_id"], state["deadline"]) == (opened["window_id"], opened["deadline"])
        until(lambda: second.state()["state"] == "SOLO_MADRE_CORE", "the end of the window", 10)
    assert engine.running("vx") == {"madre", "redis"}


def test_an_opening_that_was_cut_off_is_closed_by_the_next_service(engine: ScriptedEngine) -> None:
    config = configured(engine)
    engine.script(switch={"health_s": 60})
    with service(engine, config) as first, ThreadPoolExecutor(1) as pool:
        opening = pool.submit(first.open, "switch", ttl_sec=60)
        until(lambda: "switch" in engine.running("vx"), "the service that starts")
        windows_services.kill(first.process.pid)
        with pytest.raises(Exception, match=r"closed|reset|refused|Remote"):
            opening.result(30)
    with service(engine, config) as second:
        until(lambda: second.state()["state"] == "SOLO_MADRE_CORE", "the end of what nobody waits for")
    assert engine.running("vx") == {"madre", "redis"}


def test_an_orderly_end_closes_what_is_open_unless_told_to_leave_it(engine: ScriptedEngine) -> None:
    served = Service(engine, configured(engine))
    served.open("switch", ttl_sec=60)
    assert served.end() == 0
    assert engine.running("vx") == {"madre", "redis"}
    served = Service(engine, configured(engine, on_shutdown="leave"))
    served.open("switch", ttl_sec=60)
    assert served.end() == 0
    assert engine.running("vx") == {"madre", "redis", "switch"}


def test_of_fifty_who_open_at_once_at_two_services_and_by_commands_exactly_one_does(engine: ScriptedEngine) -> None:
    config = configured(engine)
    with service(engine, config) as one, service(engine, config) as other, ThreadPoolExecutor(50) as pool:

        def command() -> int:
            argv = [sys.executable, "-m", "windlass", "window", "open", "hermes", "--ttl", "30", "--json"]
            ran = subprocess.run(argv, cwd=config.parent, env=engine.environment, capture_output=True, check=False)
            return {0: 200}.get(ran.returncode) or {"WINDOW_OPEN": 409}[json.loads(ran.stdout)["code"]]

        asked = [pool.submit(command) for _ in range(4)]
        asked += [pool.submit(lambda at, name: at.open(name, ttl_sec=30)[0], (one, other)[n % 2], ("switch", "hermes")[n % 3 % 2]) for n in range(46)]
        assert sorted(answer.result(60) for answer in asked) == [200] + [409] * 49
        assert {one.state()["window_id"], other.state()["window_id"]} == {one.state()["window_id"]}
        assert other.close()[1]["state"] == "closed"
    assert engine.running("vx") == {"madre", "redis"}


def test_applying_the_policy_leaves_the_core_alone(engine: ScriptedEngine, served: Service) -> None:
    _, opened = served.open("switch")
    status, applied = served.call("POST", "/madre/power/policy/solo_madre/apply")
    assert (status, applied["status"], applied["policy"]) == (200, "ok", "solo_madre")
    assert served.close(window_id=opened["window_id"])[1]["reason"] == "policy_applied"
    assert engine.running("vx") == {"madre", "redis"}
    assert served.call("GET", "/madre/power/policy/solo_madre/status")[1]["active"] is True


def test_shared_windows_overlap_and_a_service_stops_with_its_last(engine: ScriptedEngine) -> None:
    with service(engine, configured(engine, policy="shared")) as served:
        _, first = served.open("switch", ttl_sec=60)
        _, second = served.open("switch", "hermes", ttl_sec=60)
        assert served.close(window_id=first["window_id"])[1]["state"] == "closed"
        assert engine.running("vx") == {"madre", "redis", "switch", "hermes"}
        assert served.close(window_id=second["window_id"])[1]["services_stopped"] == ["hermes", "switch"]
    assert engine.running("vx") == {"madre", "redis"}


def test_a_day_has_so_many_seconds_for_a_service(engine: ScriptedEngine) -> None:
    with service(engine, configured(engine, daily_budget_sec=100)) as served:
        assert served.open("switch", ttl_sec=60)[0] == 200
        served.close()
        status, refused = served.open("switch", ttl_sec=99)
        assert (status, refused["code"], refused["details"]["service"]) == (429, "BUDGET", "switch")
        assert served.open("hermes", ttl_sec=60)[0] == 200


def test_the_audit_is_chained_and_has_argv_and_cost(engine: ScriptedEngine, served: Service) -> None:
    served.open("switch")
    served.close()
    (path,) = (engine.directory / ".windlass/windows/vx").glob("audit.jsonl")
    scan = chain.scan(path.read_bytes())
    assert (scan.breaks, scan.torn) == ((), 0)
    by_action = {entry.fields["action"]: entry.fields for entry in scan.entries}
    assert by_action["start"]["argv"][:2] == ["docker", "compose"]
    assert {"service", "rc", "elapsed_ms", "stdout", "stderr"} <= by_action["start"].keys()
    assert "cost" in by_action["window_closed"]


def test_events_tell_the_state_and_count_down(served: Service) -> None:
    served.open("switch", ttl_sec=60)
    request = urllib.request.Request(served.url + "/madre/power/events", headers={"X-VX11-Token": windows_services.TOKEN})
    with urllib.request.urlopen(request, timeout=20) as stream:
        lines = [stream.readline().decode() for _ in range(10)]
    assert "event: state\n" in lines
    assert "event: countdown\n" in lines


def test_a_stop_does_not_wait_for_those_who_listen(served: Service) -> None:
    request = urllib.request.Request(served.url + "/madre/power/events", headers={"X-VX11-Token": windows_services.TOKEN})
    with urllib.request.urlopen(request, timeout=20) as stream:
        assert stream.readline().startswith(b"retry:")
        begun = time.monotonic()
        assert served.end() == 0
        assert time.monotonic() - begun < server.GRACE_S, "the listener was waited for"
        assert stream.read().endswith(b"\n\n"), "cut off within an event"


def test_what_the_edge_refuses_is_stamped_and_audited_too(served: Service) -> None:
    large = served.call("POST", "/madre/power/window/open", b" " * (routes.MAX_BODY + 1))
    nowhere = served.call("GET", "/madre/power/nowhere")
    wrong_method = served.call("PUT", "/madre/power/state")
    assert [(status, body["code"]) for status, body in (large, nowhere, wrong_method)] == [
        (413, "PAYLOAD_TOO_LARGE"),
        (404, "ROUTE_NOT_FOUND"),
        (405, "METHOD_NOT_ALLOWED"),
    ]
    entries = {entry["audit_id"]: entry for entry in served.call("GET", "/madre/power/audit")[1]["entries"]}
    for _, body in (large, nowhere, wrong_method):
        assert body["timestamp"].endswith("Z")
        assert entries[body["audit_id"]]["code"] == body["code"]


def test_an_unreadable_ledger_is_told_and_never_shown_as_no_windows(engine: ScriptedEngine, served: Service) -> None:
    assert served.open("hermes", ttl_sec=60)[0] == 200
    for ledger in engine.directory.rglob("*.sqlite*"):
        ledger.write_bytes(b"no ledger" * 1000)
    request = urllib.request.Request(served.url + "/metrics", headers={"X-VX11-Token": windows_services.TOKEN})
    with urllib.request.urlopen(request, timeout=20) as answer:
        told = answer.read().decode()
    assert "windlass_windows_readable 0" in told
    assert "windlass_windows_open " not in told
    status, health = served.call("GET", "/health", token=None)
    assert (status, health["status"], health["windows"]) == (503, "down", None)


def test_health_says_who_acts_for_the_windows(engine: ScriptedEngine, served: Service) -> None:
    until(lambda: served.call("GET", "/health", token=None)[1]["holds_loop"], "the loop")
    with service(engine, engine.directory / "windlass.toml") as second:
        told = second.call("GET", "/health", token=None)[1]
    assert (told["status"], told["holds_loop"]) == ("up", False)
    assert str(served.process.pid) in told["loop_held_by"]
