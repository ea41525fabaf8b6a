"""However often and by whatever signal a command is told to end, it closes what it opened first; and it leaves alone what it was told to ignore."""

from __future__ import annotations

import contextlib
import itertools
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.hostile import commands


@pytest.mark.parametrize("pause", [0.0, 0.02])
def test_ctrl_c_twice_in_a_hurry_leaves_no_service_behind(tmp_path: Path, pause: float) -> None:
    process = commands.started(tmp_path, "prove", "--ttl", "120")
    with process:
        commands.wait_until(lambda: commands.window_is_opening(tmp_path), "a window that opens")
        process.send_signal(signal.SIGINT)
        time.sleep(pause)  # the second press of a finger, not a wait for anything
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr.strip() == "error: interrupted"
    assert commands.left_running(tmp_path) == []
    assert commands.status(tmp_path) == "CANCELED"


CLOSING = """
import asyncio
from windlass.cli import loop
async def work():
    try:
        print("open", flush=True)
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep({closing_s})
        print("closed", flush=True)
try:
    loop.run(work(), patience_s={patience_s})
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def interrupted_often(closing_s: float, patience_s: float) -> list[str]:
    """What a command says that is told to end every 50 ms, by three signals in turn."""
    script = CLOSING.format(closing_s=closing_s, patience_s=patience_s)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=commands.environment())
    with process:
        assert process.stdout
        said = [process.stdout.readline().strip()]
        for number in itertools.cycle([signal.SIGINT, signal.SIGTERM, signal.SIGHUP]):
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
                break
        return said + process.stdout.read().split()


def test_more_signals_cut_no_closing_short() -> None:
    assert interrupted_often(closing_s=0.5, patience_s=60)[:2] == ["open", "closed"]


def test_a_closing_that_comes_to_no_end_can_be_ended() -> None:
    assert interrupted_often(closing_s=60, patience_s=0.5)[:2] == ["open", "interrupted"]


def test_nohup_is_heeded(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text(commands.FLEET)
    process = commands.started(tmp_path, "prove", "--fleet", "fleet.yaml", preexec_fn=commands.ignoring(signal.SIGHUP))
    with process:
        commands.wait_until(lambda: commands.window_is_opening(tmp_path), "a window that opens")
        process.send_signal(signal.SIGHUP)
        stdout, _ = process.communicate(timeout=60)
    assert (process.returncode, stdout.splitlines()[-1]) == (1, "SUMMARY: 0/1 PASS")


def test_a_terminal_that_goes_away_ends_the_command_in_good_order(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text(commands.FLEET)
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(tmp_path)
        os.execve(commands.WINDLASS[0], [*commands.WINDLASS, "prove", "--fleet", "fleet.yaml"], commands.environment(TERM="xterm"))
    commands.wait_until(lambda: commands.window_is_opening(tmp_path), "a window that opens")
    os.close(terminal)
    _, ended = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(ended) == 130
    assert commands.left_running(tmp_path) == []
    assert commands.status(tmp_path) == "CANCELED"


@pytest.mark.parametrize(("number", "ignored", "code"), [(signal.SIGHUP, False, 0), (signal.SIGHUP, True, None)])
def test_a_service_ends_in_good_order_with_its_terminal_unless_told_to_ignore_it(
    tmp_path: Path, number: signal.Signals, ignored: bool, code: int | None
) -> None:
    options = {"preexec_fn": commands.ignoring(number)} if ignored else {}
    process = commands.started(tmp_path, "serve", "executor", "--agents", "agent-verify", "--port", "0", **options)
    with process:
        assert process.stderr
        assert "executor: 1 agents at http://" in process.stderr.readline()
        process.send_signal(number)
        if code is None:
            process.send_signal(signal.SIGTERM)
            code = 0
        try:
            assert process.wait(20) == code
        finally:
            process.kill()
