"""The audit: every entry is on the disk and in the chain, whoever writes; floods are counted; the newest are read without the rest."""
# ruff: noqa: ASYNC240  # the files of a test are small, and nobody else waits for its loop

from __future__ import annotations

import asyncio
import functools
import itertools
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.errors import Unavailable
from windlass.infra import chain, instants
from windlass.infra.chain import GENESIS, ChainedLog, seal
from windlass.records import verify
from windlass.windows.power import repeats
from windlass.windows.power.log import FILE_NAME, Log

NOON = datetime(2026, 1, 19, 12, tzinfo=UTC)
pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


def entries(path: Path) -> list[dict[str, Any]]:
    """What the chain has; it holds."""
    found = chain.scan(path.read_bytes())
    assert (found.breaks, found.torn) == ((), 0)
    return [entry.fields for entry in found.entries]


def counts(path: Path) -> list[dict[str, Any]]:
    """The counts so far, while another entry may be under way."""
    return [entry.fields for entry in chain.scan(path.read_bytes()).entries if entry.fields["action"] == "repeated"]


def is_counted(path: Path, times: int) -> bool:
    return bool(times == sum(entry["times"] for entry in counts(path)))


def ticking(step: timedelta = timedelta(seconds=1)) -> Callable[[], datetime]:
    """A clock that goes on by `step` each time that it is read."""
    moments = itertools.count()
    return lambda: NOON + step * next(moments)


def sealed(*instants_: str) -> bytes:
    """A log whose entries are of these instants."""
    lines, head = [], GENESIS
    for seq, at in enumerate(instants_):
        line, head = seal(seq, head, {"at": at, "audit_id": f"aud_{seq}", "action": "a", "actor": "t", "window_id": None})
        lines.append(line)
    return b"".join(lines)


async def flood(log: Log, times: int, actor: str = "http 10.0.0.1") -> list[str]:
    return [await log.note_often("open_refused", source="stranger", actor=actor, code="AUTH_REQUIRED", http=401) for _ in range(times)]


async def test_an_entry_has_when_who_and_what_and_is_in_the_file_when_it_is_told(path: Path) -> None:
    async with Log(path.parent, lambda: NOON) as log:
        audit_id = await log.note("opened", actor="cli ada 7", window_id="win_1", services=["a"], cost={"a": 1.5})
        (entry,) = entries(path)
    assert entry == {
        "at": "2026-01-19T12:00:00.000Z",
        "audit_id": audit_id,
        "action": "opened",
        "actor": "cli ada 7",
        "window_id": "win_1",
        "services": ["a"],
        "cost": {"a": 1.5},
    }
    assert audit_id.startswith("aud_20260119T120000000Z_")


async def test_what_is_no_text_is_told_as_its_escape_and_stops_nobody(path: Path) -> None:
    """Names of users and of files are bytes."""
    async with Log(path.parent) as log:
        await log.note("a", actor="cli \udcff 7", trouble="/x\udcff/compose.yaml: gone", argv=("a", "\udcff"), n=2**70)
        for _ in range(repeats.OWN_AT_ONCE + 1):
            await log.note_often("b", source="caller", actor="cli \udcff 7", code="C")
    assert (entries(path)[0]["actor"], entries(path)[0]["argv"]) == ("cli \\udcff 7", ["a", "\\udcff"])
    assert entries(path)[-1]["of"][0]["actor"] == "cli \\udcff 7"


async def test_an_audit_that_is_not_open_or_can_not_be_opened_says_so(path: Path) -> None:
    with pytest.raises(RuntimeError, match="inside"):
        await Log(path.parent).note("a")
    os.mkfifo(path)
    with pytest.raises(Unavailable, match=rf"{FILE_NAME}.*regular"):
        await Log(path.parent).__aenter__()
    with pytest.raises(Unavailable, match=FILE_NAME):
        await Log(path / "below").__aenter__()


_WRITER = """
import asyncio, sys
from pathlib import Path
from windlass.windows.power.log import Log
async def main():
    async with Log(Path(sys.argv[1])) as log:
        for n in range(int(sys.argv[3])):
            print(await log.note("a", actor=sys.argv[2], n=n), flush=True)
asyncio.run(main())
"""


