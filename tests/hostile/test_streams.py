"""Whatever the caller did to the standard streams, the command ends with its own exit code, says one line, and leaves nothing half done."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.hostile import commands

UNHEARD = ("agents", "check", "http://127.0.0.1:9=CLAIM_VERIFY")


def without(*closed: int) -> Callable[[], None]:
    """For `preexec_fn`: close these."""

    def close() -> None:
        for number in closed:
            os.close(number)

    return close


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)], ids=str)
def test_closed_streams_neither_end_the_process_nor_change_its_answer(tmp_path: Path, closed: tuple[int, ...]) -> None:
    ended = commands.windlass(tmp_path, *UNHEARD, preexec_fn=without(*closed))
    assert ended.returncode == 1
    assert ("no connection" in ended.stdout) == (1 not in closed)


def test_nothing_that_is_printed_goes_into_a_file_that_took_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text(commands.FLEET)
    ended = commands.windlass(tmp_path, "prove", "--fleet", "fleet.yaml", preexec_fn=without(1, 2))
    assert ended.returncode == 1
    assert commands.status(tmp_path) == "FAILED"
    assert commands.windlass(tmp_path, "verify", str(commands.run_of(tmp_path))).returncode == 0


@pytest.mark.parametrize("arguments", [("agents", "list"), ("--help",), ("--version",)], ids=" ".join)
def test_a_full_stdout_is_one_error_line_and_exit_1(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        ended = commands.windlass(tmp_path, *arguments, stdout=full)
    assert (ended.returncode, ended.stderr) == (1, "error: stdout: No space left on device\n")


def test_a_full_stderr_keeps_the_exit_code_of_a_refusal(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        assert commands.windlass(tmp_path, "prove", "--ttl", "0", stderr=full).returncode == 2


@pytest.mark.parametrize("destination", ["reader who leaves", "full disk"])
def test_a_proof_that_nobody_hears_is_recorded_and_closed_all_the_same(tmp_path: Path, destination: str) -> None:
    (tmp_path / "fleet.yaml").write_text(commands.FLEET)
    if destination == "full disk":
        with Path("/dev/full").open("w") as full:
            ended = commands.windlass(tmp_path, "prove", "--fleet", "fleet.yaml", stdout=full)
        assert (ended.returncode, ended.stderr) == (1, "error: stdout: No space left on device\n")
    else:
        process = commands.started(tmp_path, "prove", "--fleet", "fleet.yaml")
        with process:
            assert process.stdout
            assert process.stderr
            process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == ""
        assert process.returncode == 1
    assert commands.left_running(tmp_path) == []
    assert commands.status(tmp_path) == "FAILED"


def test_text_of_a_stranger_forges_no_line_and_moves_no_cursor(tmp_path: Path) -> None:
    ended = commands.windlass(tmp_path, "verify", "a\x1b[31m\nerror: forged\n::error::x")
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "\x1b" not in ended.stderr
    assert "::error" not in ended.stderr


def test_an_end_of_file_inside_is_not_taken_for_an_interrupt(tmp_path: Path) -> None:
    """click takes an EOFError for Ctrl-D; a cut file of byte code raises one too."""
    (tmp_path / "aiohttp.py").write_text("raise EOFError('marshal data too short')\n")
    ended = commands.windlass(tmp_path, *UNHEARD, variables={"PYTHONPATH": str(tmp_path)})
    assert ended.returncode == 1
    assert "bug in Windlass: EOFError: marshal data too short" in ended.stderr


def test_a_working_directory_that_is_gone_is_refused_in_one_line(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = 'rmdir "$PWD"; exec "$@"'
    ended = subprocess.run(
        ["bash", "-c", script, "bash", *commands.WINDLASS, "prove"], cwd=gone, env=commands.environment(), capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (2, "error: the working directory does not exist any more\n")
