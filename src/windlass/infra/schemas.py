"""JSON Schema 2020-12 that a stranger may write: patterns run on RE2 in linear time, and no reference leaves the schema."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import orjson
import re2
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import SchemaError, best_match
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

Check = Callable[[Any], str | None]
"""Given a value: None, or where and why it does not fit."""


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not re2.search(pattern, instance):
        yield ValidationError(f"{instance[:80]!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: Mapping[str, Any], instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        for pattern, schema in patterns.items():
            for key, value in instance.items():
                if re2.search(pattern, key):
                    yield from validator.descend(value, schema, path=key, schema_path=pattern)


_Validator = extend(Draft202012Validator, {"pattern": _pattern, "patternProperties": _pattern_properties})  # type: ignore[no-untyped-call]  # jsonschema publishes no type for it


def compiled(schema: Mapping[str, Any]) -> Check:
    """A check for `schema`; raises ValueError that says what is wrong with the schema itself. Equal schemas share one check."""
    return _compiled(orjson.dumps(schema, option=orjson.OPT_SORT_KEYS))


@lru_cache(maxsize=4096)
def _compiled(canonical: bytes) -> Check:
    schema = orjson.loads(canonical)
    try:
        Draft202012Validator.check_schema(schema)
        for pattern in _patterns(schema):
            re2.compile(pattern)
    except SchemaError as failure:
        raise ValueError(f"{failure.json_path}: {failure.message}") from failure
    except re2.error as failure:
        raise ValueError(f"a pattern is not RE2: {failure}") from failure
    validator = _Validator(schema, registry=Registry())

    def check(value: Any) -> str | None:
        try:
            problem = best_match(validator.iter_errors(value))
        except Unresolvable as failure:
            return f"the schema refers to {failure.ref!r}, which is not inside it"
        except RecursionError:
            return "the value or the schema is nested too deeply"
        return f"{problem.json_path}: {problem.message}" if problem else None

    return check


def _patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        if isinstance(schema.get("patternProperties"), dict):
            yield from schema["patternProperties"]
        for value in schema.values():
            yield from _patterns(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _patterns(value)
