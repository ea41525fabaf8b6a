"""The inputs of an agent's task as a workflow writes them: JSON, in which a file's content or the run's topic can stand.

`{"$file": "{artifact_path}/draft.md"}` is the text of a file, `{"$json": "…"}` the value in one, `{"$topic": true}` the topic. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from windlass.errors import Refused
from windlass.records.contracts import paths

FILE, JSON, TOPIC = "$file", "$json", "$topic"
MAX_FILE = 16 * 1024 * 1024
"""Bytes of one file that is handed to an agent."""


def templates(inputs: Any) -> tuple[str, ...]:
    """The files that the inputs name, each once, in their order."""
    return tuple(dict.fromkeys(str(part[key]) for _, part in _references(inputs, "") for key in (FILE, JSON) if key in part))


def problems(inputs: Any) -> Iterator[str]:
    """Why the inputs can't be filled, whatever the files are; each with its JSON pointer."""
    for pointer, part in _references(inputs, ""):
        ((key, value),) = part.items() if len(part) == 1 else (("", None),)
        if not key:
            yield f"{pointer}: a reference stands alone in its object"
        elif key == TOPIC and value is not True:
            yield f"{pointer}/{TOPIC}: is not true"
        elif key in (FILE, JSON):
            reasons = paths.problems(value, globs=False) if isinstance(value, str) and value else ["is no path template"]
            yield from (f"{pointer}/{key}: {reason}" for reason in reasons)


def filled(inputs: Any, read: Callable[[str], bytes], topic: str | None) -> Any:
    """The inputs with everything in its place. `read(template)`: a file's bytes. Raises Refused for what is not there or no text or JSON."""
    match inputs:
        case {"$topic": True}:
            if topic is None:
                raise Refused("the inputs ask for the run's topic, and it has none; give one with --prompt-file")
            return topic
        case {"$file": str() as template}:
            return _text(template, read(template))
        case {"$json": str() as template}:
            return _json(template, read(template))
        case dict():
            return {key: filled(value, read, topic) for key, value in inputs.items()}
        case list():
            return [filled(value, read, topic) for value in inputs]
    return inputs


def _text(template: str, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as failure:
        raise Refused(f"{template}: is not UTF-8: {failure}") from failure


def _json(template: str, content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as failure:
        raise Refused(f"{template}: is not JSON: {failure}") from failure


def _references(value: Any, pointer: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(value, dict):
        if {FILE, JSON, TOPIC} & value.keys():
            yield pointer, value
        else:
            for key, child in value.items():
                yield from _references(child, f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for place, child in enumerate(value):
            yield from _references(child, f"{pointer}/{place}")
