"""What `windlass verify` says of the approvals of a real record, with the keys that it carries and with others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.records import worlds
from tests.unit.records.approvals import people
from tests.unit.records.approvals.people import ADA, GRACE, Person
from windlass.records import bound, state
from windlass.records.approvals import check, content, keys
from windlass.records.approvals.content import Content
from windlass.records.contracts import contract as contracts
from windlass.records.events import Contract
from windlass.records.report import Finding
from windlass.records.run import RunRecord

CONTRACT = {
    "schema_version": 1,
    "gate": "G1",
    "name": "Intake",
    "required_outputs": {"all_of": [{"path": "{artifact_path}/note.md"}]},
    "validations": [{"type": "file_exists", "target": "{artifact_path}/note.md"}],
    "approvals": {"quorum": 1, "roles": ["approver"], "expires_in_s": 3600},
}
PASSED = [{"type": "file_exists", "path": "note.md", "pass": True}]
KEYS = keys.write([ADA.key, GRACE.key])


@pytest.fixture
def record(tmp_path: Path) -> Iterator[RunRecord]:
    (tmp_path / "note.md").write_text("what was found\n")
    with worlds.new(tmp_path, gates="G1 G2") as record:
        yield record


def _started(record: RunRecord, **changed: Any) -> Content:
    """A running attempt under the contract, and what there is to approve of it."""
    text = json.dumps({**CONTRACT, **changed}).encode()
    record.gate_started("G1", "robot", contract=Contract(sha256=record.bind(text), version="1"), packet=lambda attempt: b"packet %d" % attempt)
    return content.of(record.run, "G1", len(record.run.gates["G1"].attempts), [record.artifact("note.md")])


def _approved(record: RunRecord, by: Person, what: Content, *, keys_file: bytes = KEYS, **changed: Any) -> None:
    now = worlds.STARTED + timedelta(seconds=5)
    payload = people.payload(by, what, **{"issued_at": now, "expires_at": now + timedelta(minutes=30), **changed})
    sealed = people.signed(by, payload)
    told = {"who": by.key.who, "key_id": by.key.key_id, "nonce": payload.nonce, "expires_at": json.loads(payload.canonical())["expires_at"]}
    record.gate_approved("G1", len(record.run.gates["G1"].attempts), sealed, keys=keys_file, **told)


def _passed(record: RunRecord) -> None:
    record.gate_finished("G1", "PASS", validations=PASSED, artifacts=[record.artifact("note.md")])


def _found(record: RunRecord, outside: keys.Keys | None = None, run: state.Run | None = None) -> list[Finding]:
    return list(check.check(run or record.run, _reader(record), outside))


def _reader(record: RunRecord) -> Callable[[str], bytes]:
    return lambda sha256: bound.read(record.record_directory, sha256)


def _said(found: list[Finding], reason: str) -> None:
    assert found
    assert all(one.file == "journal.jsonl" for one in found)
    assert reason in " | ".join(one.reason for one in found)


def test_the_contract_of_these_tests_asks_for_an_approval():
    assert contracts.read(json.dumps(CONTRACT).encode(), "G1").approvals == people.RULE


def test_an_approved_gate_is_in_order(record: RunRecord):
    _approved(record, ADA, _started(record))
    _passed(record)
    assert _found(record) == []
    assert _found(record, people.keys_of(ADA)) == []


def test_a_gate_whose_contract_asks_for_none_needs_none(record: RunRecord):
    _started(record, approvals=None)
    _passed(record)
    assert _found(record) == []


def test_an_approved_attempt_that_failed_and_one_that_runs_are_in_order(record: RunRecord):
    _approved(record, ADA, _started(record))
    record.gate_finished("G1", "FAIL", validations=[], failure_reason="no")
    _approved(record, ADA, _started(record), nonce="1" * 32)
    assert _found(record) == []


def test_an_approval_that_came_too_early_does_no_harm_when_another_counts(record: RunRecord, tmp_path: Path):
    what = _started(record)
    _approved(record, ADA, what)
    (tmp_path / "note.md").write_text("something else\n")
    _approved(record, ADA, replace(what, artifacts_sha256=content.digest([record.artifact("note.md")])), nonce="1" * 32)
    _passed(record)
    assert _found(record) == []


def test_a_pass_without_an_approval_is_found(record: RunRecord):
    _started(record)
    _passed(record)
    _said(_found(record), "G1 attempt 1: PASS with 0 of 1 approvals, and the contract asks for 1")


def test_a_pass_of_what_was_changed_after_its_approval_is_found(record: RunRecord, tmp_path: Path):
    _approved(record, ADA, _started(record))
    (tmp_path / "note.md").write_text("something else\n")
    _passed(record)
    _said(_found(record), "the outputs are not those that were approved")


def test_a_pass_after_its_approval_had_expired_is_found(record: RunRecord):
    _approved(record, ADA, _started(record), issued_at=worlds.STARTED - timedelta(hours=1), expires_at=worlds.STARTED - timedelta(minutes=2))
    _passed(record)
    _said(_found(record), "it expired at")


def test_an_approval_of_another_attempt_is_found(record: RunRecord):
    first = _started(record)
    record.gate_finished("G1", "FAIL", validations=[], failure_reason="no")
    _started(record)
    _approved(record, ADA, first)
    _said(_found(record), "was signed for another attempt: its attempt is 1, this attempt's 2")


def test_a_forged_approval_is_found(record: RunRecord):
    _approved(record, replace(GRACE, key=ADA.key), _started(record))
    _said(_found(record), "the signature does not hold for Ada Lovelace's key")


def test_an_approval_by_a_key_that_is_not_bound_with_it_is_found(record: RunRecord):
    _approved(record, people.MARY, _started(record))
    _said(_found(record), "Mary Somerville's approval of G1 attempt 1: its key is not in keys")


def test_an_approval_that_is_told_otherwise_than_it_was_signed_is_found(record: RunRecord):
    _approved(record, GRACE.renamed("Ada Lovelace"), _started(record))
    _said(_found(record), "is signed as 'Ada Lovelace', and the key is Grace Hopper's")


def test_keys_that_were_swapped_are_found_with_a_file_from_elsewhere(record: RunRecord):
    """A whole record that an attacker wrote, with keys of its own, is consistent in itself."""
    forger = people.person("Ada Lovelace", seed=13)
    _approved(record, forger, _started(record), keys_file=keys.write([forger.key]))
    _passed(record)
    assert _found(record) == []
    _said(_found(record, people.keys_of(ADA, GRACE)), "its key is not in orchestration/keys.json")


def test_a_missing_text_is_found_and_breaks_nothing(record: RunRecord):
    _approved(record, ADA, _started(record))
    _passed(record)
    for path in (record.record_directory / bound.DIRECTORY).iterdir():
        path.unlink()
    _said(_found(record), "is missing")


def test_an_envelope_that_is_none_is_found(record: RunRecord):
    _started(record)
    record.gate_approved("G1", 1, {"payload": "x"}, who="Ada Lovelace", key_id="a" * 64, nonce="n", expires_at="2026-01-19T15:00:00.000Z", keys=KEYS)
    _said(_found(record), "Ada Lovelace's approval of G1 attempt 1")


@pytest.mark.parametrize("text", [b'{"approvals":', b'{"approvals":{"quorum":1},"approvals":null}', b"[]", b'{"approvals":{"quorum":0}}'])
def test_a_contract_that_can_not_be_read_hides_no_rule(record: RunRecord, text: bytes):
    record.gate_started("G1", "robot", contract=Contract(sha256=record.bind(text), version="1"), prompt_sha256=None)
    _passed(record)
    _said(_found(record), "G1 attempt 1: contract ")
