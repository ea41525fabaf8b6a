"""Whether a run's contract or workflow may start programs: it was committed as it is, and where nobody watches somebody has said yes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from windlass.errors import Refused
from windlass.records.contracts import finding


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file that can order a command: its path relative to the root (`shipped:…`: part of Windlass) and its bytes as they were read."""

    path: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Commands:
    """What the command line said about commands, and the files that order them. Lives as long as the judging.

    `unattended`: the variable `CI` is set; then `allowed` (`--allow-commands`) is needed.
    """

    root: Path
    sources: tuple[Source, ...]
    allowed: bool = False
    unattended: bool = False


def commands(root: Path, sources: tuple[Source, ...], *, allowed: bool, environment: Mapping[str, str] = os.environ) -> Commands:
    """What is to be known of a project's commands, under this environment."""
    return Commands(root=root, sources=sources, allowed=allowed, unattended=bool(environment.get("CI")))


def refusal(given: Commands | None) -> str | None:
    """Why no command may be started, in one line, or None when it may.

    Each source must be, byte for byte, the blob at git's HEAD: so whoever reviews commits has seen every command that a gate can start,
    and an agent can't write itself one between two gates.
    """
    if given is None:
        return "commands are not run here"
    if given.unattended and not given.allowed:
        return "CI is set; commands need --allow-commands there"
    if not given.sources:
        return "no file that was committed orders this command"
    return next((reason for source in given.sources if (reason := _differs(given.root, source))), None)


def _differs(root: Path, source: Source) -> str | None:
    if source.path.startswith(finding.SHIPPED):
        return None
    from windlass.infra import git  # noqa: PLC0415  # `subprocess` is slow to import, and few contracts have commands

    try:
        committed = git.committed(root, source.path)
    except Refused as failure:
        return str(failure)
    return None if committed == source.content else f"{source.path}: differs from the committed one; commit it first"
