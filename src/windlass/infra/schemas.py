"""JSON Schema 2020-12 that a stranger may write, checked against a value that another stranger sent: bounded work, and no reference leaves.

Patterns run on RE2 in linear time wherever a schema may hold one, equal items are found without comparing each with each, and the
references that one check may follow are counted: a few nested ones can stand for billions.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

import orjson
import re2
from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.exceptions import SchemaError, best_match
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

Check = Callable[[Any], str | None]
"""Given a value: None, or where and why it does not fit."""

MAX_REFERENCES = 200_000
"""References that one check follows, about two seconds of work."""
_LONG_PATTERN = 100
"""Characters on which a pattern is tried for one step."""
TOO_MUCH_WORK = "too much work"
"""What the answer of a check that used up its steps begins with."""
_MAX_DEPTH = 140
"""Keywords inside one another, five frames each at most: at Python's own limit, the registry's Rust code would panic instead of raising."""
_MAX_PROBLEMS = 100
_MAX_REASON = 1000
_NAMED = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_VALUES = frozenset({"const", "enum", "default", "examples"})
_NO_FORMATS = FormatChecker(formats=())  # the default one would try every pattern on `re`
_QUIET = re2.Options()
_QUIET.log_errors = False  # RE2 writes to stderr by itself otherwise


class _TooManyReferencesError(Exception):
    """A check has followed more references than it may."""


class _TooMuchWorkError(Exception):
    """A check has taken more steps than it may."""


class _Left(threading.local):
    """The references and steps that the check which runs in this thread may still take. Lives as long as the process."""

    references = 0
    steps = 0
    depth = 0


_left = _Left()


def compiled(schema: Mapping[str, Any] | bool, steps: int | None = None) -> Check:  # noqa: FBT001  # `true` and `false` are schemas
    """A check for `schema`; raises ValueError that says what is wrong with the schema itself. Equal schemas share one check.

    With `steps`, a check takes at most that many (a keyword tried on a value is one, and one more for each item of either), about
    3 µs each: for a schema and a value that are both strangers'.
    """
    try:
        return _compiled(orjson.dumps(schema, option=orjson.OPT_SORT_KEYS), steps)
    except orjson.JSONEncodeError as failure:
        raise ValueError(f"is not JSON: {failure}") from failure


@lru_cache(maxsize=4096)
def _compiled(canonical: bytes, steps: int | None) -> Check:
    schema = orjson.loads(canonical)
    try:
        Draft202012Validator.check_schema(schema, format_checker=_NO_FORMATS)
        parts = list(_parts(schema))
    except SchemaError as failure:
        raise ValueError(_clip(f"{failure.json_path}: {failure.message}", _MAX_REASON)) from failure
    except RecursionError as failure:
        raise ValueError("is nested too deeply") from failure
    _refuse_bad_patterns(parts)
    _refuse_outer_references(schema, parts)
    validator = (_Validator if steps is None else _Bounded)(schema, registry=Registry())

    def check(value: Any) -> str | None:
        _left.references = MAX_REFERENCES
        _left.steps, _left.depth = steps or 0, 0
        try:
            problem = best_match(islice(validator.iter_errors(value), _MAX_PROBLEMS))
        except Unresolvable as failure:
            return f"the schema refers to {failure.ref!r}, which is not inside it"
        except RecursionError:
            return "the value or the schema is nested too deeply"
        except _TooManyReferencesError:
            return f"the schema follows more than {MAX_REFERENCES} references for this value"
        except _TooMuchWorkError:
            return f"{TOO_MUCH_WORK}: the schema takes more than {steps:,} steps for this value"
        return _short(f"{problem.json_path}: {problem.message}") if problem else None

    return check


def _clip(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _short(reason: str) -> str:
    """The beginning and the end: a large value stands first, and what is wrong with it last."""
    return reason if len(reason) <= _MAX_REASON else f"{reason[: _MAX_REASON // 2]} … {reason[-_MAX_REASON // 3 :]}"


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not re2.search(pattern, instance):
        yield ValidationError(f"{instance[:80]!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: Mapping[str, Any], instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        for pattern, schema in patterns.items():
            for key, value in instance.items():
                if re2.search(pattern, key):
                    yield from validator.descend(value, schema, path=key, schema_path=pattern)


def _additional_properties(validator: Any, allowed: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    extras = [key for key in instance if key not in named and not any(re2.search(pattern, key) for pattern in patterns)]
    if isinstance(allowed, dict):
        for key in extras:
            yield from validator.descend(instance[key], allowed, path=key)
    elif extras and not allowed:
        yield ValidationError(f"has keys that are not allowed: {', '.join(map(repr, extras[:10]))}")


def _unique_items(_validator: Any, wanted: bool, instance: Any, _schema: Any) -> Iterator[ValidationError]:  # noqa: FBT001  # jsonschema calls it so
    if wanted and isinstance(instance, list) and len(set(map(_frozen, instance))) < len(instance):
        yield ValidationError("has items that are equal")


def _followed(keyword: str) -> Callable[..., Iterator[ValidationError]]:
    """The keyword, counted: one validator class serves every schema, since making a class costs more than compiling a small schema."""

    def follow(validator: Any, reference: str, instance: Any, part: Any) -> Iterator[ValidationError]:
        _left.references -= 1
        if _left.references < 0:
            raise _TooManyReferencesError
        yield from Draft202012Validator.VALIDATORS[keyword](validator, reference, instance, part) or ()

    return follow


def _frozen(value: Any) -> Any:
    """A hashable value, equal for values that JSON Schema takes for equal: `1` is `1.0` and not `true`."""
    if isinstance(value, dict):
        return "object", frozenset((key, _frozen(item)) for key, item in value.items())
    if isinstance(value, list):
        return "array", tuple(map(_frozen, value))
    return ("boolean", value) if isinstance(value, bool) else value


_Validator = extend(  # type: ignore[no-untyped-call]  # so in the stubs
    Draft202012Validator,
    {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
        "$ref": _followed("$ref"),
        "$dynamicRef": _followed("$dynamicRef"),
    },
)


def _counted(keyword: str, function: Callable[..., Any]) -> Callable[..., Iterator[ValidationError]]:
    """The keyword, paid for before it is tried; and what it says of a value is cut, since it repeats the whole of it."""

    def counted(validator: Any, wanted: Any, instance: Any, part: Any) -> Iterator[ValidationError]:
        size = len(instance) if isinstance(instance, list | dict) else 0
        choices = len(wanted) if isinstance(wanted, list | dict) else 0
        _pay(1 + choices + size)
        if keyword == "pattern" and isinstance(instance, str):
            _pay(len(instance) // _LONG_PATTERN)
        elif keyword in _BY_KEYS and isinstance(instance, dict):
            patterns = len(part.get("patternProperties", ()))
            _pay(10 * patterns * (size + sum(map(len, instance)) // _LONG_PATTERN))  # each may have to be compiled again
        _left.depth += 1
        try:
            if _left.depth > _MAX_DEPTH:
                raise RecursionError
            for problem in function(validator, wanted, instance, part) or ():
                _pay(len(problem.message) // _LONG_PATTERN)
                problem.message = _short(problem.message)
                problem.args = (problem.message,)  # an exception keeps what it was made with
                yield problem
        finally:  # also where the caller has seen enough: `contains` asks for the first problem only
            _left.depth -= 1

    return counted


_BY_KEYS = frozenset({"patternProperties", "additionalProperties"})


def _pay(steps: int) -> None:
    _left.steps -= steps
    if _left.steps < 0:
        raise _TooMuchWorkError


_Bounded = extend(  # type: ignore[no-untyped-call]  # so in the stubs
    _Validator, {keyword: _counted(keyword, function) for keyword, function in _Validator.VALIDATORS.items()}
)


def _refuse_bad_patterns(parts: list[dict[str, Any]]) -> None:
    if any("unevaluatedProperties" in part for part in parts) and any("patternProperties" in part for part in parts):
        raise ValueError("unevaluatedProperties and patternProperties are not taken in one schema: they would run patterns outside RE2")
    for part in parts:
        for pattern in ([part["pattern"]] if "pattern" in part else []) + list(part.get("patternProperties", ())):
            try:
                re2.compile(pattern, options=_QUIET)
            except re2.error as failure:
                said = failure.args[0]
                raise ValueError(
                    f"the pattern {_clip(repr(pattern), 100)} is not RE2: {said.decode() if isinstance(said, bytes) else said}"
                ) from failure


def _refuse_outer_references(schema: Any, parts: list[dict[str, Any]]) -> None:
    """Raise for a reference that leads nowhere. Where a part has its own `$id`, a check says it when it meets one."""
    if any("$id" in part for part in parts):
        return
    resolver = Registry().resolver_with_root(DRAFT202012.create_resource(schema))
    for part in parts:
        for reference in (part[keyword] for keyword in ("$ref", "$dynamicRef") if keyword in part):
            try:
                resolver.lookup(reference)
            except Unresolvable as failure:
                raise ValueError(f"refers to {reference!r}, which is not inside it") from failure


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Every object of a schema that is a schema itself; what stands under `const` or names a property is none."""
    if isinstance(schema, list):
        for item in schema:
            yield from _parts(item)
    elif isinstance(schema, dict):
        yield schema
        for key, value in schema.items():
            if key in _NAMED and isinstance(value, dict):
                for part in value.values():
                    yield from _parts(part)
            elif key not in _VALUES:
                yield from _parts(value)
