"""Keeping one service: start it, wait for its end or its deadline, end its whole tree, and say at each step how it stands."""

from __future__ import annotations

import functools
import os
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import FrameType

from windlass.infra import instants
from windlass.windows import kept, orders, prctl, processes, rules, uptime
from windlass.windows.rules import ServiceState

LONGEST_SLEEP_S = 1.0
"""The wait is on a clock that stops while the machine sleeps; after a wake-up the deadline is noticed this late at most."""
TAIL_CHARACTERS = 500
_TAIL_BYTES = 16_384


class Keeping:
    """One service under its keeper; lives as long as the keeper's process, which has no other thread."""

    def __init__(self, order: orders.Order) -> None:
        """Listen for signals from here on: a close that comes before the start must not be lost."""
        self._order = order
        self._close_asked = False
        self._change_told = False
        self._service: subprocess.Popen[bytes] | None = None
        self._exited = False
        self._left = True
        self._termed_at: float | None = None
        self._killed_at: float | None = None
        self._kills = 0
        self._wake = self._listen()
        self._log, self._log_start = -1, 0
        now = instants.stamp(datetime.now(UTC))
        myself = processes.identify(os.getpid())
        if myself is None:
            raise OSError("the process table does not show this process")
        self._kept = kept.Kept(
            window_id=order.window_id,
            service=order.service.name,
            state="opening",
            keeper=myself,
            process=None,
            deadline=order.deadline.text,
            deadline_uptime=order.deadline.uptime,
            stop_grace_s=order.service.stop_grace_s,
            started_at=now,
        )

    def keep(self, told: Callable[[], None]) -> None:
        """Return when nothing of the service is left; `told` is called once its start, or its failure to start, is on file."""
        kept.write(self._order.state_dir, self._kept)  # before anything runs: what left no word could not be asked to close
        try:
            self._start()
            self._record()
            told()
            while (decision := rules.decide(self._look())).act != "finished":
                self._act(decision)
            self._finish()
        except BaseException:
            self._signal_tree(signal.SIGKILL)  # a keeper that fails leaves nothing unkept
            raise

    def _start(self) -> None:
        prctl.adopt_orphans()
        self._give_up_streams()
        if self._close_asked or uptime.now() >= self._order.deadline.uptime:
            return  # asked to end, or too late, before anything began
        service = self._order.service
        passed = () if service.listen_fd is None else (service.listen_fd,)
        try:
            self._open_log()
            self._service = subprocess.Popen(  # an argv list, no shell
                service.argv,
                env={**service.env, kept.MARK_VARIABLE: self._kept.mark.partition("=")[2]},
                cwd=service.directory,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,
                pass_fds=passed,
                preexec_fn=functools.partial(prctl.die_with, os.getpid()),  # noqa: PLW1509  # safe: this process has one thread
            )
            row = processes.row(self._service.pid)  # is there though it may have ended: nobody else reaps it
            self._kept = replace(self._kept, process=row.process if row else None)
        except (OSError, subprocess.SubprocessError) as exc:
            self._kept = replace(self._kept, ended="start_failed", error=f"{type(exc).__name__}: {exc}")
        for descriptor in passed:
            os.close(descriptor)  # with the service gone, nobody may seem to listen

    def _look(self) -> rules.Seen:
        self._reap()
        now = uptime.now()
        if self._change_told or now >= self._kept.deadline_uptime:  # at the deadline also unasked: a signal can be lost
            self._heed_change()
        seen = rules.Seen(
            now=now,
            deadline=self._kept.deadline_uptime,
            grace_s=self._kept.stop_grace_s,
            close_asked=self._close_asked,
            exited=self._exited,
            left=self._left,
            termed_at=self._termed_at,
            killed_at=self._killed_at,
            kills=self._kills,
        )
        if self._kept.ended is None and (why := rules.why_ending(seen)):
            self._kept = replace(self._kept, ended=why)
        return seen

    def _act(self, decision: rules.Decision) -> None:
        if decision.act == "wait":
            self._sleep(decision.until)
        elif decision.act == "term":
            self._termed_at = uptime.now()
            self._signal_tree(signal.SIGTERM)
            self._signal_tree(signal.SIGCONT)  # a stopped process hears TERM only when it goes on
            self._pass_to("closing")
        else:
            self._kills += 1
            self._killed_at = self._killed_at or uptime.now()
            self._signal_tree(signal.SIGKILL)
        if decision.stuck:
            self._pass_to("stuck")

    def _finish(self) -> None:
        self._kept = replace(self._kept, closed_at=instants.stamp(datetime.now(UTC)), log_tail=self._tail())
        self._pass_to("closed")

    def _heed_change(self) -> None:
        self._change_told = False
        told = orders.read_change(self._order)
        if told is not None and self._termed_at is None:
            self._kept = replace(self._kept, deadline=told.text, deadline_uptime=told.uptime, state="open")
            self._record()

    def _pass_to(self, state: ServiceState) -> None:
        if self._kept.state != state:
            self._kept = replace(self._kept, state=state)
            self._record()

    def _record(self) -> None:
        """Write the state; a full disk or a directory that is gone must not keep the service alive."""
        try:
            kept.write(self._order.state_dir, self._kept)
        except OSError:
            traceback.print_exc()  # to the service's log

    def _reap(self) -> None:
        """Take the exit status of every ended child. As orphans come here, no child left means that no descendant is left."""
        try:
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if self._service is not None and ended[0] == self._service.pid:
                    self._note_exit(os.waitstatus_to_exitcode(ended[1]))
        except ChildProcessError:
            self._left = sys.platform != "linux" and self._service is not None and _group_lives(self._service.pid)

    def _note_exit(self, code: int) -> None:
        if self._service is not None:
            self._service.returncode = code  # Popen must not wait for it, nor signal this pid, any more
        self._exited = True
        self._kept = replace(self._kept, exit_code=code if code >= 0 else None, signal=-code if code < 0 else None)

    def _signal_tree(self, number: signal.Signals) -> None:
        if self._service is None:
            return
        groups = processes.groups_below(os.getpid(), processes.table()) if sys.platform == "linux" else {self._service.pid}
        for group in groups:
            processes.send_group(group, number)

    def _listen(self) -> int:
        """Wake up for a close (TERM), a change (USR1) and an ended child; INT and HUP are meant for the opener, not for a keeper.

        All get a handler, also those that do nothing: unlike an ignored signal, a handled one is the default again in the service.
        """
        wake, ring = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(ring, False)
        signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._hear)
        return wake

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        self._close_asked = self._close_asked or number == signal.SIGTERM
        self._change_told = self._change_told or number == signal.SIGUSR1

    def _sleep(self, until: float) -> None:
        if select.select([self._wake], [], [], min(max(0.0, until - uptime.now()), LONGEST_SLEEP_S))[0]:
            os.read(self._wake, 4096)

    def _give_up_streams(self) -> None:
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 0)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)  # also lets the starter, which reads what this process complains of, go on
        os.close(nowhere)

    def _open_log(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._log = os.open(self._order.service.log_file, flags, 0o600)
        self._log_start = os.fstat(self._log).st_size  # what an earlier service wrote is not this one's tail
        os.dup2(self._log, 2)

    def _tail(self) -> str:
        """The last characters that the service logged, without its secrets; empty when the log can't be read."""
        try:
            size = os.fstat(self._log).st_size
            start = max(self._log_start, size - _TAIL_BYTES)
            text = os.pread(self._log, size - start, start).decode(errors="replace")
        except OSError:
            return ""
        return rules.tail(text, self._order.service.env, TAIL_CHARACTERS, cut=start > self._log_start)


def _group_lives(group: int) -> bool:
    """Without a kernel that hands orphans over, the process group is all that can be asked (macOS)."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
