"""Options of a sweep inside a network mean something only together, and are refused before anything is asked or written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def refused(directory: Path, *options: str) -> str:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-m", "windlass", "sweep", *options], cwd=directory, env=kept, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert list(directory.iterdir()) == []
    return done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--service", "x"], "--service is for a sweep inside a network: add --inside compose"),
        (["--file", "x"], "--file is for a sweep inside a network"),
        (["--project", "x"], "--project is for a sweep inside a network"),
        (["--approve-one-off"], "--approve-one-off is for a sweep inside a network"),
        (["--inside", "compose", "--image", "x"], "--image is for a one-off container: add --approve-one-off"),
        (["--inside", "compose", "--network", "x"], "--network is for a one-off container: add --approve-one-off"),
        (["--inside", "compose", "--service=--privileged"], "--service: '--privileged' is no name"),
        (["--inside", "compose", "--approve-one-off", "--image=-v/:/host"], "--image: '-v/:/host' is no name"),
        (["--inside", "swarm"], "'swarm' is not"),
    ],
)
def test_an_option_that_means_nothing_is_refused(tmp_path: Path, options: list[str], said: str):
    assert said in refused(tmp_path, *options)


def test_the_payloads_of_the_original_are_not_invented(tmp_path: Path):
    said = refused(tmp_path, "--payloads", "seed-v2")
    assert "stand in none of the documents that Windlass comes from, and are not invented here" in said
