"""A project: the directory that recorded paths are relative to, and where its workflows, contracts, keys and runs lie in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from windlass.errors import Refused

ORCHESTRATION = "orchestration"
_MARKS = (ORCHESTRATION, "windlass.toml", ".git")


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project by its root, an absolute path; lives as long as the command that found it."""

    root: Path

    @property
    def orchestration(self) -> Path:
        """What is committed about workflows and runs."""
        return self.root / ORCHESTRATION

    @property
    def runs(self) -> Path:
        """`<run id>/record/` and `<run id>/logs/` of every run."""
        return self.orchestration / "runs"

    @property
    def workflows(self) -> Path:
        """`<name>.json`, and `<name>/contracts/` where a workflow keeps its own."""
        return self.orchestration / "workflows"

    @property
    def contracts(self) -> Path:
        """`<gate>.contract.json` for every workflow that keeps none of its own."""
        return self.orchestration / "gates" / "contracts"

    @property
    def keys(self) -> Path:
        """The public keys of those who may approve."""
        return self.orchestration / "keys.json"


def find(start: Path, given: Path | None = None) -> Project:
    """The project at `given`, else the nearest one at or above `start`: a directory with `orchestration/`, `windlass.toml` or `.git`.

    Raises Refused when there is none, or `given` is no directory.
    """
    if given is not None:
        if not given.is_dir():
            raise Refused(f"--root {given}: is not a directory")
        return Project(root=given.resolve())
    here = start.resolve()
    for directory in (here, *here.parents):
        if any((directory / mark).exists() for mark in _MARKS):
            return Project(root=directory)
    raise Refused(f"{here}: no project here or above ({', '.join(_MARKS)}); `windlass init` makes one, --root names one")
