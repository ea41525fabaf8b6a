"""A sweep that is killed at any moment keeps what it had; --resume completes it and asks no finished cell again.

WINDLASS_PROMISE_BUDGET counts kills, WINDLASS_PROMISE_SEED repeats a run (see `tests/promises/budget.py`).
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from tests.integration.liars import services, town
from tests.integration.liars.citizens import Asked, Citizen, counted, working
from tests.promises import budget

AGENTS = 40
CALLS = 5
KILLS = budget.of(small=6, full=200)
SEED = budget.seed(8)
CONCURRENCY = 8


async def _slow(asked: Asked) -> web.StreamResponse:
    await asyncio.sleep(0.02)
    return await working(lambda one: counted(one.text))(asked)


@dataclass(frozen=True, kw_only=True)
class World:
    """Forty slow honest agents behind a real orchestrator. Lives as long as the module."""

    town: town.Town
    fleet: Path
    url: str
    directory: Path

    def start(self, *options: str) -> subprocess.Popen[str]:
        return services.sweeping(self.fleet, self.url, "--concurrency", str(CONCURRENCY), *options, directory=self.directory)

    def complete(self, *options: str) -> tuple[int, str, str]:
        return services.swept(self.fleet, self.url, "--resume", *options, directory=self.directory)

    def wait_for_calls(self, process: subprocess.Popen[str], since: int, count: int) -> None:
        services.until(lambda: len(self.town.heard) - since >= count or process.poll() is not None, f"{count} calls")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("slow")
    with town.standing([Citizen(name=f"slow-{number:02d}", behave=_slow) for number in range(AGENTS)]) as standing:
        fleet = standing.fleet_file(directory)
        with services.orchestrator(fleet, directory) as url:
            yield World(town=standing, fleet=fleet, url=url, directory=directory)


def whole_rows(out: Path) -> list[str]:
    """The whole lines of the rows file."""
    path = out / "rows.jsonl"
    content = path.read_text() if path.exists() else ""
    return content[: content.rfind("\n") + 1].splitlines()


def tasks_of(lines: Sequence[str]) -> set[str]:
    return {json.loads(line)["task_type"] for line in lines}


def task_of(heard: town.Heard) -> str:
    return heard.request_id.split("-")[1]


@pytest.mark.parametrize("number", range(KILLS))
def test_a_kill_at_any_call_loses_no_finished_row_and_resume_completes_the_sweep(world: World, tmp_path: Path, number: int):
    out, rng = tmp_path / "out", random.Random(SEED * 1000 + number)
    before = len(world.town.heard)
    process = world.start("--out", str(out))
    world.wait_for_calls(process, before, rng.randrange(1, AGENTS * CALLS))
    seen, asked = whole_rows(out), world.town.heard[before:]
    long_since = time.monotonic() - 0.5
    process.kill()
    process.communicate(timeout=10)
    kept = whole_rows(out)
    assert kept[: len(seen)] == seen
    answered = [task_of(heard) for heard in asked if heard.answered_at < long_since]
    assert {task for task in answered if answered.count(task) == CALLS} <= tasks_of(kept)
    assert not (out / "sweep.json").exists() or len(kept) == AGENTS

    before = len(world.town.heard)
    code, told, complained = world.complete("--out", str(out))
    assert (code, complained) == (0, "")
    assert told.splitlines()[-1] == f"SUMMARY: {AGENTS}/{AGENTS} PASS"
    assert not tasks_of(kept) & {task_of(heard) for heard in world.town.heard[before:]}
    assert whole_rows(out)[: len(kept)] == kept
    assert len(tasks_of(whole_rows(out))) == len(whole_rows(out)) == AGENTS
    sweep = json.loads((out / "sweep.json").read_bytes())
    assert [gate["verdict"] for gate in sweep["gates"].values()] == ["PASS"] * 3
    assert sweep["interrupted"] is False


def test_a_sweep_that_is_killed_again_and_again_comes_to_its_end(world: World, tmp_path: Path):
    out = tmp_path / "out"
    for resume in ([], ["--resume"], ["--resume"]):
        before = len(world.town.heard)
        process = world.start("--out", str(out), *resume)
        world.wait_for_calls(process, before, 45)
        process.kill()
        process.communicate(timeout=10)
    assert world.complete("--out", str(out))[0] == 0
    assert len(tasks_of(whole_rows(out))) == len(whole_rows(out)) == AGENTS


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_sweep_with_130_and_an_incomplete_interrupted_evidence_that_can_be_resumed(world: World, number: signal.Signals):
    before = len(world.town.heard)
    process = world.start()
    world.wait_for_calls(process, before, 80)
    process.send_signal(number)
    told, complained = process.communicate(timeout=10)
    assert process.returncode == 130
    assert complained.strip() == "error: interrupted"
    assert "SUMMARY" not in told
    out = Path(re.findall(r"^  evidence  (.+)$", told, re.MULTILINE)[0])
    out = out if out.is_absolute() else world.directory / out
    rows = whole_rows(out)
    sweep = json.loads((out / "sweep.json").read_bytes())
    assert 0 < len(rows) < AGENTS
    assert sweep["interrupted"] is True
    assert {row["task_type"] for row in sweep["rows"]} == tasks_of(rows)
    assert sweep["gates"]["proof"]["verdict"] == "INCOMPLETE"
    assert sweep["summary"] == {"passed": len(rows), "total": AGENTS}
    assert (out / "gate.md").read_text().splitlines()[-1] == f"SUMMARY: {len(rows)}/{AGENTS} PASS"

    code, told, _ = world.complete()
    assert (code, told.splitlines()[-1]) == (0, f"SUMMARY: {AGENTS}/{AGENTS} PASS")
    assert json.loads((out / "sweep.json").read_bytes())["interrupted"] is False


def test_a_sweep_is_not_begun_over_another_and_none_is_resumed_that_was_not_begun(world: World, tmp_path: Path):
    out = tmp_path / "out"
    code, _, complained = services.swept(world.fleet, world.url, "--resume", "--out", str(out), directory=world.directory)
    assert (code, complained.count("\n")) == (2, 1)
    assert str(out / "expectation.json") in complained
    out.mkdir(exist_ok=True)
    (out / "rows.jsonl").write_text("")
    before = len(world.town.heard)
    code, _, complained = services.swept(world.fleet, world.url, "--out", str(out), directory=world.directory)
    assert (code, complained.count("\n")) == (2, 1)
    assert "holds a sweep already" in complained
    assert len(world.town.heard) == before
