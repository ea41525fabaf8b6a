"""export, report, diff and anchor as a person calls them: exit codes, files, refusals that name the option."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from tests.unit.records import worlds
from tests.unit.records.attest import stories
from windlass.cli import anchor, diff, export, report
from windlass.errors import GivenUp, Refused
from windlass.records.approvals import ed25519, signing
from windlass.records.approvals import keys as keys_files
from windlass.records.attest import bundle, dsse, statement
from windlass.records.verify import verify


def called(command: click.Command, *arguments: object) -> Result:
    return CliRunner().invoke(command, [str(one) for one in arguments], standalone_mode=False)


@pytest.fixture(name="directory")
def run_directory(tmp_path: Path) -> Path:
    return tmp_path / "runs" / stories.failed(tmp_path).run_id


@pytest.fixture(name="key")
def signing_key(tmp_path: Path) -> signing.Signer:
    return signing.generate(tmp_path / "key.pem")


@pytest.mark.parametrize("kind", ["junit", "sarif", "html", "markdown"])
def test_a_text_goes_to_stdout_or_into_a_file(directory: Path, tmp_path: Path, kind: str):
    told = called(export.command, directory, "--format", kind)
    assert (told.exception, told.return_value) == (None, 0)
    assert called(export.command, directory, "--format", kind, "--out", tmp_path / "out").stdout == ""
    assert (tmp_path / "out").read_text("utf-8") == told.stdout


def test_a_statement_is_signed(directory: Path, key: signing.Signer):
    told = called(export.command, directory, "--format", "intoto", "--key", key.source, "--url", "https://ci.example.org/1")
    envelope = json.loads(told.stdout)
    assert dsse.signers(envelope, statement.PAYLOAD_TYPE, {key.key_id: key.public_key}) == {key.key_id}
    stated = json.loads(dsse.payload(envelope, statement.PAYLOAD_TYPE))
    assert stated["predicate"]["url"] == "https://ci.example.org/1"
    assert stated == json.loads(called(export.command, directory, "--format", "intoto", "--unsigned", "--url", "https://ci.example.org/1").stdout)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--format", "intoto"], "--key"),
        (["--format", "bundle"], "--out"),
        (["--format", "junit", "--unsigned"], "--unsigned"),
        (["--format", "junit", "--url", "https://x.example"], "--url"),
        (["--format", "intoto", "--unsigned", "--url", "x"], "--url"),
        (["--format", "junit", "--out", "nowhere/out"], "--out"),
        (["--format", "bundle", "--out", "nowhere/out.tar"], "--out"),
        (["--format", "junit", "--head", "x"], "head"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_option(directory: Path, arguments: list[str], says: str):
    told = called(export.command, directory, *arguments)
    assert isinstance(told.exception, Refused)
    assert says in str(told.exception)


@pytest.mark.parametrize("command", [export.command, report.command])
def test_of_a_damaged_record_nothing_is_told(directory: Path, command: click.Command):
    (directory / "record/evidence/seen.txt").write_text("other")
    told = called(command, directory, *(["--format", "junit"] if command is export.command else []))
    assert isinstance(told.exception, GivenUp)
    assert told.stdout == ""


@pytest.mark.parametrize("name", ["run.tar", "run.tar.gz"])
def test_a_bundle_is_written_whole_with_its_signed_statement(directory: Path, tmp_path: Path, key: signing.Signer, name: str):
    out = tmp_path / name
    told = called(export.command, directory, "--format", "bundle", "--out", out, "--key", key.source)
    head = verify(directory).head
    assert (told.exception, told.stdout) == (None, f"{out}  head {head}\n")
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"schema_version": 1, "keys": [entry(key)]}))
    with bundle.opened(out) as unpacked:
        assert verify(unpacked, head).verdict == "intact"
        order = ["python3", "-I", "-S", str(unpacked / "verify_record.py")]
        assert "its signature was not checked" in subprocess.run(order, capture_output=True, text=True, check=True).stdout
        signed = subprocess.run([*order, "--keys", str(keys), "--head", head], capture_output=True, text=True, check=True)
        assert signed.stdout.startswith("intact: ")
        stated = unpacked / "statement.json"
        stated.write_text(stated.read_text().replace('"sig":"', '"sig":"AAAA', 1))
        forged = subprocess.run([*order, "--keys", str(keys)], capture_output=True, text=True, check=False)
        assert (forged.returncode, "statement.json" in forged.stdout) == (1, True)
    assert not list(tmp_path.glob(".run*"))


def entry(key: signing.Signer, role: str = "witness") -> dict[str, object]:
    return {"key_id": key.key_id, "public_key": ed25519.ssh_line(key.public_key), "who": "CI", "roles": [role]}


@pytest.mark.parametrize(("role", "verdict"), [("witness", "intact"), ("producer", "damaged")])
def test_a_line_of_a_witness_counts_when_its_key_is_a_witnesss(directory: Path, tmp_path: Path, key: signing.Signer, role: str, verdict: str):
    log, known = tmp_path / "witness.jsonl", tmp_path / "keys.json"
    assert called(anchor.command, directory, "--witness", key.source, "--to", log).exception is None
    known.write_text(json.dumps({"schema_version": 1, "keys": [entry(key, role)]}))
    found = verify(directory, keys=known, witnesses=[log])
    assert found.verdict == verdict
    assert ["no key of role witness" in finding.reason for finding in found.problems] == [True] * (verdict == "damaged")


def test_a_report_is_lines_json_and_a_page(directory: Path, tmp_path: Path):
    told = called(report.command, directory, "--html", tmp_path / "page.html")
    assert (told.exception, told.return_value) == (None, 0)
    assert "NOT RUN" in told.stdout
    assert (tmp_path / "page.html").read_text("utf-8").startswith("<!doctype html>")
    assert json.loads(called(report.command, directory, "--json").stdout)["status"] == "FAILED"


def test_a_difference_is_exit_1_and_sameness_exit_0(directory: Path, tmp_path: Path):
    other = worlds.passed(tmp_path / "other")
    assert called(diff.command, directory, directory).return_value == 0
    told = called(diff.command, directory, other)
    assert told.return_value == 1
    assert "changed  slug" not in told.stdout
    assert json.loads(called(diff.command, directory, other, "--json").stdout)["same"] is False


def test_an_anchor_is_kept_and_a_rollback_is_not_anchored(tmp_path: Path, key: signing.Signer):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    log = tmp_path / "witness.jsonl"
    with worlds.new(tmp_path) as record:
        earlier = shutil.copytree(record.record_directory, tmp_path / "earlier")
        record.gate_started("G1", "a")
        told = called(anchor.command, record.directory, "--git", "--witness", key.source, "--to", log, "--json")
        assert told.exception is None
        kept = json.loads(told.stdout)
        assert (kept["head"], kept["entries"], len(kept["commit"])) == (record.head, 2, 40)
        assert len(log.read_bytes().splitlines()) == 1
    shutil.rmtree(record.record_directory)
    shutil.copytree(earlier, record.record_directory)
    for arguments in (["--git"], ["--witness", key.source, "--to", log]):
        refused = called(anchor.command, record.directory, *arguments)
        assert isinstance(refused.exception, GivenUp), arguments
        assert "rolled back" in str(refused.exception)
    assert len(log.read_bytes().splitlines()) == 1


@pytest.mark.parametrize(("arguments", "says"), [([], "--git"), (["--git"], "repository"), (["--to", "x"], "--witness")])
def test_an_anchor_that_can_be_kept_nowhere_is_refused(directory: Path, arguments: list[str], says: str):
    told = called(anchor.command, directory, *arguments)
    assert isinstance(told.exception, Refused)
    assert says in str(told.exception)


@pytest.fixture(name="agent")
def ssh_agent_with_an_encrypted_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file of a key with a passphrase that a real ssh-agent holds; the agent ends with the test."""
    key, asks, socket = tmp_path / "id_ed25519", tmp_path / "asks", Path(tempfile.mkdtemp()) / "agent"  # a socket's path is short
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "a passphrase", "-C", "ada", "-f", key], check=True)
    asks.write_text("#!/bin/sh\necho 'a passphrase'\n")
    asks.chmod(0o700)
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL) as running:
        try:
            deadline = time.monotonic() + 10
            while not socket.exists() and time.monotonic() < deadline:
                running.poll()
            monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
            own = os.environ | {"SSH_ASKPASS": str(asks), "SSH_ASKPASS_REQUIRE": "force"}
            subprocess.run(["ssh-add", "-q", key], check=True, env=own, stdin=subprocess.DEVNULL, capture_output=True)
            yield key
        finally:
            running.terminate()
            running.wait(10)  # it removes its socket itself
            shutil.rmtree(socket.parent)


