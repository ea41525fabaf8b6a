"""Asks git which commit a directory is at; absence of git, or of a repository, is an answer."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

_COMMIT = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?\s*")
"""SHA-1, or SHA-256 in a repository of that kind."""


def head_commit(directory: Path) -> str | None:
    """The hex digits of HEAD, or None."""
    try:
        done = subprocess.run(["git", "-C", str(directory), "rev-parse", "HEAD"], capture_output=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip().decode("ascii") if done.returncode == 0 and _COMMIT.fullmatch(done.stdout) else None
