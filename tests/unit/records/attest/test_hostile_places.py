"""Records in repositories that were set up against whoever verifies them, and places that are no records at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.unit.records import worlds
from tests.unit.records.attest import stories
from windlass.cli import anchor, diff, export
from windlass.cli import report as report_command
from windlass.cli import verify as verify_command
from windlass.errors import Refused, UnusableRecord
from windlass.infra import escapes
from windlass.records import artifacts
from windlass.records.approvals import keys as keys_files
from windlass.records.approvals import signing
from windlass.records.attest import bundle
from windlass.records.report import Report
from windlass.records.verify import verify

JOURNAL = "journal.jsonl"
EXECUTING = (
    "core.fsmonitor core.pager pager.rev-list pager.cat-file pager.update-ref core.editor core.sshCommand core.askPass core.gitProxy "
    "core.alternateRefsCommand diff.external diff.x.textconv diff.x.command filter.x.clean filter.x.smudge filter.x.process gpg.program "
    "gpg.ssh.program gpg.ssh.defaultKeyCommand credential.helper remote.origin.uploadpack remote.origin.vcs uploadpack.packObjectsHook"
).split()
"""Settings whose value git runs as a program, in one command or another."""
HOOKS = ("reference-transaction", "post-index-change", "pre-commit", "post-commit", "post-checkout", "update", "pre-auto-gc", "fsmonitor-watchman")


def git(place: Path, *order: str) -> str:
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | {"GIT_CONFIG_GLOBAL": os.devnull}
    order = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always", *order)
    return subprocess.run(["git", "-C", str(place), *order], check=True, env=own, capture_output=True, text=True).stdout.strip()


def committed(root: Path, message: str = "a record") -> None:
    git(root, "add", "-f", "-A")
    git(root, "commit", "-q", "-m", message)


@pytest.fixture(name="root")
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    return root


def by(report: Report, kind: str) -> bool:
    return any(one.startswith(f"{kind} ") for one in report.anchored_by)


def test_no_program_that_the_repository_names_is_run(root: Path, tmp_path: Path) -> None:
    directory = worlds.passed(root)
    committed(root)
    told = tmp_path / "was run"
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\necho \"$0 $*\" >> '{told}'\n")
    evil.chmod(0o755)
    (root / ".gitattributes").write_text("* filter=x diff=x\n")
    for hook in HOOKS:
        shutil.copy(evil, root / ".git/hooks" / hook)
    for setting in EXECUTING:
        git(root, "config", setting, str(evil))
    for setting, value in {
        "commit.gpgSign": "true",
        "log.showSignature": "true",
        "alias.rev-list": f"!{evil}",
        "core.hooksPath": ".git/hooks",
    }.items():
        git(root, "config", setting, value)
    git(root, "config", "remote.origin.url", f"ext::{evil} %S")  # and a blob that is fetched from there when it is asked for
    for setting in ("extensions.partialClone=origin", "core.repositoryFormatVersion=1", "remote.origin.promisor=true", "protocol.ext.allow=always"):
        git(root, "config", *setting.split("="))
    assert by(verify(directory), "commit")
    kept = CliRunner().invoke(anchor.command, [str(directory), "--git"], standalone_mode=False)
    assert kept.exception is None
    blob = git(root, "-c", "core.fsmonitor=false", "rev-parse", f"HEAD:{(directory / 'record' / JOURNAL).relative_to(root)}")
    (root / ".git/objects" / blob[:2] / blob[2:]).unlink()
    assert by(verify(directory), "ref")
    assert not told.exists(), told.read_text()


def test_a_variable_that_names_another_repository_changes_nothing(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = worlds.passed(root)
    committed(root)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY", "GIT_INDEX_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "x")
    assert by(verify(directory), "commit")


def test_a_worktree_a_submodule_and_a_detached_head_are_repositories(root: Path, tmp_path: Path) -> None:
    inside = worlds.passed(root).relative_to(root)
    committed(root)
    git(root, "worktree", "add", "-q", "--detach", str(tmp_path / "tree"))
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    git(other, "submodule", "add", "-q", str(root), "sub")
    for place in (tmp_path / "tree", other / "sub"):
        report = verify(place / inside)
        assert (report.verdict, by(report, "commit"), report.warnings) == ("intact", True, ())


def test_a_shallow_clone_says_that_it_has_not_the_whole_history(root: Path, tmp_path: Path) -> None:
    with worlds.new(root) as record:
        committed(root)
        record.gate_started("G1", "a")
        committed(root)
        inside = record.directory.relative_to(root)
    git(tmp_path, "clone", "-q", "--depth", "1", root.as_uri(), "shallow")
    report = verify(tmp_path / "shallow" / inside)
    assert report.verdict == "intact"
    assert any("shallow" in warning.reason for warning in report.warnings)


def test_a_repository_that_git_will_not_read_is_told_of_and_is_no_anchor(root: Path) -> None:
    directory = worlds.passed(root)
    committed(root)
    (root / ".git/config").write_text("[core\n")
    report = verify(directory)
    assert report.verdict == "intact, unanchored"
    assert any("git" in warning.reason and "config" in warning.reason for warning in report.warnings)


def test_a_rewrite_that_was_committed_over_is_found_by_the_history_and_by_a_ref_when_the_history_is_gone(root: Path, tmp_path: Path) -> None:
    directory = worlds.passed(root)
    committed(root)
    assert CliRunner().invoke(anchor.command, [str(directory), "--git"], standalone_mode=False).exception is None
    forged = worlds.passed(tmp_path / "other", seed=2)
    shutil.rmtree(directory / "record")
    shutil.copytree(forged / "record", directory / "record")
    committed(root, "as if nothing had been")
    found = [problem.reason for problem in verify(directory).problems if "rewritten" in problem.reason]
    assert [reason.split()[0] for reason in found] == ["commit", "ref"]
    git(root, "checkout", "-q", "--orphan", "new")
    committed(root, "force-pushed")
    found = [problem.reason for problem in verify(directory).problems if "rewritten" in problem.reason]
    assert [reason.split()[0] for reason in found] == ["ref"]


def test_what_anchors_a_record_is_named_with_how_far_it_reaches(root: Path) -> None:
    with worlds.new(root) as record:
        committed(root)
        commit = git(root, "rev-parse", "HEAD")[:12]
        record.gate_started("G1", "a")
        report = verify(record.directory, record.head)
    assert report.anchored_by == ("head that was given (2 of 2 entries)", f"commit {commit} (1 of 2 entries)")
    assert report.as_json()["anchored_by"] == list(report.anchored_by)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"schema_version":1,"keys":{}}', b'{"schema_version":1,"keys":[{}]}', b"[" * 100_000, b"\xff"]
)
def test_a_keys_file_that_is_none_is_refused_even_where_nothing_asks_for_it(tmp_path: Path, content: bytes) -> None:
    directory = worlds.passed(tmp_path)
    keys = tmp_path / "keys.json"
    keys.write_bytes(content)
    with pytest.raises(Refused, match=r"keys\.json"):
        verify(directory, keys=keys)


def test_keys_that_are_a_directory_a_pipe_or_not_there_are_refused(tmp_path: Path) -> None:
    directory = worlds.passed(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe", tmp_path / "nowhere"):
        with pytest.raises(Refused, match="--keys"):
            verify(directory, keys=place)


def test_a_bare_log_has_no_signatures_so_keys_and_witnesses_are_refused(tmp_path: Path) -> None:
    journal = worlds.passed(tmp_path) / "record" / JOURNAL
    keys = tmp_path / "keys.json"
    keys.write_text('{"schema_version": 1, "keys": []}')
    with pytest.raises(Refused, match="--keys"):
        verify(journal, keys=keys)
    with pytest.raises(Refused, match="--witness"):
        verify(journal, keys=keys, witnesses=[keys])


def test_what_is_neither_file_nor_directory_is_said_to_be_so(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnusableRecord, match="neither a file nor a directory"):
        verify(tmp_path / "pipe")


@pytest.mark.parametrize("kind", ["junit", "bundle"])
def test_nothing_is_exported_into_the_record_that_it_is_of(tmp_path: Path, kind: str) -> None:
    directory = tmp_path / "runs" / stories.failed(tmp_path).run_id
    told = CliRunner().invoke(export.command, [str(directory), "--format", kind, "--out", str(directory / "record/out")], standalone_mode=False)
    assert isinstance(told.exception, Refused)
    assert "--out" in str(told.exception)
    assert verify(directory).verdict == "intact, unanchored"


def test_a_witness_whose_last_line_was_cut_by_a_kill_is_no_alarm_and_the_next_line_stands_by_itself(tmp_path: Path) -> None:
    key, log, keys = signing.generate(tmp_path / "witness.pem"), tmp_path / "witness.jsonl", tmp_path / "keys.json"
    keys.write_bytes(keys_files.write([keys_files.key(key.public_key, "W", ["witness"])]))
    directory = worlds.passed(tmp_path)
    order = [str(directory), "--witness", key.source, "--to", str(log)]
    assert CliRunner().invoke(anchor.command, order, standalone_mode=False).exception is None
    with log.open("ab") as stream:
        stream.write(log.read_bytes()[:100])
    report = verify(directory, keys=keys, witnesses=[log])
    assert (report.verdict, report.problems) == ("intact", ())
    assert any("line 2" in warning.reason for warning in report.warnings)
    assert CliRunner().invoke(anchor.command, order, standalone_mode=False).exception is None
    assert [json.loads(line)["payloadType"] for line in log.read_bytes().splitlines()] == ["application/vnd.windlass.journal-witness+json"] * 2


def test_a_file_that_is_no_witnesss_is_left_as_it_is(tmp_path: Path) -> None:
    key, other = signing.generate(tmp_path / "witness.pem"), tmp_path / "notes.txt"
    other.write_text("what I must not forget")
    told = CliRunner().invoke(anchor.command, [str(worlds.passed(tmp_path)), "--witness", key.source, "--to", str(other)], standalone_mode=False)
    assert isinstance(told.exception, Refused)
    assert other.read_text() == "what I must not forget"


def test_a_bundle_that_unpacks_a_header_of_gigabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    import gzip
    import resource
    import tarfile

    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 4 * 1024**3
    path = tmp_path / "bomb.tar.gz"
    with gzip.open(path, "wb", compresslevel=1) as out:
        out.write(header.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(256):
            out.write(bytes(1024**2))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UnusableRecord, match="header"), bundle.opened(path):
        pass
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


@pytest.mark.parametrize("name", ["verify", "report", "diff", "anchor"])
def test_no_text_of_a_stranger_reaches_the_terminal_as_a_command(root: Path, name: str) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\r"
    with worlds.new(root, gates="G1", prompt=evil) as record:
        record.gate_started("G1", evil)
        record.gate_finished(
            "G1", "FAIL", validations=[{"type": evil, "path": evil, "pass": False, "reason": evil, "code": evil}], failure_reason=evil
        )
        (record.record_directory / f"evidence/{evil}").write_text("a stranger")
    directory = str(record.directory)
    if name in {"report", "diff"}:
        (record.record_directory / f"evidence/{evil}").unlink()
    command, arguments = {
        "verify": (verify_command.command, [directory]),
        "report": (report_command.command, [directory]),
        "diff": (diff.command, [directory, str(worlds.passed(root.parent / "other"))]),
        "anchor": (anchor.command, [directory, "--git"]),
    }[name]
    told = CliRunner().invoke(command, arguments, standalone_mode=False)
    said = told.stdout + escapes.terminal(str(told.exception or ""))
    assert len(said) > 40
    assert not [one for one in said if one != "\n" and not one.isprintable()]


def test_a_bundle_is_told_apart_from_a_record_where_a_record_is_asked_for(tmp_path: Path) -> None:
    directory = worlds.passed(tmp_path)
    path = tmp_path / "run.tar"
    with path.open("wb") as out:
        bundle.write(directory / "record", directory.name, out)
    assert artifacts.content(tmp_path, "run.tar")
    told = CliRunner().invoke(export.command, [str(path), "--format", "junit"], standalone_mode=False)
    assert "tar xf" in str(told.exception)