@pytest.mark.skipif(not shutil.which("ssh-agent"), reason="OpenSSH is not installed")
def test_a_key_that_only_the_ssh_agent_can_use_signs_a_statement_and_a_witnesss_line(directory: Path, tmp_path: Path, agent: Path):
    public = ed25519.public_key(agent.with_suffix(".pub").read_text())
    told = called(export.command, directory, "--format", "intoto", "--key", f"{agent}.pub")
    assert told.exception is None
    assert dsse.signers(json.loads(told.stdout), statement.PAYLOAD_TYPE, {ed25519.key_id(public): public}) == {ed25519.key_id(public)}
    keys = tmp_path / "keys.json"
    keys.write_bytes(keys_files.write([keys_files.key(public, "Ada", ["witness"])]))
    assert called(anchor.command, directory, "--witness", f"{agent}.pub", "--to", tmp_path / "log").exception is None
    assert verify(directory, keys=keys, witnesses=[tmp_path / "log"]).verdict == "intact"
    subprocess.run(["ssh-add", "-q", "-D"], check=True, capture_output=True)
    refused = called(export.command, directory, "--format", "intoto", "--key", f"{agent}.pub").exception
    assert isinstance(refused, Refused)
    assert f"ssh-add '{agent}'" in str(refused)


@pytest.mark.skipif(importlib.util.find_spec("bcrypt") is not None, reason="with bcrypt the file itself can be used")
@pytest.mark.skipif(not shutil.which("ssh-agent"), reason="OpenSSH is not installed")
def test_an_encrypted_key_of_openssh_is_refused_with_the_command_that_helps(directory: Path, agent: Path):
    refused = called(export.command, directory, "--format", "intoto", "--key", agent).exception
    assert isinstance(refused, Refused)
    assert f"`ssh-add '{agent}'`" in str(refused)
    assert f"'{agent}.pub'" in str(refused)
