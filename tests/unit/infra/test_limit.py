"""The limit that may change while it is used: never more at once than allowed, and nothing is lost by a change or a cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.infra.limit import Limit

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Crowd:
    """Tasks that go through a limit and stay inside until they are let go. Lives as long as its test."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.inside: dict[asyncio.Task[None], asyncio.Event] = {}
        self.tasks: list[asyncio.Task[None]] = []

    async def come(self, count: int) -> None:
        self.tasks += [asyncio.create_task(self._one()) for _ in range(count)]
        await settled()

    async def _one(self) -> None:
        me = asyncio.current_task()
        assert me is not None
        async with self.limit:
            self.inside[me] = asyncio.Event()
            try:
                await self.inside[me].wait()
            finally:
                del self.inside[me]

    async def leave(self, count: int = 1) -> None:
        for event in list(self.inside.values())[:count]:
            event.set()
        await settled()

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def settled() -> None:
    """Every task that can go on has gone on."""
    for _ in range(30):
        await asyncio.sleep(0)


async def test_so_many_at_once_and_no_more():
    crowd = Crowd(Limit(2))
    await crowd.come(5)
    assert len(crowd.inside) == 2
    await crowd.leave()
    assert len(crowd.inside) == 2
    await crowd.end()


async def test_more_may_begin_at_once_when_more_is_allowed():
    crowd = Crowd(Limit(1))
    await crowd.come(5)
    crowd.limit.allow(4)
    await settled()
    assert len(crowd.inside) == 4
    await crowd.end()


async def test_less_begins_when_less_is_allowed_and_nothing_is_interrupted():
    crowd = Crowd(Limit(4))
    await crowd.come(8)
    crowd.limit.allow(1)
    await settled()
    assert len(crowd.inside) == 4
    seen = []
    while crowd.inside:
        await crowd.leave()
        seen.append(len(crowd.inside))
    assert seen == [3, 2, 1, 1, 1, 1, 1, 0]


async def test_free_places_are_gone_too_when_less_is_allowed():
    crowd = Crowd(Limit(4))
    crowd.limit.allow(1)
    await crowd.come(3)
    assert len(crowd.inside) == 1
    await crowd.end()


async def test_one_who_stops_waiting_takes_no_place():
    crowd = Crowd(Limit(3))
    await crowd.come(3)
    crowd.limit.allow(1)
    await crowd.come(2)
    crowd.tasks[3].cancel()
    await crowd.leave(3)
    assert len(crowd.inside) == 1
    crowd.limit.allow(2)
    await crowd.come(3)
    assert len(crowd.inside) == 2
    await crowd.end()


def test_nothing_at_all_is_no_limit():
    with pytest.raises(ValueError, match="at least one"):
        Limit(3).allow(0)


@given(start=st.integers(1, 6), acts=st.lists(st.tuples(st.sampled_from(["come", "leave", "allow", "cancel"]), st.integers(1, 6)), max_size=25))
def test_whatever_happens_the_places_stay_counted(start: int, acts: list[tuple[str, int]]):
    async def lived() -> None:
        crowd = Crowd(Limit(start))
        for what, number in acts:
            before = len(crowd.inside)
            await ACTS[what](crowd, number)
            assert len(crowd.inside) <= max(before, crowd.limit.at_once)
        await crowd.end()
        last = Crowd(crowd.limit)
        await last.come(10)
        assert len(last.inside) == crowd.limit.at_once, "every place is there again"
        await last.end()

    asyncio.run(lived())


async def _allow(crowd: Crowd, number: int) -> None:
    crowd.limit.allow(number)
    await settled()


async def _cancel(crowd: Crowd, number: int) -> None:
    for task in crowd.tasks[-number:]:
        task.cancel()
    await settled()


ACTS: dict[str, Callable[[Crowd, int], Awaitable[None]]] = {"come": Crowd.come, "leave": Crowd.leave, "allow": _allow, "cancel": _cancel}
