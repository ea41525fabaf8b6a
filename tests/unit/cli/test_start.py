"""How the command starts and ends: cheap help, and one exit code and one line for each way in which a call can fail."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from windlass import __version__, cli

HEAVY = {"aiohttp", "fastapi", "jsonschema", "langchain", "langchain_core", "langgraph", "numpy", "pydantic", "rich", "starlette", "uvicorn", "yaml"}
OURS = ("ORCHESTRATOR_URL", "WORKER_SERVICE_TOKEN", "AGENT_ENDPOINTS_JSON", "MODE", "RISK_TIER", "TIMEOUT_SECS")


def environment(**more: str) -> dict[str, str]:
    """This process's, without the settings of Windlass that somebody may have here."""
    return {name: value for name, value in os.environ.items() if name not in OURS and not name.startswith("WINDLASS_")} | more


def windlass(*arguments: str, place: Path, options: tuple[str, ...] = (), **variables: str) -> subprocess.CompletedProcess[str]:
    """The whole command as a process of its own in `place`."""
    argv = [sys.executable, *options, "-m", "windlass", *arguments]
    return subprocess.run(argv, cwd=place, env=environment(**variables), capture_output=True, text=True, timeout=60, check=False)


def commands(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command, the groups too."""
    yield path
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            found = group.get_command(context, name)
            assert found is not None, name
            yield from commands(found, (*path, name))


def assert_one_error_line(stderr: str) -> None:
    assert re.fullmatch(r"error: [^\n]+\n", stderr), stderr


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("verify", "--help")], ids=" ".join)
def test_help_and_version_import_nothing_heavy(arguments: tuple[str, ...], tmp_path: Path):
    ended = windlass(*arguments, place=tmp_path, options=("-X", "importtime"))
    assert ended.returncode == 0
    imported = set(re.findall(r"^import time: +\d+ \| +\d+ \| +(\w+)", ended.stderr, re.MULTILINE))
    assert {"windlass", "click"} <= imported
    assert not imported & HEAVY


def test_version_is_the_packages(tmp_path: Path):
    ended = windlass("--version", place=tmp_path)
    assert ended.stdout == f"windlass, version {__version__}\n"


@pytest.mark.parametrize("words", list(commands(cli.command)), ids=" ".join)
def test_every_command_has_help(words: tuple[str, ...]):
    shown = CliRunner().invoke(cli.command, [*words, "--help"], prog_name="windlass")
    assert shown.exit_code == 0, shown.output
    assert shown.output.startswith(f"Usage: {' '.join(('windlass', *words))} ")
    assert re.search(r"^  [A-Z][^\n]*[^\n ]", shown.output, re.MULTILINE), "it does not say what it does"


def test_help_lists_every_command_with_what_it_does():
    listed = CliRunner().invoke(cli.command, ["--help"]).output
    for name, says in cli.COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(says.split()[0])}", listed, re.MULTILINE), name


@pytest.mark.parametrize(
    "arguments",
    [("nope",), ("--nope",), ("verify",), ("verify", "--nope"), ("window", "nope"), ("sweep", "--gate", "nope"), ("sweep", "--concurrency", "0")],
    ids=" ".join,
)
def test_a_wrong_call_ends_with_2_and_one_line(arguments: tuple[str, ...], tmp_path: Path):
    ended = windlass(*arguments, place=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert_one_error_line(ended.stderr)


def test_the_bare_command_ends_with_2_and_says_what_there_is(tmp_path: Path):
    ended = windlass(place=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert all(f"\n  {name} " in ended.stderr for name in cli.COMMANDS)


def test_a_refusal_ends_with_2_and_one_line_that_names_the_cure(tmp_path: Path):
    ended = windlass("sweep", "--agents-url", "http://127.0.0.1:9", place=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert_one_error_line(ended.stderr)
    assert "WORKER_SERVICE_TOKEN" in ended.stderr


def test_evidence_that_can_not_be_read_is_refused_with_2_and_one_line_that_names_the_file(tmp_path: Path):
    (tmp_path / "sweep.json").write_text("{")
    ended = windlass("sweep", "show", ".", place=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert_one_error_line(ended.stderr)
    assert "sweep.json" in ended.stderr


def test_a_check_that_was_made_and_fails_ends_with_1(tmp_path: Path):
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))  # bound and not listening: nothing else can answer there
        url = f"http://127.0.0.1:{unheard.getsockname()[1]}"
        ended = windlass("agents", "check", f"{url}=CLAIM_VERIFY", place=tmp_path)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert "no connection" in ended.stdout


def test_a_bug_ends_with_1_and_one_line_that_says_how_to_see_more(tmp_path: Path):
    """Something foreign that breaks in a way nobody foresaw."""
    (tmp_path / "aiohttp.py").write_text("raise ZeroDivisionError('broken')\n")
    ended = windlass("sweep", "--agents-url", "http://127.0.0.1:9", place=tmp_path, PYTHONPATH=str(tmp_path))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert_one_error_line(ended.stderr)
    assert "bug in Windlass: ZeroDivisionError: broken" in ended.stderr
    assert "WINDLASS_TRACEBACK=1" in ended.stderr
    whole = windlass("sweep", "--agents-url", "http://127.0.0.1:9", place=tmp_path, PYTHONPATH=str(tmp_path), WINDLASS_TRACEBACK="1")
    assert whole.returncode == 1
    assert whole.stderr.startswith("Traceback ")


def test_ctrl_c_ends_with_130_and_one_line(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        argv = [sys.executable, "-m", "windlass", "sweep", "--orchestrator-url", url, "--agents-url", url, "--out", "out"]
        process = subprocess.Popen(
            argv, cwd=tmp_path, env=environment(WORKER_SERVICE_TOKEN="a-token-of-nobody"), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        with process:
            silent.settimeout(60)
            connection, _ = silent.accept()  # the sweep is in its first call
            with connection:
                process.send_signal(signal.SIGINT)
                _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert_one_error_line(stderr.removeprefix("\n"))  # click ends the terminal's line that shows ^C


def test_a_reader_who_leaves_early_is_no_reason_for_a_traceback(tmp_path: Path):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        ended = subprocess.run(
            [sys.executable, "-m", "windlass", "--help"], cwd=tmp_path, stdout=closed, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert (ended.returncode, ended.stderr) == (1, "")
