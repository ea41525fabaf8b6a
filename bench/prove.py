"""How long `windlass prove` takes as a whole command: two services opened, the reference fleet proved, everything recorded, closed and verified."""

from __future__ import annotations

import orjson

import ground
import processes
from result import Result, Series, Target

SECONDS = 10.0


def run(*, quick: bool) -> Result:
    """The first run compiles what it imports and is not counted, as an installation does it."""
    with ground.place() as place:
        ended = [processes.ended([*processes.WINDLASS, "prove", "--json"], place) for _ in range(2 if quick else 6)]
    for one in ended:
        if one.code != 0:
            raise RuntimeError(f"windlass prove ended with {one.code}: {one.stderr or one.stdout.decode()[-2000:]}")
    counted = ended[1:]
    whole = Series(what="the whole command", unit="s", values=[one.seconds for one in counted])
    return Result(
        name="prove",
        measures="windlass prove, the reference fleet, from the shell's point of view; there is no peer",
        series=[
            whole,
            Series(what="CPU of the command and what it awaited", unit="s", values=[one.cpu_s for one in counted]),
            Series(what="peak memory of the command", unit="MiB", values=[one.peak_mib for one in counted]),
        ],
        targets=[Target(what="the whole command", figure=whole.median, bound=SECONDS, unit="s")],
        notes=[f"gates: {_gates(one.stdout)}" for one in counted[:1]],
    )


def _gates(stdout: bytes) -> str:
    gates = orjson.loads(stdout)["gates"]
    return ", ".join(f"{name} {gate['passed']}/{gate['total']}" for name, gate in gates.items())
