"""A disk that is full, or evidence that can't be written: never a PASS, one clear line, no traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from tests.integration.liars import services, town
from tests.integration.liars.citizens import Asked, Citizen, counted, working

LIMITED = (
    "import os, resource, sys; size = int(sys.argv[1]); resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)); os.execv(sys.argv[2], sys.argv[2:])"
)
BREAK: dict[str, Callable[[], None]] = {}
"""What the first request of the next sweep does to its evidence."""


async def _breaking(asked: Asked) -> web.StreamResponse:
    breaking = BREAK.pop("next", None)
    if breaking:
        breaking()
    return await working(lambda one: {**counted(one.text), "much": one.text * 400})(asked)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    directory = tmp_path_factory.mktemp("disk")
    with town.standing([Citizen(name=f"agent-{number:02d}", behave=_breaking) for number in range(20)]) as standing:
        fleet = standing.fleet_file(directory)
        with services.orchestrator(fleet, directory) as url:
            yield fleet, url


def never_passed(process: subprocess.CompletedProcess[str], out: Path) -> None:
    assert process.returncode == 2
    assert process.stderr.startswith("error: ")
    assert process.stderr.count("\n") == 1
    assert "bug" not in process.stderr
    assert str(out) in process.stderr
    assert "SUMMARY" not in process.stdout
    path = out / "sweep.json"
    assert not path.exists() or all(gate["verdict"] != "PASS" for gate in json.loads(path.read_bytes())["gates"].values())


def sweep(world: tuple[Path, str], out: Path, *, limit: int | None = None) -> subprocess.CompletedProcess[str]:
    fleet, url = world
    argv = [*services.WINDLASS, "sweep", "--fleet", str(fleet), "--orchestrator-url", url, "--out", str(out)]
    limited = [sys.executable, "-c", LIMITED, str(limit)] if limit is not None else []
    environment = services.environment(out.parent) | {"PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([*limited, *argv], env=environment, cwd=out.parent, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("limit", [0, 1000, 14_500, 15_500, 30_000, 50_000, 68_000], ids=lambda size: f"{size} bytes")
def test_a_full_disk_wherever_it_is_met_gives_one_line_and_no_pass(world: tuple[Path, str], tmp_path: Path, limit: int):
    out = tmp_path / "out"
    never_passed(sweep(world, out, limit=limit), out)


def _file_for_bodies(out: Path) -> None:
    (out / "bodies").rename(out / "gone")  # at one stroke: what is removed file by file may be written to meanwhile
    (out / "bodies").write_text("")


def _no_bodies(out: Path) -> None:
    (out / "bodies").rename(out / "gone")  # at one stroke: what is removed file by file may be written to meanwhile


def _no_place(out: Path) -> None:
    out.rename(out.with_name("gone"))  # as above


def _file_for_summaries(out: Path) -> None:
    (out / "validation").write_text("")


def _directory_for_the_end(out: Path) -> None:
    (out / "sweep.json" / "x").mkdir(parents=True)


@pytest.mark.parametrize("breaking", [_file_for_bodies, _no_bodies, _no_place, _file_for_summaries, _directory_for_the_end])
def test_evidence_that_becomes_unwritable_while_the_sweep_runs_gives_one_line_and_no_pass(
    world: tuple[Path, str], tmp_path: Path, breaking: Callable[[Path], None]
):
    out = tmp_path / "out"
    BREAK["next"] = lambda: breaking(out)
    process = sweep(world, out)
    assert "next" not in BREAK
    assert process.returncode == 2
    assert process.stderr.startswith("error: ")
    assert process.stderr.count("\n") == 1
    assert "bug" not in process.stderr
    assert "SUMMARY" not in process.stdout
    assert not (out / "sweep.json").is_file()


def test_a_sweep_that_met_a_full_disk_is_completed_when_there_is_room(world: tuple[Path, str], tmp_path: Path):
    out = tmp_path / "out"
    never_passed(sweep(world, out, limit=30_000), out)
    code, told, _ = services.swept(*world, "--resume", "--out", str(out), directory=tmp_path)
    assert (code, told.splitlines()[-1]) == (0, "SUMMARY: 20/20 PASS")
