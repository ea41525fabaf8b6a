"""P-22: a contract can't hang or bloat the gate.

Contracts and files that were made to be slow or large are judged in a process whose memory is limited and whose time is watched; each
ends in a verdict or a refusal, never in a traceback.
"""

from __future__ import annotations

import contextlib
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import orjson

from tests.promises import budget
from tests.unit.records.checks import gates, hostile_cases
from windlass.errors import Refused
from windlass.records.artifacts import Places
from windlass.records.checks.judge import Given, judge
from windlass.records.contracts import contract

INPUTS = budget.of(small=60, full=5_000)
SEED = budget.seed(1)
MOST_S = 30.0
MEMORY = 1024**3
PATTERNS = [
    "(a+)+$",
    "(a|a)*b",
    "(.*)*x",
    "(a?){60}a{60}",
    "((((((a*)*)*)*)*)*)*",
    "[^x]*x[^x]*y",
    "(?:a{0,500}){0,500}",
    "a{1000}{1000}",
    "(" * 3000 + ")" * 3000,
    "\\pL" * 500,
]
BODIES = [
    b"a" * 2_000_000,
    b"a\n" * 500_000,
    b"> " * 20_000 + b"x",
    b"[" * 200_000,
    b"# h\n" * 100_000,
    b"---\na: &a [x]\n" + b"b: *a\n" * 10_000 + b"---\n",
    b"\0" * 100_000,
]
BODIES += [
    b"{" * 100_000,
    b"https://example.org/" * 50_000,
    b"### Source " * 100_000,
    b"\xff\xfe" * 100_000,
    b"",
    b"- " * 50_000,
    b"<a " * 100_000,
    b"`" * 200_000,
]


def contract_of(random: Random) -> Any:
    """A contract that somebody made to be slow."""
    target = {"target": "file.md"}
    kinds: list[dict[str, Any]] = [
        {"type": "regex_match", "pattern": random.choice(PATTERNS), **target},
        {"type": "not_contains", "pattern": random.choice(PATTERNS), "regex": True, **target},
        {"type": "min_regex_count", "pattern": random.choice(PATTERNS), "min": 10**6, **target},
        {"type": "contains_headings", "required_headings": ["## " + "a" * random.randrange(5000)] * random.randrange(1, 200), **target},
        {"type": "frontmatter_status", "checks": {"a": "b"}, **target},
        {"type": "json_schema", "schema": {"$ref": "#"}, **target},
        {"type": "json_schema", "schema": {"type": "string", "pattern": random.choice(PATTERNS)}, **target},
        {"type": "min_sources", "thresholds": {"quick": 1, "standard": 10**5, "deep": 1}, **target},
        {"type": "min_file_count", "target": ".", "glob": "**/" * random.randrange(4) + "*" * random.randrange(1, 50), "min": 1},
        {"type": random.choice(["", "x" * 10_000, None, 7, "file_exists\0"]), **target},
        {"type": "contains_text", "text": "a" * random.randrange(1, 20_000), **target},
    ]
    deep: Any = {"gate": "G"}
    for _ in range(random.choice([0, 0, 0, 110])):
        deep = {"notes": [deep]}
    outputs = [{"path": f"out/{number}"} for number in range(random.choice([0, 0, 3000]))]
    return {"gate": "G", "validations": random.choices(kinds, k=random.randrange(1, 6)), "required_outputs": {"all_of": outputs}, "extra": deep}


def judged(place: Path, number: int) -> str:
    """One input, judged: PASS, FAIL or refused."""
    random = Random(f"{SEED}/{number}")
    (place / "file.md").write_bytes(random.choice(BODIES))
    places = Places(root=place, record=place / "record", slug="s", artifact_path=".")
    try:
        found = contract.read(orjson.dumps(contract_of(random)), "c")
    except Refused:
        return "refused"
    return judge(found, Given(places=places, depth="standard", seed="s", agent="a")).status


def main(place: Path, first: int, last: int) -> None:
    """Judge inputs under a limit of memory, and print how long the slowest took."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    slowest, counts = 0.0, {"PASS": 0, "FAIL": 0, "refused": 0}
    for number in range(first, last):
        began = time.perf_counter()
        counts[judged(place, number)] += 1
        slowest = max(slowest, time.perf_counter() - began)
    print(orjson.dumps({"slowest": slowest, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, **counts}).decode())  # noqa: T201  # its answer


def test_every_hostile_document_ends_in_time(tmp_path: Path) -> None:
    cases = [*(hostile_cases.fixed() if INPUTS >= 1000 else ()), *hostile_cases.generated(SEED, max(20, INPUTS // 10))]
    slowest, worst = 0.0, ""
    for case in cases:
        began = time.perf_counter()
        with contextlib.suppress(Refused):
            gates.judged(tmp_path, case.check, {hostile_cases.TARGET: case.content, **case.files})
        if time.perf_counter() - began > slowest:
            slowest, worst = time.perf_counter() - began, case.name
        shutil.rmtree(tmp_path / "docs", ignore_errors=True)
    assert slowest < MOST_S, worst
    budget.tell("P-22", SEED, f"{len(cases):,} hostile documents, the slowest ({worst}) {slowest:.1f} s")


def test_every_hostile_input_ends_in_time_and_in_little_memory(tmp_path: Path) -> None:
    slowest, peak, told = 0.0, 0, 0
    for first in range(0, INPUTS, 500):
        code = "import sys; from pathlib import Path; from tests.promises import test_p22_hostile_contracts as it; "
        code += "it.main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))"
        last = min(INPUTS, first + 500)
        argv = [sys.executable, "-c", code, str(tmp_path), str(first), str(last)]
        ended = subprocess.run(argv, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=MOST_S * 500, check=False)
        assert ended.returncode == 0, ended.stderr[-3000:]
        found = orjson.loads(ended.stdout)
        slowest, peak = max(slowest, found["slowest"]), max(peak, found["peak"])
        told += found["PASS"] + found["FAIL"] + found["refused"]
    assert told == INPUTS
    assert slowest < MOST_S
    budget.tell("P-22", SEED, f"{INPUTS:,} inputs, the slowest {slowest:.1f} s, {peak // 2**20} MiB at most, no traceback")
