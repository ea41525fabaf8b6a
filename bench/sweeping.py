"""The two ways to sweep a fleet that the benchmarks compare: `windlass sweep`, and one call after the other as the seed's script made them."""

from __future__ import annotations

import secrets
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

import processes
from processes import Ended
from squares import Stack


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """One `windlass sweep`: its whole process, and what its evidence says."""

    process: Ended
    evidence: dict[str, Any]

    @property
    def seconds(self) -> float:
        """From before the first request to after the last row is written and fsynced."""
        return float(self.evidence["duration_ms"]) / 1000


def by_windlass(stack: Stack, place: Path, *, gate: str, concurrency: int) -> Sweep:
    """A whole `windlass sweep` as a process; raises when it does not pass, since the time of a failure says nothing."""
    out = place / f"sweep-{secrets.token_hex(6)}"  # a new name: by its hash `ground.place` gets another group of inodes for it
    argv = [*processes.WINDLASS, "sweep", "--fleet", str(stack.fleet), "--orchestrator-url", stack.orchestrator_url]
    ended = processes.ended([*argv, "--gate", gate, "--concurrency", str(concurrency), "--out", str(out)], place)
    if ended.code != 0:
        raise RuntimeError(f"windlass sweep ended with {ended.code}: {ended.stderr or ended.stdout.decode()[-2000:]}")
    return Sweep(process=ended, evidence=orjson.loads((out / "sweep.json").read_bytes()))


def one_after_the_other(stack: Stack, asked: Sequence[tuple[str, Sequence[dict[str, Any]]]]) -> float:
    """Seconds to dispatch each task type and then run each of its inputs, one request at a time, from the first request to the last answer."""
    started = time.perf_counter()
    for task_type, runs in asked:
        envelope = {"request_id": f"bench-{task_type}", "task_type": task_type, "mode": "DEMO", "risk_tier": "NON_SENSITIVE"}
        agent_url = _post(f"{stack.orchestrator_url}/api/ai/router/dispatch", envelope)["agent_url"]
        for inputs in runs:
            answer = _post(f"{agent_url}/agents/run/sync", {**envelope, "inputs": inputs})
            if answer["task_type"] != task_type:
                raise RuntimeError(f"{task_type} was answered by {answer}")
    return time.perf_counter() - started


def _post(url: str, body: dict[str, Any]) -> Any:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {processes.TOKEN}"}
    with urllib.request.urlopen(urllib.request.Request(url, orjson.dumps(body), headers), timeout=60) as answer:
        return orjson.loads(answer.read())
