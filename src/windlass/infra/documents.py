"""Reads a JSON object that a stranger sent: every key once, every number with its digits, no deeper than it can be written again. Pure."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from windlass import model

MAX_DEPTH = 254
"""Levels of nesting that can be written again; a body deeper than this could be read and never be passed on."""

_MAX_KEYS = 64
_MAX_KEY = 200
_LONG_NUMBER = re.compile(rb"\d{19}")
_INT64, _UINT64 = -(2**63), 2**64


class UnfitBody(ValueError):
    """The body is not a JSON object that can be taken as it is; `errors` maps field (`body` for the whole) to what is wrong there."""

    def __init__(self, errors: Mapping[str, list[str]], message: str) -> None:
        self.errors = dict(errors)
        super().__init__(message)


def parsed(content: bytes, keys: tuple[str, ...], *, every_level: bool = False) -> dict[str, Any]:
    """The JSON object in `content`; `keys` are those that its reader knows. Raises UnfitBody.

    With `every_level`, no object inside it may hold a key twice either; that costs five times as much.
    """
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as failure:
        raise _unfit("body", "is empty; send a JSON object" if not content.strip() else f"is not JSON: {failure}") from failure
    if not isinstance(document, dict):
        raise _unfit("body", "is not a JSON object")
    if _too_deep(content, document):
        raise _unfit("body", f"is nested deeper than {MAX_DEPTH} levels")
    if len(document) > _MAX_KEYS:
        raise _unfit("body", f"has {len(document)} keys; the known ones are {', '.join(keys)}")
    for key in document:
        if len(key) > _MAX_KEY:
            raise _unfit(model.clip(key, _MAX_KEY), "is not a known key")
    if every_level or _may_hide_something(content, document, keys):
        _refuse_hidden(content, every_level=every_level)
    return document


def _unfit(field: str, message: str) -> UnfitBody:
    return UnfitBody({field: [message]}, f"{field}: {message}")


def _too_deep(content: bytes, document: dict[str, Any]) -> bool:
    if content.count(b"[") + content.count(b"{") <= MAX_DEPTH:
        return False
    try:
        orjson.dumps(document)
    except orjson.JSONEncodeError:
        return True
    return False


def _may_hide_something(content: bytes, document: dict[str, Any], keys: tuple[str, ...]) -> bool:
    """Whether the fast parser may have kept one of two equal keys, or rounded a number: it tells neither. Never wrong with no, rarely with yes.

    Keys that nobody knows are refused anyway; a known one that is given twice stands there twice, or is written with an escape.
    """
    if b"\\u00" in content or _LONG_NUMBER.search(content):
        return True
    written = _written(keys)
    for key in document:  # noqa: SIM110  # a generator costs more than the search, and every dispatch pays
        if key in written and content.count(written[key]) > 1:
            return True
    return False


@lru_cache
def _written(keys: tuple[str, ...]) -> dict[str, bytes]:
    return {key: b'"%b"' % key.encode() for key in keys}


def _refuse_hidden(content: bytes, *, every_level: bool) -> None:
    """Raise for keys given twice, and for integers beyond 64 bits, as the exact (and slow) parser sees them."""
    top: list[str] = []
    below: list[str] = []
    rounded: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> None:
        below.extend(_twice(top))
        top[:] = [name for name, _ in found]  # the outermost object is the last one to be closed

    def integer(digits: str) -> int:
        if len(digits) > 20 or not _INT64 <= int(digits) < _UINT64:
            rounded.append(digits)
            return 0
        return int(digits)

    json.loads(content, object_pairs_hook=pairs, parse_int=integer)
    if twice := _twice(top):
        raise UnfitBody({name: ["is given twice"] for name in twice}, f"{', '.join(twice)}: given twice; which one counts would be a guess")
    if below and every_level:
        raise _unfit("body", f"the key {model.clip(below[0], 80)!r} is given twice inside one object; which one counts would be a guess")
    if rounded:
        raise _unfit("body", f"the integer {model.clip(rounded[0], 40)} is beyond 64 bits and would lose digits; send it as a string")


def _twice(names: list[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1) if len(set(names)) < len(names) else []
