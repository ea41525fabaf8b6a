"""Does an agent's answer depend on its inputs? A rule over answers to two different inputs and the same input again. Pure.

An agent that answers the same inputs identically must answer different inputs differently. An agent whose answers vary by
themselves (a model, a clock, a random id) must say something about one input that it keeps saying when asked again, and that it
does not say about the other: a canned text with a fresh stamp in it has nothing of the kind. The questions are asked in the order
A, B, A (and B), so that a stamp taken from the clock can't hold for both answers to A and have changed for B.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_TOKEN = re.compile(r"\w+")


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Equal as JSON values; `1`, `1.0` and `true` are three different things."""
    return bool(_shape(one) == _shape(other))


def echoes(outputs: Any, inputs: Mapping[str, Any]) -> bool:
    """The outputs are the inputs, or carry the whole inputs in one of their keys and nothing else of their own."""
    if not inputs:
        return False
    if _shape(outputs) == _shape(inputs):
        return True
    return isinstance(outputs, Mapping) and len(outputs) == 1 and echoes(next(iter(outputs.values())), inputs)


def kept(answer: Mapping[str, Any], again: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    """What an agent says both times it is asked the same: (key path, word) pairs."""
    return frozenset(_words(answer)) & frozenset(_words(again))


def said(answer: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    """Everything that an answer says: (key path, word) pairs."""
    return frozenset(_words(answer))


def _words(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield path, f"key {key}"
            yield from _words(item, f"{path}/{key}")
    elif isinstance(value, list):
        for item in value:
            yield from _words(item, f"{path}/*")
    elif isinstance(value, str):
        for word in _TOKEN.findall(value):
            yield path, word
    else:
        yield path, repr(value)


def _shape(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _shape(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shape(item) for item in value]
    return (type(value).__name__, value)
