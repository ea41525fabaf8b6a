"""`windlass window …` with nobody else there: real commands, real local processes, the watcher that they leave."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.windows_services import until
from tests.unit.cli.test_start import environment, windlass

from windlass.infra import chain
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
    """A project with a service that comes up, one that fails, one that comes up late, and one that never does."""
    lines = ["[windows]", 'backend = "process"', 'project = "demo"']
    for name, program in (
        ("web", SERVER),
        ("broken", "import nothere"),
        ("late", f"import time; time.sleep(2); {SERVER}"),
        ("slow", "import time; time.sleep(60)"),
    ):
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
    opened = told(place, "open", "web", "--ttl", "8")
    os.kill(int(opened["closed_by"].split()[-1]), signal.SIGKILL)
    until(lambda: not processes_of(place), "the end of the service, which its keeper brings", 40)
    assert told(place, "close", opened["window_id"])["state"] == "closed"


def test_a_window_that_is_open_is_extended_and_closed(place: Path) -> None:
    shown = windlass("window", "open", "--services", "web,broken", "--ttl", "30", place=place)
    assert (shown.returncode, "  warning: 1 of 2 did not come up: broken; the others are open" in shown.stdout) == (0, True), shown.stdout
    told(place, "close")
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


def test_a_second_interrupt_cuts_nothing_short(place: Path) -> None:
    """As of a Ctrl-C that is pressed twice: to the whole group of the terminal."""
    argv = [sys.executable, "-m", "windlass", "window", "open", "slow"]
    process = subprocess.Popen(argv, cwd=place, env=environment(), stderr=subprocess.PIPE, text=True, start_new_session=True)
    until(lambda: processes_of(place, b"time.sleep"), "the service that starts")
    for _ in range(2):
        os.killpg(process.pid, signal.SIGINT)
    _, trouble = process.communicate(timeout=30)
    assert (process.returncode, trouble.strip()) == (130, "error: interrupted")
    until(lambda: not processes_of(place), "the end of everything")
    assert told(place, "status")["state"] == "SOLO_MADRE_CORE"


def test_an_interrupt_before_anything_is_printed_leaves_nothing(place: Path) -> None:
    """The command has opened the window, and still waits for the watcher, which is held up."""
    process = subprocess.Popen([sys.executable, "-m", "windlass", "window", "open", "late"], cwd=place, env=environment())
    [watcher] = until(lambda: processes_of(place, b"windlass.windows.power.watcher"), "the watcher")
    os.kill(watcher, signal.SIGSTOP)
    with contextlib.closing(sqlite3.connect(place / ".windlass/windows/demo/ledger.sqlite3")) as ledger:
        until(lambda: any('"state":"open"' in text for (text,) in ledger.execute("SELECT window FROM windows WHERE live = 1")), "the window")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    os.kill(watcher, signal.SIGCONT)
    assert told(place, "status")["state"] == "SOLO_MADRE_CORE"
    until(lambda: not processes_of(place), "the end of everything")


def test_an_opening_that_is_killed_is_closed_by_the_watcher_that_it_left_before_it_began(place: Path) -> None:
    process = subprocess.Popen([sys.executable, "-m", "windlass", "window", "open", "slow", "--ttl", "60"], cwd=place, env=environment())
    until(lambda: processes_of(place, b"time.sleep"), "the service that starts")
    process.kill()
    process.wait(10)
    until(lambda: not processes_of(place), "the end of everything")
    [closed] = [entry for entry in told(place, "audit")["entries"] if entry["action"] == "window_closed"]
    assert closed["reason"] == "recovered"


def test_an_opening_that_is_killed_with_its_watcher_is_closed_by_the_next_command(place: Path) -> None:
    process = subprocess.Popen([sys.executable, "-m", "windlass", "window", "open", "slow", "--ttl", "60"], cwd=place, env=environment())
    until(lambda: processes_of(place, b"time.sleep"), "the service that starts")
    for pid in (process.pid, *processes_of(place, b"windlass.windows.power.watcher")):
        os.kill(pid, signal.SIGKILL)
    process.wait(10)
    assert told(place, "apply-core")["services_stopped"] == ["slow"]
    until(lambda: not processes_of(place), "the end of everything")


def test_of_several_openings_at_once_one_is_done_and_one_watcher_stays(place: Path) -> None:
    argv = [sys.executable, "-m", "windlass", "window", "open", "web", "--ttl", "60"]
    commands = [subprocess.Popen(argv, cwd=place, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(4)]
    assert sorted(command.wait(60) for command in commands) == [0, 1, 1, 1]
    until(lambda: len(processes_of(place, b"windlass.windows.power.watcher")) == 1, "the end of the other watchers")
    assert told(place, "close")["services_stopped"] == ["web"]
    until(lambda: not processes_of(place), "the end of everything")


def test_a_window_in_the_way_is_told_with_who_closes_it(place: Path) -> None:
    opened = told(place, "open", "web", "--ttl", "30")
    ended = windlass("window", "open", "web", place=place)
    assert (ended.returncode, ended.stderr.rstrip().endswith(f"; closed by {opened['closed_by']}")) == (1, True), ended.stderr
    seen = windlass("window", "status", place=place).stdout
    assert f"  closed by {opened['closed_by']}" in seen
    told(place, "close")


def of_another_version(ledger: Path) -> None:
    with contextlib.closing(sqlite3.connect(ledger)) as made:
        made.execute("PRAGMA user_version = 7")


def a_file_instead(directory: Path) -> None:
    directory.rmdir()
    directory.write_text("")


STATES: dict[str, tuple[Callable[[Path], object], int, str]] = {
    "a later version's ledger": (
        lambda state: of_another_version(state / "ledger.sqlite3"),
        2,
        "ledger.sqlite3: was written by a newer Windlass (schema 7; this one knows 1)",
    ),
    "no ledger": (
        lambda state: (state / "ledger.sqlite3").write_bytes(b"x" * 4096),
        2,
        "ledger.sqlite3: is damaged (file is not a database); move it away",
    ),
    "a directory for a ledger": (lambda state: (state / "ledger.sqlite3").mkdir(), 1, "ledger.sqlite3: unable to open database file"),
    "a directory for a lock": (lambda state: (state / "loop.lock").mkdir(), 1, "loop.lock: Is a directory"),
    "a directory for an audit": (lambda state: (state / "audit.jsonl").mkdir(), 1, "audit.jsonl: Is a directory"),
    "a directory for the watcher's log": (lambda state: (state / "watcher.log").mkdir(), 1, "watcher.log"),
    "a file for the state": (a_file_instead, 1, "demo: File exists"),
}


@pytest.mark.parametrize("what", STATES)
def test_a_state_that_can_not_be_used_is_told_in_one_line_and_opens_nothing(place: Path, what: str) -> None:
    spoil, code, says = STATES[what]
    state = place / ".windlass/windows/demo"
    state.mkdir(parents=True)
    spoil(state)
    ended = windlass("window", "open", "web", place=place)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (code, "", 1), ended.stdout + ended.stderr
    assert says in ended.stderr
    assert processes_of(place) == []


def test_an_audit_that_can_not_be_written_opens_nothing(place: Path) -> None:
    audit = place / ".windlass/windows/demo/audit.jsonl"
    audit.parent.mkdir(parents=True)
    audit.write_text("no chain\n")
    ended = windlass("window", "open", "web", place=place)
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert ended.stderr.count(str(audit)) == 1, "the path once"
    assert processes_of(place) == []
    seen = told(place, "status")
    assert (seen["state"], seen["windows"]) == ("SOLO_MADRE_CORE", [])


def test_the_audit_is_verified_as_json_too(place: Path) -> None:
    none = windlass("window", "audit", "verify", "--json", place=place)
    assert (none.returncode, none.stderr.endswith("audit.jsonl: there is nothing here\n")) == (2, True)
    told(place, "open", "nope", code=2)
    for arguments in (("audit", "verify", "--json"), ("audit", "--json", "verify"), ("audit", "verify", "--config", "windlass.toml", "--json")):
        ended = windlass("window", *arguments, place=place)
        report = json.loads(ended.stdout)
        assert (ended.returncode, report["entries"], report["problems"]) == (0, 1, [])
    path = place / ".windlass/windows/demo/audit.jsonl"
    path.write_bytes(path.read_bytes().replace(b"nope", b"web "))
    ended = windlass("window", "audit", "verify", "--json", place=place)
    assert (ended.returncode, len(json.loads(ended.stdout)["problems"])) == (1, 1)


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


def test_an_audit_with_a_strangers_entries_is_shown_all_the_same(place: Path) -> None:
    path = place / ".windlass/windows/demo/audit.jsonl"
    path.parent.mkdir(parents=True)
    with chain.ChainedLog(path) as log:
        for fields in ({}, {"action": None, "services": 3}, {"action": "x", "actor": ["y"], "services": [1, None]}):
            log.append({"at": "2026-01-19T14:30:12.000Z", **fields})
    ended = windlass("window", "audit", place=place)
    assert (ended.returncode, len(ended.stdout.splitlines())) == (0, 3), ended.stderr


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
