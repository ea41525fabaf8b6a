"""The ledger: what was acknowledged is there, whoever is killed; one window is claimed, however many ask; no day is overdrawn."""
# ruff: noqa: ASYNC240  # nobody else waits for the loop of a test

from __future__ import annotations

import asyncio
import itertools
import json
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.windows.power.windows import DAY_MS, NOON_MS, SHM, policy, running, window
from windlass.errors import Refused, Unavailable
from windlass.windows.power.asked import Refusal
from windlass.windows.power.ledger import FILE_NAME, SCHEMA_VERSION, Ledger
from windlass.windows.power.policy import Policy, ServicePolicy
from windlass.windows.power.rulings import Window

SHARED = policy(kind="shared")
pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger(tmp_path)) as made:
        yield made


async def claimed(ledger: Ledger, window_id: str = "win_1", by: Policy = SHARED, **fields: Any) -> Window:
    return await ledger.claim(by, lambda number: window(window_id, fencing=number, **fields))


def ended(one: Window, closed_ms: int = NOON_MS + 1000) -> Window:
    return replace(one, state="closed", closed_ms=closed_ms)


# What is written is read back


async def test_a_window_is_read_as_it_was_written_whatever_is_in_its_fields(ledger: Ledger) -> None:
    full = window(
        services=("a", "b"),
        state="degraded",
        mode="hold",
        reason="wegen „ü“ 🙂",
        digest="d",
        begun_by="me",
        ready_ms=NOON_MS + 7,
        ready_uptime_s=1000.25,
        leased_ms=NOON_MS + 9,
        close_asked="manual",
        close_actor="cli",
        attempts=3,
        retry_uptime_s=1.5,
        trouble="t",
        ran_before=("b",),
        results=({"service": "a", "up": True, "returncode": 0},),
        close_results=({"service": "a"},),
        stopped=("a",),
        core={"madre": ["running", "id"]},
        core_changed=("madre",),
        cost={"a": {"cpu_sec": 1.5, "peak_memory_bytes": None}},
    )
    assert await ledger.claim(SHARED, lambda number: replace(full, fencing=number)) == full
    for read in (await ledger.window("win_1"), (await ledger.live())[0], (await ledger.newest(5))[0]):
        assert read == full
    assert await ledger.window("win_2") is None


async def test_what_is_no_text_is_kept_as_its_escape(ledger: Ledger) -> None:
    await claimed(ledger, actor="cli \udcff 7", trouble="/x\udcff/compose.yaml")
    assert [(one.actor, one.trouble) for one in await ledger.live()] == [("cli \\udcff 7", "/x\\udcff/compose.yaml")]
    number = await ledger.apply("cli \udcff", NOON_MS)
    await ledger.applied(number, {"trouble": "\udcff"})
    done = await ledger.application(number)
    assert done is not None
    assert (done.actor, done.result) == ("cli \\udcff", {"trouble": "\\udcff"})


async def test_the_live_are_listed_oldest_first_and_the_newest_first_with_a_limit(ledger: Ledger) -> None:
    for number in range(5):
        await claimed(ledger, f"win_{number}")
    await ledger.change("win_2", ended)
    assert [one.window_id for one in await ledger.live()] == ["win_0", "win_1", "win_3", "win_4"]
    assert [one.window_id for one in await ledger.newest(3)] == ["win_4", "win_3", "win_2"]


async def test_what_is_closed_stays_as_it_was_closed(ledger: Ledger) -> None:
    await claimed(ledger)
    closed = await ledger.change("win_1", ended)
    assert await ledger.change("win_1", lambda one: replace(one, state="open", closed_ms=None)) == closed
    assert await ledger.window("win_1") == closed
    assert await ledger.live() == ()


async def test_a_change_that_is_refused_changes_nothing(ledger: Ledger) -> None:
    before = await claimed(ledger)

    def refuse(one: Window) -> Window:
        raise Refusal(409, "NOT_OPEN", one.window_id)

    for change in (ledger.change("win_1", refuse), ledger.extend("win_1", SHARED, refuse, NOON_MS)):
        with pytest.raises(Refusal, match="win_1"):
            await change
    assert await ledger.window("win_1") == before
    assert (await ledger.change("win_1", lambda one: replace(one, state="opening"))).state == "opening"