def writer(path: Path, name: str, times: int) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", _WRITER, str(path.parent), name, str(times)], stdout=subprocess.PIPE, text=True)


async def test_four_processes_write_one_chain_in_which_every_entry_is_later_than_the_one_before(path: Path) -> None:
    writers = [writer(path, str(number), 40) for number in range(4)]
    told = [one.communicate(timeout=120)[0].split() for one in writers]
    assert [one.returncode for one in writers] == [0] * 4
    found = entries(path)
    for number in range(4):
        own = [entry for entry in found if entry["actor"] == str(number)]
        assert [entry["n"] for entry in own] == list(range(40))
        assert [entry["audit_id"] for entry in own] == told[number]
    assert all(before["at"] < after["at"] for before, after in itertools.pairwise(found))


async def test_a_writer_that_is_killed_loses_nothing_that_it_told(path: Path) -> None:
    for number in range(3):
        with writer(path, str(number), 10**6) as one:
            assert one.stdout is not None
            told = [one.stdout.readline().strip() for _ in range(5 + number)]
            one.send_signal(signal.SIGKILL)
            told += one.stdout.read().split()
        async with Log(path.parent) as log:
            await log.note("b")
        assert [entry["audit_id"] for entry in entries(path) if entry["actor"] == str(number)][: len(told)] == told


async def test_callers_that_go_away_in_the_middle_leave_the_chain_whole(path: Path) -> None:
    """A cancelled caller leaves a thread that still appends; the next append, and the end, wait for it."""
    async with Log(path.parent) as log:
        for number in range(60):
            going = asyncio.create_task(log.note("a", n=number, long="x" * 20_000))
            for _ in range(number % 6):
                await asyncio.sleep(0)
            going.cancel()
            await asyncio.gather(going, return_exceptions=True)
            if number % 3 == 0:
                await log.note("b", n=number)
        last = asyncio.create_task(log.note("a", n=60))
        await asyncio.sleep(0)
        last.cancel()
    assert [entry["n"] for entry in entries(path) if entry["action"] == "b"] == list(range(0, 60, 3))


async def test_a_full_disk_is_told_and_leaves_the_chain_whole(path: Path) -> None:
    previous, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    async with Log(path.parent) as log:
        await log.note("a")
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 50, limits[1]))
            with pytest.raises(Unavailable, match=rf"{FILE_NAME}: File too large"):
                await log.note("b")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, previous)
        await log.note("c")
    assert [entry["action"] for entry in entries(path)] == ["a", "c"]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    async def written() -> bytes:
        directory = tmp_path_factory.mktemp("sound")
        async with Log(directory, ticking()) as log:
            for number in range(6):
                await log.note("a", n=number)
        return (directory / FILE_NAME).read_bytes()

    return asyncio.run(written())


def changed(content: bytes, how: str) -> bytes:
    lines = content.splitlines(keepends=True)
    match how:
        case "word":
            lines[2] = lines[2].replace(b'"n":2', b'"n":7')
        case "resealed":  # with a right hash of its own, as somebody would do it who knows how
            fields = orjson.loads(lines[2])
            seq, prev = fields.pop("seq"), fields.pop("prev")
            del fields["hash"]
            lines[2] = seal(seq, prev, fields | {"n": 7})[0]
        case "gone":
            del lines[2]
        case "swapped":
            lines[2], lines[3] = lines[3], lines[2]
        case "twice":
            lines.insert(3, lines[2])
        case "empty":
            lines.insert(2, b"\n")
        case "begun later":
            del lines[:2]
    return b"".join(lines)


@pytest.mark.parametrize(("how", "line"), [("word", 3), ("resealed", 4), ("gone", 3), ("swapped", 3), ("twice", 4), ("empty", 3), ("begun later", 1)])
async def test_what_was_tampered_with_is_found_at_its_line(path: Path, sound: bytes, how: str, line: int) -> None:
    path.write_bytes(changed(sound, how))
    report = verify.verify(path)
    assert report.problems
    assert f"line {line}" in str(report.problems[0])
    assert chain.scan(path.read_bytes()).breaks[0].line == line


