"""Dispatch, measured against a bare FastAPI endpoint in the same run.

Measures: POST /api/ai/router/dispatch of the orchestrator (bearer check, strict validation, routing, one chained audit entry
in a file per request, fsynced in groups) against an `@app.post` with a Pydantic body model and a dict result, which does none
of that. Both on one uvicorn worker (uvloop, httptools, no access log) in a process of its own; the same body, the same client,
kept-alive connections over loopback. The client is a raw asyncio protocol, so that it is not what is measured; its share of a
core is printed beside the figures.

Throughput is compared round by round, each pair back to back and the order changing (A B, B A, ...); the ratio is the median of
the pairs, with their range and the machine's load beside it. On a busy machine single pairs differ by more than the two sides
do: read the ratio together with its range, and with the server's CPU time per request, which hardly depends on the neighbours.

    python bench/dispatch.py [--json] [--rounds 16] [--requests 1000] [--connections 32]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson
import uvloop

PATH = "/api/ai/router/dispatch"
TOKEN = "bench-token-of-nobody"
BODY = {
    "task_type": "TASK_17",
    "request_id": "req_20261120T221404512Z_0017",
    "workflow_id": "wf-1",
    "user_id": "user-1",
    "domain_id": "clinical",
    "mode": "DEMO",
    "risk_tier": "NON_SENSITIVE",
    "inputs": {"claims": ["The drug halves the risk."], "groundingPack": {"chunks": [{"id": "c1", "text": "Risk ratio 0.50."}]}},
    "budgets": {"timeout_ms": 30_000},
}
Side = Literal["windlass", "bare"]


@dataclass(kw_only=True)
class Measured:
    """What one side did; grows by a round at a time."""

    throughput: list[float] = field(default_factory=list)
    latency_ms: list[float] = field(default_factory=list)
    server_cpu_us: list[float] = field(default_factory=list)
    client_share: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        ordered = sorted(self.latency_ms)
        return {
            "requests_per_s": round(statistics.median(self.throughput)),
            "p50_ms": round(ordered[len(ordered) // 2], 2),
            "p99_ms": round(ordered[len(ordered) * 99 // 100], 2),
            "server_cpu_us": round(statistics.fmean(self.server_cpu_us), 1),
            "client_share_of_core": round(statistics.median(self.client_share), 2),
        }


class _Connection(asyncio.Protocol):
    """One kept-alive connection that asks again as soon as it is answered. Lives for one round."""

    def __init__(self, request: bytes, left: deque[None], measured: list[float]) -> None:
        self._request, self._left, self._measured = request, left, measured
        self._buffer = b""
        self._asked = 0.0
        self._transport: Any = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        place = head.lower().index(b"content-length:")
        if len(body) < int(head[place + 15 :].split(b"\r\n", 1)[0]):
            return
        self._measured.append((time.perf_counter() - self._asked) * 1000)
        self._buffer = b""
        if not head.startswith(b"HTTP/1.1 200 ") or b'"agent_url":"http://127.0.0.1:9001/agent-17"' not in body:
            self.done.set_exception(RuntimeError(f"not a dispatch: {head!r} {body[:300]!r}"))
        else:
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server closed the connection"))

    def _ask(self) -> None:
        if self._left:
            self._left.pop()
            self._asked = time.perf_counter()
            self._transport.write(self._request)
        elif not self.done.done():
            self.done.set_result(None)
            self._transport.close()


async def _load(port: int, requests: int, connections: int) -> list[float]:
    content = orjson.dumps(BODY)
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    left: deque[None] = deque([None] * requests)
    measured: list[float] = []
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: _Connection(head.encode() + content, left, measured), "127.0.0.1", port) for _ in range(connections)]
    await asyncio.wait_for(asyncio.gather(*(protocol.done for _, protocol in made)), 120)
    return measured


def _round(port: int, pid: int, measured: Measured, requests: int, connections: int) -> None:
    server, client, started = _cpu_s(pid), time.process_time(), time.perf_counter()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        latencies = runner.run(_load(port, requests, connections))
    elapsed = time.perf_counter() - started
    measured.latency_ms += latencies
    measured.throughput.append(len(latencies) / elapsed)
    measured.server_cpu_us.append((_cpu_s(pid) - server) / len(latencies) * 1e6)
    measured.client_share.append((time.process_time() - client) / elapsed)


def _cpu_s(pid: int) -> float:
    after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _served(side: Side, state: Path) -> Iterator[tuple[int, int]]:
    """The port and the process id of a server that answers."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    with listener:
        port = listener.getsockname()[1]
        argv = [sys.executable, __file__, "--serve", side, "--fd", str(listener.fileno()), "--state", str(state)]
        process = subprocess.Popen(argv, pass_fds=[listener.fileno()])
    try:
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(10)


