"""Finds identifiers of people in text: the kinds of HIPAA's Safe Harbor list that a pattern can tell honestly, each with its place.

The patterns are data (`data/identifiers.json`, RE2); a check by code follows where the form alone says too little (check digits, ranges). A
kind without patterns is named by `not_searched`: nobody may read an empty result as the absence of what was not looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import orjson
import re2

from windlass.agents import check_digits

BLOCK = 1 << 16
"""Characters that are looked through at a time, up to the next end of a line; between blocks the clock is asked."""
SHOWN = 40
"""Characters that the shape of a value shows at most."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of identifier. Lives as long as the process."""

    name: str
    number: int
    """Its place in the Safe Harbor list, 1 to 18."""
    title: str
    note: str | None
    """What the patterns leave out, or why there are none."""
    searched: bool


@dataclass(frozen=True, kw_only=True)
class Found:
    """An identifier and its place: `text[start:end]` is its value; `line` counts from 1. Lives as long as the run."""

    kind: str
    start: int
    end: int
    line: int


@dataclass(frozen=True, kw_only=True)
class _Pattern:
    """A compiled pattern of a kind; its first group is the value. Lives as long as the process."""

    kind: str
    compiled: Any
    before: str
    after: str
    check: Callable[[str], bool]


def scan(text: str, check: Callable[[], None] = lambda: None) -> list[Found]:
    """The identifiers of a text in order of place; none overlaps another, the longer one stays. `check` is called between blocks."""
    return list(found(text, check))


def found(text: str, check: Callable[[], None] = lambda: None) -> Iterator[Found]:
    """The same as `scan`, one after the other, so that a long text's findings need not be held."""
    start, line = 0, 1
    while start < len(text):
        check()
        end = text.find("\n", start + BLOCK) + 1 or len(text)
        block = text[start:end]
        counted = 0
        for kind, first, last in _apart(_places(block, check)):
            line += block.count("\n", counted, first)
            counted = first
            yield Found(kind=kind, start=start + first, end=start + last, line=line)
        line += block.count("\n", counted)
        start = end


def shape(value: str) -> str:
    """A value's form without the value: digits become `#`, letters `x`, the rest stays; a long one is cut."""
    masked = "".join("#" if character.isdigit() else "x" if character.isalpha() else character for character in value[:SHOWN])
    return masked + ("…" if len(value) > SHOWN else "")


def masked(text: str) -> str:
    """The text with the shape of each identifier in its place."""
    pieces: list[str] = []
    done = 0
    for one in found(text):
        pieces += [text[done : one.start], shape(text[one.start : one.end])]
        done = one.end
    return "".join([*pieces, text[done:]])


@cache
def kinds() -> tuple[Kind, ...]:
    """All kinds, in the order of the list; those without patterns as well."""
    return tuple(
        Kind(name=entry["kind"], number=entry["number"], title=entry["title"], note=entry.get("note"), searched=bool(entry["patterns"]))
        for entry in _shipped()["kinds"]
    )


def not_searched() -> tuple[Kind, ...]:
    """The kinds that no pattern can tell, which a person must look for."""
    return tuple(kind for kind in kinds() if not kind.searched)


def source() -> str:
    """Where the list and the patterns come from."""
    return str(_shipped()["source"])


def _places(block: str, check: Callable[[], None]) -> Iterator[tuple[str, int, int]]:
    for pattern in _patterns():
        check()
        for match in pattern.compiled.finditer(block):
            first, last = match.span(1)
            if (first and block[first - 1] in pattern.before) or (last < len(block) and block[last] in pattern.after):
                continue
            if pattern.check(block[first:last]):
                yield pattern.kind, first, last


def _apart(places: Iterator[tuple[str, int, int]]) -> Iterator[tuple[str, int, int]]:
    """The places by start without those that overlap one that is longer (of equals: the first of the list)."""
    held: tuple[str, int, int] | None = None
    for place in sorted(places, key=lambda entry: (entry[1], -entry[2])):
        if held is None or place[1] >= held[2]:
            if held:
                yield held
            held = place
        elif place[2] - place[1] > held[2] - held[1]:
            held = place
    if held:
        yield held


@cache
def _patterns() -> tuple[_Pattern, ...]:
    options = re2.Options()
    options.never_nl = True  # a value never crosses the end of a line, so that blocks of whole lines miss nothing
    options.log_errors = False
    return tuple(
        _Pattern(
            kind=entry["kind"],
            compiled=re2.compile(pattern["regex"], options),
            before=pattern.get("before", ""),
            after=pattern.get("after", ""),
            check=check_digits.BY_NAME[pattern["check"]] if "check" in pattern else lambda _value: True,
        )
        for entry in _shipped()["kinds"]
        for pattern in entry["patterns"]
    )


@cache
def _shipped() -> dict[str, Any]:
    shipped: dict[str, Any] = orjson.loads(resources.files("windlass.agents.data").joinpath("identifiers.json").read_bytes())
    return shipped
