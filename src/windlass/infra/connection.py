"""One connection of a service: what comes before a request's body is bounded in bytes and in time.

The HTTP parser itself takes headers without end and waits for them for ever; anybody who reaches the port could fill the memory or use
up the connections, without a token.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from windlass import model

MAX_HEAD = 64 * 1024
"""Bytes of a request line with its headers; one more piece is HEAD_TOO_LARGE."""

_REASONS = {400: b"Bad Request", 431: b"Request Header Fields Too Large"}


class Connection(HttpToolsProtocol):
    """Passes requests on, and ends itself when a head does not come to its end. Lives as long as the connection."""

    head_s = 10.0
    """Seconds in which a head must have come, from the connection or from its own beginning on."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._under_way = 0  # requests whose head is complete and whose answer is not
        self._in_head = False
        self._head = 0
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Wait for the first head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, and look whether it is still a head."""
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head += len(data)
            if self._head > MAX_HEAD:
                self._refuse(431, "HEAD_TOO_LARGE", f"the request line and headers are larger than {MAX_HEAD} bytes")
                return
        if not self._under_way:
            self._await_head()

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._in_head, self._head = True, 0

    def on_headers_complete(self) -> None:
        """The head is there: from here on the app bounds what it reads."""
        self._in_head = False
        self._under_way += 1
        self._stop_waiting()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """The answer is out; uvicorn waits for the next request."""
        self._under_way -= 1
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, in the shape of every error."""
        del msg
        self._refuse(400, "NOT_HTTP", "this is not a request of HTTP/1.1")

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: the request is answered as if it had not asked."""

    def _await_head(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(self.head_s, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Answer and close; where an answer has begun already, its end is all that the peer gets to know."""
        cycle: Any = self.cycle  # None before the first request, whatever uvicorn declares
        if cycle is None or cycle.response_complete or not cycle.response_started:
            problem = model.ErrorBody(error=code, message=message, code=code, correlation_id=uuid.uuid4().hex)
            body = orjson.dumps(problem.model_dump(exclude_none=True))
            head = b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            self.transport.write(head % (status, _REASONS[status], len(body)) + body)
        self.transport.close()
