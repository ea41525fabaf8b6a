"""P-05, for strangers: the program that a bundle carries finds the damage that `windlass verify` finds, and no other.

The budget counts records, each changed once (see `budget.py`); among the changes are forgeries that are sealed anew, with views that fit.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.promises import budget
from tests.unit.records import worlds
from tests.unit.records.attest import walks
from windlass.errors import WindlassError
from windlass.infra import chain
from windlass.records import state, views
from windlass.records.attest import verify_record
from windlass.records.verify import verify

GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "records").glob("v*/*"))
DAMAGES = budget.of(small=600, full=20_000)
SEED = budget.seed(11)


def flipped(record: Path, random: Random) -> None:
    path = random.choice([path for path in worlds.files(record) if path.stat().st_size])
    worlds.flip(path, random.randrange(path.stat().st_size), random.randrange(8))


def deleted(record: Path, random: Random) -> None:
    random.choice(worlds.files(record)).unlink()


def swapped(record: Path, random: Random) -> None:
    one, other = random.choice(worlds.files(record)), random.choice(worlds.files(record))
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def cut(record: Path, random: Random) -> None:
    path = random.choice(worlds.files(record))
    os.truncate(path, random.randint(0, path.stat().st_size))


def added(record: Path, random: Random) -> None:
    place = random.choice(("", "evidence/", "evidence/bound/", "gates/", "gates/G1/"))
    (record / place).mkdir(exist_ok=True)
    name = random.choice(("x.txt", ".RUN.json.0123456789ab.tmp", "a" * 64, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"))
    (record / place / name).write_bytes(b"")


def linked(record: Path, random: Random) -> None:
    path = random.choice(worlds.files(record))
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def line_moved(record: Path, random: Random) -> None:
    lines = (record / "journal.jsonl").read_bytes().splitlines(keepends=True)
    line = lines.pop(random.randrange(len(lines)))
    if random.random() < 0.7:
        lines.insert(random.randrange(len(lines) + 1), line)
    (record / "journal.jsonl").write_bytes(b"".join(lines))


def forged(record: Path, random: Random) -> None:
    """Change a value somewhere in the journal, seal every line anew, and, where the rules let it, write the views that fit."""
    entries = [entry.fields for entry in chain.scan((record / "journal.jsonl").read_bytes()).entries]
    fields = random.choice(entries)
    key = random.choice(sorted(fields))
    if random.random() < 0.2:
        del fields[key]
    else:
        fields[key] = random.choice((None, 1, 2, -1, 0.5, "", "x", "PASS", "G1", "PASSED", True, [], {}, worlds.DEADLINE, "a" * 64, "../x"))
    lines, head = [], chain.GENESIS
    for number, each in enumerate(entries):
        line, head = chain.seal(number, head, each)
        lines.append(line)
    (record / "journal.jsonl").write_bytes(b"".join(lines))
    try:
        run = state.fold(chain.scan(b"".join(lines)).entries)
    except WindlassError:  # it does not follow the rules, and both must say so
        return
    assert run is not None
    for path, content in views.files(run).items():
        (record / path).parent.mkdir(parents=True, exist_ok=True)
        (record / path).write_bytes(content)


DAMAGE: list[Callable[[Path, Random], None]] = [flipped, flipped, flipped, deleted, swapped, cut, added, linked, line_moved, forged, forged, forged]


def test_it_agrees_with_windlass_verify_on_damaged_and_honest_records(tmp_path: Path):
    random = Random(SEED)
    counts = {"damaged": 0, "intact, unanchored": 0}
    place, source = tmp_path / "copy", GOLDEN[0]
    for number in range(DAMAGES):
        if number % 40 == 0:
            shutil.rmtree(tmp_path / "runs", ignore_errors=True)
            approved = number % 80 == 0
            source = GOLDEN[number // 80 % len(GOLDEN)] if approved else walks.walked(tmp_path, random)
        shutil.copytree(source, place / source.name, symlinks=True)
        record = place / source.name / "record"
        damage = random.choice(DAMAGE)
        damage(record, random)
        ours, theirs = verify(record), verify_record.verify(str(record))
        why = (number, damage.__name__, source.name, [str(problem) for problem in ours.problems[:3]], theirs.problems[:3])
        assert ours.verdict == theirs.verdict, why
        files, same = ({problem.file for problem in found.problems} for found in (ours, theirs))
        assert same <= files <= same | {"journal.jsonl"}, why  # ours also blames the journal for a view that is ahead of it
        assert (ours.entries, ours.head) == (theirs.entries, theirs.head), why
        assert ours.problems or [warning.file for warning in ours.warnings] == [warning.file for warning in theirs.warnings], why
        counts[ours.verdict] += 1
        shutil.rmtree(place)
    assert min(counts.values()) > DAMAGES // 50
    budget.tell("P-05", SEED, f"{DAMAGES:,} records, {counts['damaged']:,} of them damaged: the bundle's program and `windlass verify` agree")
