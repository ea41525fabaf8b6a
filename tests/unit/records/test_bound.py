"""Texts that a run is bound to by hash are carried in the record, and held against their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.records import worlds
from windlass.errors import Refused, UnusableRecord
from windlass.records import bound
from windlass.records.events import Contract
from windlass.records.verify import verify


def bound_run(root: Path) -> Path:
    """A run that is bound to its workflow, a topic, a packet and a contract."""
    with worlds.new(root, workflow_content=b'{"name":"essay"}', topic=b"robots", prompt="robots") as record:
        contract = Contract(sha256=record.bind(b'{"gate":"G1"}'), version="1")
        record.gate_started("G1", "a", contract=contract, packet=lambda attempt: f"attempt {attempt}".encode(), executor="human")
        record.gate_finished("G1", "PASS", validations=worlds.CHECKED)
        record.complete("CANCELED")
        return record.directory


def test_a_run_carries_what_it_is_bound_to(tmp_path: Path) -> None:
    directory = bound_run(tmp_path)
    carried = {path.read_bytes() for path in (directory / "record" / bound.DIRECTORY).iterdir()}
    assert carried == {b'{"name":"essay"}', b"robots", b'{"gate":"G1"}', b"attempt 1"}
    assert verify(directory).problems == ()


def test_a_bound_text_that_was_changed_or_taken_away_is_named_with_what_it_was(tmp_path: Path) -> None:
    directory = bound_run(tmp_path)
    place = directory / "record" / bound.DIRECTORY
    for path in sorted(place.iterdir()):
        content = path.read_bytes()
        path.write_bytes(content + b" ")
        (changed,) = verify(directory).problems
        path.unlink()
        (missing,) = verify(directory).problems
        path.write_bytes(content)
        assert changed.file == missing.file == f"{bound.DIRECTORY}/{path.name}"
        assert "is not what it is named after" in changed.reason
        assert "is missing" in missing.reason
        assert any(what in missing.reason for what in ("workflow essay", "the topic", "the packet of G1 attempt 1", "the contract of G1 attempt 1"))


def test_an_attempt_names_only_what_is_bound(tmp_path: Path) -> None:
    with worlds.new(tmp_path) as record:
        with pytest.raises(Refused, match=r"contract .* is not bound"):
            record.gate_started("G1", "a", contract=Contract(sha256="c" * 64, version="1"))
        assert record.run.gates["G1"].attempts == ()


def test_what_an_act_that_never_happened_had_bound_is_a_warning_and_a_forgery_in_its_place_is_not(tmp_path: Path) -> None:
    directory = bound_run(tmp_path)
    digest = bound.put(directory / "record", b"left by a kill")
    report = verify(directory)
    assert (report.problems, [warning.file for warning in report.warnings]) == ((), [bound.path(digest)])
    (directory / "record" / bound.path("0" * 64)).write_bytes(b"something else")
    assert [problem.file for problem in verify(directory).problems] == [bound.path("0" * 64)]


@pytest.mark.parametrize("name", ["", "..", "../../journal.jsonl", "A" * 64])
def test_only_a_hash_leads_to_a_bound_text(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnusableRecord, match="is not the hash"):
        bound.read(tmp_path, name)


def test_what_is_too_large_is_not_bound(tmp_path: Path) -> None:
    with worlds.new(tmp_path) as record, pytest.raises(Refused, match="can't be bound"):
        record.bind(b" " * (bound.MAX_SIZE + 1))
