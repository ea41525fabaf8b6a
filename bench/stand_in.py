"""The agents that are swept by the benchmarks: a thousand of them behind one port, each answering after a set time.

They do real work, of the smallest kind (a square), so that the whole ladder of proof can be climbed, and they turn down an input
that is not an integer. What they cost is kept low (a bare protocol on uvloop): they share two cores with what is measured.

    python bench/stand_in.py --fd N --delay-ms 50
"""

from __future__ import annotations

import argparse
import asyncio
import socket
from typing import Any

import orjson
import uvloop


class Agents(asyncio.Protocol):
    """One kept-alive connection to any of the agents, one request at a time. Lives as long as the connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop, delay_s: float) -> None:
        self._loop, self._delay_s = loop, delay_s
        self._received = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, whole, body = self._received.partition(b"\r\n\r\n")
        if not whole:
            return
        at = head.lower().find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(body) >= length:
            self._received = b""
            self._loop.call_later(self._delay_s if length else 0, self._transport.write, _http(orjson.dumps(_answer(body) if length else {})))


def _answer(body: bytes) -> dict[str, Any]:
    asked = orjson.loads(body)
    number = asked["inputs"].get("number")
    echoed = {"request_id": asked["request_id"], "task_type": asked["task_type"], "provenance": {"engine": "deterministic"}}
    if type(number) is not int:
        error = {"code": "VALIDATION_ERROR", "message": "number: must be an integer", "details": {}}
        return {"status": "error", "ok": False, **echoed, "outputs": {}, "error": error}
    outputs = {"number": number, "square": number * number, "words": f"{number} times {number} is {number * number}"}
    return {"status": "ok", "ok": True, **echoed, "outputs": outputs, "artifacts": [], "warnings": [], "error": None}


def _http(content: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content)


async def _serve(listener: socket.socket, delay_s: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Agents(loop, delay_s), sock=listener, backlog=2048)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fd", type=int, required=True, help="inherited listening socket")
    parser.add_argument("--delay-ms", type=float, required=True)
    asked = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(socket.socket(fileno=asked.fd), asked.delay_ms / 1000))


if __name__ == "__main__":
    main()
