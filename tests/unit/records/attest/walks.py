"""Honest runs at random: walks over everything that a writer can do to a record, and what a kill can leave of it."""

from __future__ import annotations

from pathlib import Path
from random import Random

from tests.unit.records import worlds
from windlass.errors import Refused
from windlass.infra.chain import ChainedLog
from windlass.records.events import Contract
from windlass.records.run import RunRecord

TEXTS = ("robots", "naïve — 漢字", 'a\nb\t"c" \\ \x7f \u2028', "😀", "##[error]x", "{slug}")
NUMBERS = (0, 1, 0.1, 1e-07, 1.5e300, 123456789012, -3, 2.5)


def walked(root: Path, random: Random) -> Path:
    """The directory of a run that somebody worked on for a while, closed at any moment of it."""
    gates = " ".join(f"G{number}" for number in range(1, random.randint(1, 4)))
    slug = f"s{random.randrange(10**9)}"
    topic = random.choice((None, b"topic", b"\xff\x00"))
    with worlds.new(root, gates=gates or "G1", seed=random.randrange(10**9), slug=slug, prompt=_maybe(random), topic=topic) as record:
        for _ in range(random.randint(0, 14)):
            try:
                _step(record, random)
            except Refused:
                continue  # the rules of a run are not this walk's business
        return record.directory


def _step(record: RunRecord, random: Random) -> None:
    gate = random.choice(list(record.run.gates))
    status = record.run.gates[gate].status
    match random.randrange(9):
        case 0 | 1 | 2 if status != "RUNNING":
            contract = Contract(sha256=record.bind(_bytes(random)), version="1") if random.random() < 0.5 else None
            record.gate_started(
                gate, random.choice(TEXTS), contract=contract, packet=(lambda number: b"packet %d" % number) if random.random() < 0.5 else None
            )
        case 0 | 1 | 2 | 3 if status == "RUNNING":
            _finish(record, random, gate)
        case 4:
            record.event(
                "SEEN", random.choice(TEXTS), gate=random.choice((None, gate)), details={"of": [random.choice(NUMBERS), {"so": _maybe(random)}]}
            )
        case 5:
            cost = random.choice((None, 0, 3, 0.1, 1e-07, 12.5))
            record.invocation_recorded(
                gate, random.choice(TEXTS), tokens_in=random.choice((None, 7)), cost_usd=cost, input_refs=[random.choice(TEXTS)]
            )
        case 6:
            name = f"win-{random.randrange(3)}"
            if name in record.run.open_windows:
                record.window_closed(name, ["a"], reason=random.choice(TEXTS))
            else:
                record.window_opened(name, ["a"], worlds.DEADLINE)
        case 7:
            record.resumed(gate, random.choice(TEXTS))
        case 8 if random.random() < 0.3:
            record.complete(random.choice(("PASSED", "FAILED", "CANCELED")))
        case _:
            record.bind(_bytes(random))  # by an act that never happens


def _finish(record: RunRecord, random: Random, gate: str) -> None:
    evidence = record.evidence_directory / f"of-{gate}"
    evidence.mkdir(exist_ok=True)
    if random.random() < 0.7:
        with (evidence / "grows.txt").open("ab") as stream:
            stream.write(_bytes(random) + b"\r\n")
    if random.random() < 0.4:
        with ChainedLog(evidence / "log.jsonl") as log:
            log.append({"of": random.choice(TEXTS)})
    found = [*record.evidence(f"of-{gate}"), *([record.artifact("not/there.md")] if random.random() < 0.3 else [])]
    check = {"type": "file_exists", "pass": True, "share": random.choice(NUMBERS), "path": random.choice(TEXTS)}
    if random.random() < 0.5:
        record.gate_finished(gate, "PASS", validations=[check], artifacts=found)
    else:
        record.gate_finished(gate, "FAIL", validations=[{**check, "pass": False}], artifacts=found, failure_reason=random.choice(TEXTS))


def left_by_a_kill(directory: Path, random: Random) -> None:
    """Do to a record what a kill in the middle of the next act does: a torn line, views that are one entry behind, a draft."""
    record = directory / "record"
    match random.randrange(4):
        case 0:
            with (record / "journal.jsonl").open("ab") as stream:
                stream.write(b'{"seq":99,"prev":"ab'[: random.randint(1, 20)])
        case 1:
            (record / f".RUN.json.{random.randrange(16**12):012x}.tmp").write_bytes(b'{"run')
        case 2:
            _behind(record)
        case _:
            folder = record / "evidence" / "bound"
            folder.mkdir(exist_ok=True)
            (folder / f".{'a' * 64}.{random.randrange(16**12):012x}.tmp").write_bytes(b"half")


def _behind(record: Path) -> None:
    """Show the views as they were before the newest entry, by the journal without it."""
    from windlass.infra import chain
    from windlass.records import state, views

    entries = chain.scan((record / "journal.jsonl").read_bytes()).entries
    before = state.fold(entries[:-1])
    if before is None:
        return
    now = views.files(state.fold(entries) or before)
    for path in now:
        if path not in views.files(before):
            (record / path).unlink()
    for path, content in views.files(before).items():
        (record / path).write_bytes(content)


def _maybe(random: Random) -> str | None:
    return random.choice((None, *TEXTS))


def _bytes(random: Random) -> bytes:
    return random.choice((b"", b"\r\n", b"text\r\nmore\n", bytes(random.randrange(256) for _ in range(random.randrange(40)))))
