"""P-05, against each kind of anchor: a commit, a ref of ours, a witness. Every truncation, rollback, rewrite and splice is found.

The budget counts runs (see `budget.py`); of each, every earlier state is put in its place, and a rewrite from every entry on.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.promises import budget
from tests.unit.records import worlds
from tests.unit.records.attest import walks
from windlass.infra import chain
from windlass.records.approvals import ed25519
from windlass.records.approvals import keys as keys_files
from windlass.records.attest import anchors, dsse
from windlass.records.report import Finding
from windlass.records.run import RunRecord
from windlass.records.verify import verify

RUNS = budget.of(small=3, full=200)
SEED = budget.seed(12)
AT = datetime(2026, 1, 20, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()
KEYS = {ed25519.key_id(PUBLIC): PUBLIC}
JOURNAL = "journal.jsonl"


def git(place: Path, *order: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | {"GIT_CONFIG_GLOBAL": os.devnull}
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", "-C", str(place), *who, *order], check=True, env=environment, capture_output=True)


def anchored(kind: str, root: Path, record: Path) -> None:
    """Anchor the record as it is now."""
    scan = chain.scan((record / JOURNAL).read_bytes())
    run_id = record.parent.name
    match kind:
        case "commit":
            git(root, "add", "-f", "-A")
            git(root, "commit", "-q", "-m", "a record")
        case "ref":
            anchors.keep(record, run_id, scan, AT)
        case "witness":
            envelope = dsse.sealed(anchors.told(run_id, scan, AT), anchors.PAYLOAD_TYPE, lambda message: (ed25519.key_id(PUBLIC), KEY.sign(message)))
            with (root / "witness.jsonl").open("ab") as log:
                log.write(orjson.dumps(envelope) + b"\n")


def found(kind: str, root: Path, record: Path) -> tuple[list[Finding], int]:
    """What the anchors have against the record, and how many entries they reach."""
    scan = chain.scan((record / JOURNAL).read_bytes())
    known = anchors.find(record, witnesses=[root / "witness.jsonl"] if kind == "witness" else [], keys=KEYS)
    assert known
    return list(anchors.check(scan, known)), anchors.reach(scan, known)


def assert_found(kind: str, root: Path, directory: Path) -> None:
    """`windlass verify` blames the journal for what its anchors say, and for nothing else; without them it would find nothing."""
    (root / "keys.json").write_bytes(keys_files.write([keys_files.key(PUBLIC, "Witness", ["witness"])]))
    report = verify(directory, None, root / "keys.json", [root / "witness.jsonl"] if kind == "witness" else [])
    assert report.verdict == "damaged"
    assert {problem.file for problem in report.problems} == {JOURNAL}
    alone = shutil.copytree(directory / "record", Path(tempfile.mkdtemp(dir=root.parent)) / "alone")
    assert verify(alone).verdict == "intact, unanchored"


def forgeries(lines: list[bytes], other: list[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """Journals that hold together in themselves and are not what was anchored."""
    for number in range(1, len(lines)):
        yield f"cut to {number}", lines[:number]
    entries = chain.scan(b"".join(lines)).entries
    for start, changed in enumerate(entries):
        sealed, head = lines[:start], entries[start - 1].hash if start else chain.GENESIS
        for entry in entries[start:]:
            fields = entry.fields | ({"at": "2027-01-01T00:00:00.000Z"} if entry is changed else {})
            line, head = chain.seal(entry.seq, head, fields)
            sealed = [*sealed, line]
        yield f"rewritten from {start}", sealed
        yield f"rewritten from {start}, and longer", [*sealed, chain.seal(len(entries), head, {"type": "note"})[0]]
    yield "another run's", other
    yield "empty", []


@pytest.mark.parametrize("kind", ["commit", "ref", "witness"])
def test_everything_but_the_anchored_history_is_found(kind: str, tmp_path: Path):
    random = Random(SEED)
    tried = 0
    for number in range(RUNS):
        root = tmp_path / str(number)
        root.mkdir()
        git(root, "init", "-q", "-b", "main")
        record = worlds.passed(root, seed=number) / "record" if number % 2 else walks.walked(root, random) / "record"
        other = (worlds.passed(tmp_path / f"other-{number}", seed=1000 + number) / "record" / JOURNAL).read_bytes().splitlines(keepends=True)
        anchored(kind, root, record)
        content = (record / JOURNAL).read_bytes()
        lines = content.splitlines(keepends=True)
        assert found(kind, root, record) == ([], len(lines))
        for what, forged in forgeries(lines, other):
            tried += 1
            (record / JOURNAL).write_bytes(b"".join(forged))
            problems, reach = found(kind, root, record)
            assert (len(problems), reach) == (1, 0), what
        (record / JOURNAL).write_bytes(content)
        assert found(kind, root, record) == ([], len(lines))
    budget.tell("P-05", SEED, f"{tried:,} cut, rolled back, rewritten or foreign journals against a {kind}, each found")


@pytest.mark.parametrize("kind", ["commit", "ref", "witness"])
def test_a_run_that_went_on_after_its_anchor_is_honest_and_one_that_was_rolled_back_is_not(kind: str, tmp_path: Path):
    tmp_path = tmp_path / "project"  # what is copied beside it lies in no repository
    tmp_path.mkdir()
    git(tmp_path, "init", "-q", "-b", "main")
    with worlds.new(tmp_path) as record:
        record.gate_started("G1", "a")
        anchored(kind, tmp_path, record.record_directory)
        earlier = shutil.copytree(record.record_directory, tmp_path / "earlier")
        record.gate_finished("G1", "PASS", validations=worlds.CHECKED)
        assert found(kind, tmp_path, record.record_directory) == ([], 2)
        anchored(kind, tmp_path, record.record_directory)
        assert found(kind, tmp_path, record.record_directory) == ([], 3)
    shutil.rmtree(record.record_directory)
    shutil.copytree(earlier, record.record_directory)
    assert_found(kind, tmp_path, record.directory)
    problems, reach = found(kind, tmp_path, record.record_directory)
    assert (len(problems), reach) == (1, 2)
    assert "cut, or it was rolled back" in problems[0].reason


@pytest.mark.parametrize("kind", ["commit", "ref", "witness"])
def test_a_record_that_was_forged_whole_with_its_views_is_found(kind: str, tmp_path: Path):
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    directory = worlds.passed(root)
    anchored(kind, root, directory / "record")
    with worlds.new(tmp_path / "forged", gates="WINDOW G1 CLOSED") as forged:
        assert forged.run_id == directory.name
        for gate in ("WINDOW", "G1", "CLOSED"):
            forged.gate_started(gate, "a")
            forged.gate_finished(gate, "PASS", validations=worlds.CHECKED)
        while len(forged.run.happened) < 13:
            forged.event("SEEN", "so that it is as long")
    shutil.rmtree(directory)
    shutil.copytree(forged.directory, directory)
    assert_found(kind, root, directory)


def test_a_torn_line_that_was_committed_is_no_alarm(tmp_path: Path):
    git(tmp_path, "init", "-q", "-b", "main")
    with worlds.new(tmp_path) as record:
        with (record.record_directory / JOURNAL).open("ab") as journal:
            journal.write(b'{"seq":1,"pr')
        anchored("commit", tmp_path, record.record_directory)
    with RunRecord.open(record.directory, root=tmp_path) as again:
        again.gate_started("G1", "a")
        assert found("commit", tmp_path, record.record_directory) == ([], 1)


def test_a_merge_that_drops_a_side_does_not_hide_what_was_committed_there(tmp_path: Path):
    git(tmp_path, "init", "-q", "-b", "main")
    with worlds.new(tmp_path) as record:
        anchored("commit", tmp_path, record.record_directory)
        git(tmp_path, "checkout", "-q", "-b", "side")
        record.gate_started("G1", "a")
        anchored("commit", tmp_path, record.record_directory)
    git(tmp_path, "checkout", "-q", "main")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "on")
    git(tmp_path, "merge", "-q", "-s", "ours", "-m", "dropped", "side")
    problems, _ = found("commit", tmp_path, record.record_directory)
    assert len(problems) == 1


def test_a_witness_that_nobody_knows_or_whose_line_was_changed_is_no_anchor(tmp_path: Path):
    directory = worlds.passed(tmp_path)
    record = directory / "record"
    anchored("witness", tmp_path, record)
    scan = chain.scan((record / JOURNAL).read_bytes())
    log = tmp_path / "witness.jsonl"
    content = log.read_bytes()
    stranger = {ed25519.key_id(b"s" * 32): b"s" * 32}
    (unknown,) = anchors.find(record, witnesses=[log], keys=stranger)
    assert not unknown.holds(scan)
    assert [finding.reason for finding in anchors.check(scan, [unknown])] == [
        "the anchor witness witness.jsonl line 1: is signed by no key of role witness that was given, or its signature does not hold"
    ]
    for offset in Random(SEED).sample(range(len(content) - 1), 60):
        changed = bytearray(content)
        changed[offset] ^= 1
        log.write_bytes(changed)
        known = anchors.find(record, witnesses=[log], keys=KEYS)
        assert anchors.reach(scan, known) == 0 or list(anchors.check(scan, known)) == [], offset
        assert len(known) <= 1 or list(anchors.check(scan, known)), offset
    other = worlds.passed(tmp_path / "other", seed=2) / "record"
    log.write_bytes(content)
    assert anchors.find(other, witnesses=[log], keys=KEYS) == [], "what is signed for one run says nothing of another"