async def test_a_cut_end_is_found_by_the_head_that_was_kept(path: Path, sound: bytes) -> None:
    path.write_bytes(sound)
    head = verify.verify(path).head
    path.write_bytes(b"".join(sound.splitlines(keepends=True)[:4]))
    assert not verify.verify(path).problems
    assert verify.verify(path, head).problems


async def test_nothing_is_written_behind_a_damaged_end_and_the_file_is_named(path: Path, sound: bytes) -> None:
    damaged = bytearray(sound)
    damaged[-30] ^= 1
    path.write_bytes(damaged)
    async with Log(path.parent) as log:
        with pytest.raises(Unavailable, match=rf"{FILE_NAME}: the last entry is damaged"):
            await log.note("b")
    assert path.read_bytes() == damaged


async def test_an_audit_that_is_cut_or_replaced_under_its_writer_is_not_written_on(path: Path) -> None:
    async with Log(path.parent) as log:
        await log.note("a")
        os.truncate(path, 10)
        with pytest.raises(Unavailable, match="shorter"):
            await log.note("b")


async def test_since_an_instant_are_the_entries_behind_it(path: Path) -> None:
    async with Log(path.parent, ticking()) as log:
        for number in range(10):
            await log.note("a", n=number)
        whole = (await log.since(None, 100)).entries
        assert [entry["n"] for entry in whole] == list(range(10))
        for number, entry in enumerate(whole):
            after = instants.parse(entry["at"])
            assert [one["n"] for one in (await log.since(after, 100)).entries] == list(range(number + 1, 10))
            assert [one["n"] for one in (await log.since(after - timedelta(milliseconds=1), 100)).entries] == list(range(number, 10))
            assert [one["n"] for one in (await log.since(entry["seq"], 100)).entries] == list(range(number + 1, 10))
        assert (await log.since(NOON + timedelta(days=1), 100)).entries == ()
        assert len((await log.since(NOON - timedelta(days=1), 100)).entries) == 10


@pytest.mark.parametrize(("limit", "found", "more"), [(0, [], True), (1, [9], True), (9, list(range(1, 10)), True), (10, list(range(10)), False)])
async def test_of_more_than_the_limit_the_newest_are_told_and_that_there_are_more(path: Path, limit: int, found: list[int], *, more: bool) -> None:
    async with Log(path.parent, ticking()) as log:
        for number in range(10):
            await log.note("a", n=number)
        newest = await log.since(None, limit)
    assert ([entry["n"] for entry in newest.entries], newest.more) == (found, more)


async def test_whoever_asks_again_since_the_last_entry_misses_none_though_many_come_in_one_millisecond(path: Path) -> None:
    """The clock stands still; entries of one instant are told apart by being made later, each than the one before."""
    async with Log(path.parent, lambda: NOON) as log, Log(path.parent, lambda: NOON - timedelta(seconds=1)) as other:
        seen: list[int] = []
        after = None
        for number in range(30):
            await (log, other)[number % 2].note("a", n=number)
            if number % 3 == 0:
                newest = (await log.since(after, 100)).entries
                seen += [entry["n"] for entry in newest]
                after = instants.parse(newest[-1]["at"])
    assert seen == list(range(28))
    found = [instants.parse(entry["at"]) for entry in entries(path)]
    assert all(before < after for before, after in itertools.pairwise(found))
    assert found[-1] - NOON < timedelta(seconds=0.1)


async def test_a_wall_clock_that_was_set_back_is_told_as_it_is_and_a_seq_still_finds_what_is_new(path: Path) -> None:
    times = iter([NOON, NOON + timedelta(hours=1), NOON + timedelta(minutes=1), NOON + timedelta(minutes=2)])
    moment = NOON

    def clock() -> datetime:
        return moment

    async with Log(path.parent, clock) as log:
        for moment in times:
            await log.note("a", at_was=instants.stamp(moment))
        assert [entry["at"] for entry in entries(path)] == [entry["at_was"] for entry in entries(path)]
        assert [entry["seq"] for entry in (await log.since(1, 100)).entries] == [2, 3]