async def test_a_window_that_never_was_can_not_be_changed(ledger: Ledger) -> None:
    with pytest.raises(Refusal) as refused:
        await ledger.change("win_9", ended)
    assert (refused.value.http, refused.value.code, refused.value.field) == (404, "NO_WINDOW", "window_id")


async def test_fencing_numbers_rise_for_ever_also_past_closed_windows_and_new_owners(tmp_path: Path) -> None:
    numbers = []
    for number in range(4):
        with closing(Ledger(tmp_path)) as ledger:
            numbers.append((await claimed(ledger, f"win_{number}", policy())).fencing)
            await ledger.change(f"win_{number}", ended)
    assert numbers == [1, 2, 3, 4]


async def test_a_second_window_is_refused_by_the_name_of_the_first(ledger: Ledger) -> None:
    await claimed(ledger, by=policy())
    with pytest.raises(Refusal, match=r"win_1 is asked with a; close it first") as refused:
        await claimed(ledger, "win_2", policy())
    assert (refused.value.http, refused.value.code, refused.value.facts["window_id"]) == (409, "WINDOW_OPEN", "win_1")
    await ledger.change("win_1", lambda one: replace(one, state="stuck"))
    with pytest.raises(Refusal, match="stuck"):
        await claimed(ledger, "win_2", policy())
    await ledger.change("win_1", ended)
    assert (await claimed(ledger, "win_2", policy())).fencing == 2


async def test_a_demand_is_open_until_it_is_done(ledger: Ledger) -> None:
    first, second = await ledger.apply("cli ada", NOON_MS), await ledger.apply("http", NOON_MS + 1)
    assert [one.number for one in await ledger.open_applications()] == [first, second]
    await ledger.applied(first, {"services_stopped": ["a"]})
    done = await ledger.application(first)
    assert done is not None
    assert (done.actor, done.asked_ms, done.result) == ("cli ada", NOON_MS, {"services_stopped": ["a"]})
    assert [one.number for one in await ledger.open_applications()] == [second]
    assert await ledger.application(second + 1) is None


async def test_the_version_changes_with_what_others_write_only(tmp_path: Path, ledger: Ledger) -> None:
    before = await ledger.version()
    await ledger.apply("t", NOON_MS)
    assert await ledger.version() == before
    with closing(Ledger(tmp_path)) as other:
        await other.apply("t", NOON_MS)
    assert await ledger.version() != before


# Several processes


_CALLER = """
import asyncio, json, sys
from pathlib import Path
from dataclasses import replace
from tests.unit.windows.power.windows import NOON_MS, policy, window
from windlass.windows.power.asked import Refusal
from windlass.windows.power.ledger import Ledger
from windlass.windows.power.policy import ServicePolicy
ledger, name, given = Ledger(Path(sys.argv[1])), sys.argv[2], json.loads(sys.argv[3])
def say(*words): print(json.dumps(words), flush=True)
def stay(one):
    say("inside", one.window_id)
    sys.stdin.readline()
    return replace(one, state="opening", begun_by=name)
async def main():
    own = policy(kind=given.get("kind", "single"), own=ServicePolicy(daily_budget_sec=given.get("budget")))
    say("ready")
    sys.stdin.readline()
    for n in range(given.get("claims", 0)):
        try:
            one = await ledger.claim(own, lambda number: window(f"{name}-{n}", fencing=number, state="open", begun_by=name))
            say("claimed", one.window_id, one.fencing)
            if given.get("closes"):
                await ledger.change(one.window_id, lambda w: replace(w, state="closed", closed_ms=NOON_MS))
                say("closed", one.window_id, one.fencing)
        except Refusal as refusal:
            say(refusal.code, refusal.facts.get("left_sec"))
    while given.get("applies"):
        say("applied", await ledger.apply(name, NOON_MS))
    if given.get("stays"):
        await ledger.change(given["stays"], stay)
        say("changed")
asyncio.run(main())
"""


