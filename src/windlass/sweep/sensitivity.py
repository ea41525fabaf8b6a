"""Does an agent's answer depend on its inputs? A rule over two different questions, each asked twice. Pure.

What an agent sends back of its inputs says nothing; what stays the same for all inputs says nothing; what changes while the inputs
stay the same (a clock, a random id, another canned text) says nothing. Something must be left: a part of the answers that is the
same for the same inputs and differs for others, or, in a model's free text, words that it keeps saying about one input only.

The questions are asked in the order A, B, B, A. The answers to A lie around those to B, so that a clock can't hold for both and have
changed in between; and neither canned answers in turn nor the answer to the question before give the same for A, A and for B, B.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import orjson

_TOKEN = re.compile(r"\w+")
_SENT_BACK = "\0sent back"
"""Stands where an answer carries its inputs: the same whatever the inputs are."""
_ABSENT = object()
_LONG = 20
"""Characters of JSON from which a value that is found in the outputs was taken from the inputs, under whatever key it stands."""

_Said = frozenset[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One question, and the outputs of the two answers to it. Lives as long as the judgement."""

    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    again: Mapping[str, Any]


def same(one: Any, other: Any) -> bool:
    """Equal as JSON values; `1`, `1.0` and `true` are three different things."""
    return bool(one == other) and _same_types(one, other)


def echoes(outputs: Any, inputs: Mapping[str, Any]) -> bool:
    """The outputs are the inputs, or carry the whole inputs in one of their keys and nothing else of their own."""
    while not same(outputs, inputs):
        if not isinstance(outputs, Mapping) or len(outputs) != 1:
            return False
        outputs = next(iter(outputs.values()))
    return bool(inputs)


def insensitive(one: Asked, other: Asked) -> str | None:
    """Why the answers do not depend on the inputs, or None when they do."""
    if same(one.outputs, other.outputs) or same(one.again, other.again):
        return "different inputs got the same outputs"
    answers = [_without_inputs(outputs, asked.inputs) for asked in (one, other) for outputs in (asked.outputs, asked.again)]
    first, again, second, second_again = answers
    if same(first, second) and same(again, second_again):
        return "apart from the inputs, which are sent back, different inputs got the same outputs"
    if _differ_steadily(answers) or _keep_their_words(one.inputs, other.inputs, answers):
        return None
    return "the answers vary by themselves, and nothing in them depends on the inputs"


def _differ_steadily(parts: Sequence[Any]) -> bool:
    """Whether a part of the answers (to A, A, B, B) is the same whenever the inputs are, and differs when they do."""
    present = [part is not _ABSENT for part in parts]
    if present[0] == present[1] != present[2] == present[3]:
        return True
    there = [part for part in parts if part is not _ABSENT]
    if there and all(isinstance(part, Mapping) for part in there):
        keys = dict.fromkeys(key for part in there for key in part)
        return any(_differ_steadily([part.get(key, _ABSENT) if part is not _ABSENT else _ABSENT for part in parts]) for key in keys)
    if there and all(isinstance(part, list) for part in there):
        return any(map(_differ_steadily, zip_longest(*([] if part is _ABSENT else part for part in parts), fillvalue=_ABSENT)))
    first, again, second, second_again = parts
    return same(first, again) and same(second, second_again) and not same(first, second)


def _keep_their_words(inputs: Mapping[str, Any], other_inputs: Mapping[str, Any], answers: Sequence[Any]) -> bool:
    """Whether free text keeps saying something about each of the inputs that it never says about the other.

    Where it does so for one of them only (all it says of A, it says of B too), the words must be words of that input.
    """
    first, again, second, second_again = map(_said, answers)
    own = _just_words((first & again) - second - second_again)
    others = _just_words((second & second_again) - first - again)
    if own and others:
        return True
    asked, asked_other = _vocabulary(inputs), _vocabulary(other_inputs)
    return bool(own & (asked - asked_other) or others & (asked_other - asked))


def _without_inputs(outputs: Any, inputs: Mapping[str, Any]) -> Any:
    """The outputs with the inputs taken out, when all of them are in it: then they are sent back. Otherwise the outputs as they are.

    A value of the inputs is found under its own key; a long one, or the only one, under any: a short one may be an honest answer.
    """
    missing = dict(inputs)
    loose = {key for key, value in inputs.items() if len(inputs) == 1 or len(orjson.dumps(value)) >= _LONG}
    left = _replaced(outputs, "", inputs, loose, missing)
    return outputs if missing else left


def _replaced(value: Any, key: str, inputs: Mapping[str, Any], loose: set[str], missing: dict[str, Any]) -> Any:
    found = [name for name, item in inputs.items() if (name == key or name in loose) and same(value, item)]
    if found or _is_json_of(value, inputs):
        for name in found or inputs:
            missing.pop(name, None)
        return _SENT_BACK
    if isinstance(value, Mapping):
        return {name: _replaced(item, name, inputs, loose, missing) for name, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, key, inputs, loose, missing) for item in value]
    return value


def _is_json_of(value: Any, inputs: Mapping[str, Any]) -> bool:
    """Whether a text is the inputs, written as JSON."""
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return False
    try:
        return same(orjson.loads(value), inputs)
    except orjson.JSONDecodeError:
        return False


def _said(value: Any) -> _Said:
    """Everything that an answer says: (key path, word) pairs."""
    return frozenset(_words(value))


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
            yield path, word.casefold()
    else:
        yield path, repr(value)


def _just_words(said: _Said) -> frozenset[str]:
    return frozenset(word for _, word in said)


def _vocabulary(inputs: Mapping[str, Any]) -> frozenset[str]:
    """The words of the inputs' values; no numbers, which stamps and counters meet by chance."""
    return frozenset(word for word in _just_words(_said(list(inputs.values()))) if any(map(str.isalpha, word)))


def _same_types(one: Any, other: Any) -> bool:
    """For equal values: whether they are equal in type all the way down."""
    if isinstance(one, Mapping):
        return all(_same_types(item, other[key]) for key, item in one.items())
    if isinstance(one, list):
        return all(map(_same_types, one, other))
    return type(one) is type(other)
