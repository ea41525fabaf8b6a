"""The orchestrator as a process: how it comes up, how it ends, what it does when its disk fails."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import pytest
from tests.unit.orchestrator import worlds

from windlass.infra import chain

PREAMBLE = """
import sys, pathlib
from windlass.errors import WindlassError
from windlass.fleet import AgentEntry, Fleet, Task
from windlass.infra import server
from windlass.orchestrator import app

def build(url):
    fleet = Fleet(name="f", agents={"a": AgentEntry(url=url)}, tasks={"T": Task(agent="a")})
    return app.create(fleet, token="token-of-the-worker", audit_path=pathlib.Path(sys.argv[1]))

def say(url):
    print(url, flush=True)

def refused(failure):
    print(type(failure).__name__, failure, flush=True)
    raise SystemExit(2)
"""
SERVE = """
try:
    app.run(build(sys.argv[2]), port=0, fd=int(sys.argv[3]) if len(sys.argv) > 3 else None, ready=say)
except WindlassError as failure:
    refused(failure)
"""
BODY = {"task_type": "T", "request_id": "r"}


@contextmanager
def started(code: str, *arguments: str, **options: Any) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    script = PREAMBLE + textwrap.dedent(code)
    process = subprocess.Popen([sys.executable, "-W", "error", "-c", script, *arguments], stdout=subprocess.PIPE, text=True, **options)
    assert process.stdout
    try:
        yield process, process.stdout
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        process.stdout.close()


def post(url: str, path: str = worlds.DISPATCH) -> tuple[int, Any]:
    request = urllib.request.Request(
        url + path, json.dumps(BODY).encode(), {"Authorization": f"Bearer {worlds.TOKEN}", "Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as failure:
        with failure:
            return failure.code, json.load(failure)


def outcomes(path) -> list[tuple[str, str]]:
    found = chain.scan(path.read_bytes())
    assert (found.breaks, found.torn) == ((), 0)
    return [(entry.fields["action"], entry.fields["outcome"]) for entry in found.entries]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_an_idle_service_at_once_and_cleanly(tmp_path, number):
    with started(SERVE, str(tmp_path / "audit"), "http://127.0.0.1:9") as (process, said):
        assert post(said.readline().strip())[0] == 200
        began = time.monotonic()
        process.send_signal(number)
        assert process.wait(5) == 0
        assert time.monotonic() - began < 2
    assert outcomes(tmp_path / "audit") == [("dispatch", "OK")]


def test_a_signal_ends_a_service_within_5_s_whatever_is_running_and_tells_the_caller_and_the_audit(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with started(SERVE, str(tmp_path / "audit"), url) as (process, said):
            service = said.readline().strip()
            answers: list[tuple[int, Any]] = []
            caller = threading.Thread(target=lambda: answers.append(post(service, worlds.EXECUTE)))
            caller.start()
            connection, _ = silent.accept()
            with connection:
                began = time.monotonic()
                process.terminate()
                assert process.wait(6) == 0
                assert time.monotonic() - began < 5
            caller.join(5)
    assert [(status, body["code"]) for status, body in answers] == [(503, "STOPPING")]
    assert outcomes(tmp_path / "audit") == [("dispatch", "OK"), ("execute", "STOPPED")]


def test_an_inherited_socket_is_served(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        fd = listener.fileno()
        with started(SERVE, str(tmp_path / "audit"), "http://127.0.0.1:9", str(fd), pass_fds=[fd]) as (_, said):
            assert said.readline().strip() == url
            assert post(url)[0] == 200


def test_a_descriptor_that_is_no_socket_is_refused(tmp_path):
    read, write = os.pipe()
    try:
        with started(SERVE, str(tmp_path / "audit"), "http://127.0.0.1:9", str(read), pass_fds=[read]) as (process, said):
            assert f"Refused file descriptor {read} is not an inherited socket" in said.read()
            assert process.wait(5) == 2
    finally:
        os.close(read)
        os.close(write)


def test_a_damaged_audit_keeps_the_service_from_starting_and_is_named(tmp_path):
    (tmp_path / "audit").write_text("not a chain\n")
    with started(SERVE, str(tmp_path / "audit"), "http://127.0.0.1:9") as (process, said):
        assert "UnusableRecord the audit can't be continued" in said.read()
        assert process.wait(5) == 2


def test_what_can_not_be_audited_is_not_dispatched(tmp_path):
    """A full disk, in the form of a file size limit: dispatch is refused until it can be audited, and the chain stays whole."""
    code = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n" + SERVE
    with started(code, str(tmp_path / "audit"), "http://127.0.0.1:9") as (process, said):
        url = said.readline().strip()
        answers = [post(url) for _ in range(5)]
        process.terminate()
        assert process.wait(5) == 0
    kept = outcomes(tmp_path / "audit")
    assert [status for status, _ in answers] == [200] * len(kept) + [503] * (5 - len(kept))
    assert 0 < len(kept) < 5
    assert answers[-1][1]["code"] == "UNAVAILABLE"


def test_an_audit_that_can_not_be_made_durable_any_more_ends_the_process(tmp_path):
    code = """
        import contextlib
        from fastapi import FastAPI
        from windlass.infra import chain
        from windlass.orchestrator import audit

        class Broken(chain.ChainedLog):
            def sync(self):
                raise OSError(5, "I/O error")

        @contextlib.asynccontextmanager
        async def lifespan(_):
            async with audit.opened(pathlib.Path(sys.argv[1]), on_death=server.stop_this_process, open_log=Broken) as opened:
                opened.write("dispatch", asked={}, agent_name=None, correlation_id="c", outcome="OK")
                yield

        try:
            server.serve(FastAPI(lifespan=lifespan), ready=say)
        except WindlassError as failure:
            refused(failure)
    """
    with started(code, str(tmp_path / "audit")) as (process, said):
        assert process.wait(10) == 2
        assert "Unavailable the service failed: OSError: [Errno 5] I/O error" in said.read()