class Caller:
    """Another process with the same ledger; it begins when it is told to. Lives as long as its `with`."""

    def __init__(self, directory: Path, name: str, given: dict[str, Any]) -> None:
        argv = [sys.executable, "-c", _CALLER, str(directory), name, json.dumps(given)]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def hears(self) -> list[Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return json.loads(line) if line.endswith("\n") else []

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def rest(self) -> list[Any]:
        assert self.process.stdout is not None
        return [json.loads(line) for line in self.process.stdout if line.endswith("\n")]


@contextmanager
def callers(directory: Path, number: int = 1, **given: Any) -> Iterator[list[Caller]]:
    """So many other processes, each with the ledger open."""
    made = [Caller(directory, f"caller{place}", given) for place in range(number)]
    try:
        for one in made:
            assert one.hears() == ["ready"]
        yield made
    finally:
        for one in made:
            one.process.kill()
            one.process.communicate()


def all_at_once(made: Sequence[Caller]) -> list[Any]:
    """What the callers say, in any order, when all of them begin together."""
    for one in made:
        one.go()
    said = [words for one in made for words in one.rest()]
    assert [one.process.wait(60) for one in made] == [0] * len(made)
    return said


@pytest.mark.parametrize("round_", range(3))
async def test_of_many_processes_that_make_a_ledger_and_claim_at_once_exactly_one_has_the_window(tmp_path: Path, round_: int) -> None:
    with callers(tmp_path / "state", 8, claims=4) as made:
        said = all_at_once(made)
    (won,) = [words for words in said if words[0] == "claimed"]
    assert [words for words in said if words != won] == [["WINDOW_OPEN", None]] * 31
    with closing(Ledger(tmp_path / "state")) as ledger:
        assert [one.window_id for one in await ledger.live()] == [won[1]]


async def test_windows_of_many_processes_follow_one_another_and_none_has_anothers_number(tmp_path: Path) -> None:
    with callers(tmp_path, 4, claims=20, closes=True) as made:
        said = all_at_once(made)
    claims = [words for words in said if words[0] == "claimed"]
    assert sorted(words[2] for words in claims) == list(range(1, len(claims) + 1))
    assert len([words for words in said if words[0] == "closed"]) == len(claims)
    assert len(said) == 80 + len(claims)


async def test_where_windows_may_overlap_every_process_gets_its_own_and_a_service_is_held_until_the_last_ends(tmp_path: Path) -> None:
    with callers(tmp_path, 6, claims=5, kind="shared") as made:
        said = all_at_once(made)
    assert sorted(words[2] for words in said) == list(range(1, 31))
    with closing(Ledger(tmp_path)) as ledger:
        names = [one.window_id for one in await ledger.live()]
        assert sorted(names) == sorted(words[1] for words in said)
        for left, name in enumerate(reversed(names)):
            assert sum("a" in one.services for one in await ledger.live()) == 30 - left
            await ledger.change(name, ended)
        assert await ledger.live() == ()


async def test_a_budget_is_given_away_once_however_many_processes_ask(tmp_path: Path) -> None:
    with callers(tmp_path, 5, claims=4, kind="shared", budget=630) as made:
        said = all_at_once(made)
    assert len([words for words in said if words[0] == "claimed"]) == 10
    assert [words for words in said if words[0] != "claimed"] == [["BUDGET", 30]] * 10


async def test_a_writer_that_is_killed_loses_nothing_that_it_was_told_and_holds_nobody_up(tmp_path: Path) -> None:
    for round_ in range(3):
        with callers(tmp_path, 2, applies=True) as made:
            for one in made:
                one.go()
            told = [one.hears()[1] for one in made for _ in range(10 + round_)]
            for one in made:
                one.process.send_signal(signal.SIGKILL)
            told += [words[1] for one in made for words in one.rest() if words]
        with closing(Ledger(tmp_path)) as ledger:
            assert set(told) <= {one.number for one in await ledger.open_applications()}
            assert await ledger.apply("after", NOON_MS) > max(told)


async def test_a_writer_that_is_killed_inside_its_transaction_changed_nothing(tmp_path: Path, ledger: Ledger) -> None:
    before = await claimed(ledger)
    with callers(tmp_path, stays="win_1") as (one,):
        one.go()
        assert one.hears() == ["inside", "win_1"]
        one.process.send_signal(signal.SIGKILL)
        one.process.wait(30)
        assert await ledger.window("win_1") == before
        assert (await ledger.change("win_1", lambda w: replace(w, trouble="t"))).trouble == "t"


async def test_who_reads_does_not_wait_for_who_writes_and_sees_what_was_before(tmp_path: Path, ledger: Ledger) -> None:
    before = await claimed(ledger)
    with callers(tmp_path, stays="win_1") as (one,):
        one.go()
        assert one.hears() == ["inside", "win_1"]
        with closing(Ledger(tmp_path)) as other:  # also whoever opens it now, as a command that only shows the state does
            for reader in (ledger, other):
                assert await reader.live() == (before,)
                assert await reader.newest(1) == (before,)
                assert await reader.used_s("a", NOON_MS) == 60
        one.go()
        assert one.hears() == ["changed"]
    assert (await ledger.live())[0].begun_by == "caller0"


async def test_threads_of_one_process_take_turns(ledger: Ledger) -> None:
    await claimed(ledger)
    await asyncio.gather(*(ledger.change("win_1", lambda one: replace(one, attempts=one.attempts + 1)) for _ in range(50)))
    assert (await ledger.live())[0].attempts == 50


# What is no ledger


def written(path: Path, *statements: str) -> bytes:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
    return path.read_bytes()


async def test_a_ledger_of_a_newer_program_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    path = tmp_path / FILE_NAME
    before = written(path, "PRAGMA journal_mode = DELETE", f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(Refused, match=rf"{FILE_NAME}: .*newer Windlass.*{SCHEMA_VERSION + 1}.*{SCHEMA_VERSION}"):
        Ledger(tmp_path)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == [FILE_NAME]


async def test_a_database_of_another_program_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    before = written(tmp_path / FILE_NAME, "CREATE TABLE cookies (name TEXT)")
    with pytest.raises(Refused, match=rf"{FILE_NAME}: .*another program"):
        Ledger(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == before


@pytest.mark.parametrize("content", [b"no database at all\n" * 100, b"SQLite format 3\0" + b"\xff" * 4096, b"{}"], ids=["text", "header", "short"])
async def test_a_damaged_file_is_refused_naming_it_and_what_to_do_and_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(Refused, match=rf"{FILE_NAME}: is damaged .*[Mm]ove it away"):
        Ledger(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == content


async def test_damage_inside_is_told_by_who_meets_it(tmp_path: Path) -> None:
    with closing(Ledger(tmp_path)) as ledger:
        for number in range(200):
            await claimed(ledger, f"win_{number}", reason="x" * 400)
    path = tmp_path / FILE_NAME
    content = bytearray(path.read_bytes())
    content[4096 * 2 :] = b"\xa5" * (len(content) - 4096 * 2)
    path.write_bytes(content)
    with closing(Ledger(tmp_path)) as ledger:
        for act in (ledger.live(), ledger.newest(300), claimed(ledger, "win_new"), ledger.change("win_1", ended)):
            with pytest.raises(Unavailable, match=rf"{FILE_NAME}: is damaged .*[Mm]ove it away"):
                await act


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"window_id": "win_1"}', '"x"', json.dumps({"services": 3})])
async def test_a_window_that_can_not_be_read_is_told_with_the_file(tmp_path: Path, ledger: Ledger, text: str) -> None:
    await claimed(ledger)
    written(tmp_path / FILE_NAME, f"UPDATE windows SET window = '{text}'")
    for act in (ledger.live(), ledger.window("win_1"), ledger.change("win_1", ended), ledger.used_s("a", NOON_MS)):
        with pytest.raises(Unavailable, match=rf"{FILE_NAME}: is damaged .*[Mm]ove it away"):
            await act


async def test_a_place_where_no_ledger_can_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="file"):
        Ledger(tmp_path / "file")
    (tmp_path / "state" / FILE_NAME).mkdir(parents=True)
    with pytest.raises(Unavailable, match=FILE_NAME):
        Ledger(tmp_path / "state")


async def test_a_full_disk_is_told_and_what_was_written_before_and_is_written_after_is_there(ledger: Ledger) -> None:
    await claimed(ledger)
    previous, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    full = max(place.stat().st_size for place in ledger.path.parent.iterdir())
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (full, limits[1]))
        for number in range(3):
            with pytest.raises(Unavailable, match=FILE_NAME):
                await claimed(ledger, f"win_full{number}", reason="x" * 100_000)
        assert [one.window_id for one in await ledger.live()] == ["win_1"]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, previous)
    await claimed(ledger, "win_2", reason="x" * 100_000)
    assert [(one.window_id, one.fencing) for one in await ledger.live()] == [("win_1", 1), ("win_2", 2)]


