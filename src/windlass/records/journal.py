"""How the events of a run are written to and read from the entries of its journal.

An entry (a line of a chained log) is `{seq, prev, type, v, at, …the event's fields…, hash}`; `v` is the version of its shape.
A run keeps the schema that it was begun with: what it can't tell is refused, not lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import orjson

from windlass.errors import Refused, UnusableRecord
from windlass.records.events import (
    Event,
    GateApproved,
    GateFinished,
    GateStarted,
    InvocationRecorded,
    Note,
    RunCompleted,
    RunResumed,
    RunStarted,
    WindowClosed,
    WindowOpened,
)
from windlass.records.fields import Fields

SCHEMA_VERSION = 2

_EVENTS: dict[str, type[Event]] = {
    event.type: event
    for event in (
        RunStarted,
        GateStarted,
        GateFinished,
        InvocationRecorded,
        GateApproved,
        RunResumed,
        WindowOpened,
        WindowClosed,
        Note,
        RunCompleted,
    )
}
_SINCE_2 = {event.type for event in (InvocationRecorded, GateApproved, RunResumed)}
_KEYS_SINCE_2: dict[str, dict[str, Any]] = {
    RunStarted.type: {"topic_sha256": None, "windlass_version": None},
    GateStarted.type: {"executor": None, "inputs": (), "out_of_order": False},
}
"""What schema 2 added, with what it means where it is not told."""


def write(event: Event, version: int = SCHEMA_VERSION) -> dict[str, Any]:
    """The fields of the entry for `event` in a run of that schema; raises Refused for what is not JSON, or what the schema can't tell."""
    if version < 2 and event.type in _SINCE_2:
        raise Refused(f"{event.type}: this run was begun with schema {version} by an older Windlass, which can't tell it; start a new run")
    try:
        nested = orjson.dumps([[[[[[[[event]]]]]]]])  # as deep as a view nests it: what can be recorded can be shown
        fields = cast("dict[str, Any]", orjson.loads(nested)[0][0][0][0][0][0][0][0])
    except orjson.JSONEncodeError as failure:
        raise Refused(f"{event.type}: {failure}") from failure
    if version < 2:
        for key in _KEYS_SINCE_2.get(event.type, ()):
            fields.pop(key)
    return {"type": event.type, "v": version, **fields}


def read(entry: Mapping[str, Any]) -> Event:
    """The event of an entry's fields; raises UnusableRecord, naming the JSON pointer, for anything that `write` would not have written."""
    fields = Fields(entry)
    kind = fields.text("type")
    version = fields.number("v", 1)
    if version > SCHEMA_VERSION:
        raise UnusableRecord(f"/v: written by a newer Windlass (schema {version}; this one reads up to {SCHEMA_VERSION})")
    if kind not in _EVENTS or (version < 2 and kind in _SINCE_2):
        raise UnusableRecord(f"/type: {kind[:80]!r} is none of {', '.join(name for name in _EVENTS if version > 1 or name not in _SINCE_2)}")
    if version < 2:
        fields.lacking(_KEYS_SINCE_2.get(kind, {}))
    event = _EVENTS[kind].read(fields)
    fields.end()
    return event
