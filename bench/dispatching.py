"""`bench/dispatch.py`, which serves the orchestrator's dispatch and a bare FastAPI endpoint in turn, told as one more result."""

from __future__ import annotations

import sys
from typing import Any

import orjson

import ground
import processes
from result import Result, Series, Target

THROUGHPUT, P99 = 0.8, 2.0


def run(*, quick: bool) -> Result:
    """It is a program of its own, since its servers are this file's neighbour started again."""
    with ground.place() as place:
        size = ["--rounds", "2", "--requests", "1000"] if quick else ["--rounds", "6", "--requests", "4000"]
        ended = processes.ended([sys.executable, str(processes.BENCH / "dispatch.py"), "--json", *size], place)
    if ended.code != 0:
        raise RuntimeError(f"bench/dispatch.py ended with {ended.code}: {ended.stderr}")
    found: dict[str, Any] = orjson.loads(ended.stdout)
    figures = {"requests_per_s": "/s", "p50_ms": "ms", "p99_ms": "ms", "server_cpu_us": "µs"}
    return Result(
        name="dispatch",
        measures=found["measured"],
        series=[
            Series(what=f"{side} {name.removesuffix('_ms').removesuffix('_us').replace('_', ' ')}", unit=unit, values=[found[side][name]])
            for side in ("windlass", "bare")
            for name, unit in figures.items()
        ],
        targets=[
            Target(what="throughput, windlass ÷ bare", figure=found["ratios"]["throughput"], bound=THROUGHPUT, unit="×", at_most=False),
            Target(what="p99, windlass ÷ bare", figure=found["ratios"]["p99"], bound=P99, unit="×"),
        ],
        notes=[f"{found['rounds']} rounds each in turn, {found['requests_per_round']} requests a round, {found['connections']} connections"],
    )
