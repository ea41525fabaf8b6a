"""Runs the promises in full, each in a pytest of its own, and prints what each came to: `python tests/promises/run.py [P-10...]`.

The promises are those of `docs/promises.md`. One that has no test is said to be not built yet; it never counts as kept, and to ask for
it by name is a failure. Exit code 0 when every promise that was run is kept, 1 when one is not, 2 for an id that is none.
WINDLASS_PROMISE_BUDGET=small (or a number) runs less; see `budget.py`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

TESTS = Path(__file__).parent
ROOT = TESTS.parents[1]
TABLE = ROOT / "docs/promises.md"
State = Literal["tested", "in part", "not built yet"]
Verdict = Literal["kept", "kept in part", "BROKEN", "NOT RUN", "not built yet"]


@dataclass(frozen=True, kw_only=True)
class Promise:
    """One row of the table in `docs/promises.md`."""

    id: str
    says: str
    ci: str
    full: str
    state: str

    @property
    def tests(self) -> list[Path]:
        """The files that show it."""
        return sorted(TESTS.glob(f"test_{self.id.lower().replace('-', '')}_*.py"))


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one promise came to. Lives until it is printed."""

    verdict: Verdict
    figures: Sequence[str] = ()
    seconds: float = 0.0
    seed: str = ""
    said: str = ""
    """What pytest said, for a reader who must find out why."""


def promises() -> list[Promise]:
    """Every promise of the table, in its order."""
    rows = re.findall(r"^\| (P-\d\d) \|(.*)\|$", TABLE.read_text(encoding="utf-8"), re.MULTILINE)
    cells = [(name, [cell.strip() for cell in rest.split("|")]) for name, rest in rows]
    return [Promise(id=name, says=says, ci=ci, full=full, state=state) for name, (says, ci, full, state) in cells]


def kept(promise: Promise) -> Outcome:
    """Run the tests of one promise."""
    if not promise.tests:
        return Outcome(verdict="not built yet")
    with tempfile.TemporaryDirectory() as made:
        report = Path(made) / "junit.xml"
        options = ["-q", "-n", "auto", "--dist", "worksteal", f"--junitxml={report}", "-o", "junit_logging=system-out"]
        environment = {"WINDLASS_PROMISE_BUDGET": "full", **os.environ}
        if environment["WINDLASS_PROMISE_BUDGET"] == "small":
            del environment["WINDLASS_PROMISE_BUDGET"]
        argv = [sys.executable, "-m", "pytest", *map(str, promise.tests), *options]
        started = time.monotonic()
        ran = subprocess.run(argv, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        seconds = time.monotonic() - started
        cases = list(ET.parse(report).getroot().iter("testcase")) if report.exists() else []
    told = [re.findall(rf"^{promise.id} seed (\d+): (.*)$", case.findtext("system-out") or "", re.MULTILINE) for case in cases]
    seeds, figures = (
        (list(dict.fromkeys(parts)) for parts in zip(*[pair for pairs in told for pair in pairs], strict=True)) if any(told) else ([], [])
    )
    skipped = sum(case.find("skipped") is not None for case in cases)
    verdict: Verdict = "kept" if promise.state.startswith("tested") else "kept in part"
    if ran.returncode not in {0, 5}:
        verdict = "BROKEN"
    elif skipped or not cases:
        verdict = "NOT RUN"
    counted = f"{len(cases)} tests" + (f", {skipped} skipped" if skipped else "")
    return Outcome(verdict=verdict, figures=[*figures, counted], seconds=seconds, seed=", ".join(seeds), said=ran.stdout)


def line(promise: Promise, outcome: Outcome) -> str:
    """One row for a terminal."""
    seconds = f"{outcome.seconds:.1f} s" if outcome.seconds else ""
    figures = "; ".join(outcome.figures) or promise.state
    return f"{promise.id}  {outcome.verdict:<13}  {seconds:>9}  {outcome.seed:>9}  {promise.says}\n{'':40}{figures}"


def main(asked: Sequence[str]) -> int:
    """Run what was asked for; see the docstring of the module for exit codes."""
    table = promises()
    unknown = sorted(set(asked) - {promise.id for promise in table})
    if unknown:
        print(f"error: no promise is called {', '.join(unknown)}; there are {table[0].id} to {table[-1].id}", file=sys.stderr)  # noqa: T201  # a program
        return 2
    print(f"{'id':<4}  {'result':<13}  {'took':>9}  {'seed':>9}  promise")  # noqa: T201  # as above
    verdicts: list[Verdict] = []
    for promise in (promise for promise in table if not asked or promise.id in asked):
        outcome = kept(promise)
        verdicts.append(outcome.verdict)
        print(line(promise, outcome), flush=True)  # noqa: T201  # as above
        if outcome.verdict in {"BROKEN", "NOT RUN"}:
            print(outcome.said, file=sys.stderr)  # noqa: T201  # as above
    bad = {"BROKEN", "NOT RUN"} | ({"not built yet"} if asked else set())
    counted = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(verdicts))
    print(f"{len(verdicts)} promises: {counted}")  # noqa: T201  # as above
    return 1 if bad & set(verdicts) else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
