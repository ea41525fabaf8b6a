"""A door's port is ours from the first moment; handed over, it is the service's."""

from __future__ import annotations

import os

from windlass.windows.doors import Door


def test_a_door_answers_until_whoever_holds_it_closes_it() -> None:
    door = Door()
    assert door.url == f"http://127.0.0.1:{door.port}"
    assert door.answers()
    descriptor = door.hand_over()
    door.close()
    assert door.answers()
    os.close(descriptor)
    assert not door.answers()


def test_two_doors_never_meet() -> None:
    doors = [Door() for _ in range(20)]
    assert len({door.port for door in doors}) == 20
    for door in doors:
        door.close()
    assert not any(door.answers() for door in doors)
