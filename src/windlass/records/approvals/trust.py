"""Which keys file is believed: one that is, byte for byte, what the repository's newest commit has.

Whoever does the work of a gate may write the working tree, and could put a key of its own among those of the approvers. So in a git
repository a keys file counts only as it was committed: a change of who may approve has to stand in the history, where it is reviewed.
Outside of one nothing vouches for the file, and that is said. `windlass verify --keys FILE` holds approvals against a file from elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from windlass.errors import Refused
from windlass.infra import git
from windlass.records import artifacts
from windlass.records.approvals import keys as keys_files
from windlass.records.approvals.keys import Keys
from windlass.records.contracts import problems
from windlass.records.projects import Project


@dataclass(frozen=True, kw_only=True)
class Trusted:
    """A keys file, and the commit that it was read at: None where there is no repository."""

    keys: Keys
    commit: str | None

    @property
    def anchor(self) -> str:
        """In words, for one line of output."""
        return f"keys as committed ({self.commit[:12]})" if self.commit else "keys not anchored: the project is in no git repository"


def trusted(project: Project) -> Trusted:
    """The keys of a project; raises Refused when there are none, when the file does not fit, and when it is not as it was committed."""
    keys = present(project)
    if not in_repository(project):
        return Trusted(keys=keys, commit=None)
    commit = git.head_commit(project.root)
    if git.committed(project.root, keys.path) != keys.content:
        raise Refused(f"{keys.path}: is not what the newest commit has, so nobody vouches for its keys; review and commit it, or restore it")
    return Trusted(keys=keys, commit=commit)


def present(project: Project) -> Keys:
    """The keys file as it lies there, believed or not; raises Refused when there is none or it does not fit."""
    path = project.keys.relative_to(project.root).as_posix()
    try:
        content = artifacts.content(project.root, path, problems.MAX_SIZE)
    except FileNotFoundError as failure:
        raise Refused(f"{path}: there is none, so nobody can approve; `windlass keys new --who NAME --role approver --add` begins one") from failure
    except OSError as failure:
        raise Refused(f"{path}: {failure.strerror}") from failure
    return keys_files.read(content, path)


def in_repository(project: Project) -> bool:
    """Whether the project lies in a working tree of git: told by what lies there, so that a git that is missing or broken can't deny it."""
    return any((directory / ".git").exists() for directory in (project.root, *project.root.parents))
