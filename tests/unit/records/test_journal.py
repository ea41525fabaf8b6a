from __future__ import annotations

from typing import Any

import pytest

from windlass.errors import Refused, UnusableRecord
from windlass.records import events, journal

NOTE: dict[str, Any] = {
    "type": "note",
    "v": 2,
    "at": "2026-01-19T14:30:12.000Z",
    "name": "SEEN",
    "message": "m",
    "gate": None,
    "details": {"a": [1.5]},
}


def test_what_is_written_is_read_back():
    event = events.Note(at=NOTE["at"], name="SEEN", message="m", gate=None, details={"a": [1.5]})
    assert journal.write(event) == NOTE
    assert journal.read(NOTE) == event


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"type": "gate.opened"}, "/type"),
        ({"v": 3}, "/v"),
        ({"v": True}, "/v"),
        ({"at": "2026-01-19 14:30"}, "/at"),
        ({"name": "lower"}, "/name"),
        ({"message": None}, "/message"),
        ({"gate": "../x"}, "/gate"),
        ({"details": []}, "/details"),
        ({"extra": 1}, "/extra"),
    ],
)
def test_an_entry_that_was_not_written_so_is_refused_with_its_pointer(change: dict[str, Any], pointer: str):
    with pytest.raises(UnusableRecord, match=f"^{pointer}: "):
        journal.read({**NOTE, **change})


@pytest.mark.parametrize("key", sorted(NOTE))
def test_every_key_is_needed(key: str):
    with pytest.raises(UnusableRecord, match=f"/{key}"):
        journal.read({name: value for name, value in NOTE.items() if name != key})


def _finished(artifact: dict[str, Any]) -> dict[str, Any]:
    outcome = {"gate": "G1", "attempt": 1, "status": "PASS", "validations": [], "failure_reason": None, "window_id": None}
    return {"type": "gate.finished", "v": 2, "at": NOTE["at"], **outcome, "artifacts": [artifact]}


@pytest.mark.parametrize(
    "artifact",
    [
        {"path": "a", "resolved_path": "{record}/../../etc/passwd", "sha256": "0" * 64, "size": 1, "exists": True},
        {"path": "a", "resolved_path": "{record}/journal.jsonl", "sha256": "0" * 64, "size": 1, "exists": True},
        {"path": "a", "resolved_path": "/etc/passwd", "sha256": "0" * 64, "size": 1, "exists": True},
        {"path": "a", "resolved_path": "a", "sha256": None, "size": None, "exists": True},
        {"path": "a", "resolved_path": "a", "sha256": "0" * 64, "size": 1, "exists": False},
        {"path": "a", "resolved_path": "a", "sha256": "x", "size": 1, "exists": True},
    ],
)
def test_an_artifact_that_leads_out_of_its_place_is_refused(artifact: dict[str, Any]):
    with pytest.raises(Refused):
        journal.read(_finished(artifact))


def test_what_nests_too_deep_to_be_shown_is_not_written():
    deep: Any = 1
    for _ in range(250):
        deep = [deep]
    with pytest.raises(Refused, match="note"):
        journal.write(events.Note(at=NOTE["at"], name="DEEP", message="m", gate=None, details={"deep": deep}))
