"""Options and arguments that mean nothing, or more than they say, are refused before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.hostile import commands

from windlass.cli import places, runs
from windlass.errors import Refused
from windlass.infra import git


def refused(place: Path, *arguments: str | bytes, words: str, **variables: str) -> None:
    ended = commands.windlass(place, *arguments, variables={"WORKER_SERVICE_TOKEN": commands.TOKEN, **variables})
    assert (ended.returncode, ended.stdout) == (2, ""), ended
    assert ended.stderr.startswith("error: ")
    assert ended.stderr.count("\n") == 1
    assert words in ended.stderr
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [("prove", "--out", ""), ("sweep", "--out", ""), ("serve", "orchestrator", "--state-dir", ""), ("window", "close", "")],
    ids=" ".join,
)
def test_an_empty_path_is_not_the_working_directory(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    refused(tmp_path, *arguments, words="an empty path can't be read or written")


@pytest.mark.parametrize("out", ["a\nb", b"\xff\xfe", "a\x1b[31m"])
def test_a_record_is_not_begun_in_a_directory_that_it_could_not_name(tmp_path: Path, out: str | bytes) -> None:
    refused(tmp_path, "prove", "--out", out, words="can't name one with such characters")


@pytest.mark.parametrize("names", ["", ","])
def test_no_agent_is_not_every_agent(tmp_path: Path, names: str) -> None:
    refused(tmp_path, "serve", "executor", "--agents", names, words="--agents names no agent")


@pytest.mark.parametrize("token", ["a\r\nX-Forged: yes", "короткий-токен", "short"])
def test_a_token_that_no_header_carries_is_refused_before_it_is_sent(tmp_path: Path, token: str) -> None:
    refused(tmp_path, "agents", "check", "http://127.0.0.1:9=T", words="WINDLASS_AGENT_TOKEN has", WINDLASS_AGENT_TOKEN=token)


@pytest.mark.parametrize(
    ("content", "words"),
    [('{"a":' + "[" * 1000 + "]" * 1000 + "}", "is nested too deeply"), ("x" * 34_000_000, "is larger than"), ("[]", "must be a JSON object")],
    ids=["deep", "huge", "list"],
)
def test_inputs_that_could_not_be_sent_are_refused(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "inputs.json").write_text(content)
    ended = commands.windlass(tmp_path, "agents", "check", "http://127.0.0.1:9=T", "--inputs", "inputs.json")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"--inputs inputs.json: {words}" in ended.stderr


@pytest.mark.parametrize("where", ["", "x" * 5000, "a\0b", "\udcff"], ids=["empty", "long", "NUL", "no UTF-8"])
def test_a_name_that_no_file_can_have_is_no_run_and_no_sweep(tmp_path: Path, where: str) -> None:
    with pytest.raises(Refused):
        runs.found(where)
    with pytest.raises(Refused):
        places.found(where, tmp_path)


@pytest.mark.parametrize("said", [r"printf '\xff\xfe'", r"printf '\033%.0s' {1..40}", "head -c 10000000 /dev/zero", "exit 1"])
def test_whatever_git_says_only_a_commit_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    """Something foreign in the PATH that calls itself git."""
    program = tmp_path / "git"
    program.write_text(f"#!/bin/bash\n{said}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert git.head_commit(tmp_path) is None
