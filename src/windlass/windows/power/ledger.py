"""The ledger: the one truth of a project's windows, a SQLite database that survives whoever writes it.

Every intention is on the disk before anybody acts on it (WAL, full sync). One write transaction claims a window, so that one window is
claimed however many processes ask. A change is a pure function from the window as it stands to the one that it becomes.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import orjson

from windlass.errors import Refused, Unavailable
from windlass.infra import texts
from windlass.windows.power.asked import Refusal
from windlass.windows.power.moment import instant
from windlass.windows.power.policy import Policy
from windlass.windows.power.rulings import Window

SCHEMA_VERSION = 1
FILE_NAME = "ledger.sqlite3"
_DAY_MS = 86_400_000
_WAIT_S = 10.0
_PRIMARY = 0xFF
"""The part of an SQLite error code that says the kind."""
_SCHEMA = """
CREATE TABLE windows (
  window_id TEXT PRIMARY KEY,
  fencing INTEGER NOT NULL UNIQUE,
  live INTEGER NOT NULL,
  asked_ms INTEGER NOT NULL,
  closed_ms INTEGER,
  window TEXT NOT NULL
) STRICT;
CREATE INDEX live_windows ON windows (live) WHERE live = 1;
CREATE INDEX windows_by_end ON windows (closed_ms);
CREATE TABLE applications (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  actor TEXT NOT NULL,
  asked_ms INTEGER NOT NULL,
  result TEXT
) STRICT;
"""
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Application:
    """One demand that the core be alone; `result` once it was done. Lives as long as its reader."""

    number: int
    actor: str
    asked_ms: int
    result: Mapping[str, Any] | None


class Ledger:
    """The ledger of one project in one state directory. Lives as long as its owner; close it."""

    def __init__(self, directory: Path) -> None:
        """Open or create it; raises Refused for a file that is no ledger, which is left as it is, Unavailable where there can be none."""
        self.path = directory / FILE_NAME
        self._one_at_a_time = threading.RLock()  # the budget is read inside a claim
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
        except OSError as failure:
            raise Unavailable(f"{directory}: {failure.strerror}") from failure
        except sqlite3.Error as failure:
            raise Unavailable(f"{self.path}: {failure}") from failure
        try:
            self._begin()
        except BaseException as failure:
            self._connection.close()
            if isinstance(failure, sqlite3.Error):
                raise (Refused if _is_damage(failure) else Unavailable)(self._told(failure)) from failure
            raise

    def _begin(self) -> None:
        is_new = not self._knows_schema()
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        if not is_new:
            return  # whoever only reads waits for no writer
        with self._transaction() as write:
            if not self._knows_schema():  # somebody else may have been first
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    write.execute(statement)
                write.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _knows_schema(self) -> bool:
        """Whether the tables are there; raises Refused for those of somebody else. Reads only."""
        has_tables = self._connection.execute("SELECT 1 FROM sqlite_master").fetchone() is not None
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]  # read after the tables that come with it
        if version == SCHEMA_VERSION:
            return True
        if version > SCHEMA_VERSION:
            what = f"was written by a newer Windlass (schema {version}; this one knows {SCHEMA_VERSION}); go on with that one, nothing was changed"
            raise Refused(f"{self.path}: {what}")
        if version != 0 or has_tables:
            raise Refused(f"{self.path}: is a database of another program; move it away, or choose another state directory")
        return False

    def close(self) -> None:
        """Close the database; a second call does nothing."""
        with self._one_at_a_time:
            self._connection.close()

    async def claim(self, policy: Policy, made: Callable[[int], Window]) -> Window:
        """Enter the window that `made` makes of the next fencing number; raises Refusal where the policy has no room for it."""
        return await asyncio.to_thread(self._claim, policy, made)

    async def window(self, window_id: str) -> Window | None:
        """A window, also one that was closed; None where there never was one of that id."""
        return await asyncio.to_thread(self._one, window_id)

    async def live(self) -> tuple[Window, ...]:
        """Every window of which something may still run, the oldest first."""
        return await asyncio.to_thread(self._live)

    async def newest(self, limit: int) -> tuple[Window, ...]:
        """The windows that were asked for last, the newest first."""
        return await asyncio.to_thread(self._newest, limit)

    async def change(self, window_id: str, become: Callable[[Window], Window]) -> Window:
        """Write what a window becomes, and return it; nobody else writes between the reading and the writing. What is closed stays as it is."""
        return await asyncio.to_thread(self._change, window_id, become)

    async def extend(self, window_id: str, policy: Policy, become: Callable[[Window], Window], now_ms: int) -> Window:
        """Like `change`, for a window that gets longer: raises Refusal where the budget of a day that it reaches does not allow it."""
        return await asyncio.to_thread(self._extend, window_id, policy, become, now_ms)

    async def used_s(self, service: str, now_ms: int) -> float:
        """Seconds of this UTC day that windows held a service, or will have when they are closed by their deadline."""
        return await asyncio.to_thread(self._used, service, _day(now_ms), now_ms, "")

    async def apply(self, actor: str, now_ms: int) -> int:
        """Enter the demand that the core be alone; returns its number."""
        return await asyncio.to_thread(self._apply, actor, now_ms)

    async def application(self, number: int) -> Application | None:
        """One such demand."""
        return await asyncio.to_thread(self._application, number)

    async def open_applications(self) -> tuple[Application, ...]:
        """Those that nobody has done."""
        return await asyncio.to_thread(self._open_applications)

    async def applied(self, number: int, result: Mapping[str, Any]) -> None:
        """Write what came of one."""
        await asyncio.to_thread(self._applied, number, result)

    async def version(self) -> int:
        """A number that changes with every write of another process."""
        return await asyncio.to_thread(lambda: int(self._read("PRAGMA data_version")[0][0]))

    def _claim(self, policy: Policy, made: Callable[[int], Window]) -> Window:
        with self._writing() as write:
            number = write.execute("SELECT coalesce(max(fencing), 0) + 1 FROM windows").fetchone()[0]
            window = made(number)
            live = [self._window(row[0]) for row in write.execute("SELECT window FROM windows WHERE live = 1 ORDER BY fencing")]
            if live and policy.kind == "single":
                raise occupied(live[0])
            self._check_budget(policy, window, since_ms=window.asked_ms, now_ms=window.asked_ms)
            write.execute("INSERT INTO windows VALUES (?, ?, 1, ?, NULL, ?)", (window.window_id, number, window.asked_ms, _text(window)))
        return window

    def _check_budget(self, policy: Policy, window: Window, *, since_ms: int, now_ms: int) -> None:
        """Raise Refusal for a window that would overdraw a day from that of `since_ms` to that of its deadline."""
        for name in window.services:
            budget = policy.services[name].daily_budget_sec if name in policy.services else None
            if budget is None:
                continue
            for day in range(_day(since_ms), window.deadline_ms, _DAY_MS):
                used = self._used(name, day, now_ms, window.window_id)
                wanted = _within(day, window.asked_ms, window.deadline_ms)
                if used + wanted > budget:
                    left = max(0, int(budget - used))
                    on = "" if day == _day(now_ms) else f" on {instant(day):%Y-%m-%d}"
                    of_it = "" if wanted == (window.deadline_ms - window.asked_ms) / 1000 else " of it"
                    what = f"{name} may be open {budget} s a day (UTC) and has {left} s left{on}; this window may take {wanted:.0f} s{of_it}"
                    raise Refusal(429, "BUDGET", f"{what}, its start included", field="ttl_sec", service=name, left_sec=left)

    def _used(self, service: str, day: int, now_ms: int, without: str) -> float:
        rows = self._read("SELECT window FROM windows WHERE (live = 1 OR closed_ms >= ?) AND window_id <> ?", (day, without))
        held = [window for (text,) in rows if service in (window := self._window(text)).services and not _never_began(window)]
        return sum(_within(day, one.asked_ms, max(one.deadline_ms, now_ms) if one.closed_ms is None else one.closed_ms) for one in held)

    def _change(self, window_id: str, become: Callable[[Window], Window]) -> Window:
        with self._writing() as write:
            return self._changed(write, window_id, become)[1]

    def _extend(self, window_id: str, policy: Policy, become: Callable[[Window], Window], now_ms: int) -> Window:
        with self._writing() as write:
            before, after = self._changed(write, window_id, become)
            self._check_budget(policy, after, since_ms=min(before.deadline_ms, after.deadline_ms), now_ms=now_ms)
            return after

    def _changed(self, write: sqlite3.Connection, window_id: str, become: Callable[[Window], Window]) -> tuple[Window, Window]:
        row = write.execute("SELECT window FROM windows WHERE window_id = ?", (window_id,)).fetchone()
        if row is None:
            raise Refusal(404, "NO_WINDOW", f"there is no window {window_id}", field="window_id")
        before = self._window(row[0])
        after = become(before) if before.is_live else before
        if after != before:
            values = (after.is_live, after.closed_ms, _text(after), window_id)
            write.execute("UPDATE windows SET live = ?, closed_ms = ?, window = ? WHERE window_id = ?", values)
        return before, after

    def _one(self, window_id: str) -> Window | None:
        rows = self._read("SELECT window FROM windows WHERE window_id = ?", (window_id,))
        return self._window(rows[0][0]) if rows else None

    def _live(self) -> tuple[Window, ...]:
        return tuple(self._window(text) for (text,) in self._read("SELECT window FROM windows WHERE live = 1 ORDER BY fencing"))

    def _newest(self, limit: int) -> tuple[Window, ...]:
        return tuple(self._window(text) for (text,) in self._read("SELECT window FROM windows ORDER BY fencing DESC LIMIT ?", (limit,)))

    def _apply(self, actor: str, now_ms: int) -> int:
        with self._writing() as write:
            return int(write.execute("INSERT INTO applications (actor, asked_ms) VALUES (?, ?)", (texts.writable(actor), now_ms)).lastrowid or 0)

    def _application(self, number: int) -> Application | None:
        rows = self._read("SELECT number, actor, asked_ms, result FROM applications WHERE number = ?", (number,))
        return _application(rows[0]) if rows else None

    def _open_applications(self) -> tuple[Application, ...]:
        return tuple(map(_application, self._read("SELECT number, actor, asked_ms, result FROM applications WHERE result IS NULL ORDER BY number")))

    def _applied(self, number: int, result: Mapping[str, Any]) -> None:
        with self._writing() as write:
            write.execute("UPDATE applications SET result = ? WHERE number = ?", (orjson.dumps(texts.writable(result)).decode(), number))

    def _read(self, statement: str, values: tuple[Any, ...] = ()) -> list[Any]:
        try:
            with self._one_at_a_time:
                return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as failure:
            raise Unavailable(self._told(failure)) from failure

    def _window(self, text: str) -> Window:
        try:
            return _window(text)
        except (AttributeError, KeyError, TypeError, ValueError) as failure:
            raise Unavailable(self._told(failure)) from failure

    def _told(self, failure: Exception) -> str:
        """What went wrong, with the file, and what to do where it is damaged."""
        if isinstance(failure, sqlite3.Error) and not _is_damage(failure):
            return f"{self.path}: {failure}"
        what = f"is damaged ({failure}); move it away, and its -wal and -shm with it: a new one is begun"
        return f"{self.path}: {what}, and what is open is closed at its deadline by its lease or its keepers"

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: all of it or nothing, and nobody else's between."""
        with self._one_at_a_time:
            try:
                with self._transaction() as write:
                    yield write
            except sqlite3.Error as failure:
                raise Unavailable(self._told(failure)) from failure

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise


