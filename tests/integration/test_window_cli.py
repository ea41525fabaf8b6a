"""`windlass window …` with nobody else there: real commands, real local processes, the watcher that they leave."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.windows_services import until
from tests.unit.cli.test_start import environment, windlass

from windlass.windows.power import repeats
from windlass.windows.power.log import Log

SERVER = "import http.server, sys; http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()"


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


@pytest.fixture(name="place")
def project(tmp_path: Path) -> Iterator[Path]:
    """A project with a service that comes up, one that never does, and one that takes its time."""
    lines = ["[windows]", 'backend = "process"', 'project = "demo"']
    for name, program in (("web", SERVER), ("broken", "import nothere"), ("slow", "import time; time.sleep(60)")):
        port = free_port()
        lines += [f"[windows.services.{name}]", f"argv = {json.dumps([sys.executable, '-c', program, str(port)])}"]
        lines += [f'ready_url = "http://127.0.0.1:{port}/"', "start_timeout_sec = 20", "stop_grace_sec = 1"]
    (tmp_path / "windlass.toml").write_text("\n".join(lines))
    yield tmp_path
    for pid in processes_of(tmp_path):
        os.kill(pid, signal.SIGKILL)


def processes_of(place: Path, word: bytes = b"") -> list[int]:
    """Everything that still runs for the project (services, keepers, watchers), with that word on its command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words, state = (entry / "cmdline").read_bytes(), (entry / "stat").read_text().rpartition(")")[2].split()[0]
            directory = (entry / "cwd").readlink()
        except OSError:
            continue
        if state != "Z" and word in words and int(entry.name) != os.getpid() and (str(place).encode() in words or directory.is_relative_to(place)):
            found.append(int(entry.name))
    return found


def told(place: Path, *arguments: str, code: int = 0) -> Any:
    ended = windlass("window", *arguments, "--json", place=place)
    assert ended.returncode == code, ended.stdout + ended.stderr
    return json.loads(ended.stdout)


def test_a_window_is_closed_by_the_watcher_that_its_command_left(place: Path) -> None:
    opened = told(place, "open", "web", "--ttl", "8", "--reason", "a test")
    assert (opened["state"], opened["services_started"]) == ("open", ["web"])
    assert opened["closed_by"].startswith("watcher, pid ")
    assert told(place, "status")["active_services"] == ["web"]
    until(lambda: not processes_of(place), "the end of the services, their keepers and the watcher", 40)
    assert told(place, "status")["state"] == "SOLO_MADRE_CORE"
    closed = [entry for entry in told(place, "audit")["entries"] if entry["action"] == "window_closed"]
    assert [(entry["reason"], entry["services_stopped"]) for entry in closed] == [("ttl_expired", ["web"])]
    assert windlass("window", "audit", "verify", place=place).stdout.startswith("intact")


def test_whoever_kills_the_watcher_gains_nothing(place: Path) -> None:
    opened = told(place, "open", "web", "--ttl", "3")
    os.kill(int(opened["closed_by"].split()[-1]), signal.SIGKILL)
    until(lambda: not processes_of(place), "the end of the service, which its keeper brings", 10)
    assert told(place, "close", opened["window_id"])["state"] == "closed"


def test_a_window_that_is_open_is_extended_and_closed(place: Path) -> None:
    opened = told(place, "open", "--services", "web,broken", "--ttl", "30")
    assert (opened["state"], opened["status"]) == ("degraded", "partial")
    assert "ModuleNotFoundError" in next(one["log_tail"] for one in opened["results"] if one["service"] == "broken")
    assert told(place, "extend", opened["window_id"], "--ttl", "60")["deadline"] > opened["deadline"]
    assert told(place, "open", "web", code=1)["code"] == "WINDOW_OPEN"
    shown = windlass("window", "close", place=place)
    assert (shown.returncode, "closed  manual  web" in shown.stdout) == (0, True)
    until(lambda: not processes_of(place), "the end of the watcher")
    assert told(place, "close", code=2)["code"] == "NO_WINDOW"


