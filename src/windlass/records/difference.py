"""Where two texts of JSON differ first: byte range and JSON pointer. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import orjson

_ABSENT = object()
_SHOWN = 60


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The bytes `start` to `end` of the found text differ; `pointer` is None when it is not JSON; `reason` says it in words."""

    start: int
    end: int
    pointer: str | None
    reason: str


def between(found: bytes, expected: bytes) -> Difference:
    """The first difference between what was found and what was expected, which must not be equal."""
    start, end = _byte_range(found, expected)
    try:
        left = orjson.loads(found)
    except orjson.JSONDecodeError as failure:
        return Difference(start=start, end=end, pointer=None, reason=f"is not JSON: {failure}")
    pointed = _pointed(left, orjson.loads(expected), "")
    if pointed is None:
        return Difference(start=start, end=end, pointer="", reason="has the journal's values in other bytes")
    pointer, value, must = pointed
    return Difference(start=start, end=end, pointer=pointer, reason=f"{pointer or 'the whole'}: is {_show(value)}, the journal says {_show(must)}")


def _byte_range(found: bytes, expected: bytes) -> tuple[int, int]:
    shorter = min(len(found), len(expected))
    start = _common(found, expected, shorter)
    behind = _common(found[::-1], expected[::-1], shorter - start)
    return start, len(found) - behind


def _common(one: bytes, other: bytes, limit: int) -> int:
    """The length of the common beginning, at most `limit`; by bisection, so that megabytes take no loop over bytes."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _pointed(found: Any, expected: Any, pointer: str) -> tuple[str, Any, Any] | None:
    if isinstance(found, dict) and isinstance(expected, dict):
        for key in [*expected, *(key for key in found if key not in expected)]:
            below = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
            pointed = _pointed(found.get(key, _ABSENT), expected.get(key, _ABSENT), below)
            if pointed:
                return pointed
        return None
    if isinstance(found, list) and isinstance(expected, list):
        for place, (one, other) in enumerate(zip_longest(found, expected, fillvalue=_ABSENT)):
            pointed = _pointed(one, other, f"{pointer}/{place}")
            if pointed:
                return pointed
        return None
    return None if type(found) is type(expected) and found == expected else (pointer, found, expected)


def _show(value: Any) -> str:
    if value is _ABSENT:
        return "absent"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = orjson.dumps(value).decode()
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
