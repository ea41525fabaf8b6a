"""P-05: tampering with a record is found and placed.

The budget counts single bits that are flipped in the files on the disk (see `budget.py`), at most every bit of every file.
Every bit of the journal is flipped in any case, against the scan of its chain. The seed says which bits, and what is torn.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from random import Random

import pytest

from tests.promises import budget
from tests.unit.records import worlds
from windlass.infra import chain
from windlass.infra.chain import Entry
from windlass.records.report import Report
from windlass.records.run import RunRecord
from windlass.records.verify import verify

BUDGET = budget.of(small=2000, full=524_288)
SEED = budget.seed(5)
JOURNAL = "journal.jsonl"


@pytest.fixture
def record(tmp_path: Path) -> Path:
    record = worlds.passed(tmp_path) / "record"
    assert (record / JOURNAL).stat().st_size <= 8192
    assert verify(record).problems == ()
    return record


@pytest.fixture
def lines(record: Path) -> list[bytes]:
    return (record / JOURNAL).read_bytes().splitlines(keepends=True)


def _damaged(record: Path, why: object, head: str | None = None) -> Report:
    report = verify(record, head)
    assert report.verdict == "damaged", why
    return report


def _with_journal(record: Path, lines: list[bytes], why: object) -> Report:
    (record / JOURNAL).write_bytes(b"".join(lines))
    return _damaged(record, why)


def _bits(record: Path) -> Iterator[tuple[Path, int, int]]:
    every = [(path, offset, bit) for path in worlds.files(record) for offset in range(path.stat().st_size) for bit in range(8)]
    return iter(Random(SEED).sample(every, BUDGET) if len(every) > BUDGET else every)


def test_every_flipped_bit_of_the_journal_breaks_its_chain_at_that_byte(lines: list[bytes]):
    """A break is looked for in the line that was changed and the one behind it: what lies elsewhere can't be mended by a flip."""
    content = b"".join(lines)
    after: list[Entry | None] = [None, *chain.scan(content).entries]
    for number, line in enumerate(lines):
        before = after[number]
        start = before.end if before else 0
        rest = b"".join(lines[number : number + 2])
        for offset in range(len(line)):
            for bit in range(8):
                changed = bytearray(rest)
                changed[offset] ^= 1 << bit
                breaks = chain.scan(bytes(changed), after=before).breaks
                assert breaks, (start + offset, bit)
                assert breaks[0].start <= start + offset < breaks[0].end, (start + offset, bit)


def test_a_flipped_bit_of_any_file_is_damage_in_that_file(record: Path):
    flipped = 0
    for path, offset, bit in _bits(record):
        flipped += 1
        worlds.flip(path, offset, bit)
        name = path.relative_to(record).as_posix()
        report = _damaged(record, (name, offset, bit))
        worlds.flip(path, offset, bit)
        assert {problem.file for problem in report.problems} == {name}, (name, offset, bit)
        problem = report.problems[0]
        assert problem.start is not None, (name, offset, bit)
        assert problem.end is not None, (name, offset, bit)
        assert problem.start <= offset < max(problem.end, problem.start + 1), (name, offset, bit)
    assert verify(record).problems == ()
    size = sum(path.stat().st_size for path in worlds.files(record))
    budget.tell("P-05", SEED, f"{flipped:,} of {8 * size:,} bits of a record flipped, each found in its file")


def test_every_deleted_line_is_found(record: Path, lines: list[bytes]):
    for number in range(len(lines)):
        report = _with_journal(record, lines[:number] + lines[number + 1 :], number)
        assert JOURNAL in {problem.file for problem in report.problems}, number


def test_every_swap_of_two_lines_is_found(record: Path, lines: list[bytes]):
    for one, other in combinations(range(len(lines)), 2):
        swapped = list(lines)
        swapped[one], swapped[other] = swapped[other], swapped[one]
        report = _with_journal(record, swapped, (one, other))
        first = report.problems[0]
        assert (first.file, first.start) == (JOURNAL, sum(map(len, lines[:one]))), (one, other)