async def test_damaged_lines_are_passed_over_and_an_entry_that_is_not_whole_yet_is_not_told(path: Path) -> None:
    lines = sealed(*(instants.stamp(NOON + timedelta(seconds=number)) for number in range(4))).splitlines(keepends=True)
    strange = b'{"seq":"1","at":"2026-01-19T12:00:01.000Z"}\n[]\n{"at":3}\n{"at":"2026-01-19T12:00:00"}\nnull\n\n\xff\n'
    path.write_bytes(lines[0] + strange + lines[1] + b"{not json\n" + lines[2] + lines[3][:-1])
    async with Log(path.parent) as log:
        assert [entry["seq"] for entry in (await log.since(None, 100)).entries] == [0, 1, 2]


async def test_an_audit_that_is_gone_can_not_be_read_and_is_named(path: Path) -> None:
    async with Log(path.parent) as log:
        path.unlink()
        with pytest.raises(Unavailable, match=FILE_NAME):
            await log.since(None, 1)


async def test_the_newest_of_a_very_long_audit_are_found_without_reading_it(path: Path) -> None:
    """64 GB of hole before the last entries: whoever read all of it would not come to an end here."""
    with path.open("wb") as file:
        os.truncate(file.fileno(), 64 * 2**30)
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + sealed(*(instants.stamp(NOON + timedelta(seconds=number)) for number in range(50))))
    try:
        async with Log(path.parent) as log:
            assert len((await log.since(NOON, 100)).entries) == 49
            assert len((await log.since(None, 20)).entries) == 20
            await log.note("a")
            assert [entry["seq"] for entry in (await log.since(48, 20)).entries] == [49, 50]
    finally:
        path.unlink()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 30), max_size=40), st.integers(-1, 45), st.integers(0, 12))
def test_since_is_what_a_plain_reading_of_the_file_gives(
    tmp_path_factory: pytest.TempPathFactory, gaps_ms: list[int], after_ms: int, limit: int
) -> None:
    directory = tmp_path_factory.mktemp("audit")
    times = [sum(gaps_ms[: number + 1]) + number for number in range(len(gaps_ms))]
    (directory / FILE_NAME).write_bytes(sealed(*(instants.stamp(NOON + timedelta(milliseconds=ms)) for ms in times)))
    fit = [seq for seq, ms in enumerate(times) if ms > after_ms]
    newest = asyncio.run(_since(directory, NOON + timedelta(milliseconds=after_ms), limit))
    assert [entry["seq"] for entry in newest.entries] == (fit[-limit:] if limit else [])
    assert newest.more == (len(fit) > limit)


async def _since(directory: Path, after: datetime, limit: int) -> Any:
    async with Log(directory) as log:
        return await log.since(after, limit)


async def test_a_flood_is_written_up_to_its_bound_and_the_rest_is_one_entry_that_every_caller_was_told(path: Path) -> None:
    async with Log(path.parent, uptime=lambda: 0.0) as log:
        told = await flood(log, 5000)
        written = repeats.OWN_AT_ONCE
        assert [entry["audit_id"] for entry in entries(path)] == told[:written]
        assert set(told[written:]) == {told[written]}
    (*singles, count) = entries(path)
    assert len(singles) == written
    assert count["audit_id"] == told[-1]
    assert (count["action"], count["actor"], count["times"], count["others"]) == ("repeated", "windlass", 5000 - written, 0)
    assert count["of"] == [{"action": "open_refused", "code": "AUTH_REQUIRED", "actor": "http 10.0.0.1", "times": 5000 - written}]


