"""A disk that is full at any moment of a proof: no PASS, one line that names the record, nothing left running, no record that alarms."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.hostile import commands
from tests.unit.windows import services

from windlass.errors import UnusableRecord
from windlass.sweep import evidence
from windlass.windows import window


@pytest.mark.parametrize("size", [500, 2500, 6000])
def test_a_proof_on_a_full_disk_fails_and_leaves_nothing(tmp_path: Path, size: int) -> None:
    (tmp_path / "fleet.yaml").write_text(commands.FLEET)
    ended = commands.windlass(tmp_path, "prove", "--fleet", "fleet.yaml", "--ttl", "60", preexec_fn=commands.files_no_larger_than(size))
    assert ended.returncode in {1, 2}, ended
    assert "File too large" in ended.stdout + ended.stderr
    assert "bug in Windlass" not in ended.stderr
    assert commands.left_running(tmp_path) == []
    run = commands.run_of(tmp_path)
    if run is not None:
        assert commands.windlass(tmp_path, "verify", str(run)).stdout.splitlines()[-1].startswith("intact")


@contextmanager
def no_room() -> Iterator[None]:
    """Nothing can be written in this process."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_window_whose_closing_can_not_be_written_is_closed_all_the_same(tmp_path: Path) -> None:
    async def opened_and_closed() -> window.Status:
        world = services.World(tmp_path)
        opened = await window.open_window([world.service()], 60, world.state_dir)
        with no_room(), pytest.raises(OSError, match="File too large"):
            await opened.close()
        return await opened.observe()

    seen = asyncio.run(opened_and_closed())
    assert [one.state for one in seen.services] == ["closed"]


def test_a_body_that_could_not_be_written_whole_is_in_no_place_of_a_body(tmp_path: Path) -> None:
    kept = evidence.Evidence(tmp_path, tmp_path)
    with no_room():
        kept.keep(b"a body")
        with pytest.raises(UnusableRecord, match="File too large"):
            kept.close()
    assert not [path for path in tmp_path.iterdir() if len(path.name) == 64]