def test_every_doubled_line_is_found(record: Path, lines: list[bytes]):
    for number in range(len(lines)):
        report = _with_journal(record, [*lines[: number + 1], lines[number], *lines[number + 1 :]], number)
        assert report.problems[0].start == sum(map(len, lines[: number + 1])), number


def test_every_inserted_line_is_found_even_with_a_right_hash_of_its_own(record: Path, lines: list[bytes]):
    entries = chain.scan(b"".join(lines)).entries
    note = {"type": "note", "v": 1, "at": worlds.DEADLINE, "name": "FORGED", "message": "m", "gate": None, "details": {}}
    for number in range(1, len(lines) + 1):
        forged, _ = chain.seal(number, entries[number - 1].hash, note)
        _with_journal(record, [*lines[:number], forged, *lines[number:]], number)


def test_every_truncation_is_found_by_the_views_and_against_the_head(record: Path, lines: list[bytes]):
    content = b"".join(lines)
    head = verify(record).head
    for end in [*Random(SEED).sample(range(len(content)), 200), *(sum(map(len, lines[:number])) for number in range(len(lines)))]:
        (record / JOURNAL).write_bytes(content[:end])
        report = _damaged(record, end)
        assert JOURNAL in {problem.file for problem in report.problems}, end
        anchored = _damaged(record, end, head)
        assert any("anchor" in problem.reason for problem in anchored.problems), end


def test_every_splice_of_another_records_line_is_found(record: Path, lines: list[bytes], tmp_path: Path):
    other = worlds.passed(tmp_path / "other", seed=2) / "record"
    foreign = (other / JOURNAL).read_bytes().splitlines(keepends=True)
    assert len(foreign) == len(lines)
    for number in range(len(lines)):
        report = _with_journal(record, [*lines[:number], foreign[number], *lines[number + 1 :]], number)
        assert report.problems[0].file == JOURNAL, number
    for cut in range(1, len(lines)):
        _with_journal(record, [*lines[:cut], *foreign[cut:]], ("tail", cut))
    _with_journal(record, foreign, "the whole journal")


def test_another_records_files_in_this_one_are_found(record: Path, tmp_path: Path):
    other = worlds.passed(tmp_path / "other", seed=2) / "record"
    for path in worlds.files(record):
        name = path.relative_to(record)
        if path.read_bytes() == (other / name).read_bytes():
            continue
        kept = path.read_bytes()
        shutil.copyfile(other / name, path)
        assert name.as_posix() in {problem.file for problem in _damaged(record, name).problems}
        path.write_bytes(kept)
    assert verify(record).problems == ()


def test_a_rollback_to_an_earlier_whole_record_is_found_against_the_head(tmp_path: Path):
    with worlds.new(tmp_path) as record:
        record.gate_started("G1", "a")
        record.gate_finished("G1", "FAIL", validations=[], failure_reason="no")
        earlier = shutil.copytree(record.record_directory, tmp_path / "earlier")
        record.gate_started("G1", "a")
        record.gate_finished("G1", "PASS", validations=worlds.CHECKED)
        head = record.head
    assert verify(record.directory, head).verdict == "intact"
    assert verify(earlier).verdict == "intact, unanchored"
    report = _damaged(earlier, "rollback", head)
    assert report.problems[0].file == JOURNAL


def test_a_whole_rewrite_is_found_against_the_head_and_never_called_anchored_without(record: Path, tmp_path: Path):
    head = verify(record).head
    with worlds.new(tmp_path / "forged", gates="WINDOW G1 CLOSED") as forged:
        for gate in ("WINDOW", "G1", "CLOSED"):
            forged.gate_started(gate, "a")
            forged.gate_finished(gate, "PASS", validations=worlds.CHECKED)
        forged.complete("PASSED")
        assert forged.run_id == RunRecord.open(record.parent, root=tmp_path).run_id
    assert verify(forged.directory).verdict == "intact, unanchored"
    _damaged(forged.directory, "rewrite", head)
