"""An engine of the test's own, which it may kill and start again: a second `dockerd`, with an image of one program, touching no other engine."""

import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.real import REQUIRED
from windlass.windows import processes

IMAGE = "windlass-test-sleep:1"
UP_S = 40.0


def needed() -> None:
    """Skip the test where no second engine can be started; fail instead where WINDLASS_REQUIRE_DOCKER=1 says that there must be one."""
    why = ""
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        why = "needs root and dockerd, to start an engine of its own"
    elif subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
        why = "needs Compose v2"
    if why and os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{REQUIRED}=1, but it {why}")
    if why:
        pytest.skip(why)


class OwnEngine:
    """One `dockerd` in a directory. Lives as long as its `with`, however often it is restarted meanwhile."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.host = f"unix://{directory / 'd.sock'}"
        self.environment = {**os.environ, "DOCKER_HOST": self.host}
        self._log = (directory / "log").open("wb")
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        place = self.directory
        argv = ["dockerd", "--data-root", f"{place}/data", "--exec-root", f"{place}/x", "--pidfile", f"{place}/pid", "--host", self.host]
        (place / "pid").unlink(missing_ok=True)
        options = ["--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"]
        self._daemon = subprocess.Popen([*argv, *options], stdout=self._log, stderr=self._log, start_new_session=True)
        end = time.monotonic() + UP_S
        while self.docker("version", check=False) is None:
            assert self._daemon.poll() is None, (place / "log").read_text()[-1500:]
            assert time.monotonic() < end, (place / "log").read_text()[-1500:]
            time.sleep(0.05)

    def end(self, number: signal.Signals) -> None:
        """End it by this signal and wait until it is gone."""
        assert self._daemon is not None
        self._daemon.send_signal(number)
        self._daemon.wait(60)
        self._wait_for_containerd()

    def _wait_for_containerd(self) -> None:
        """A killed daemon takes its containerd along; one that nobody has reaped yet would be taken for a running one by the next daemon."""
        place = self.directory / "x/containerd/containerd.pid"
        end = time.monotonic() + 10
        while place.exists() and _runs(int(place.read_text() or 0)):
            assert time.monotonic() < end, "containerd outlives its daemon"
            time.sleep(0.02)
        place.unlink(missing_ok=True)

    def docker(self, *arguments: str, check: bool = True, given: bytes = b"") -> list[str] | None:
        """What `docker` prints, by lines; None where it failed and `check` is off."""
        ran = subprocess.run(["docker", *arguments], env=self.environment, input=given, capture_output=True, check=False)
        assert not (check and ran.returncode), ran.stderr
        return None if ran.returncode else ran.stdout.decode().splitlines()

    def running(self) -> set[str]:
        """`project/service` of everything that runs."""
        form = '{{.Label "com.docker.compose.project"}}/{{.Label "com.docker.compose.service"}}'
        return set(self.docker("ps", "--format", form) or ())

    def close(self) -> None:
        """Remove what runs, and the engine."""
        if self._daemon is not None and self._daemon.poll() is None:
            if found := self.docker("ps", "-aq", check=False):
                self.docker("rm", "-f", *found, check=False)
            self.end(signal.SIGTERM)
        self._log.close()
        for pid in _of(self.directory):  # what outlives a daemon that could not be started again
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for line in Path("/proc/self/mounts").read_text().splitlines():  # what a killed daemon left mounted
            if (place := line.split()[1]).startswith(f"{self.directory}/"):
                subprocess.run(["umount", "-l", place], capture_output=True, check=False)


@contextlib.contextmanager
def own_engine() -> Iterator[OwnEngine]:
    """An engine that answers and has the image."""
    with tempfile.TemporaryDirectory(prefix="wld", ignore_cleanup_errors=True) as made:  # short: a socket's path may have 107 characters
        engine = OwnEngine(Path(made))
        try:
            engine.start()
            engine.docker("import", "-", IMAGE, given=_image())
            yield engine
        finally:
            engine.close()


def _of(directory: Path) -> list[int]:
    """The processes that name the directory in their arguments, and their children: shims and what they keep."""
    rows = {row.process.pid: row.parent for row in processes.table()}
    named = {pid for pid in rows if f"{directory}/" in _arguments(pid)}
    return sorted(named | {pid for pid, parent in rows.items() if parent in named})


def _arguments(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def _image() -> bytes:
    """A root with /bin/sleep and what it is linked to, as a tar file."""
    program = shutil.which("sleep") or "/bin/sleep"
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for place in re.findall(r"(/\S+) \(0x", linked):
            tar.add(os.path.realpath(place), place)
        tar.add(os.path.realpath(program), "/bin/sleep")
    return made.getvalue()
