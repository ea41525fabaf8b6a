"""Lays a log out in rows of text, one below the other, whatever it came as: a text's lines, a list of lines, or records field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from windlass.agents import identifiers
from windlass.agents.agent import Context
from windlass.errors import AgentError

MOST = 10 * 1024 * 1024
"""Characters of a log that are read."""
_KEY_SHOWN = 60


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows joined by line feeds; row n of a record stands for `fields[n]` of line `lines[n]`. Lives as long as the run."""

    text: str
    lines: Sequence[int]
    fields: Sequence[str | None]
    count: int
    """Lines or records of the log."""


def laid_out(log: str | Sequence[str | Mapping[str, JsonValue]], context: Context) -> Rows:
    """The rows of a log; a line that holds line ends becomes one row. Refuses one that is longer than MOST."""
    if isinstance(log, str):
        count = log.count("\n") + (not log.endswith("\n"))
        return Rows(text=log, lines=range(1, count + 2), fields=[None] * (count + 1), count=count)
    rows: list[str] = []
    lines: list[int] = []
    fields: list[str | None] = []
    length = 0
    for number, entry in enumerate(log, 1):
        context.check()
        for name, wording in [(None, entry)] if isinstance(entry, str) else _flat(entry):
            length += len(wording) + 1
            if length > MOST:
                message = f"holds more than {MOST} characters"
                raise AgentError("VALIDATION_ERROR", f"log_data: {message}", {"fieldErrors": {"log_data": [message]}})
            rows.append(wording.replace("\n", " "))
            lines.append(number)
            fields.append(name)
    return Rows(text="\n".join(rows), lines=lines, fields=fields, count=len(log))


def _flat(record: Mapping[str, JsonValue]) -> Iterator[tuple[str, str]]:
    """Path and `key: value` of every value of a record, however deep, in order; items of a list have the list's key."""
    waiting: list[tuple[str, str, Any]] = [("", "", record)]
    while waiting:
        path, key, value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += [(f"{path}.{_named(name)}".lstrip("."), name, value[name]) for name in reversed(value)]
        elif isinstance(value, list):
            waiting += [(f"{path}[{place}]", key, value[place]) for place in range(len(value) - 1, -1, -1)]
        else:
            plain = str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
            yield path, f"{key}: {plain}" if key else plain


def _named(key: str) -> str:
    """A key as it may be shown: one that is itself an identifier shows its shape only."""
    short = key[:_KEY_SHOWN]
    return identifiers.shape(short) if identifiers.scan(short) or not short.isprintable() else short