def test_what_does_not_come_up_is_told_with_its_last_words(place: Path) -> None:
    ended = windlass("window", "open", "broken", place=place)
    assert ended.returncode == 1
    assert "| ModuleNotFoundError: No module named 'nothere'" in ended.stdout
    assert processes_of(place) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("open", "nope"), "services[0]: 'nope' is not in the allowlist"),
        (("open",), "services: names no service"),
        (("open", "web", "--ttl", "0"), "ttl_sec: must be a whole number of seconds"),
        (("close", "win_none"), "there is no window win_none"),
        (("close", "/none/there"), "is no directory of a window"),
        (("audit", "--since", "yesterday"), "since: must be an RFC 3339 instant"),
        (("open", "web", "--config", "none.toml"), "none.toml: No such file"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(place: Path, arguments: tuple[str, ...], says: str) -> None:
    ended = windlass("window", *arguments, place=place)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended.stderr
    assert says in ended.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_opening_that_is_interrupted_leaves_nothing(place: Path, how: signal.Signals) -> None:
    process = subprocess.Popen([sys.executable, "-m", "windlass", "window", "open", "slow"], cwd=place, env=environment())
    until(lambda: processes_of(place, b"time.sleep"), "the service that starts")
    process.send_signal(how)
    assert process.wait(30) == 130
    until(lambda: not processes_of(place), "the end of everything")
    assert told(place, "status")["state"] == "SOLO_MADRE_CORE"


def test_an_opening_that_is_killed_is_closed_by_the_next_command(place: Path) -> None:
    process = subprocess.Popen([sys.executable, "-m", "windlass", "window", "open", "slow", "--ttl", "60"], cwd=place, env=environment())
    until(lambda: processes_of(place, b"time.sleep"), "the service that starts")
    process.kill()
    process.wait(10)
    assert told(place, "apply-core")["state"] == "SOLO_MADRE_CORE"
    until(lambda: not processes_of(place), "the end of everything")


def test_names_that_are_no_text_stop_nobody(tmp_path: Path) -> None:
    """Of users and directories: they are bytes, and the ledger, the audit and every answer have them as escapes."""
    place = tmp_path / os.fsdecode(b"p\xff")
    place.mkdir()
    bad = ["[windows]", 'backend = "process"', 'project = "demo"', "[windows.services.web]", 'argv = ["no-such-program"]']
    (place / "windlass.toml").write_text("\n".join([*bad, 'ready_url = "http://127.0.0.1:9/"', "start_timeout_sec = 1"]))
    opened = windlass("window", "open", "web", "--ttl", "60", "--json", place=place, LOGNAME=os.fsdecode(b"\xff"))
    assert (opened.returncode, json.loads(opened.stdout)["code"]) == (1, "START_FAILED"), opened.stderr
    asked = told(place, "audit")["entries"][0]
    assert (asked["action"], asked["actor"].split()[1]) == ("open_requested", "\\udcff")


def test_the_audit_is_shown_from_an_entry_on_and_a_count_says_how_many_more_there_were(place: Path) -> None:
    async def flooded() -> None:
        async with Log(place / ".windlass/windows/demo") as log:
            for _ in range(repeats.OWN_AT_ONCE + 7):
                await log.note_often("open_refused", source="stranger", actor="http 10.0.0.1", code="AUTH_REQUIRED")

    asyncio.run(flooded())
    (line,) = windlass("window", "audit", "--since", str(repeats.OWN_AT_ONCE - 1), place=place).stdout.splitlines()
    assert line.split()[1:] == ["repeated", "windlass", "-", "7", "more"]
    assert told(place, "audit", "--since", line.split()[0])["entries"] == []
    refused = windlass("window", "audit", "--since", "yesterday", place=place)
    assert (refused.returncode, "since: must be an RFC 3339 instant" in refused.stderr) == (2, True)
