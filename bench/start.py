"""How long `windlass --help` takes as a whole process, against `python -c 'import click'`: gates run in loops and hooks."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

import ground
import processes
from result import Result, Series, Target

TIMES = 1.5
PAIRS = 25


def run(*, quick: bool) -> Result:
    """Both in turn, compiled modules in place for both."""
    pairs = 5 if quick else PAIRS
    commands = {
        "windlass --help": [*_installed(), "--help"],
        "windlass verify --help": [*_installed(), "verify", "--help"],
        "python -c 'import click'": [sys.executable, "-c", "import click"],
        "python -c pass": [sys.executable, "-c", "pass"],
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    with ground.place() as place:
        for number in range(pairs + 1):
            for name, argv in commands.items():
                ended = processes.ended(argv, place)
                if ended.code != 0:
                    raise RuntimeError(f"{name} ended with {ended.code}: {ended.stderr}")
                if number:  # the first of each compiles what it imports
                    taken[name].append(ended.seconds * 1000)
    _, _, click, _ = commands
    return Result(
        name="start",
        measures="whole processes in turn, modules compiled before",
        series=[Series(what=name, unit="ms", values=values) for name, values in taken.items()],
        targets=[
            Target(what=f"{name} ÷ import click", figure=_ratio(taken[name], taken[click]), bound=TIMES, unit="×")
            for name in ("windlass --help", "windlass verify --help")
        ],
    )


def _installed() -> list[str]:
    """The installed command, which costs what its users pay; `python -m` would add runpy."""
    return [str(Path(sys.executable).with_name("windlass"))]


def _ratio(ours: list[float], peer: list[float]) -> float:
    return statistics.median(ours) / statistics.median(peer)