def occupied(window: Window) -> Refusal:
    """Why no second window is opened beside this one."""
    what = f"window {window.window_id} is {window.state} with {', '.join(window.services)}; close it first, or wait for its deadline"
    return Refusal(409, "WINDOW_OPEN", what, window_id=window.window_id, state=window.state)


def _is_damage(failure: sqlite3.Error) -> bool:
    return getattr(failure, "sqlite_errorcode", 0) & _PRIMARY in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _day(ms: int) -> int:
    """When the UTC day of that moment begins."""
    return ms - ms % _DAY_MS


def _within(day: int, start_ms: int, end_ms: int) -> float:
    """Seconds of that day between two moments."""
    return max(0, min(end_ms, day + _DAY_MS) - max(start_ms, day)) / 1000


def _never_began(window: Window) -> bool:
    return window.state == "closed" and not window.begun_by


def _text(window: Window) -> str:
    return orjson.dumps(texts.writable(asdict(window))).decode()


def _window(text: str) -> Window:
    fields = orjson.loads(text)
    for name in ("services", "requested", "ran_before", "results", "close_results", "stopped", "core_changed"):
        fields[name] = tuple(fields[name])
    return Window(**fields)


def _application(row: Any) -> Application:
    number, actor, asked_ms, result = row
    return Application(number=number, actor=actor, asked_ms=asked_ms, result=None if result is None else orjson.loads(result))
