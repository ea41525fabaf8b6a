"""`windlass keys`: a key is made outside of the project, and its public part is what the project gets."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.unit.records.approvals.people import ADA
from windlass.cli import keys
from windlass.errors import Refused
from windlass.records.approvals import ed25519, signing, trust
from windlass.records.projects import Project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project, and a home beside it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / "project" / "orchestration").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    return Project(root=tmp_path / "project")


def _run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(keys.command, arguments, standalone_mode=False, catch_exceptions=False)
    assert (result.return_value or 0) == code
    return result


def test_a_new_key_lies_in_the_configuration_and_its_entry_in_the_project(project: Project, tmp_path: Path):
    printed = _run("new", "--who", "Ada Lovelace", "--role", "approver", "--add").output
    (private,) = (tmp_path / "home" / "windlass" / "keys").iterdir()
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert stat.S_IMODE(private.parent.stat().st_mode) == 0o700
    assert str(private) in printed
    assert "it counts once that is committed" in printed
    (key,) = trust.present(project).keys
    assert (key.who, key.roles) == ("Ada Lovelace", ("approver",))
    assert signing.from_file(private, str).key_id == key.key_id
    assert b"PRIVATE" not in project.keys.read_bytes()


def test_a_second_key_is_added_beside_the_first_and_nothing_is_written_over(project: Project):
    _run("new", "--who", "Ada", "--role", "approver", "--add")
    _run("new", "--who", "Grace", "--role", "approver", "--role", "witness", "--not-after", "2027-01-01T00:00:00Z", "--add")
    assert [key.who for key in trust.present(project).keys] == ["Ada", "Grace"]
    before = project.keys.read_bytes()
    with pytest.raises(Refused, match="exists, and a key is never written over"):
        _run("new", "--who", "Ada", "--role", "approver", "--add")
    assert project.keys.read_bytes() == before


def test_json_has_the_entry_and_not_the_private_key(project: Project):
    told = json.loads(_run("new", "--who", "Ada", "--role", "approver", "--json").output)
    assert told["added_to"] is None
    assert told["entry"]["key_id"] == ed25519.key_id(ed25519.public_key(told["entry"]["public_key"]))
    assert not project.keys.exists()


@pytest.mark.parametrize("out", ["key.pem", "orchestration/key.pem", "../project/key.pem", "link/key.pem"])
def test_a_private_key_is_not_written_into_the_project(project: Project, out: str, tmp_path: Path):
    (tmp_path / "project" / "link").symlink_to(project.orchestration)
    with pytest.raises(Refused, match="lies inside the project"):
        _run("new", "--who", "Ada", "--role", "approver", "--out", out)
    assert not list(tmp_path.rglob("key.pem"))


def test_a_file_that_does_not_fit_is_told_before_a_key_is_made(project: Project, tmp_path: Path):
    project.keys.write_text("{}")
    with pytest.raises(Refused, match="/keys: is missing"):
        _run("new", "--who", "Ada", "--role", "approver", "--add")
    assert not (tmp_path / "home").exists()


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--who", " ", "--role", "approver"), "--who ' ': needs a letter"),
        (("--who", "Ada", "--role", "a b"), "--role 'a b': must match"),
        (("--who", "Ada", "--role", "approver", "--not-after", "soon"), "--not-after 'soon'"),
        (("--who", "Ada", "--role", "approver", "--encrypt"), "there is no terminal"),
    ],
)
def test_bad_options_make_no_key(arguments: tuple[str, ...], reason: str, tmp_path: Path):
    with pytest.raises(Refused, match=reason):
        _run("new", *arguments)
    assert not (tmp_path / "home").exists()


def test_a_public_key_that_exists_is_added_once(project: Project, tmp_path: Path):
    (tmp_path / "id.pub").write_text(ed25519.ssh_line(ADA.key.public_key, "ada@host") + "\n")
    _run("add", str(tmp_path / "id.pub"), "--who", "Ada Lovelace", "--role", "approver")
    assert trust.present(project).keys == (ADA.key,)
    with pytest.raises(Refused, match="has this key already"):
        _run("add", str(tmp_path / "id.pub"), "--who", "Grace", "--role", "approver")
    (tmp_path / "id").write_text("-----BEGIN OPENSSH PRIVATE KEY-----")
    with pytest.raises(Refused, match="is a PRIVATE key"):
        _run("add", str(tmp_path / "id"), "--who", "Grace", "--role", "approver")


def test_the_list_says_whether_the_keys_count(project: Project):
    with pytest.raises(Refused, match="there is none, so nobody can approve"):
        _run("list")
    _run("new", "--who", "Ada", "--role", "approver", "--add")
    assert "1 keys in orchestration/keys.json; keys not anchored" in _run("list").output
    subprocess.run(["git", "init", "-q", "."], check=True, cwd=project.root, env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull})
    assert "commit" in _run("list", code=1).output
    told = json.loads(_run("list", "--json", code=1).output)
    assert [entry["who"] for entry in told["keys"]] == ["Ada"]
    assert told["commit"] is None
    assert "commit" in told["problem"]


@pytest.mark.usefixtures("project")
def test_without_an_agent_one_is_told_so():
    with pytest.raises(Refused, match="SSH_AUTH_SOCK is not set"):
        _run("agent")
