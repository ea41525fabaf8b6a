"""The kinds of fields that validation types share, each read strictly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from windlass.records.checks.types import Field
from windlass.records.contracts import paths

if TYPE_CHECKING:
    from windlass.records.contracts.problems import Keys

DEPTHS = ("quick", "standard", "deep")
MOST_SOURCES = 100_000
"""Distinct sources of one file that are counted."""


def _target(keys: Keys, name: str) -> str:
    key = "path" if name == "target" and not keys.given("target") and keys.given("path") else name
    template = keys.text(key)
    if template:
        for reason in paths.problems(template, globs=False):
            keys.wrong(key, reason)
    return template


def _targets(keys: Keys, name: str) -> tuple[str, ...]:
    templates = keys.texts(name)
    if not templates:
        keys.wrong(name, "names no file")
    for place, template in enumerate(templates):
        for reason in paths.problems(template, globs=False):
            keys.wrong(f"{name}/{place}", reason)
    return templates


def _thresholds(keys: Keys, name: str) -> Mapping[str, int]:
    part = keys.part(name)
    if part is None:
        keys.wrong(name, "is missing: a least number for quick, standard and deep")
        return dict.fromkeys(DEPTHS, 1)
    found = {depth: part.number(depth, least=1, most=MOST_SOURCES) for depth in DEPTHS}
    part.end()
    return found


TARGET = Field(read=_target, schema={"type": "string", "minLength": 1})
TARGETS = Field(read=_targets, schema={"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1})
THRESHOLDS = Field(
    read=_thresholds,
    schema={
        "type": "object",
        "properties": {depth: {"type": "integer", "minimum": 1, "maximum": MOST_SOURCES} for depth in DEPTHS},
        "required": list(DEPTHS),
        "additionalProperties": False,
    },
)
TEXT = Field(read=lambda keys, name: keys.text(name, most=10_000), schema={"type": "string", "minLength": 1, "maxLength": 10_000})


def truth(*, default: bool) -> Field:
    """True or false."""
    return Field(read=lambda keys, name: keys.truth(name, default=default), schema={"type": "boolean", "default": default}, required=False)


def number(default: int | None = None, *, least: int = 0, most: int = 10**9) -> Field:
    """A whole number; required without a default."""
    if default is None:
        return Field(read=lambda keys, name: keys.number(name, least=least, most=most), schema={"type": "integer", "minimum": least, "maximum": most})
    return Field(
        read=lambda keys, name: keys.number(name, default, least=least, most=most),
        schema={"type": "integer", "minimum": least, "maximum": most, "default": default},
        required=False,
    )


def word(*words: str, default: str) -> Field:
    """One of a few words."""
    return Field(read=lambda keys, name: keys.word(name, words, default), schema={"enum": list(words), "default": default}, required=False)


def texts(*, required: bool = True) -> Field:
    """A list of strings."""
    return Field(
        read=_texts if required else lambda keys, name: keys.texts(name),
        schema={"type": "array", "items": {"type": "string", "minLength": 1}},
        required=required,
    )


def _texts(keys: Keys, name: str) -> tuple[str, ...]:
    found = keys.texts(name)
    if not found:
        keys.wrong(name, "is missing or empty: a list of strings")
    return found


def pattern_problems(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Why the `pattern` can't be used: it does not compile under RE2, or matches nothing at all as well as anything."""
    from windlass.records.checks import patterns  # noqa: PLC0415  # RE2 is loaded where a pattern is

    reason = patterns.problem(fields["pattern"])
    if reason:
        yield "pattern", reason
