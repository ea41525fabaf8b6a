"""What must not be left half done is seen through, and a cancellation takes effect afterwards."""

from __future__ import annotations

import asyncio

import pytest

from windlass.infra.completion import see_through


def test_a_cancellation_waits_for_the_work() -> None:
    async def scene() -> list[str]:
        story: list[str] = []
        begun, go = asyncio.Event(), asyncio.Event()

        async def close() -> str:
            begun.set()
            await go.wait()
            story.append("closed")
            return "result"

        task = asyncio.create_task(see_through(close()))
        await begun.wait()
        task.cancel()
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        story.append("cancelled")
        return story

    assert asyncio.run(scene()) == ["closed", "cancelled"]


def test_result_and_failure_come_through() -> None:
    async def fails() -> None:
        raise ValueError("no")

    async def works() -> int:
        return 7

    assert asyncio.run(see_through(works())) == 7
    with pytest.raises(ValueError, match="no"):
        asyncio.run(see_through(fails()))