async def test_acts_are_always_written_whatever_floods(path: Path) -> None:
    async with Log(path.parent, uptime=lambda: 0.0) as log:
        for number in range(100):
            await flood(log, 20, f"http {number}")
            await log.note("opened", n=number)
        assert await log.note_often("open_refused", source="caller", actor="cli ada 7", code="WINDOW_OPEN") == entries(path)[-1]["audit_id"]
    found = entries(path)
    assert [entry["n"] for entry in found if entry["action"] == "opened"] == list(range(100))
    assert sum(entry.get("times", 1) for entry in found if entry["action"] in {"open_refused", "repeated"}) == 2001


async def until(condition: Callable[[], bool], limit_s: float = 30) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        await asyncio.sleep(0.01)


async def test_counts_are_written_each_interval_while_it_goes_on_and_begin_anew(path: Path) -> None:
    async with Log(path.parent, uptime=lambda: 0.0, count_every_s=0.02) as log:
        counted = 0
        for _ in range(3):
            counted += len((await flood(log, 50))[0 if counted else repeats.OWN_AT_ONCE :])
            await until(functools.partial(is_counted, path, counted))
    found = counts(path)
    assert len(found) >= 3
    assert len({entry["audit_id"] for entry in found}) == len(found)
    assert (sum(entry["times"] for entry in found), len(entries(path))) == (counted, repeats.OWN_AT_ONCE + len(found))


async def test_a_flood_that_goes_on_while_its_count_is_written_is_one_entry_an_interval(path: Path) -> None:
    every_s, begun = 0.2, time.monotonic()
    async with Log(path.parent, uptime=lambda: 0.0, count_every_s=every_s) as log:
        while time.monotonic() < begun + 8 * every_s:
            await flood(log, 50)
            await asyncio.sleep(0)
        lasted_s = time.monotonic() - begun
    assert 2 <= len(counts(path)) <= lasted_s / every_s + 2


async def test_what_could_not_be_written_is_counted_on_and_written_when_it_can_be(path: Path) -> None:
    previous, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    async with Log(path.parent, uptime=lambda: 0.0, count_every_s=0.01) as log:
        await flood(log, repeats.OWN_AT_ONCE)
        before = path.read_bytes()
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(before), limits[1]))
            first = await flood(log, 30)
            second = await flood(log, 1)
            while second[-1] == first[0]:  # until the first count was tried in vain
                await asyncio.sleep(0)
                second += await flood(log, 1)
            assert path.read_bytes() == before
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, previous)
        await until(functools.partial(is_counted, path, len(first + second)))
    assert {entry["audit_id"] for entry in entries(path) if entry["action"] == "repeated"} == {*first, *second}


async def test_the_end_writes_what_is_counted_also_when_it_comes_while_a_count_is_written(path: Path) -> None:
    for _ in range(10):
        before = len(entries(path)) if path.exists() else 0
        async with Log(path.parent, uptime=lambda: 0.0, count_every_s=0.0) as log:
            await flood(log, 100)
            await asyncio.sleep(0)
        assert sum(entry.get("times", 1) for entry in entries(path)[before:]) == 100


async def test_a_flood_is_answered_without_the_disk(path: Path) -> None:
    """Beyond its bound a refusal costs no write, so that no flood makes an act wait for the disk."""
    async with Log(path.parent, uptime=lambda: 0.0) as log:
        await flood(log, repeats.OWN_AT_ONCE)
        size = path.stat().st_size
        await flood(log, 50_000)
        assert path.stat().st_size == size


async def test_the_largest_count_is_a_small_entry(path: Path) -> None:
    addresses: Iterator[str] = (f"http 2001:db8:ffff:ffff:ffff:ffff:ffff:{number:x}" for number in itertools.count())
    async with Log(path.parent, uptime=lambda: 0.0) as log:
        for _ in range(5000):
            await flood(log, 1, next(addresses))
    assert max(map(len, path.read_bytes().splitlines())) < 8 * 1024


async def test_a_log_of_a_chain_by_another_writer_goes_on(path: Path) -> None:
    with ChainedLog(path) as other:
        other.append({"n": 1})  # no instant: nothing to be later than
    async with Log(path.parent, lambda: NOON) as log:
        await log.note("a")
    assert entries(path)[-1]["at"] == instants.stamp(NOON)
