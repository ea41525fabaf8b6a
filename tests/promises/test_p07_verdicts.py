"""P-07: a verdict is a pure function of contract, artifacts and responses.

Each case is a contract and files drawn from a seed. It is judged twice here, in directories whose names were made in another order, and
once more in a process with another hash seed and other sizes of reads: all three must be the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import orjson

from tests.promises import budget
from windlass.records.artifacts import Places
from windlass.records.checks import reading
from windlass.records.checks.judge import Given, judge
from windlass.records.contracts import contract

CASES = budget.of(small=150, full=10_000)
SEED = budget.seed(1)
NAMES = [f"{folder}{name}.{kind}" for folder in ("", "a/", "a/b/") for name in ("one", "two", "three") for kind in ("md", "txt")]
LINES = [
    "## Layer 1: Hook",
    "### Source 1: book",
    "- Source: https://example.org/a",
    "[DRAFT]",
    "x" * 200,
    "",
    "status: done",
    "```",
    "fox 12345",
    "ünïcode",
]


def case(random: Random) -> tuple[dict[str, Any], dict[str, bytes]]:
    """A contract and the files that it is judged on."""
    files = {name: "\n".join(random.choices(LINES, k=random.randrange(30))).encode() for name in random.sample(NAMES, random.randrange(len(NAMES)))}
    kinds: list[dict[str, Any]] = [
        {"type": "file_exists"},
        {"type": "not_contains", "pattern": random.choice(LINES[:5])},
        {"type": "not_contains", "pattern": "[0-9]{5}", "regex": True},
        {"type": "contains_text", "text": "fox"},
        {"type": "regex_match", "pattern": "^## Layer [0-9]"},
        {"type": "min_regex_count", "pattern": "Source", "min": random.randrange(1, 5)},
        {"type": "min_sources", "thresholds": {"quick": 1, "standard": 2, "deep": 3}},
        {"type": "contains_headings", "required_headings": ["## Layer 1"]},
    ]
    checks = [{**one, "target": random.choice(NAMES)} for one in random.choices(kinds, k=random.randrange(1, 6))]
    checks += [{"type": "min_file_count", "target": "a", "glob": random.choice(["*", "**/*.md"]), "min": 2}, {"type": "dir_exists", "target": "a/b"}]
    for check in checks:
        if random.random() < 0.2:
            check["severity"] = "warning"
    outputs = [{"path": path} for path in dict.fromkeys(random.choices([*NAMES, "a/*.md", "**/*.txt"], k=3))]
    choice = random.choice(["any_of", "all_of"])
    return {"gate": "G", "required_outputs": {choice: outputs}, "validations": checks}, files


def laid_out(root: Path, files: dict[str, bytes], *, backwards: bool) -> Path:
    """The files in a new directory, written in the one order or the other."""
    root.mkdir(parents=True)
    for name in sorted(files, reverse=backwards):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[name])
    return root


def verdict(written: dict[str, Any], root: Path) -> bytes:
    """The whole judgement as bytes."""
    places = Places(root=root, record=root / "record", slug="s", artifact_path=".")
    return orjson.dumps(judge(contract.read(orjson.dumps(written), "c"), Given(places=places, depth="standard", seed="s", agent="a")))


def all_verdicts(place: Path, cases: int, *, backwards: bool) -> str:
    """The hash of every verdict of every case, in order."""
    random, told = Random(SEED), hashlib.sha256()
    for number in range(cases):
        written, files = case(random)
        told.update(verdict(written, laid_out(place / str(number), files, backwards=backwards)))
    return told.hexdigest()


def test_the_same_case_is_judged_to_the_same_bytes_everywhere(tmp_path: Path) -> None:
    here = all_verdicts(tmp_path / "one", CASES, backwards=False)
    assert all_verdicts(tmp_path / "two", CASES, backwards=True) == here
    code = "import sys; from pathlib import Path; from tests.promises import test_p07_verdicts as it; it.reading._CHUNK = 7; "
    code += "print(it.all_verdicts(Path(sys.argv[1]), int(sys.argv[2]), backwards=True))"
    environment = os.environ | {"PYTHONHASHSEED": "12345", "WINDLASS_PROMISE_SEED": str(SEED)}
    argv = [sys.executable, "-c", code, str(tmp_path / "three"), str(CASES)]
    ended = subprocess.run(argv, cwd=Path(__file__).parents[2], env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == here
    budget.tell("P-07", SEED, f"{CASES:,} cases judged three times, byte-identical ({here[:12]}…)")


def test_other_sizes_of_reads_are_really_other_ones() -> None:
    assert reading._CHUNK > 7
