"""Small real services for the tests of windows, and a look at the process table that shares no code with what it checks."""

import asyncio
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from windlass.windows import kept
from windlass.windows.kept import Kept
from windlass.windows.processes import Process
from windlass.windows.rules import Service

PYTHON = (sys.executable, "-I", "-S", "-c")
ANSWER = """
import os, signal, socket, sys, time
def answer():
    listening = socket.socket(fileno=int(sys.argv[1]))
    while True:
        connection, _ = listening.accept()
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n")
        connection.close()
"""
SERVE = ANSWER + "answer()"
IGNORE_TERM = ANSWER + "signal.signal(signal.SIGTERM, signal.SIG_IGN); answer()"
DAEMON = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.close(int(sys.argv[1]))
        while True: time.sleep(60)
    os._exit(0)
os.wait()
"""
SERVE_WITH_DAEMON = ANSWER + DAEMON + "answer()"


class World:
    """One test's services, their directory and their tag, by which their processes are found wherever they hide; lives as long as the test."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state_dir = directory / "state"
        self.tag = secrets.token_hex(16)
        self.ports: dict[str, int] = {}

    def service(self, name="web", code=SERVE, *, env=None, listen=True, argv=None, **settings) -> Service:
        """A service that inherits a listening socket; `listen=False` only reserves its port."""
        listening = socket.create_server(("127.0.0.1", 0))
        self.ports[name] = listening.getsockname()[1]
        descriptor = listening.detach()
        if not listen:
            os.close(descriptor)
        return Service(
            name=name,
            argv=argv or (*PYTHON, code, str(descriptor)),
            env={"TEST_TAG": self.tag, **(env or {})},
            directory=self.directory,
            ready_url=f"http://127.0.0.1:{self.ports[name]}/health",
            log_file=self.directory / f"{name}.log",
            listen_fd=descriptor if listen else None,
            **{"stop_grace_s": 0.3, "start_timeout_s": 20.0, **settings},
        )

    def processes(self) -> list[int]:
        """The pids of every running process that began with this world's tag."""
        return tagged(self.tag)

    def kept(self, name="web") -> Kept:
        """What the service's keeper last wrote."""
        found = kept.read(self.state_dir, name)
        assert found is not None
        return found

    def first(self, name="web") -> Process:
        """The service's own process, as its keeper wrote it."""
        found = self.kept(name).process
        assert found is not None
        return found

    def is_listening(self, name="web") -> bool:
        """Whether the service's port takes connections."""
        with socket.socket() as caller:
            caller.settimeout(2)
            return caller.connect_ex(("127.0.0.1", self.ports[name])) == 0


@contextmanager
def world(directory: Path) -> Iterator[World]:
    """A world of which nothing is left behind, also when its test fails."""
    made = World(directory)
    try:
        yield made
    finally:
        for pid in made.processes():
            os.kill(pid, 9)


def tagged(tag: str) -> list[int]:
    """The pids of the processes whose environment began with this tag."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                if f"TEST_TAG={tag}".encode() in (place / "environ").read_bytes():
                    found.append(int(place.name))
            except OSError:
                continue
    return found


async def until(condition: Callable[[], object], limit_s: float) -> bool:
    """Wait for a condition; False when it did not come true in time."""
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.01)
    return True