def _bare() -> Any:
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Task(BaseModel):
        task_type: str
        request_id: str
        workflow_id: str | None = None
        user_id: str | None = None
        domain_id: str | None = None
        mode: Literal["DEMO", "LIVE"] = "DEMO"
        risk_tier: Literal["PHI", "SENSITIVE", "NON_SENSITIVE"] = "NON_SENSITIVE"
        inputs: dict[str, Any] = {}
        budgets: dict[str, Any] = {}

    app = FastAPI()

    async def dispatch(task: Task) -> dict[str, Any]:
        return {
            "dispatch_type": "agent",
            "agent_name": "agent-17",
            "agent_url": "http://127.0.0.1:9001/agent-17",
            "budgets": task.budgets,
            "rag_plan": {},
            "request_id": task.request_id,
        }

    dispatch.__annotations__["task"] = Task  # a local class, which a string annotation does not find
    app.post(PATH)(dispatch)
    return app


def _ours(state: Path) -> Any:
    from windlass.fleet import AgentEntry, Fleet, Task
    from windlass.orchestrator import app, audit

    numbers = range(31)
    fleet = Fleet(
        name="bench",
        agents={f"agent-{number}": AgentEntry(url=f"http://127.0.0.1:9001/agent-{number}") for number in numbers},
        tasks={f"TASK_{number}": Task(agent=f"agent-{number}") for number in numbers},
    )
    return app.create(fleet, token=TOKEN, audit_path=state / audit.NAME)


def _compare(rounds: int, requests: int, connections: int) -> dict[str, Any]:
    sides: dict[Side, Measured] = {"windlass": Measured(), "bare": Measured()}
    with ExitStack() as opened, tempfile.TemporaryDirectory() as state:
        servers = {side: opened.enter_context(_served(side, Path(state))) for side in sides}
        for port, pid in servers.values():
            _round(port, pid, Measured(), min(500, requests), connections)  # warm, not counted
        for number in range(rounds):
            for side in list(servers)[:: -1 if number % 2 else 1]:
                _round(*servers[side], sides[side], requests, connections)
    ours, bare = sides["windlass"].figures(), sides["bare"].figures()
    pairs = [a / b for a, b in zip(sides["windlass"].throughput, sides["bare"].throughput, strict=True)]
    return {
        "measured": "POST dispatch with auth, strict validation, routing and a chained audit entry, against a bare FastAPI endpoint",
        "rounds": rounds,
        "requests_per_round": requests,
        "connections": connections,
        "load_average": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
        "windlass": ours,
        "bare": bare,
        "ratios": {
            "throughput": round(statistics.median(pairs), 2),
            "throughput_range": [round(min(pairs), 2), round(max(pairs), 2)],
            "server_cpu": round(ours["server_cpu_us"] / bare["server_cpu_us"], 2),
            "p50": round(ours["p50_ms"] / bare["p50_ms"], 2),
            "p99": round(ours["p99_ms"] / bare["p99_ms"], 2),
        },
        "targets": {"throughput": ">= 0.8", "p99": "<= 2"},
    }


def _print(result: dict[str, Any]) -> None:
    told = (__doc__ or "").split("\n\n")
    print(told[1], "", told[2], sep="\n")
    print(f"\n{result['rounds']} rounds each, {result['requests_per_round']} requests a round, {result['connections']} connections")
    print(f"load average {result['load_average']} on {result['cores']} cores\n")
    print(f"{'':10}{'req/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'server CPU µs/req':>20}{'client share':>14}")
    for side in ("windlass", "bare"):
        at = result[side]
        print(
            f"{side:10}{at['requests_per_s']:>9.0f}{at['p50_ms']:>9.2f}{at['p99_ms']:>9.2f}{at['server_cpu_us']:>20.1f}{at['client_share_of_core']:>14.2f}"
        )
    ratios = result["ratios"]
    print(f"{'ratio':10}{ratios['throughput']:>9.2f}{ratios['p50']:>9.2f}{ratios['p99']:>9.2f}{ratios['server_cpu']:>20.2f}")
    low, high = ratios["throughput_range"]
    print(f"\ntargets: throughput >= 0.8 (pairs from {low:.2f} to {high:.2f}), p99 <= 2")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rounds", type=int, default=16)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--serve", choices=["windlass", "bare"], help=argparse.SUPPRESS)
    parser.add_argument("--fd", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--state", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        from windlass.infra import server

        server.serve(_ours(asked.state) if asked.serve == "windlass" else _bare(), fd=asked.fd)
        return 0
    result = _compare(asked.rounds, asked.requests, asked.connections)
    if asked.json:
        print(orjson.dumps(result, option=orjson.OPT_INDENT_2).decode())
    else:
        _print(result)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
