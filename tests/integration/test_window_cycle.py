"""`windlass window cycle` on real local processes: what it reports, and that it closes whatever happens."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.integration import test_window_cli
from tests.integration.windows_services import until
from tests.unit.cli.test_start import environment, windlass

place = test_window_cli.project
processes_of = test_window_cli.processes_of
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


def test_a_sweep_that_fails_fails_the_cycle(place: Path) -> None:  # the fixture
    (place / "fleet.yaml").write_text("name: none\n")
    told = cycled(place, "--services", "web", "--sweep", "fleet.yaml", code=1)
    assert told["sweep"]["verdict"] == "FAIL"
    assert told["state"] == "closed"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_cycle_closes_and_says_so_in_its_report(place: Path, how: signal.Signals) -> None:  # the fixture
    argv = [sys.executable, "-m", "windlass", "window", "cycle", "--services", "web", "--samples", "1000", "--out", "out"]
    process = subprocess.Popen(argv, cwd=place, env=environment(), stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "measure  1/" not in (line := process.stderr.readline()):
        assert line, "the cycle ended by itself"
    process.send_signal(how)
    process.communicate(timeout=60)
    assert process.returncode == 130
    told = json.loads((place / "out/test_results.json").read_bytes())
    assert (told["status"], told["state"], told["failures"]) == ("FAIL", "closed", ["interrupted"])
    until(lambda: not processes_of(place), "the end of every service")


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
