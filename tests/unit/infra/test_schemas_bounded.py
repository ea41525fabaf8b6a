"""A check with a purse: a stranger's schema on a stranger's value costs a counted number of steps and never Python's stack."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from windlass.infra import schemas

STEPS = 100_000
RECURSIVE = {"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}}


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def at_depth(frames: int, work: Callable[[], Any]) -> Any:
    return work() if frames == 0 else at_depth(frames - 1, work)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "object", "required": ["a"]}, {"a": 1}),
        ({"contains": {"const": 999}}, list(range(1000))),
        ({"items": {"not": {"type": "string"}}}, list(range(2000))),
        ({"items": {"anyOf": [{"type": "string"}, {"if": {"minimum": 5}, "then": {"maximum": 9999}}]}}, list(range(2000))),
        ({"oneOf": [{"items": {"type": "string"}}, {"uniqueItems": True}]}, list(range(2000))),
        (RECURSIVE, nested(60)),
        (True, 1),
    ],
)
def test_an_ordinary_check_has_the_same_verdict_with_and_without_a_purse(schema: Any, value: Any) -> None:
    assert schemas.compiled(schema, STEPS)(value) is None
    assert schemas.compiled(schema)(value) is None


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"items": {"type": "integer"}}, list(range(100_000))),
        ({"items": {"enum": list(range(1_000))}}, [-1] * 1_000),
        ({"allOf": [{"pattern": f"(a|b)*c{number}$"} for number in range(1_000)]}, "a" * 1_000_000),
        ({"patternProperties": {f"(a|b)*c{number}$": {} for number in range(1_000)}}, dict.fromkeys(map(str, range(1_000)), 1)),
        ({"anyOf": [{"type": "object"}] * 1_000}, list(range(10_000))),
    ],
)
def test_what_would_take_too_many_steps_is_given_up_soon(schema: Any, value: Any) -> None:
    begun = time.perf_counter()
    reason = schemas.compiled(schema, STEPS)(value)
    assert reason is not None
    assert reason.startswith(schemas.TOO_MUCH_WORK)
    assert time.perf_counter() - begun < 2


@pytest.mark.parametrize("frames", [0, 40, 90])
def test_a_deep_value_is_refused_wherever_the_check_is_called_from(frames: int) -> None:
    """The registry is Rust code, and panics on the terminal instead of raising when Python's stack ends inside it."""
    assert sys.getrecursionlimit() >= 1000
    for levels in (100, 150, 250, 900):
        check = partial(schemas.compiled(RECURSIVE, STEPS), nested(levels))
        assert at_depth(frames, check) == "the value or the schema is nested too deeply"


def test_one_check_given_up_costs_the_next_nothing() -> None:
    check = schemas.compiled(RECURSIVE, STEPS)
    for _ in range(5):
        assert check(nested(900)) is not None
        assert check(nested(50)) is None


def test_a_problem_is_told_in_few_words_however_large_the_value() -> None:
    reason = schemas.compiled({"type": "string"}, STEPS)(list(range(50_000)))
    assert reason is not None
    assert len(reason) < 1_000
