"""The whole ladder of proof over 1,000 agents of 50 ms, 256 requests in flight, against the ideal and a sequential client."""

from __future__ import annotations

from typing import Any

import ground
import processes
import squares
import sweeping
from result import Result, Series, Target

AGENTS, DELAY_MS, IN_FLIGHT = 1000, 50.0, 256
OVERHEAD_S = 1.5
MEMORY_MIB = 300.0


def run(*, quick: bool) -> Result:
    """Rounds in turn: ours over all agents, the sequential client over a sample of them, which is then scaled to all."""
    rounds, sample = (1, 20) if quick else (5, 20)
    sweeps: list[sweeping.Sweep] = []
    scaled: list[float] = []
    agents_cpu: list[float] = []
    with ground.place() as place, squares.stack(AGENTS, DELAY_MS, place) as stack:
        for number in range(rounds):
            before = processes.cpu_s(stack.agents_pid) + processes.cpu_s(stack.orchestrator_pid)
            sweeps.append(sweeping.by_windlass(stack, place, gate="proof", concurrency=IN_FLIGHT))
            agents_cpu.append(processes.cpu_s(stack.agents_pid) + processes.cpu_s(stack.orchestrator_pid) - before)
            rows = sweeps[-1].evidence["rows"][number * sample : (number + 1) * sample]
            scaled.append(sweeping.one_after_the_other(stack, _calls(rows)) * AGENTS / sample)
    run_calls = sum(call["kind"] != "dispatch" for row in sweeps[0].evidence["rows"] for call in row["calls"])
    ideal = run_calls * DELAY_MS / 1000 / IN_FLIGHT
    ours = Series(what="first request to last row", unit="s", values=[sweep.seconds for sweep in sweeps])
    peer = Series(what=f"sequential client ({sample} agents, scaled)", unit="s", values=scaled)
    memory = Series(what="peak memory of the sweep", unit="MiB", values=[sweep.process.peak_mib for sweep in sweeps])
    return Result(
        name="ladder",
        measures=f"{AGENTS:,} agents of {DELAY_MS:.0f} ms, gate proof by examples, {IN_FLIGHT} in flight, against one call after the other",
        series=[
            ours,
            Series(what="the whole command", unit="s", values=[sweep.process.seconds for sweep in sweeps]),
            Series(what="CPU of the sweep", unit="s", values=[sweep.process.cpu_s for sweep in sweeps]),
            Series(what="CPU of agents and orchestrator", unit="s", values=agents_cpu),
            memory,
            peer,
        ],
        targets=[
            Target(what="first request to last row", figure=ours.median, bound=ideal + OVERHEAD_S, unit="s"),
            Target(what="peak memory of the sweep", figure=max(memory.values), bound=MEMORY_MIB, unit="MiB"),
        ],
        notes=[
            f"ideal: {run_calls:,} run calls × {DELAY_MS:.0f} ms / {IN_FLIGHT} in flight = {ideal:.2f} s; the target is that + {OVERHEAD_S} s",
            f"the sequential client called {sample} agents a round; its time is scaled to {AGENTS:,}: {peer.median / ours.median:.0f} × ours",
            "sweep, orchestrator and all agents share this machine's cores; the agents are a bare uvloop protocol that squares a number",
        ],
    )


def _calls(rows: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """The runs that the sweep made for some agents, to be made again by the sequential client."""
    return [(row["task_type"], [_inputs(row["task_type"], call["kind"]) for call in row["calls"] if call["kind"] != "dispatch"]) for row in rows]


def _inputs(task_type: str, kind: str) -> dict[str, Any]:
    number = squares.task_types(AGENTS).index(task_type)
    first, second = squares.examples(number)
    return {"number": {"first": first, "again": first, "second": second, "second_again": second, "invalid": squares.invalid(number)}[kind]}
