"""P-06: honest records raise no alarm.

The budget counts runs, each a random walk over what a writer can do (see `budget.py`). Every run is verified as it was left, a third of
them after a kill left something, and again by the program that a bundle carries; then once more after git (a clone with
`core.autocrlf=true` and the attribute `record/** -text`), and out of a bundle.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from random import Random

from tests.promises import budget
from tests.unit.records.attest import walks
from windlass.records.attest import bundle, verify_record
from windlass.records.verify import verify

RUNS = budget.of(small=60, full=10_000)
SEED = budget.seed(6)
PER_REPOSITORY = 250


def test_honest_records_raise_no_alarm_as_they_lie_after_git_and_out_of_a_bundle(tmp_path: Path):
    random = Random(SEED)
    killed = 0
    for start in range(0, RUNS, PER_REPOSITORY):
        root = tmp_path / str(start)
        root.mkdir()
        for _ in range(min(PER_REPOSITORY, RUNS - start)):
            directory = walks.walked(root, random)
            if random.random() < 1 / 3:
                walks.left_by_a_kill(directory, random)
                killed += 1
            assert_no_alarm(directory)
            assert_no_alarm_out_of_a_bundle(directory, root)
        clone = cloned(root, tmp_path / f"clone-{start}")
        directories = sorted((clone / "runs").iterdir())
        assert len(directories) == min(PER_REPOSITORY, RUNS - start)
        for directory in directories:
            assert_no_alarm(directory)
    budget.tell("P-06", SEED, f"{RUNS:,} runs, {killed:,} of them killed, as they lay, out of git and out of bundles: no alarm")


def assert_no_alarm(directory: Path) -> None:
    report = verify(directory)
    assert report.problems == (), directory
    stranger = verify_record.verify(str(directory / "record"))
    assert (stranger.problems, len(stranger.warnings), stranger.head) == ([], len(report.warnings), report.head), directory
    assert verify(directory, report.head).verdict == "intact"


def assert_no_alarm_out_of_a_bundle(directory: Path, root: Path) -> None:
    packed = root / "run.tar"
    with packed.open("wb") as out:
        bundle.write(directory / "record", directory.name, out)
    with bundle.opened(packed) as unpacked:
        assert verify(unpacked).problems == ()
    packed.unlink()


def cloned(root: Path, place: Path) -> Path:
    (root / ".gitattributes").write_text("* text=auto\nruns/*/record/** -text\n")
    git(root, "init", "-q", "-b", "main")
    git(root, "-c", "core.autocrlf=true", "add", "-A", "-f")
    git(root, "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "-m", "runs")
    git(root.parent, "clone", "-q", "-c", "core.autocrlf=true", str(root), str(place))
    return place


def git(place: Path, *order: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | {"GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run(["git", "-C", str(place), *order], check=True, env=environment, capture_output=True)
