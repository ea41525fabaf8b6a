"""`windlass window cycle` on real local processes: what it reports, and that it closes whatever happens."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.integration import test_window_cli
from tests.integration.liars import services, town
from tests.integration.liars.citizens import Asked, Citizen, counted, working
from tests.integration.windows_services import until
from tests.unit.cli.test_start import environment, windlass

place = test_window_cli.project
processes_of = test_window_cli.processes_of
AGENTS = 30
AT_EASE = ("--limit-cpu", "100", "--limit-memory", "100", "--limit-psi", "100")
QUICK = ("--samples", "2", "--interval", "0.1", "--ttl", "30")


def cycled(directory: Path, *arguments: str, code: int) -> Any:
    ended = windlass("window", "cycle", *QUICK, *arguments, "--out", "out", "--json", place=directory)
    assert ended.returncode == code, ended.stdout + ended.stderr
    told = json.loads(ended.stdout)
    assert told == json.loads((directory / "out/test_results.json").read_bytes()), "what is printed is what is written"
    until(lambda: not processes_of(directory), "the end of every service")
    return told


def test_a_cycle_opens_measures_closes_and_reports(place: Path) -> None:  # the fixture
    told = cycled(place, "--services", "web", code=0)
    assert (told["status"], told["state"], told["services_started"], told["services_stopped"]) == ("PASS", "closed", ["web"], ["web"])
    assert [sample["services"]["web"]["state"] for sample in told["metrics"]] == ["running", "running"]
    assert told["metrics"][0]["memory"] is not None
    assert told["cost"]["web"]["peak_memory_bytes"] > 0
    assert "PASS" in (place / "out/report.md").read_text()
    page = (place / "out/report.html").read_text()
    assert "<polyline" in page
    assert "<script" not in page


def test_a_service_that_does_not_come_up_fails_the_cycle_with_its_last_words(place: Path) -> None:  # the fixture
    told = cycled(place, "--services", "web,broken", code=1)
    assert told["failures"] == ["not up: broken"]
    assert "    ModuleNotFoundError: No module named 'nothere'" in (place / "out/report.md").read_text()
    assert "ModuleNotFoundError" in (place / "out/report.html").read_text()


def test_a_host_over_its_limits_holds_work_back(place: Path) -> None:  # the fixture
    told = cycled(place, "--services", "web", "--limit-memory", "1", code=0)
    assert [one["at_once"] for one in told["throttle"]] == [4, 2]
    assert all(any("memory" in word for word in one["because"]) for one in told["throttle"])


async def _slow(asked: Asked) -> web.StreamResponse:
    await asyncio.sleep(0.05)
    return await working(lambda one: counted(one.text))(asked)


@dataclass(frozen=True, kw_only=True)
class World:
    """Slow honest agents behind a real orchestrator. Lives as long as the module."""

    town: town.Town
    fleet: Path
    url: str

    def wait_for_calls(self, since: int, count: int) -> None:
        until(lambda: len(self.town.heard) - since >= count, f"{count} calls", 60)


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("slow")
    with town.standing([Citizen(name=f"slow-{number:02d}", behave=_slow) for number in range(AGENTS)]) as standing:
        fleet = standing.fleet_file(directory)
        with services.orchestrator(fleet, directory) as url:
            yield World(town=standing, fleet=fleet, url=url)


def sweeping(place: Path, agents: World, *options: str) -> subprocess.Popen[str]:
    """A cycle with a sweep, just begun."""
    words = ["--services", "web", "--sweep", str(agents.fleet), "--orchestrator-url", agents.url, "--out", "out", *options]
    argv = [sys.executable, "-m", "windlass", "window", "cycle", "--samples", "1", "--interval", "0.1", *words]
    variables = environment(WORKER_SERVICE_TOKEN=services.TOKEN)
    return subprocess.Popen(argv, cwd=place, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def written(place: Path) -> Any:
    return json.loads((place / "out/test_results.json").read_bytes())


def test_a_sweep_that_passes_is_part_of_the_report(place: Path, agents: World) -> None:
    before = len(agents.town.heard)
    process = sweeping(place, agents, *AT_EASE)
    said, complained = process.communicate(timeout=120)
    told = written(place)
    assert (process.returncode, told["failures"]) == (0, []), said + complained
    assert told["sweep"] == {
        "verdict": "PASS",
        "summary": f"{AGENTS}/{AGENTS} passed; dispatch PASS, execution PASS, proof PASS",
        "passed": AGENTS,
        "done": AGENTS,
        "total": AGENTS,
        "evidence": "sweep",
    }
    assert json.loads((place / "out/sweep/sweep.json").read_bytes())["summary"]["passed"] == AGENTS
    assert "sweeping" in {one["while"] for one in told["throttle"]}
    assert most_at_once(agents.town.heard[before:]) > 1
    assert services.TOKEN not in "".join((place / "out" / name).read_text() for name in ("test_results.json", "report.md", "report.html"))
    until(lambda: not processes_of(place), "the end of every service")


def test_while_the_host_is_over_its_limits_a_sweep_does_less_and_less_at_once(place: Path, agents: World) -> None:
    before = len(agents.town.heard)
    process = sweeping(place, agents, "--limit-memory", "1", "--wait", "0")
    process.communicate(timeout=120)
    levels = [one["at_once"] for one in written(place)["throttle"] if one["while"] == "sweeping"]
    assert (process.returncode, levels[:3]) == (0, [2, 1, 1])
    heard = sorted(agents.town.heard[before:], key=lambda one: one.at)
    assert most_at_once(heard[-len(heard) // 2 :]) == 1


def most_at_once(heard: list[town.Heard]) -> int:
    """How many of these were being answered at one moment, at most."""
    moments = sorted([(one.at, 1) for one in heard] + [(one.answered_at, -1) for one in heard])
    return max(accumulate(change for _, change in moments))


def test_a_sweep_whose_agents_fail_fails_the_cycle(place: Path, agents: World) -> None:
    fleet = agents.fleet.read_text().replace("slow-00/", "nobody/").replace("/slow-00\n", "/nobody\n")
    (place / "fleet.yaml").write_text(fleet)
    process = sweeping(place, agents, *AT_EASE, "--sweep", "fleet.yaml")
    process.communicate(timeout=120)
    told = written(place)
    assert (process.returncode, told["sweep"]["verdict"], told["state"]) == (1, "FAIL", "closed")
    assert told["failures"][0].startswith(f"sweep: {AGENTS - 1}/{AGENTS} passed")


def test_a_window_whose_time_runs_out_ends_the_sweep_and_the_report_says_so(place: Path, agents: World) -> None:
    process = sweeping(place, agents, "--ttl", "6", "--limit-memory", "1", "--wait", "0")
    process.communicate(timeout=120)
    told, sweep = written(place), json.loads((place / "out/sweep/sweep.json").read_bytes())
    assert process.returncode == 1
    assert told["failures"][0] == "the window ended while sweeping: its 6 s were over"
    assert (told["state"], told["close_reason"], told["sweep"]["verdict"]) == ("closed", "ttl_expired", "INCOMPLETE")
    assert f"sweep: cut short after {told['sweep']['done']} of {AGENTS} task types" in told["failures"][1]
    assert (sweep["interrupted"], len(sweep["rows"])) == (True, told["sweep"]["done"])
    assert {one["services"]["web"]["state"] for one in told["metrics"]} == {"running"}, "a stop is not taken for a failure"
    before = len(agents.town.heard)
    until(lambda: not processes_of(place), "the end of every service")
    assert len(agents.town.heard) == before, "the sweep has ended too"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_cycle_that_is_interrupted_while_it_sweeps_ends_the_sweep_and_closes(place: Path, agents: World, how: signal.Signals) -> None:
    before = len(agents.town.heard)
    process = sweeping(place, agents, "--limit-memory", "1", "--wait", "0")
    agents.wait_for_calls(before, 10)
    process.send_signal(how)
    process.communicate(timeout=60)
    told = written(place)
    assert (process.returncode, told["status"], told["interrupted"], told["state"]) == (130, "FAIL", True, "closed")
    assert told["failures"][0] == "interrupted while sweeping"
    assert json.loads((place / "out/sweep/sweep.json").read_bytes())["interrupted"] is True
    assert "interrupted" in (place / "out/report.html").read_text()
    asked = len(agents.town.heard)
    until(lambda: not processes_of(place), "the end of every service")
    assert len(agents.town.heard) == asked


def test_a_sweep_that_can_not_be_begun_is_told_in_the_report(place: Path, agents: World) -> None:
    (place / "out").mkdir()
    (place / "out/sweep").write_text("in the way")
    process = sweeping(place, agents)
    process.communicate(timeout=120)
    told = written(place)
    assert (process.returncode, told["state"]) == (1, "closed")
    assert "can't be made" in told["failures"][0]
    assert told["failures"][1] == "sweep: not begun"
    assert "sweep: not begun" in (place / "out/report.html").read_text()


@pytest.mark.parametrize(
    ("fleet", "options", "says"),
    [
        ("name: none\n", ("--sweep", "fleet.yaml"), "fleet.yaml"),
        ("", ("--sweep", "nothere.yaml"), "nothere.yaml"),
        ("", ("--orchestrator-url", "http://127.0.0.1:1"), "--orchestrator-url is for a sweep: add --sweep FLEET"),
    ],
)
def test_a_sweep_that_can_not_be_is_refused_before_anything_is_opened(place: Path, fleet: str, options: tuple[str, ...], says: str) -> None:
    (place / "fleet.yaml").write_text(fleet)
    ended = windlass("window", "cycle", "--services", "web", *options, "--out", "out", place=place, WORKER_SERVICE_TOKEN=services.TOKEN)
    assert (ended.returncode, says in ended.stderr) == (2, True), ended.stderr
    assert not (place / "out").exists()
    assert not (place / ".windlass").exists()


def test_a_sweep_of_an_earlier_cycle_is_not_swept_over(place: Path, agents: World) -> None:
    (place / "out/sweep").mkdir(parents=True)
    (place / "out/sweep/expectation.json").write_text("{}")
    process = sweeping(place, agents)
    _, complained = process.communicate(timeout=120)
    assert (process.returncode, "out/sweep holds the sweep of an earlier cycle" in complained) == (2, True), complained
    assert not (place / ".windlass").exists(), "nothing was opened"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_cycle_closes_and_says_so_in_its_report(place: Path, how: signal.Signals) -> None:  # the fixture
    process = measuring(place)
    process.send_signal(how)
    process.communicate(timeout=60)
    assert process.returncode == 130
    told = written(place)
    assert (told["status"], told["state"], told["failures"]) == ("FAIL", "closed", ["interrupted while measuring"])
    until(lambda: not processes_of(place), "the end of every service")


def test_a_cycle_that_is_interrupted_while_it_opens_closes_what_it_began(place: Path) -> None:
    argv = [sys.executable, "-m", "windlass", "window", "cycle", "--services", "slow", "--out", "out"]
    process = subprocess.Popen(argv, cwd=place, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: processes_of(place, b"time.sleep(60)"), "the service")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130
    told = written(place)
    assert (told["state"], told["failures"]) == ("closed", ["interrupted while opening", "not opened: it was never answered"])
    assert told["window_id"].startswith("win_")
    until(lambda: not processes_of(place), "the end of every service")


def test_a_cycle_whose_terminal_is_gone_closes_and_writes_its_report(place: Path) -> None:
    master, slave = pty.openpty()
    argv = [sys.executable, "-m", "windlass", "window", "cycle", "--services", "web", "--samples", "1000", "--out", "out"]
    process = subprocess.Popen(argv, cwd=place, env=environment(), stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    said = b""
    while b"measure  1/" not in said:
        said += os.read(master, 4096)
    os.close(master)
    process.send_signal(signal.SIGHUP)
    assert process.wait(60) == 130
    told = written(place)
    assert (told["state"], told["failures"]) == ("closed", ["interrupted while measuring"])
    until(lambda: not processes_of(place), "the end of every service")


def measuring(place: Path, *options: str) -> subprocess.Popen[str]:
    """A cycle that has measured once, and has many measurements before it."""
    argv = [sys.executable, "-m", "windlass", "window", "cycle", "--services", "web", "--samples", "1000", "--out", "out", *options]
    process = subprocess.Popen(argv, cwd=place, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "measure  1/" not in (line := process.stderr.readline()):
        assert line, "the cycle ended by itself"
    return process


def test_a_window_that_another_command_closes_ends_the_cycle(place: Path) -> None:
    process = measuring(place)
    assert windlass("window", "close", place=place).returncode == 0
    process.communicate(timeout=60)
    told = written(place)
    assert (process.returncode, told["state"], told["close_reason"]) == (1, "closed", "manual")
    assert told["failures"] == ["the window ended while measuring: somebody closed it (manual)"]


def test_a_service_that_ends_by_itself_fails_the_cycle(place: Path) -> None:
    argv = [sys.executable, "-m", "windlass", "window", "cycle", "--services", "web", "--samples", "30", "--interval", "0.1", "--out", "out"]
    process = subprocess.Popen(argv, cwd=place, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "measure  1/" not in (line := process.stderr.readline()):
        assert line, "the cycle ended by itself"
    for pid in processes_of(place, b"HTTPServer"):
        os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=60)
    told = written(place)
    assert (process.returncode, told["failures"]) == (1, ["web did not stay well: exited"])


def test_what_each_service_uses_is_measured_over_time(place: Path) -> None:
    told = cycled(place, "--services", "web", "--samples", "4", code=0)
    looks = [one["services"]["web"] for one in told["metrics"]]
    assert all(look["cpu_percent"] is not None and look["memory_bytes"] > 1_000_000 for look in looks), looks
    assert [look["cpu_sec"] for look in looks] == sorted(look["cpu_sec"] for look in looks)
    page = (place / "out/report.html").read_text()
    of_web = page[page.index("<h3>web</h3>") :]
    assert of_web.count("<polyline") == 2
    assert "| web | running | healthy | yes | 0 |" in (place / "out/report.md").read_text()


def test_a_cycle_that_is_killed_takes_its_sweep_with_it_and_its_services_end_by_their_deadline(place: Path, agents: World) -> None:
    before = len(agents.town.heard)
    process = sweeping(place, agents, "--ttl", "10", "--limit-memory", "1", "--wait", "0")
    agents.wait_for_calls(before, 5)
    process.kill()
    process.communicate(timeout=60)
    asked = len(agents.town.heard)
    until(lambda: not processes_of(place), "the end of every service")
    assert len(agents.town.heard) <= asked + 4, "what was under way when it was killed"
    assert test_window_cli.told(place, "status")["active_services"] == []


def test_a_cycle_that_is_killed_has_left_a_watcher(place: Path) -> None:  # the fixture
    argv = [sys.executable, "-m", "windlass", "window", "cycle", "--services", "web", "--ttl", "2", "--samples", "1000", "--out", "out"]
    process = subprocess.Popen(argv, cwd=place, env=environment(), stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "measure  1/" not in (line := process.stderr.readline()):
        assert line, "the cycle ended by itself"
    process.kill()
    process.communicate(timeout=60)
    until(lambda: not processes_of(place), "the end of every service and of the watcher")
    [closed] = [json.loads(line) for line in (place / ".windlass/windows/demo/audit.jsonl").read_text().splitlines() if '"window_closed"' in line]
    assert closed["reason"] == "ttl_expired"


def test_a_report_that_can_not_be_written_is_said_and_the_window_is_closed_all_the_same(place: Path) -> None:  # the fixture
    (place / "out").write_text("in the way")
    ended = windlass("window", "cycle", *QUICK, "--services", "web", "--out", "out", place=place)
    assert (ended.returncode, "the window is closed, but the report" in ended.stderr) == (1, True)
    until(lambda: not processes_of(place), "the end of every service")


@pytest.mark.parametrize(("services", "says"), [("nope", "is not in the allowlist"), (",", "names no service")])
def test_what_does_not_fit_is_refused(place: Path, services: str, says: str) -> None:  # the fixture
    ended = windlass("window", "cycle", "--services", services, place=place)
    assert (ended.returncode, says in ended.stderr) == (2, True)
    assert not (place / ".windlass/windows/demo/cycles").exists()


def test_a_cycle_beside_an_open_window_is_refused_and_claims_nothing_of_it(place: Path) -> None:
    opened = test_window_cli.told(place, "open", "web", "--ttl", "30")
    ended = windlass("window", "cycle", *QUICK, "--services", "web", "--out", "out", place=place)
    assert (ended.returncode, f"window {opened['window_id']} is open" in ended.stderr) == (1, True)
    assert not (place / "out").exists()
    assert test_window_cli.told(place, "status")["window_id"] == opened["window_id"]
    test_window_cli.told(place, "close")
