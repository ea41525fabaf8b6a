"""Runs the caller in another process, usually one inside a container, and speaks with it in JSON lines.

Nothing that comes back is believed: a line that is no answer to a call that was made ends the sweep, which is then unfinished and
not failed. The verdicts come from the same code, on the same bytes, as in a sweep from here.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import itertools
import math
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, get_args

import orjson

from windlass import model
from windlass.errors import Unavailable
from windlass.infra import http
from windlass.infra.redaction import Redactor
from windlass.sweep.calling import Caller, Calling
from windlass.sweep.inside.caller import PROTOCOL

SILENCE_S = 30.0
"""Seconds without a word from here after which the caller ends by itself: an engine may lose a connection and not say so."""
_BEAT_S = 5.0
_HELLO_S = 60.0
"""Seconds that a container may take to start a Python."""
_ENDING_S = 5.0
_LONGEST_EXTRA = 64 * 1024
"""Characters of an answer's line beyond its body."""
_BANNER = 256 * 1024
"""Characters that others may print before the caller's first line."""
_LAST_WORDS = 2000
_FAULTS: tuple[model.Fault | None, ...] = (None, *get_args(model.Fault))


@dataclass(frozen=True, kw_only=True)
class Start:
    """How a caller is started. Lives as long as the sweep.

    `argv` runs Python on the program that it is given with `-c`; `environment` is that of the process here.
    """

    argv: Callable[[str], Sequence[str]]
    """Program text → the command."""
    environment: Mapping[str, str] = field(repr=False)
    variables: Mapping[str, str] = field(repr=False)
    """Variable → bearer token that the caller finds in its environment, so that no token is ever part of a line or a command."""
    where: str
    """What the caller runs in, for messages."""
    largest: int
    """Bytes of the largest body that is brought back."""
    next_command: Callable[[str], str]
    grace_s: float = 15.0
    """Seconds that a call may take beyond its own time before the caller is given up."""


def source() -> bytes:
    """The caller's one file."""
    return resources.files("windlass.sweep.inside").joinpath("caller.py").read_bytes()


def bootstrap(word: str, silence_s: float = SILENCE_S) -> str:
    """A program for `python3 -c` that reads the caller from stdin and runs it: no file is left behind, and none is needed to be writable."""
    length = len(source())
    return (
        f"import sys;s=sys.stdin.buffer.read({length});"
        f"g={{'__name__':'windlass_caller'}};exec(compile(s,'windlass_caller.py','exec'),g);g['main']({word!r},{silence_s!r})"
    )


def through(start: Start) -> Calling:
    """Opens a caller that is started so."""

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[Caller]:
        caller = _Remote(start)
        try:
            await caller.open()
            yield caller
        finally:
            await caller.close()

    return opened


