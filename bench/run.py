"""Runs the benchmarks: ours and the peer in turn on this machine, as medians, ratios and targets. Writes nothing into the tree.

    python bench/run.py [NAME...] [--json] [--quick]

Exit code 0 also where a target is not met: it reports. 2 for a name that is none. A benchmark that can't be run ends it with a traceback.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

import orjson

import audit
import dispatching
import execution
import gates
import ladder
import prove
import start
import windows
from result import Result

BENCHMARKS: dict[str, Callable[..., Result]] = {
    "start": start.run,
    "dispatch": dispatching.run,
    "execution": execution.run,
    "ladder": ladder.run,
    "prove": prove.run,
    "gates": gates.run,
    "windows": windows.run,
    "audit": audit.run,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"which: {', '.join(BENCHMARKS)}; all without it")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: shows that it runs, not how fast it is")
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in BENCHMARKS]
    if unknown:
        print(f"error: no benchmark is called {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    told = []
    for name in asked.names or BENCHMARKS:
        load = os.getloadavg()[0]
        result = BENCHMARKS[name](quick=asked.quick)
        note = f"load average {load:.1f} before, {os.getloadavg()[0]:.1f} after, on {os.cpu_count()} cores"
        told.append(result.document() | {"machine": note})
        if not asked.json:
            print(f"{result.table()}\n  note: {note}\n", flush=True)
    if asked.json:
        print(orjson.dumps({"quick": asked.quick, "benchmarks": told}, option=orjson.OPT_INDENT_2).decode())
    elif missed := [f"{one['name']}: {target['what']}" for one in told for target in one["targets"] if not target["met"]]:
        print(f"not met: {'; '.join(missed)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
