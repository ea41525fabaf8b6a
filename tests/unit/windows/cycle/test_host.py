"""What the host is loaded with, as the kernel's files say it; what they don't say is not told."""

from __future__ import annotations

from pathlib import Path

from windlass.windows.cycle.host import Host


def proc(directory: Path, **files: str) -> Path:
    for name, text in files.items():
        path = directory / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory


def test_cpu_is_what_was_not_idle_since_the_last_look(tmp_path: Path):
    host = Host(proc(tmp_path, stat="cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 1 1 1\n"))
    proc(tmp_path, stat="cpu  130 0 100 760 110 0 0 0 0 0\n")
    assert host.cpu() == 30.0
    assert host.cpu() is None, "no time has passed"


def test_memory_and_pressure_are_read_as_they_stand(tmp_path: Path):
    some = "some avg10={} avg60=0.00 avg300=0.00 total=1\nfull avg10=99.00 avg60=0.00 avg300=0.00 total=1\n"
    meminfo = "MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  250 kB\n"
    host = Host(proc(tmp_path, meminfo=meminfo, pressure__cpu=some.format("12.50"), pressure__io=some.format("0.00")))
    assert (host.memory(), host.pressure()) == (75.0, {"cpu": 12.5, "io": 0.0})


def test_a_system_without_these_files_tells_nothing(tmp_path: Path):
    host = Host(tmp_path)
    assert (host.cpu(), host.memory(), host.pressure()) == (None, None, {})


def test_files_that_say_something_else_tell_nothing(tmp_path: Path):
    host = Host(proc(tmp_path, stat="", meminfo="MemTotal: lots kB\nMemAvailable: 1 kB\n", pressure__cpu="", pressure__memory="some avg10=x"))
    assert (host.cpu(), host.memory(), host.pressure()) == (None, None, {})