class _Remote:
    """The near end of one caller. Lives as long as its `async with`."""

    _process: asyncio.subprocess.Process

    def __init__(self, start: Start) -> None:
        self._start = start
        self._redactor = Redactor(start.variables.values())
        self._variable = {token: variable for variable, token in start.variables.items()}
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[http.Answer]] = {}
        self._caps: dict[int, int] = {}
        self._gone: Unavailable | None = None
        self._words = b""
        self._tasks: list[asyncio.Task[None]] = []
        self._sending = asyncio.Lock()

    def next_command(self, command: str) -> str:
        """The command as it reaches inside."""
        return self._start.next_command(command)

    async def open(self) -> None:
        """Start the caller and hear its first line; raises Unavailable that repeats what the command said."""
        word = secrets.token_hex(8)
        pipe = asyncio.subprocess.PIPE
        argv = self._start.argv(bootstrap(word))
        try:
            self._process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                env=self._start.environment,
                limit=self._start.largest * 4 // 3 + _LONGEST_EXTRA,
                start_new_session=True,  # Ctrl-C is for us: we end the caller in good order
            )
        except OSError as failure:
            raise Unavailable(f"{argv[0]}: can't be run: {failure.strerror}") from failure
        self._tasks.append(asyncio.create_task(self._listen_to_complaints()))
        try:
            await self._send(source())
            async with asyncio.timeout(_HELLO_S):
                await self._hello(word)
        except TimeoutError:
            raise Unavailable(f"the caller in {self._start.where} did not start within {_HELLO_S:g} s{self._complaint()}") from None
        self._tasks += [asyncio.create_task(self._guarded(self._listen())), asyncio.create_task(self._guarded(self._beat()))]

    async def close(self) -> None:
        """End the caller: the end of its stdin ends it, wherever it runs; then the command that connects to it."""
        self._gone = self._gone or Unavailable("the sweep has ended")
        process = getattr(self, "_process", None)
        readers = self._tasks[1:]
        for task in readers:
            task.cancel()
        await asyncio.gather(*readers, return_exceptions=True)  # one reader at a time
        if process is not None:
            process.stdin.close()
            reading = asyncio.create_task(_drained(process.stdout))  # an answer that is still on its way must not keep the command from ending
            try:
                async with asyncio.timeout(_ENDING_S):
                    await process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
            reading.cancel()
            self._tasks.append(reading)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def post(self, url: str, body: bytes, token: str | None, *, timeout_s: float, cap: int) -> http.Answer:
        """One call there."""
        if self._gone:
            raise Unavailable(str(self._gone))
        number = next(self._numbers)
        asked: dict[str, Any] = {"id": number, "url": url, "body": base64.b64encode(body).decode(), "timeout_s": timeout_s, "cap": cap}
        if token is not None:
            variable = self._variable.get(token)
            asked |= {"variable": variable} if variable else {"bearer": token}  # the wrong token of the door is no secret
        answer: asyncio.Future[http.Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        self._caps[number] = cap
        try:
            await self._send(orjson.dumps(asked) + b"\n")
            async with asyncio.timeout(timeout_s + self._start.grace_s):
                return await answer
        except TimeoutError:
            self._give_up(f"it left a call unanswered {self._start.grace_s:g} s beyond its time")
            raise Unavailable(str(self._gone)) from None
        finally:
            self._waiting.pop(number, None)

    async def _send(self, content: bytes) -> None:
        stdin = self._process.stdin
        if stdin is None:
            raise RuntimeError("the caller was started without a pipe")
        try:
            async with self._sending:
                stdin.write(content)
                await stdin.drain()
        except (ConnectionError, RuntimeError):
            return  # the end of its output says why

    async def _hello(self, word: str) -> None:
        """Skip what others print before the caller's first line, up to so much."""
        seen = 0
        while seen < _BANNER:
            line = await self._line()
            if not line:
                await asyncio.wait({self._tasks[0]}, timeout=_ENDING_S)
                raise Unavailable(f"the caller in {self._start.where} did not start{self._complaint()}")
            seen += len(line)
            said = _parsed(line)
            if said.get("hello") == word:
                if said.get("protocol") != PROTOCOL:
                    raise Unavailable(f"the caller in {self._start.where} speaks protocol {said.get('protocol')!r}, not {PROTOCOL}")
                return
        raise Unavailable(f"{self._start.where} prints more than {_BANNER} characters before the caller's first line")

    async def _line(self) -> bytes:
        stdout = self._process.stdout
        if stdout is None:
            raise RuntimeError("the caller was started without a pipe")
        try:
            return await stdout.readline()
        except ValueError:  # longer than any answer
            raise Unavailable(f"{self._start.where} sent a line that is longer than any answer") from None

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Unavailable as failure:
            self._give_up(str(failure))

    async def _listen(self) -> None:
        while line := await self._line():
            number, answer = self._understood(line)
            waiting = self._waiting.get(number)
            if waiting and not waiting.done():
                waiting.set_result(answer)
        await asyncio.wait({self._tasks[0]}, timeout=_ENDING_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ENDING_S):
                await self._process.wait()
        code = self._process.returncode
        raise Unavailable(f"its command ended{'' if code is None else f' with {code}'}{self._complaint()}")

    def _understood(self, line: bytes) -> tuple[int, http.Answer]:
        """The answer in a line; raises Unavailable for anything that our caller would not say about a call that was made."""
        said = _parsed(line)
        match said:
            case {
                "id": int(number),
                "status": int(status),
                "body": str(text),
                "elapsed_ms": int() | float() as elapsed,
                "fault": None | str() as fault,
                "detail": str(detail),
            } if type(number) is int and type(status) is int:  # True is an int to Python, and no number to JSON
                cap, body = self._caps.pop(number, None), _decoded(text)
                known = cap is not None and body is not None and len(body) <= cap
                answered = 100 <= status <= 999 or (status == 0 and fault is not None)
                if known and answered and fault in _FAULTS and 0 <= elapsed < math.inf:
                    return number, http.Answer(status=status, body=body or b"", elapsed_ms=float(elapsed), fault=fault, detail=detail)
        begins = model.clip(self._redactor.text(line.decode("utf-8", "replace").strip()), 80)
        raise Unavailable(f"it sent a line that answers no call: {begins}")

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_BEAT_S)
            await self._send(b"\n")

    async def _listen_to_complaints(self) -> None:
        stderr = self._process.stderr
        while stderr and (piece := await stderr.read(65536)):
            self._words = (self._words + piece)[-16 * _LAST_WORDS :]

    def _complaint(self) -> str:
        """What the command said last, without secrets: the end of it, where the reason is."""
        words = " ".join(self._redactor.bytes(self._words).decode("utf-8", "replace").split())
        return f": {words[-_LAST_WORDS:]}" if words else ""

    def _give_up(self, reason: str) -> None:
        """Let every call that waits know that nobody will answer it."""
        if self._gone is None:
            self._gone = Unavailable(f"the caller in {self._start.where} is gone, the sweep is unfinished: {reason}; complete it with --resume")
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(Unavailable(str(self._gone)))


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


async def _drained(stream: asyncio.StreamReader | None) -> None:
    while stream and await stream.read(65536):
        pass
