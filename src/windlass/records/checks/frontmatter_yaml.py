"""Reads a document's YAML front matter into plain values: no tags, no anchors, every key once, bounded in size and depth.

Plain scalars are read by the core schema of YAML 1.2: `true`/`false`, `null`, numbers; everything else is text. So `yes`, `on`, `2026-01-19`
and `1_000` are the text that an author sees, and not what YAML 1.1 makes of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

MAX_SIZE = 64 * 1024
"""Bytes from the start of the file within which the front matter must have ended."""
MAX_DEPTH = 20
MAX_NODES = 5_000

_BLOCK = re.compile(r"---[ \t]*\n((?:(?!(?:---|\.\.\.)[ \t]*(?:\n|\Z)).*\n)*+)(?:---|\.\.\.)[ \t]*(?:\n|\Z)")
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]{1,32}|[0-9]{1,32}(?:\.[0-9]{0,32})?)(?:[eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}


class BadFrontMatter(Exception):
    """The front matter is missing or can't be taken; the message says why."""


def front_matter(head: bytes) -> dict[str, Any]:
    """The fields of the front matter of the document that begins with `head` (its first `MAX_SIZE` bytes); raises BadFrontMatter."""
    text = head.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
    found = _BLOCK.match(text)
    if found is None:
        begun = text.startswith("---") and not text[3:].partition("\n")[0].strip()
        raise BadFrontMatter(
            f"its front matter does not end within {MAX_SIZE:,} bytes" if begun else "has no front matter: its first line is not ---"
        )
    try:
        fields = _Reader(yaml.parse(found[1], Loader=yaml.SafeLoader)).document()
    except yaml.YAMLError as failure:
        raise BadFrontMatter(f"its front matter is not YAML: {_said(failure)}") from failure
    if not isinstance(fields, dict):
        raise BadFrontMatter("its front matter is not a list of fields")
    return fields


def _said(failure: yaml.YAMLError) -> str:
    mark = getattr(failure, "problem_mark", None)
    said = getattr(failure, "problem", None) or str(failure).splitlines()[0]
    return f"line {mark.line + 2}: {said}" if mark else said


class _Reader:
    """Builds values from the events of one document. Lives as long as the reading."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._nodes = 0

    def document(self) -> Any:
        """The only document; None when there is none."""
        for event in self._events:
            if not isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent):
                break
        else:
            return None
        if isinstance(event, yaml.StreamEndEvent):
            return {}
        value = self._value(event, 0)
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                raise BadFrontMatter("its front matter is more than one document")
        return value

    def _value(self, event: Any, depth: int) -> Any:
        self._nodes += 1
        if self._nodes > MAX_NODES or depth > MAX_DEPTH:
            raise BadFrontMatter(f"its front matter has more than {MAX_NODES:,} values, or is nested deeper than {MAX_DEPTH}")
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise BadFrontMatter(f"its front matter uses the anchor {event.anchor[:40]!r}; write the value out")
        if event.tag not in (None, "!"):
            raise BadFrontMatter(f"its front matter uses the tag {event.tag[:40]!r}; write a plain value")
        if isinstance(event, yaml.ScalarEvent):
            return event.value if event.style else _plain(event.value)
        if isinstance(event, yaml.SequenceStartEvent):
            return [self._value(item, depth + 1) for item in self._until(yaml.SequenceEndEvent)]
        return self._mapping(depth)

    def _mapping(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for event in self._until(yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise BadFrontMatter("a key of its front matter is not a word")
            self._value(event, depth + 1)
            if event.value in found:
                raise BadFrontMatter(f"its front matter gives {event.value[:40]!r} twice; which one counts would be a guess")
            found[event.value] = self._value(next(self._events), depth + 1)
        return found

    def _until(self, end: type[Any]) -> Iterator[Any]:
        for event in self._events:
            if isinstance(event, end):
                return
            yield event


def _plain(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return text
