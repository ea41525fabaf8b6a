"""What is approved, as one digest: it changes with each file that was judged, and with nothing else."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.records import worlds
from windlass.errors import Refused
from windlass.records.approvals import content
from windlass.records.artifacts import Artifact

A = Artifact(path="{artifact_path}/a.md", resolved_path="essay/a.md", sha256="a" * 64, size=1, exists=True)
B = Artifact(path="{artifact_path}/b.md", resolved_path="essay/b.md", sha256="b" * 64, size=1, exists=True)
GONE = Artifact(path="c.md", resolved_path="c.md", sha256=None, size=None, exists=False)


def test_the_digest_can_be_computed_by_hand():
    listed = f'[{{"path":"c.md","sha256":null}},{{"path":"essay/a.md","sha256":"{A.sha256}"}}]'
    assert content.digest([A, GONE]) == hashlib.sha256(listed.encode()).hexdigest()


def test_the_order_of_files_and_how_often_they_were_judged_are_no_content():
    assert content.digest([A, B]) == content.digest([B, A, A])


@pytest.mark.parametrize(
    "other",
    [
        [A],
        [],
        [A, B, GONE],
        [A, replace(B, sha256="c" * 64)],
        [A, replace(B, resolved_path="essay/c.md")],
        [replace(A, sha256=B.sha256), replace(B, sha256=A.sha256)],
    ],
)
def test_any_other_set_of_files_is_other_content(other: list[Artifact]):
    assert content.digest(other) != content.digest([A, B])


def test_a_name_that_is_no_text_is_refused():
    with pytest.raises(Refused, match="can't be approved"):
        content.digest([replace(A, resolved_path="\udcff")])


def test_an_attempt_is_told_by_the_entry_that_began_it(tmp_path: Path):
    with worlds.new(tmp_path) as record:
        record.gate_started("G1", "robot")
        began = record.head
        record.event("NEWS", "something else")
        one = content.of(record.run, "G1", 1, [])
        assert (one.journal_head_at_start, one.agent, one.run_id) == (began, "robot", record.run_id)
        record.gate_finished("G1", "FAIL", validations=[], failure_reason="no")
        record.gate_started("G1", "robot")
        assert content.of(record.run, "G1", 1, []) == one
        assert content.of(record.run, "G1", 2, []).journal_head_at_start == record.head
        for gate, attempt in (("G1", 3), ("G1", 0), ("G2", 1), ("G9", 1)):
            with pytest.raises(Refused, match="no attempt"):
                content.of(record.run, gate, attempt, [])
