"""What the recorder's commands take as whole processes, beside the figures of the original Node program; and how fast a large artifact is judged.

The original is not ours to run: its figures were measured on this class of machine (2 cores) and stand here as the bounds. It did not
fsync; ours does. The large artifact is judged beside `openssl dgst -sha256` of the same file, in turn.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import ground
import processes
from result import Result, Series, Target

ORIGINAL_S = {
    "run start": 0.13,
    "finish 1": 0.13,
    "finish 1000": 0.35,
    "finish 10000": 2.95,
    "list 10000 runs": 0.58,
    "list 1000 runs of 116 KB": 0.94,
}
LITERAL, PATTERN, MEMORY_MB = 1.1, 2.5, 150
LINE = b"the quick brown fox jumps over the lazy dog 0123456789 and more text to fill the line\n"
JUDGE = """
import json, resource, sys, time
from pathlib import Path
from windlass.records.artifacts import Places
from windlass.records.checks.judge import Given, judge
from windlass.records.contracts import contract
root = Path(sys.argv[1])
given = Given(places=Places(root=root, record=root / "record", slug="s", artifact_path="."), depth="standard", seed="s", agent="a")
found = contract.read(sys.argv[2].encode(), "c")
began = time.perf_counter()
judgement = judge(found, given)
assert judgement.status == "PASS", judgement.failure_reason
print(json.dumps([time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def run(*, quick: bool) -> Result:
    """Every row, with modules compiled before."""
    taken: dict[str, list[float]] = {}
    with ground.place() as place:
        _commands(place / "project", taken, rounds=2 if quick else 7, most=1000 if quick else 10_000)
        for name, count, size in (("list 10000 runs", 10_000, 2_000), ("list 1000 runs of 116 KB", 1000, 116_000)):
            _lists(place / name.replace(" ", "_"), taken, name, 200 if quick else count, size, rounds=3 if quick else 7)
        large = _large(place, taken, mebibytes=64 if quick else 1024, rounds=1 if quick else 3)
    rows = [Series(what=name, unit="s", values=values) for name, values in taken.items()]
    targets = [
        Target(what=f"{name} ÷ the original's {bound} s", figure=rows[list(taken).index(name)].median / bound, bound=1.0, unit="×")
        for name, bound in ORIGINAL_S.items()
        if name in taken and not quick
    ]
    return Result(
        name="gates", measures="whole processes with fsync; the large artifact beside openssl, in turn", series=rows, targets=[*targets, *large]
    )


def _windlass(place: Path, *arguments: str, code: int = 0) -> float:
    began = time.perf_counter()
    ended = processes.ended([str(Path(sys.executable).with_name("windlass")), *arguments], place)
    if ended.code != code:
        raise RuntimeError(f"windlass {' '.join(arguments)} ended with {ended.code}: {ended.stderr}")
    return time.perf_counter() - began


def _commands(project: Path, taken: dict[str, list[float]], *, rounds: int, most: int) -> None:
    counts = [count for count in (1, 1000, 10_000) if count <= most]
    (project / "orchestration/gates/contracts").mkdir(parents=True)
    (project / "orchestration/workflows").mkdir()
    for count in counts:
        (project / "out" / str(count)).mkdir(parents=True)
        for number in range(count):
            (project / "out" / str(count) / f"{number}.md").write_text(f"output {number}\n" * 5)
        outputs = [{"path": f"out/{count}/{number}.md"} for number in range(count)]
        contract = {"gate": f"N{count}", "required_outputs": {"all_of": outputs}}
        (project / f"orchestration/gates/contracts/N{count}.contract.json").write_text(json.dumps(contract))
        workflow = {"name": f"w{count}", "gates": [{"gate": f"N{count}"}]}
        (project / f"orchestration/workflows/w{count}.json").write_text(json.dumps(workflow))
    for number in range(rounds + 1):
        for count in counts:
            slug = f"n{number}c{count}"
            start = _windlass(project, "run", "start", "--workflow", f"w{count}", "--slug", slug, "--artifact-path", ".")
            (directory,) = (project / "orchestration/runs").glob(f"run_*_{slug}_*")
            _windlass(project, "gate", "start", "--run", directory.name, "--gate", f"N{count}")
            finish = _windlass(project, "gate", "finish", "--run", directory.name, "--gate", f"N{count}")
            if number:  # the first of each compiles what it imports
                taken.setdefault(f"finish {count}", []).append(finish)
                if count == 1:
                    taken.setdefault("run start", []).append(start)


def _lists(place: Path, taken: dict[str, list[float]], name: str, count: int, size: int, *, rounds: int) -> None:
    runs = place / "orchestration/runs"
    gate = {"gate": "G1", "name": "One", "status": "PASS", "attempts": [{"attempt": 1, "status": "PASS", "artifacts": []}]}
    view = {
        "run_id": "",
        "workflow": {"name": "visual-essay", "version": "local-dev", "slug": "s", "artifact_path": "x"},
        "depth": "standard",
        "prompt": None,
        "status": "PASSED",
        "started_at": "2026-01-19T14:30:12.000Z",
        "finished_at": None,
        "gates": [gate | {"gate": f"G{number}"} for number in range(3)],
        "events": [{"timestamp": "2026-01-19T14:30:12.000Z", "type": "SEEN", "message": "x" * 40} for _ in range(size // 140)],
    }
    content = json.dumps(view, indent=2).encode()
    for number in range(count):
        record = runs / f"run_20260119T{number:06d}000Z_s_abcdefg{number:06d}" / "record"
        record.mkdir(parents=True)
        (record / "RUN.json").write_bytes(content)
    for number in range(rounds + 1):
        seconds = _windlass(place, "run", "list")
        if number:
            taken.setdefault(name, []).append(seconds)


def _large(place: Path, taken: dict[str, list[float]], *, mebibytes: int, rounds: int) -> list[Target]:
    block = (LINE * (2**20 // len(LINE) + 1))[: 2**20]
    with (place / "large.txt").open("wb") as stream:
        for _ in range(mebibytes):
            stream.write(block)
    checks = {
        "literal": {"type": "not_contains", "target": "large.txt", "pattern": "[DRAFT]"},
        "pattern": {"type": "not_contains", "target": "large.txt", "pattern": "[0-9]{11,}x", "regex": True},
    }
    memory: list[float] = []
    for number in range(rounds + 1):
        began = time.perf_counter()
        subprocess.run(["openssl", "dgst", "-sha256", "large.txt"], cwd=place, check=True, capture_output=True)
        seconds = {"openssl": time.perf_counter() - began}
        for name, check in checks.items():
            argv = [sys.executable, "-c", JUDGE, str(place), json.dumps({"gate": "G", "validations": [check]})]
            ended = subprocess.run(argv, check=True, capture_output=True, text=True)
            seconds[name], peak = json.loads(ended.stdout)
            memory.append(peak)
        if number:
            for name, value in seconds.items():
                taken.setdefault(f"{mebibytes} MiB, {name}", []).append(value)
    medians = {name: Series(what=name, unit="s", values=taken[f"{mebibytes} MiB, {name}"]).median for name in ("openssl", *checks)}
    return [
        Target(what="judged for a literal ÷ openssl dgst", figure=medians["literal"] / medians["openssl"], bound=LITERAL, unit="×"),
        Target(what="judged for a pattern ÷ openssl dgst", figure=medians["pattern"] / medians["openssl"], bound=PATTERN, unit="×"),
        Target(what="memory of it", figure=max(memory), bound=MEMORY_MB, unit="MiB"),
    ]
