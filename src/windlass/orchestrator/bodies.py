"""Reads the body of a dispatch: strictly JSON, strictly our keys. Pure: bytes in, a request or a refusal out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from windlass import model
from windlass.orchestrator.refusal import Refusal, unfit

MAX_DEPTH = 254
"""Levels of nesting that can be written again; a body deeper than this could be read and never be passed on."""

LARGE = 256 * 1024
"""Bytes from which reading a body takes so long that it should not be done on an event loop."""

_KEYS = tuple(model.DispatchRequest.model_fields)
_WRITTEN = {key: b'"%b"' % key.encode() for key in (*_KEYS, "input")}
_MAX_KEYS = 64
_MAX_KEY = 200
_LONG_NUMBER = re.compile(rb"\d{19}")
_INT64, _UINT64 = -(2**63), 2**64
_NAME: TypeAdapter[str] = TypeAdapter(model.Name)


def parsed(content: bytes) -> dict[str, Any] | Refusal:
    """The JSON object in `content`, in which every key was given once and every number keeps its digits."""
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as failure:
        return _refused("body", "is empty; send a JSON object" if not content.strip() else f"is not JSON: {failure}")
    if not isinstance(document, dict):
        return _refused("body", "is not a JSON object")
    if _too_deep(content, document):
        return _refused("body", f"is nested deeper than {MAX_DEPTH} levels")
    if len(document) > _MAX_KEYS:
        return _refused("body", f"has {len(document)} keys; the known ones are {', '.join(_KEYS)}")
    for key in document:
        if len(key) > _MAX_KEY:
            return _refused(model.clip(key, _MAX_KEY), "is not a known key")
    if _may_hide_something(content, document):
        return _hidden(content) or document
    return document


def fitted(document: dict[str, Any]) -> model.DispatchRequest | Refusal:
    """The request that `document` is; `input` counts as `inputs`, because some clients send one body to dispatch and to the agent."""
    if "input" in document:
        document = {**document}
        singular = document.pop("input")
        if document.setdefault("inputs", singular) != singular:
            return _refused("inputs", "input and inputs are both given and differ; send one of them")
    try:
        return model.DispatchRequest.model_validate(document)
    except ValidationError as failure:
        errors = model.field_errors(failure, _KEYS)
        return unfit(errors, model.clip(model.summary(errors), 1000))


def request_id(document: Mapping[str, Any]) -> str | None:
    """The body's request id, where it is a valid one whatever else is wrong."""
    try:
        return _NAME.validate_python(document.get("request_id"), strict=True)
    except ValidationError:
        return None


def _refused(field: str, message: str) -> Refusal:
    return unfit({field: [message]}, f"{field}: {message}")


def _too_deep(content: bytes, document: dict[str, Any]) -> bool:
    if content.count(b"[") + content.count(b"{") <= MAX_DEPTH:
        return False
    try:
        orjson.dumps(document)
    except orjson.JSONEncodeError:
        return True
    return False


def _may_hide_something(content: bytes, document: dict[str, Any]) -> bool:
    """Whether the fast parser may have kept one of two equal keys, or rounded a number: it tells neither. Never wrong with no, rarely with yes.

    Keys that nobody knows are refused anyway; a known one that is given twice stands there twice, or is written with an escape.
    """
    if b"\\u00" in content or _LONG_NUMBER.search(content):
        return True
    for key in document:  # noqa: SIM110  # a generator costs more than the search, and every dispatch pays
        if key in _WRITTEN and content.count(_WRITTEN[key]) > 1:
            return True
    return False


def _hidden(content: bytes) -> Refusal | None:
    """What the exact (and slow) parser says of keys given twice at the top, and of integers beyond 64 bits."""
    top: list[tuple[str, Any]] = []
    rounded: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> None:
        top[:] = found  # the outermost object is the last one to be closed

    def integer(digits: str) -> int:
        if len(digits) > 20 or not _INT64 <= int(digits) < _UINT64:
            rounded.append(digits)
            return 0
        return int(digits)

    json.loads(content, object_pairs_hook=pairs, parse_int=integer)
    names = [name for name, _ in top]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        return unfit({name: ["is given twice"] for name in twice}, f"{', '.join(twice)}: given twice; which one counts would be a guess")
    if rounded:
        return _refused("body", f"the integer {model.clip(rounded[0], 40)} is beyond 64 bits and would lose digits; send it as a string")
    return None
