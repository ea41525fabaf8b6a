"""Asks git which commit a directory is at; absence of git, or of a repository, is an answer."""

from __future__ import annotations

import subprocess
from pathlib import Path


def head_commit(directory: Path) -> str | None:
    """The 40 hex digits of HEAD, or None."""
    try:
        done = subprocess.run(["git", "-C", str(directory), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    commit = done.stdout.strip()
    return commit if done.returncode == 0 and len(commit) == 40 else None
