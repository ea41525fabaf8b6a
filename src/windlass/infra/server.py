"""Serving an app over HTTP: one listening socket, one uvicorn, a graceful stop. The orchestrator and the executor are both served by this."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import structlog
import uvicorn
import uvloop
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from windlass.errors import Refused, Unavailable, WindlassError
from windlass.infra.connection import Connection

GRACE_S = 3
"""Seconds that running requests get after SIGTERM; with closing what was opened, the process is gone within 5."""

_SCOPE_KEY = "windlass.stopping"

log = structlog.get_logger()


def serve(
    app: ASGIApp,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    fd: int | None = None,
    log_level: str = "warning",
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT or a lost terminal, then return. `fd` is an inherited socket that replaces host and port; port 0 takes a free one.

    `ready` is called once with the base URL, as soon as requests are answered. Raises Refused for an address that can't be had,
    and what the app's start or end raised (Unavailable when that was no WindlassError).
    """
    listener = inherited(fd) if fd is not None else bound(host, port)
    with contextlib.closing(listener), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_signalled(app, listener, log_level, ready))


def stopping(scope: Scope) -> asyncio.Event:
    """Set as soon as the server of this request stops: an answer without an end of its own (a stream of events) then ends, and costs no grace."""
    found: asyncio.Event = scope.get(_SCOPE_KEY) or asyncio.Event()
    return found


def stop_this_process() -> None:
    """End the serving process the way an operator would: what is running is finished, what is open is closed."""
    os.kill(os.getpid(), signal.SIGTERM)


@contextlib.asynccontextmanager
async def running(app: ASGIApp, listener: socket.socket, *, log_level: str = "warning") -> AsyncIterator[str]:
    """The base URL of `app`, served in this event loop on `listener` until the block ends."""
    server = _Server(app, log_level)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="uvicorn")
    try:
        await asyncio.wait([task, asyncio.ensure_future(server.up.wait())], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
            raise Unavailable("the server ended before it was up")
        yield base_url(listener)
    finally:
        server.should_exit = True
        server.up.set()
        await asyncio.wait([task])
    task.result()
    server.raise_failure()


def bound(host: str, port: int) -> socket.socket:
    """A listening TCP socket on `host`:`port`; raises Refused that says which port can't be had, and why."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, OverflowError, UnicodeError) as failure:
        raise Refused(f"can't listen on {host!r}, port {port}: {failure}") from failure
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as failure:
        listener.close()
        reason = "is in use" if failure.errno == errno.EADDRINUSE else f"can't be had: {failure.strerror}"
        raise Refused(f"port {port} on {host} {reason}") from failure
    return listener


def inherited(fd: int) -> socket.socket:
    """The stream socket that a parent process left open as `fd`; raises Refused for anything else."""
    try:
        listener = socket.socket(fileno=fd)
        is_stream = listener.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM
    except (OSError, OverflowError, ValueError) as failure:
        raise Refused(f"file descriptor {fd} is not an inherited socket: {failure}") from failure
    if not is_stream or listener.family not in {socket.AF_INET, socket.AF_INET6}:
        listener.detach()
        raise Refused(f"file descriptor {fd} is not a TCP socket")
    return listener


def base_url(listener: socket.socket) -> str:
    """`http://127.0.0.1:3001`: where a caller on this machine reaches the socket."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # not bound to here: translated into what a caller can use
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _until_signalled(app: ASGIApp, listener: socket.socket, log_level: str, ready: Callable[[str], None] | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, and a shell's background jobs, ask to be left alone
            loop.add_signal_handler(number, stop.set)
    async with running(app, listener, log_level=log_level) as url:
        if ready:
            ready(url)
        await stop.wait()


class _Passed(logging.Handler):
    """Passes the errors of uvicorn on to the service's own log. Lives as long as the process."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one on, unless it is told anyway: that the app did not start is raised, that a stop cancels requests is answered to them."""
        said = record.getMessage().strip()
        cancelled = record.exc_info is not None and isinstance(record.exc_info[1], asyncio.CancelledError)
        if not cancelled and not said.startswith(("Application ", "Cancel ")):
            log.error("the server met an error", action="serve", said=said, exc_info=record.exc_info)


def _take_over_log() -> None:
    """Keep uvicorn from writing to stderr itself: what any stranger can provoke is no line of ours, and the rest is a line like any other."""
    theirs = logging.getLogger("uvicorn.error")
    theirs.handlers, theirs.propagate = [_Passed()], False
    theirs.setLevel(logging.ERROR)


class _Server(uvicorn.Server):
    """A uvicorn that leaves signals and exit codes to its caller. Lives from start to stop of one service."""

    def __init__(self, app: ASGIApp, log_level: str) -> None:
        self.up = asyncio.Event()
        self._stopping = asyncio.Event()
        self._failures: list[Exception] = []
        super().__init__(
            uvicorn.Config(
                self._watched(app),
                loop="uvloop",
                http=Connection,
                ws="none",
                lifespan="on",
                access_log=False,
                log_config=None,
                log_level=log_level,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        _take_over_log()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        except SystemExit as exited:
            self.raise_failure()
            raise Unavailable("the service did not start") from exited
        self.up.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping.set()
        await super().shutdown(sockets)

    def raise_failure(self) -> None:
        """Raise what the app's start or end raised; a WindlassError as it is."""
        for failure in self._failures:
            if isinstance(failure, WindlassError):
                raise failure
            raise Unavailable(f"the service failed: {type(failure).__name__}: {failure}") from failure

    def _watched(self, app: ASGIApp) -> ASGIApp:
        """`app`, with what its lifespan raises kept: uvicorn would print a traceback and remember nothing."""

        async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
            async def terse(message: Message) -> None:
                await send({**message, "message": ""} if "message" in message else message)

            try:
                await app(scope, receive, terse)
            except Exception as failure:
                self._failures.append(failure)
                raise

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            scope[_SCOPE_KEY] = self._stopping
            await (lifespan if scope["type"] == "lifespan" else app)(scope, receive, send)

        return watched
