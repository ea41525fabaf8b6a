"""What comes back from somebody's container is not believed: only our caller's answers count, and without it nothing is judged."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from windlass.errors import Unavailable
from windlass.sweep.inside import running

TOKEN = "token-of-the-sweep-51c2"
LARGEST = 100_000
ANSWER = {"id": 1, "status": 200, "body": base64.b64encode(b"{}").decode(), "elapsed_ms": 1.0, "fault": None, "detail": ""}

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


def start(program_for=lambda program: program, **variables: str) -> running.Start:
    return running.Start(
        argv=lambda program: [sys.executable, "-c", program_for(program)],
        environment={**os.environ, **variables},
        variables=variables,
        where="service orchestrator",
        largest=LARGEST,
        next_command=str,
    )


def instead(script: str) -> running.Start:
    """Something else than our caller, which knows the word that ours would say: it can say `hello()` and `say(line)`."""

    def program_for(program: str) -> str:
        word = re.search(r"\('([0-9a-f]{16})'", program)
        assert word
        prelude = f"""
import json, os, sys, time
def say(line): sys.stdout.write((line if isinstance(line, str) else json.dumps(line)) + "\\n"); sys.stdout.flush()
def hello(**more): say({{"hello": {word[1]!r}, "protocol": 1, **more}})
sys.stdin.buffer.read({len(running.source())})
"""
        return prelude + script

    return start(program_for, WORKER_SERVICE_TOKEN=TOKEN)


async def answered(by: running.Start, *, timeout_s: float = 5):
    async with running.through(by)() as caller:
        return await caller.post("http://127.0.0.1:9", b"{}", TOKEN, timeout_s=timeout_s, cap=1000)


async def test_what_others_print_before_our_first_line_is_no_matter():
    script = (
        f"print('welcome', {{}}, '[]'); sys.stdout.write('no end of line'); say(''); hello(); sys.stdin.readline(); say({ANSWER!r}); sys.stdin.read()"
    )
    assert (await answered(instead(script))).body == b"{}"


async def test_the_token_stands_in_no_line_and_in_no_command():
    seen: list[str] = []

    def program_for(program: str) -> str:
        seen.append(program)
        return program

    by = start(program_for, WORKER_SERVICE_TOKEN=TOKEN)
    await answered(by)
    assert TOKEN not in seen[0]
    assert TOKEN not in repr(by)
    spy = f"hello(); line = sys.stdin.readline(); say({ANSWER!r} | {{'detail': line[:900]}}); sys.stdin.read()"
    asked = json.loads((await answered(instead(spy))).detail)
    assert asked["variable"] == "WORKER_SERVICE_TOKEN"
    assert TOKEN not in json.dumps(asked)


@pytest.mark.parametrize(
    "said",
    [
        "garbage",
        "",
        "[]",
        "{}",
        "\\xff\\x00",
        ANSWER | {"id": 2},
        ANSWER | {"id": True},
        ANSWER | {"id": "1"},
        ANSWER | {"status": 0},
        ANSWER | {"status": 99},
        ANSWER | {"status": 2.5},
        ANSWER | {"body": "%%%"},
        ANSWER | {"body": base64.b64encode(b"x" * 1001).decode()},
        ANSWER | {"body": None},
        ANSWER | {"elapsed_ms": -1},
        ANSWER | {"elapsed_ms": "1"},
        ANSWER | {"elapsed_ms": float("inf")},
        ANSWER | {"fault": "GREAT"},
        ANSWER | {"fault": ["DNS"]},
        ANSWER | {"detail": 7},
        {key: value for key, value in ANSWER.items() if key != "fault"},
    ],
    ids=lambda said: str(said)[:60],
)
async def test_a_line_that_answers_no_call_ends_the_sweep_unfinished(said):
    with pytest.raises(Unavailable, match=r"the caller in service orchestrator is gone, the sweep is unfinished: .*--resume") as refusal:
        await answered(instead(f"hello(); sys.stdin.readline(); say({said!r}); sys.stdin.read()"))
    assert len(str(refusal.value)) < 500


async def test_a_line_that_is_longer_than_any_answer_ends_the_sweep_unfinished():
    with pytest.raises(Unavailable, match=r"sweep is unfinished: service orchestrator sent a line that is longer than any answer"):
        await answered(instead("hello(); sys.stdin.readline(); say('x' * 10_000_000); sys.stdin.read()"))


async def test_an_answer_given_twice_ends_the_sweep_unfinished():
    script = f"hello(); sys.stdin.readline(); say({ANSWER!r}); say({ANSWER!r}); sys.stdin.readline(); sys.stdin.read()"
    async with running.through(instead(script))() as caller:
        await caller.post("http://127.0.0.1:9", b"{}", None, timeout_s=5, cap=1000)
        with pytest.raises(Unavailable, match="answers no call"):
            await caller.post("http://127.0.0.1:9", b"{}", None, timeout_s=5, cap=1000)


async def test_a_secret_in_a_line_or_in_the_last_words_is_not_repeated():
    for script in (
        "hello(); sys.stdin.readline(); say('oh: ' + os.environ['WORKER_SERVICE_TOKEN']); sys.stdin.read()",
        "hello(); sys.stdin.readline(); sys.stderr.write('died of ' + os.environ['WORKER_SERVICE_TOKEN']); sys.exit(3)",
        "sys.stderr.write('died of ' + os.environ['WORKER_SERVICE_TOKEN']); sys.exit(3)",
    ):
        with pytest.raises(Unavailable, match=r"\[redacted\]") as refusal:
            await answered(instead(script))
        assert TOKEN not in str(refusal.value)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("sys.stderr.write('no such container'); sys.exit(1)", "did not start: no such container"),
        ("hello(protocol=2)", "speaks protocol 2, not 1"),
        ("say({'hello': 'somebody else'})", "did not start"),
        ("say('x' * 1000 + '\\n' + 'y' * 1000) or [say('z' * 1000) for _ in range(1000)]; sys.stdin.read()", "prints more than"),
        ("sys.stdout.write('x' * 10_000_000); sys.stdout.flush(); sys.stdin.read()", "longer than any answer"),
        ("hello(); sys.stdin.readline(); sys.stderr.write('OOM'); os._exit(137)", "its command ended with 137: OOM"),
        ("hello(); sys.stdin.readline(); os.kill(os.getpid(), 9)", "its command ended with -9"),
        ("hello(); sys.stdin.close()", "its command ended with 0"),
    ],
)
async def test_a_caller_that_does_not_start_or_dies_is_told_with_its_last_words(script: str, reason: str):
    with pytest.raises(Unavailable, match=re.escape(reason)):
        await answered(instead(script))


async def test_a_command_that_does_not_exist_is_told():
    by = running.Start(
        argv=lambda _: ["/nowhere/docker"], environment={}, variables={}, where="service orchestrator", largest=LARGEST, next_command=str
    )
    with pytest.raises(Unavailable, match=r"/nowhere/docker: can't be run: No such file"):
        await answered(by)


async def test_the_end_of_the_sweep_ends_the_caller_also_while_a_peer_holds_its_call(tmp_path: Path):
    told = tmp_path / "pid"
    note = f"import os; open({str(told)!r}, 'w').write(str(os.getpid())); "
    by = start(lambda program: note + program)

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(hold, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        began = time.monotonic()
        async with running.through(by)() as caller:
            call = asyncio.create_task(caller.post(url, b"{}", None, timeout_s=100, cap=10))
            await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait({call})
        assert time.monotonic() - began < 4
    with pytest.raises(ProcessLookupError):
        os.kill(int(told.read_text()), 0)


async def test_a_caller_that_hears_nobody_ends_by_itself():
    """An engine can lose a connection without closing it: the caller must not stay behind in somebody's container."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", running.bootstrap("w", silence_s=0.3), stdin=pipe, stdout=pipe)
    assert process.stdin
    process.stdin.write(running.source())
    assert await asyncio.wait_for(process.wait(), 10) == 0
    process.stdin.close()


async def test_a_caller_that_answers_nothing_is_given_up():
    deaf = replace(instead("hello(); sys.stdin.read()"), grace_s=0.2)
    with pytest.raises(Unavailable, match=r"left a call unanswered 0\.2 s beyond its time"):
        await answered(deaf, timeout_s=0.1)