async def test_a_ledger_that_is_closed_says_so_and_can_be_closed_again(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.close()
    ledger.close()
    with pytest.raises(Unavailable, match=FILE_NAME):
        await ledger.live()
    with pytest.raises(Unavailable, match=FILE_NAME):
        await claimed(ledger)


# The budget of a day


def budget(seconds: int) -> Policy:
    return policy(kind="shared", own=ServicePolicy(daily_budget_sec=seconds))


async def test_a_budget_is_used_by_what_windows_may_take_and_what_was_not_used_comes_back(ledger: Ledger) -> None:
    by = budget(100)
    await claimed(ledger, "win_1", by, begun_by="t")
    assert await ledger.used_s("a", NOON_MS) == 60
    assert await ledger.used_s("b", NOON_MS) == 0
    with pytest.raises(Refusal, match=r"a may be open 100 s a day \(UTC\) and has 40 s left; this window may take 60 s") as refused:
        await claimed(ledger, "win_2", by)
    assert (refused.value.http, refused.value.code, refused.value.field) == (429, "BUDGET", "ttl_sec")
    assert refused.value.facts == {"service": "a", "left_sec": 40}
    await ledger.change("win_1", lambda one: ended(one, NOON_MS + 40_000))
    assert await ledger.used_s("a", NOON_MS) == 40
    await claimed(ledger, "win_2", by)
    with pytest.raises(Refusal, match="has 0 s left"):
        await claimed(ledger, "win_3", by)


async def test_the_last_second_of_a_budget_can_be_used_and_not_one_more(ledger: Ledger) -> None:
    by = budget(60)
    with pytest.raises(Refusal):
        await claimed(ledger, "win_1", by, deadline_ms=NOON_MS + 60_001)
    await claimed(ledger, "win_1", by)
    with pytest.raises(Refusal):
        await claimed(ledger, "win_2", by, deadline_ms=NOON_MS + 1)


async def test_a_window_that_was_given_up_before_it_began_used_nothing(ledger: Ledger) -> None:
    await claimed(ledger)
    await ledger.change("win_1", ended)
    assert await ledger.used_s("a", NOON_MS) == 0


async def test_a_window_that_is_not_closed_at_its_deadline_uses_on(ledger: Ledger) -> None:
    await claimed(ledger)
    assert await ledger.used_s("a", NOON_MS + 90_000) == 90


async def test_each_day_has_its_own_budget(ledger: Ledger) -> None:
    midnight = NOON_MS + DAY_MS // 2
    await claimed(ledger, "win_1", asked_ms=midnight - 20_000)
    assert await ledger.used_s("a", midnight - 1) == 20
    assert await ledger.used_s("a", midnight) == 40
    by = budget(90)
    with pytest.raises(Refusal, match="has 50 s left") as refused:
        await claimed(ledger, "win_2", by, asked_ms=midnight)
    assert refused.value.facts["left_sec"] == 50
    await claimed(ledger, "win_2", by, asked_ms=midnight, deadline_ms=midnight + 50_000)


async def test_a_window_that_reaches_into_tomorrow_leaves_tomorrow_its_budget(ledger: Ledger) -> None:
    midnight, by = NOON_MS + DAY_MS // 2, budget(90)
    await claimed(ledger, "win_1", by, asked_ms=midnight - 10_000)
    with pytest.raises(Refusal, match="has 40 s left on 2026-01-20"):
        await claimed(ledger, "win_2", by, asked_ms=midnight - 10_000)


async def test_a_window_that_is_extended_is_judged_by_the_days_that_it_reaches(ledger: Ledger) -> None:
    midnight, by = NOON_MS + DAY_MS // 2, budget(100)
    await claimed(ledger, "win_1", by, asked_ms=midnight - 50_000)
    until = midnight + 100_000
    longer = await ledger.extend("win_1", by, lambda one: replace(one, deadline_ms=until), midnight + 5000)
    assert longer.deadline_ms == until  # 50 s of yesterday's budget, 100 of today's
    with pytest.raises(Refusal, match=r"has 100 s left; this window may take 101 s"):
        await ledger.extend("win_1", by, lambda one: replace(one, deadline_ms=until + 1000), midnight + 6000)
    kept = await ledger.window("win_1")
    assert kept == longer


def overlap_s(one: Window, day_ms: int) -> float:
    end = one.deadline_ms if one.closed_ms is None else one.closed_ms
    return max(0, min(end, day_ms + DAY_MS) - max(one.asked_ms, day_ms)) / 1000


Step = tuple[str, int, int]


@settings(max_examples=100, deadline=None)
@example([("claim", 3600, 1), ("claim", 3600, 1)], 4000, 100)
@given(
    st.lists(
        st.tuples(st.sampled_from(["claim", "claim", "extend", "close"]), st.sampled_from([60, 3600]), st.sampled_from([1, 600, 3000])),
        max_size=25,
    ),
    st.sampled_from([3600, 4000, 9000]),
    st.sampled_from([100, 4000]),
)
def test_no_order_of_windows_extensions_and_closes_overdraws_a_day(steps: list[Step], seconds: int, before_s: int) -> None:
    """Begun as long as this before midnight: a window may use two days' budgets."""
    by, now_ms, numbers = budget(seconds), NOON_MS + DAY_MS // 2 - before_s * 1000, itertools.count()
    directory = Path(tempfile.mkdtemp(dir=SHM if SHM.is_dir() else None))
    try:
        with running() as runner, closing(Ledger(directory)) as ledger:
            for what, ttl_s, pause_s in steps:
                now_ms += pause_s * 1000
                live = runner.run(ledger.live())
                for due in live:
                    if due.deadline_ms <= now_ms:
                        runner.run(ledger.change(due.window_id, lambda one: ended(one, one.deadline_ms)))
                run = _step(what, ledger, by, now_ms, ttl_s, next(numbers))
                try:
                    runner.run(run())
                except Refusal as refusal:
                    assert refusal.code == "BUDGET"  # noqa: PT017  # another refusal would be a bug of the test
                windows = runner.run(ledger.newest(100))
                for day in range(NOON_MS - NOON_MS % DAY_MS, now_ms + 2 * DAY_MS, DAY_MS):
                    assert sum(overlap_s(one, day) for one in windows) <= seconds
    finally:
        shutil.rmtree(directory)


def _step(what: str, ledger: Ledger, by: Policy, now_ms: int, ttl_s: int, number: int) -> Callable[[], Any]:
    async def run() -> None:
        live = await ledger.live()
        if what == "claim":
            await claimed(ledger, f"win_{number}", by, asked_ms=now_ms, deadline_ms=now_ms + ttl_s * 1000, begun_by="t")
        elif live and what == "extend":
            until_ms = max(live[0].deadline_ms, now_ms + ttl_s * 1000)
            await ledger.extend(live[0].window_id, by, lambda one: replace(one, deadline_ms=until_ms), now_ms)
        elif live:
            await ledger.change(live[-1].window_id, lambda one: ended(one, now_ms))

    return run
