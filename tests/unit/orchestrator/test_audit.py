"""The audit keeps every decision, durably and chained, and nothing of what was sent."""

from __future__ import annotations

import asyncio
import errno
import threading
import time
from pathlib import Path

import pytest

from windlass.errors import Unavailable, UnusableRecord
from windlass.infra import chain
from windlass.orchestrator import audit


@pytest.fixture
def anyio_backend():
    return "asyncio"


def nothing() -> None:
    """Called when the side task dies, which it does not here."""
    raise AssertionError("the audit died")


def note(to: audit.Audit, **asked: object) -> None:
    to.write("dispatch", asked=asked, agent_name="agent-verify", correlation_id="c", outcome="OK")


class Watched(chain.ChainedLog):
    """A log that tells when it was made durable, and by which thread. Lives as long as its test."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.synced_at: list[float] = []
        self.threads: set[int] = set()
        self._synced = threading.Condition()

    def sync(self) -> None:
        super().sync()
        with self._synced:
            self.synced_at.append(time.monotonic())
            self.threads.add(threading.get_ident())
            self._synced.notify_all()

    def wait_later_than(self, moment: float) -> bool:
        with self._synced:
            return self._synced.wait_for(lambda: self.synced_at[-1:] >= [moment], 2)


class Broken(chain.ChainedLog):
    """A log on a disk that fails its first fsync and then seems well again. Lives as long as its test."""

    failed = False

    def sync(self) -> None:
        if not self.failed:
            self.failed = True
            raise OSError(errno.EIO, "I/O error")


def test_an_entry_has_the_fixed_names_and_nothing_else_that_was_asked():
    asked = {"task_type": "T", "request_id": "r", "mode": "DEMO", "risk_tier": "PHI", "inputs": {"name": "Jane"}, "budgets": {}, "user_id": "u"}
    made = audit.entry("execute", at="now", asked=asked, agent_name="a", correlation_id="c", outcome="OK")
    assert made == {
        "at": "now",
        "action": "execute",
        "task_type": "T",
        "agent_name": "a",
        "request_id": "r",
        "correlation_id": "c",
        "mode": "DEMO",
        "risk_tier": "PHI",
        "outcome": "OK",
    }


def test_what_is_not_text_is_left_out_and_long_text_is_clipped():
    asked = {"task_type": {"inputs": "Jane"}, "request_id": "r" * 100_000, "mode": ["Jane"], "risk_tier": 7}
    made = audit.entry("dispatch", at="now", asked=asked, agent_name=None, correlation_id="c", outcome="VALIDATION_ERROR")
    assert (made["task_type"], made["mode"], made["risk_tier"]) == (None, None, None)
    assert len(made["request_id"] or "") == 200


@pytest.mark.anyio
async def test_an_entry_is_in_the_file_at_once_and_the_chain_goes_on_after_a_restart(tmp_path):
    path = tmp_path / "made" / "when missing" / audit.NAME
    for expected in (1, 2):
        async with audit.opened(path, on_death=nothing) as opened:
            note(opened, request_id="r")
            found = chain.scan(path.read_bytes())
            assert found.breaks == ()
            assert len(found.entries) == expected


@pytest.mark.anyio
async def test_entries_are_made_durable_in_groups_within_100_ms_and_off_the_event_loop(tmp_path):
    logs: list[Watched] = []

    def open_log(path: Path) -> Watched:
        logs.append(Watched(path))
        return logs[0]

    async with audit.opened(tmp_path / audit.NAME, on_death=nothing, open_log=open_log) as opened:
        written = []
        ends = time.monotonic() + 0.5
        while time.monotonic() < ends:
            note(opened)
            written.append(time.monotonic())
            await asyncio.sleep(0)
        assert await asyncio.to_thread(logs[0].wait_later_than, written[-1])
    synced = logs[0].synced_at
    assert max(min(at for at in synced if at >= moment) - moment for moment in written) <= 0.1 + 0.05  # beside a busy machine's fsync
    assert len(synced) < len(written) / 5
    assert threading.get_ident() not in logs[0].threads


@pytest.mark.anyio
async def test_after_a_failed_fsync_nothing_more_is_written_and_the_owner_is_told(tmp_path):
    told = asyncio.Event()
    path = tmp_path / audit.NAME

    async def fail() -> None:
        async with audit.opened(path, on_death=told.set, open_log=Broken) as opened:
            note(opened)
            await asyncio.wait_for(told.wait(), 5)
            assert not opened.sound
            size = path.stat().st_size
            with pytest.raises(Unavailable):
                note(opened)
            assert path.stat().st_size == size

    with pytest.raises(OSError, match="I/O error"):
        await fail()


@pytest.mark.anyio
async def test_a_damaged_chain_is_found_at_the_start(tmp_path):
    path = tmp_path / audit.NAME
    path.write_bytes(b'{"seq":0,"prev":"","hash":"forged"}\n')
    with pytest.raises(UnusableRecord, match="damaged"):
        async with audit.opened(path, on_death=nothing):
            pass


@pytest.mark.anyio
async def test_a_place_that_can_not_be_written_is_found_at_the_start(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UnusableRecord):
        async with audit.opened(tmp_path / "file" / audit.NAME, on_death=nothing):
            pass
