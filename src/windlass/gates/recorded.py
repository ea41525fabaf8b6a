"""A run over services that stand for the whole of it: opened in its first gate, closed and observed in its last, whatever happened between.

`prove` and `pipeline` are such runs; each brings the work between the two gates.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from windlass.errors import GivenUp, Refused, WindlassError
from windlass.gates.standing import Closing, Standing
from windlass.infra.completion import see_through
from windlass.premises import Premises, Up
from windlass.records import verify as verifying
from windlass.records.artifacts import Artifact
from windlass.records.report import Report
from windlass.records.run import RunRecord

WINDOW, CLOSED = "WINDOW", "CLOSED"
TITLES = {WINDOW: "Services are open and ready", CLOSED: "Services are observed stopped"}


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How the run ended. `failure`: what cut it short, in one line, or None. `elapsed_s`: of the verification."""

    passed: bool
    failure: str | None
    report: Report
    elapsed_s: float


class Recorded:
    """One run from its record's first entry to its last. Lives as long as the run.

    `evidence(gate)`: the files that belong to a gate which fails. `told(failure)`: the failure as the record may hold it.
    """

    def __init__(
        self,
        record: RunRecord,
        premises: Premises | None,
        *,
        evidence: Callable[[str], Sequence[Artifact]],
        told: Callable[[WindlassError], str] = str,
    ) -> None:
        self.record = record
        self.failure: str | None = None
        self._standing = Standing(record, premises) if premises else None
        self._evidence = evidence
        self._told = told

    async def through(
        self,
        work: Callable[[], Awaitable[None]],
        *,
        on_up: Callable[[Up], None] = lambda _: None,
        on_closed: Callable[[float, Closing], None] = lambda _elapsed, _closing: None,
        leave_open: Callable[[], bool] = lambda: False,
    ) -> Ended:
        """Open, work, close, seal, verify. What the work raises on purpose fails its gate and not this.

        Cancelled, it closes, records the run as CANCELED and is cancelled. `leave_open`: asked once the work is over. Raises GivenUp
        where the record can't be written any more; what was open is closed by then.
        """
        with self.record:
            try:
                await self._open_work_close(work, on_up, on_closed, leave_open)
                return self._end()
            except asyncio.CancelledError:
                self._fail_running("interrupted")
                self.record.complete("CANCELED")
                raise
            except OSError as failure:
                raise self._unwritable(failure) from failure
            except Exception:
                self._fail_running("a bug in Windlass ended the run")
                self.record.complete("FAILED")
                raise

    async def _open_work_close(
        self,
        work: Callable[[], Awaitable[None]],
        on_up: Callable[[Up], None],
        on_closed: Callable[[float, Closing], None],
        leave_open: Callable[[], bool],
    ) -> None:
        standing = self._standing
        try:
            if standing:
                self.record.gate_started(WINDOW, "windlass", executor="window")
                ready = await standing.open(self.record.logs_directory, on_up)
                self.record.gate_finished(WINDOW, "PASS", validations=ready, window_id=standing.window_id)
            await work()
        except WindlassError as failure:
            self.failure = str(failure)
            self._fail_running(self._told(failure))
        finally:
            if standing and standing.services:
                await self._close_or_leave(standing, on_closed, leave_open)

    async def _close_or_leave(self, standing: Standing, on_closed: Callable[[float, Closing], None], leave_open: Callable[[], bool]) -> None:
        left = False
        try:
            left = leave_open()
        finally:
            if not left:
                await see_through(self._close(standing, on_closed))

    async def _close(self, standing: Standing, on_closed: Callable[[float, Closing], None]) -> None:
        """Close, also where nothing can be written any more."""
        began = time.perf_counter()
        try:
            self.record.gate_started(CLOSED, "windlass", executor="window")
        finally:
            closing = await standing.close(self.record.evidence_directory)
        self.record.gate_finished(
            CLOSED, "FAIL" if closing.reason else "PASS", validations=closing.checks, artifacts=closing.audits, failure_reason=closing.reason
        )
        self.failure = self.failure or closing.complaint or closing.reason
        on_closed(time.perf_counter() - began, closing)

    def _end(self) -> Ended:
        """Seal the record, and verify it as a stranger would, against the head that only this process knows."""
        passed = all(gate.status == "PASS" for gate in self.record.run.gates.values())
        self.record.complete("PASSED" if passed else "FAILED")
        began = time.perf_counter()
        report = verifying.verify(self.record.directory, head=self.record.head)
        return Ended(passed=passed and report.verdict == "intact", failure=self.failure, report=report, elapsed_s=time.perf_counter() - began)

    def _unwritable(self, failure: OSError) -> GivenUp:
        reason = f"the record in {self.record.directory} can't be written: {failure.strerror or failure}"
        return GivenUp(f"{reason}; {self.failure}" if self.failure else reason)

    def _fail_running(self, reason: str) -> None:
        """Every attempt that still runs has failed, for this reason; what evidence there is belongs to it."""
        reason = reason.replace(f"{self.record.directory}/", "")  # a record holds no path of this machine
        for attempt in list(self.record.run.running):
            evidence = self._evidence(attempt.gate)
            self.record.gate_finished(attempt.gate, "FAIL", validations=[], artifacts=evidence, failure_reason=reason)


@contextmanager
def beginning(out: Path, premises: Premises | None) -> Iterator[None]:
    """Around the making of the record below `out`: raises Refused where that can't hold one. On any failure the premises' ports are given up."""
    try:
        _check_name(out)
        yield
    except OSError as failure:
        _abandon(premises)
        raise Refused(f"--out {out}: can't hold a run: {failure.strerror}") from failure
    except BaseException:
        _abandon(premises)
        raise


def _check_name(out: Path) -> None:
    if not str(out.absolute()).isprintable():
        raise Refused(f"--out {str(out.absolute())!r}: a record names its directory, and can't name one with such characters")


def _abandon(premises: Premises | None) -> None:
    if premises:
        premises.abandon()
