"""Asks git which commit a directory is at, and what a file is there; absence of git, or of a repository, is an answer."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from windlass.errors import Refused

_COMMIT = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?\s*")
"""SHA-1, or SHA-256 in a repository of that kind."""


def head_commit(directory: Path) -> str | None:
    """The hex digits of HEAD, or None."""
    try:
        done = subprocess.run(["git", "-C", str(directory), "rev-parse", "HEAD"], capture_output=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip().decode("ascii") if done.returncode == 0 and _COMMIT.fullmatch(done.stdout) else None


_TIMEOUT_S = 20


def committed(directory: Path, relative: str) -> bytes:
    """The bytes of a file as HEAD has them, its path relative to `directory`; raises Refused that says why there are none.

    Plumbing only: no filter, hook, replacement ref, submodule or network has a part in the answer.
    """
    own = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}  # GIT_DIR would name another repository
    still = {"GIT_NO_REPLACE_OBJECTS": "1", "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    order = ["git", "-C", str(directory), "cat-file", "blob", f"HEAD:./{relative}"]
    try:
        done = subprocess.run(order, capture_output=True, timeout=_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL, env=own | still)
    except FileNotFoundError as failure:
        raise Refused(f"{relative}: git is not installed, so nobody can tell what was committed") from failure
    except (OSError, subprocess.TimeoutExpired) as failure:
        raise Refused(f"{relative}: git did not answer: {failure}") from failure
    if done.returncode == 0:
        return done.stdout
    if head_commit(directory) is None:
        raise Refused(f"{relative}: {directory.name} is in no git repository with a commit")
    raise Refused(f"{relative}: is not committed")
