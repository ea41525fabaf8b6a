"""What `windlass gate approve` does before anything is recorded: it shows, asks, signs, and counts its own signature."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.records import worlds
from tests.unit.records.approvals import people
from windlass.cli import approving
from windlass.cli.approving import Approved, Options
from windlass.errors import GivenUp, Refused
from windlass.records import bound
from windlass.records.approvals import check, keys, signing
from windlass.records.checks.judge import Judgement
from windlass.records.contracts import contract as contracts
from windlass.records.contracts.contract import Contract
from windlass.records.events import Contract as BoundContract
from windlass.records.projects import Project
from windlass.records.run import RunRecord

TEXT = json.dumps(
    {
        "schema_version": 1,
        "gate": "G1",
        "name": "Intake",
        "validations": [{"type": "file_exists", "target": "note.md"}],
        "approvals": {"quorum": 2, "roles": ["approver"], "expires_in_s": 7200},
    }
).encode()
CONTRACT = contracts.read(TEXT, "orchestration/gates/contracts/G1.contract.json")
CHECKED = ({"type": "file_exists", "path": "note.md", "pass": True},)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project where Ada and Grace may approve; Ada's key lies where her own keys lie."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    root = tmp_path / "project"
    (root / "orchestration").mkdir(parents=True)
    (root / "note.md").write_text("what was found\n")
    ada = signing.generate(approving.own_file("Ada"))
    grace = signing.generate(tmp_path / "grace.pem")
    robot = signing.generate(tmp_path / "robot.pem")
    entries = [keys.key(ada.public_key, "Ada", ["approver"]), keys.key(grace.public_key, "Grace", ["witness", "approver"])]
    found = Project(root=root)
    found.keys.write_bytes(keys.write([*entries, keys.key(robot.public_key, "robot", ["approver"])]))
    return found


@pytest.fixture
def record(project: Project) -> Iterator[RunRecord]:
    with worlds.new(project.root, gates="G1 G2") as record:
        record.gate_started("G1", "robot", contract=BoundContract(sha256=record.bind(TEXT), version="1"))
        yield record


def _judged(record: RunRecord) -> Judgement:
    return Judgement(status="PASS", artifacts=(record.artifact("note.md"),), validations=CHECKED, failure_reason=None)


def _approve(record: RunRecord, project: Project, who: str = "Ada", *, contract: Contract = CONTRACT, key: Path | None = None) -> Approved:
    options = Options(who=who, key=key, yes=True)
    return approving.approve(record, project, "G1", contract, _judged(record), options, clock=lambda: worlds.STARTED + timedelta(seconds=3))


def test_what_is_approved_is_shown_and_the_approval_counts(record: RunRecord, project: Project, capsys: pytest.CaptureFixture[str]):
    approved = _approve(record, project)
    shown = capsys.readouterr().out
    for part in (
        "gate G1 attempt 1",
        "made by robot",
        "note.md",
        _judged(record).artifacts[0].sha256 or "",
        "file_exists note.md  pass",
        CONTRACT.sha256,
    ):
        assert part in shown
    assert "as Ada (approver)" in shown
    assert "keys not anchored" in shown
    assert "until 2026-01-19T16:30:15.000Z" in shown
    assert (approved.tally.missing, len(approved.tally.valid)) == (1, 1)
    assert approved.as_json()["keys_sha256"] == approved.trusted.keys.sha256


def test_two_persons_approve_and_the_record_verifies(record: RunRecord, project: Project, tmp_path: Path):
    _approve(record, project).record_in(record)
    second = _approve(record, project, "Grace", key=tmp_path / "grace.pem")
    assert second.tally.missing == 0
    second.record_in(record)
    record.gate_finished("G1", "PASS", validations=CHECKED, artifacts=[record.artifact("note.md")])
    assert list(check.check(record.run, lambda sha256: bound.read(record.record_directory, sha256))) == []


def test_nobody_approves_twice(record: RunRecord, project: Project):
    _approve(record, project).record_in(record)
    with pytest.raises(Refused, match="Ada's key has approved already"):
        _approve(record, project)


def test_what_was_approved_and_changed_can_be_approved_again(record: RunRecord, project: Project):
    _approve(record, project).record_in(record)
    (project.root / "note.md").write_text("something else\n")
    again = _approve(record, project)
    assert len(again.tally.valid) == 1
    assert "not those that were approved" in people.reasons(again.tally.rejected)


def test_the_agent_does_not_approve_its_own_work(record: RunRecord, project: Project, tmp_path: Path):
    with pytest.raises(Refused, match=r"robot is the agent of this attempt \(robot\)"):
        _approve(record, project, "robot", key=tmp_path / "robot.pem")


def test_an_attempt_whose_checks_fail_is_not_approved(record: RunRecord, project: Project):
    failed = replace(_judged(record), status="FAIL", failure_reason="Missing: note.md")
    with pytest.raises(GivenUp, match=r"its checks fail, so there is nothing to approve: Missing: note.md"):
        approving.approve(record, project, "G1", CONTRACT, failed, Options(who="Ada", yes=True))


def test_without_a_terminal_a_person_has_to_say_yes_beforehand(record: RunRecord, project: Project):
    with pytest.raises(Refused, match="--yes approves what is shown above"):
        approving.approve(record, project, "G1", CONTRACT, _judged(record), Options(who="Ada"))


def test_the_approval_lasts_as_long_as_was_asked_and_no_longer_than_the_contract_says(record: RunRecord, project: Project):
    options = Options(who="Ada", yes=True, expires_in_s=approving.duration("15m"))
    approved = approving.approve(record, project, "G1", CONTRACT, _judged(record), options, clock=lambda: worlds.STARTED)
    assert approved.expires_at == "2026-01-19T14:45:12.000Z"
    with pytest.raises(Refused, match="longer than the 7200 s"):
        approving.approve(record, project, "G1", CONTRACT, _judged(record), replace(options, expires_in_s=7201))


@pytest.mark.parametrize("gate", ["G2", "G9"])
def test_only_a_running_attempt_is_approved(record: RunRecord, project: Project, gate: str):
    with pytest.raises(Refused, match="only a running attempt can be approved"):
        approving.approve(record, project, gate, CONTRACT, _judged(record), Options(who="Ada", yes=True))


def test_a_name_or_a_key_that_is_not_in_the_file_is_told_with_what_is(record: RunRecord, project: Project, tmp_path: Path):
    with pytest.raises(Refused, match="no key of that name; it has Ada, Grace, robot"):
        _approve(record, project, "Mary")
    with pytest.raises(Refused, match="is it 'Ada'"):
        _approve(record, project, "ADA")
    with pytest.raises(Refused, match="is not Ada's, but Grace's"):
        _approve(record, project, key=tmp_path / "grace.pem")
    signing.generate(tmp_path / "new.pem")
    with pytest.raises(Refused, match=r"is not Ada's: its id [0-9a-f]{64} is not in orchestration/keys.json"):
        _approve(record, project, key=tmp_path / "new.pem")
    with pytest.raises(Refused, match="no key to sign with"):
        _approve(record, project, "Grace")


def test_a_role_that_the_contract_does_not_ask_for_is_told(record: RunRecord, project: Project):
    contract = contracts.read(TEXT.replace(b'["approver"]', b'["release-owner"]'), "G1.contract.json")
    with pytest.raises(Refused, match="the contract asks for release-owner"):
        _approve(record, project, contract=contract)


@pytest.mark.skipif(not shutil.which("ssh-agent"), reason="OpenSSH is not installed")
def test_the_ssh_agent_signs(record: RunRecord, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    address = str(tmp_path / "agent")
    with subprocess.Popen(["ssh-agent", "-D", "-a", address], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as agent:
        try:
            assert agent.stdout
            agent.stdout.readline()  # it listens when it says where
            environment = {**os.environ, "SSH_AUTH_SOCK": address}
            for name in ("other", "mary"):
                subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True)
                subprocess.run(["ssh-add", "-q", str(tmp_path / name)], check=True, env=environment)
            public = signing.from_file(tmp_path / "mary", str).public_key
            project.keys.write_bytes(keys.write([keys.key(public, "Mary", ["approver"])]))
            monkeypatch.setenv("SSH_AUTH_SOCK", address)
            assert _approve(record, project, "Mary").who == "Mary"
        finally:
            agent.terminate()


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("15m", 900), ("1h", 3600), ("2d", 172_800)])
def test_a_duration_is_read(text: str, seconds: int):
    assert approving.duration(text) == seconds


@pytest.mark.parametrize("text", ["", "1", "0h", "-1h", "1.5h", "1 h", "1w", "9999999999s", "١h"])
def test_what_is_no_duration_is_refused(text: str):
    with pytest.raises(Refused, match="--expires"):
        approving.duration(text)
