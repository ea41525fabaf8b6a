"""The seed's gate over 31 agents of 200 ms: `windlass sweep --gate execution` against one agent after the other, as the seed's script did it."""

from __future__ import annotations

import statistics

import ground
import squares
import sweeping
from result import Result, Series, Target

AGENTS, DELAY_MS, IN_FLIGHT = 31, 200.0, 64
FASTER = 15.0


def run(*, quick: bool) -> Result:
    """Rounds in turn, the same agents and the same orchestrator for both."""
    rounds = 1 if quick else 5
    ours: list[float] = []
    whole: list[float] = []
    peer: list[float] = []
    asked = [(name, [{"number": squares.examples(number)[0]}]) for number, name in enumerate(squares.task_types(AGENTS))]
    with ground.place() as place, squares.stack(AGENTS, DELAY_MS, place) as stack:
        for _ in range(rounds):
            sweep = sweeping.by_windlass(stack, place, gate="execution", concurrency=IN_FLIGHT)
            ours.append(sweep.seconds)
            whole.append(sweep.process.seconds)
            peer.append(sweeping.one_after_the_other(stack, asked))
    ratio = statistics.median(theirs / mine for theirs, mine in zip(peer, ours, strict=True))
    return Result(
        name="execution",
        measures=f"{AGENTS} agents of {DELAY_MS:.0f} ms, gate execution, {IN_FLIGHT} in flight, against one agent after the other",
        series=[
            Series(what="windlass, first request to last row", unit="s", values=ours),
            Series(what="windlass, the whole command", unit="s", values=whole),
            Series(what="sequential client, first request to last answer", unit="s", values=peer),
        ],
        targets=[Target(what="sequential ÷ windlass", figure=ratio, bound=FASTER, unit="×", at_most=False)],
        notes=["the sequential client is Python's urllib in a process that runs already; the seed's script starts curl for every call"],
    )
