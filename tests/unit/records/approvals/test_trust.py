"""A keys file is believed as it was committed; whoever can write the working tree can't add an approver."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.records.approvals.people import ADA, GRACE
from windlass.errors import Refused
from windlass.records.approvals import keys, trust
from windlass.records.projects import Project

ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    found = Project(root=tmp_path)
    found.orchestration.mkdir()
    found.keys.write_bytes(keys.write([ADA.key]))
    return found


@pytest.fixture
def git(tmp_path: Path) -> Callable[..., None]:
    def run(*words: str) -> None:
        names = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main"]
        subprocess.run(["git", "-C", str(tmp_path), *names, *words], check=True, capture_output=True, env=ENVIRONMENT)

    return run


def _committed(git: Callable[..., None]) -> None:
    git("init")
    git("add", "orchestration/keys.json")
    git("commit", "-m", "Ada may approve")


def test_outside_of_a_repository_nothing_vouches_and_that_is_said(project: Project):
    found = trust.trusted(project)
    assert found.keys.keys == (ADA.key,)
    assert found.commit is None
    assert found.anchor.startswith("keys not anchored")


def test_a_committed_file_is_believed(project: Project, git: Callable[..., None]):
    _committed(git)
    found = trust.trusted(project)
    assert found.commit
    assert found.anchor == f"keys as committed ({found.commit[:12]})"


def test_a_key_that_was_added_to_the_working_tree_is_not_believed(project: Project, git: Callable[..., None]):
    _committed(git)
    project.keys.write_bytes(keys.write([ADA.key, GRACE.key]))
    with pytest.raises(Refused, match=r"orchestration/keys.json: is not what the newest commit has"):
        trust.trusted(project)
    git("add", "orchestration/keys.json")
    with pytest.raises(Refused, match="is not what the newest commit has"):
        trust.trusted(project)
    git("commit", "-m", "Grace may approve too")
    assert len(trust.trusted(project).keys.keys) == 2


@pytest.mark.parametrize("commits", [False, True])
def test_a_file_that_was_never_committed_is_not_believed(project: Project, git: Callable[..., None], commits: bool):
    git("init")
    if commits:
        git("commit", "--allow-empty", "-m", "nothing")
    with pytest.raises(Refused, match="commit"):
        trust.trusted(project)


def test_a_repository_that_git_can_not_read_is_still_one(project: Project):
    """Else breaking the repository would be the way around it."""
    (project.root / ".git").mkdir()
    with pytest.raises(Refused):
        trust.trusted(project)


def test_a_project_below_the_top_of_its_repository_is_in_it(tmp_path: Path, git: Callable[..., None]):
    found = Project(root=tmp_path / "essays" / "robot")
    found.orchestration.mkdir(parents=True)
    found.keys.write_bytes(keys.write([ADA.key]))
    git("init")
    git("add", ".")
    git("commit", "-m", "Ada may approve")
    assert trust.trusted(found).commit
    found.keys.write_bytes(keys.write([GRACE.key]))
    with pytest.raises(Refused, match="is not what the newest commit has"):
        trust.trusted(found)


def test_a_link_is_not_followed(project: Project, tmp_path: Path):
    project.keys.rename(tmp_path / "other.json")
    project.keys.symlink_to(tmp_path / "other.json")
    with pytest.raises(Refused, match="link"):
        trust.trusted(project)


def test_without_a_file_one_is_told_how_to_begin(tmp_path: Path):
    with pytest.raises(Refused, match="nobody can approve; `windlass keys new"):
        trust.trusted(Project(root=tmp_path))
