import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from windlass.windows import processes
from windlass.windows.processes import Process, Row

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the process table is read from /proc")


@pytest.fixture
def sleeper():
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"], start_new_session=True)
    yield child
    child.kill()
    child.wait()


def known(pid: int) -> Process:
    found = processes.identify(pid)
    assert found is not None
    return found


def test_a_process_is_known_by_pid_and_start(sleeper):
    found = known(sleeper.pid)
    assert processes.is_running(found)
    assert not processes.is_running(replace(found, started="0/1"))


def test_a_signal_reaches_only_the_process_that_was_meant(sleeper):
    found = known(sleeper.pid)
    assert not processes.send(replace(found, started=found.started + "1"), signal.SIGKILL)
    assert sleeper.poll() is None
    assert processes.send(found, signal.SIGKILL)
    assert sleeper.wait(5) == -signal.SIGKILL


def test_an_ended_process_that_nobody_has_reaped_does_not_run(sleeper):
    found = known(sleeper.pid)
    sleeper.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert not processes.is_running(found)
    assert not processes.send(found, signal.SIGTERM)


def test_a_name_with_parentheses_and_blanks_is_read_rightly():
    code = "import ctypes, sys; ctypes.CDLL(None).prctl(15, b') Z 1 (', 0, 0, 0); print('named', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == b"named\n"
        row = processes.row(child.pid)
        child.stdin.close()
    assert row is not None
    assert (row.parent, row.group, row.ended) == (os.getpid(), os.getpgrp(), False)


def test_a_mark_finds_whoever_began_with_it_and_nobody_else():
    mark = f"WINDLASS_TEST_MARK={os.getpid()}"
    name, value = mark.split("=")
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", "print('up', flush=True); input()"], stdin=-1, stdout=-1, env={name: value}) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert [process.pid for process in processes.marked(mark)] == [child.pid]
        assert processes.marked(mark[:-1]) == []
        child.communicate(b"\n")


def rows(*lines: tuple[int, int, int]) -> list[Row]:
    return [Row(process=Process(pid=pid, started="x"), parent=parent, group=group, ended=False) for pid, parent, group in lines]


def test_the_groups_below_a_process_are_those_of_its_descendants_in_any_session():
    table = rows((1, 0, 1), (10, 1, 10), (11, 10, 11), (12, 11, 11), (13, 10, 13), (14, 13, 14), (20, 1, 20), (21, 20, 20))
    assert processes.groups_below(10, table) == {11, 13, 14}


def test_the_own_group_of_a_process_is_never_among_those_below():
    assert processes.groups_below(10, rows((10, 1, 10), (11, 10, 10), (12, 11, 12))) == {12}
    assert processes.groups_below(99, rows((10, 1, 10))) == frozenset()
