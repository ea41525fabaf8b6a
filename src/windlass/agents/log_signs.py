"""Looks through a log for signs that compliance rules speak of: identifiers of people, card numbers, credentials, and states such as `tls=off`.

A value is never kept: of each sign only its place and its shape are. A date at the very start of a line is the log's own clock, and no sign.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

import orjson
import re2

from windlass.agents import identifiers
from windlass.agents.agent import Item

SHOWN = 50
"""Places of one subject that are kept; all are counted."""

_BLOCK = 1 << 16
_NEXT_KEY = re.compile(r"\s[\w.\-]{1,60}\s{0,3}[=:]")
_CLOCK = frozenset(" \t[(<\"'")
_CLOCK_WITHIN = 20
_STARS = frozenset("*x#•.█-_")


class Rule(Item):
    """A rule of a framework: it is broken by every sign of its subjects. Lives as long as the process."""

    id: str
    framework: str
    citation: str
    title: str
    severity: str
    subjects: list[str]
    remedy: str


@dataclass(frozen=True, kw_only=True)
class Sign:
    """Where a sign stands: `row` counts from 0, `start` and `end` are positions in that row. Lives as long as the run."""

    row: int
    start: int
    end: int
    shape: str


@dataclass(kw_only=True)
class Subject:
    """The signs of one subject: how many, and the first of them. Lives as long as the scan."""

    count: int = 0
    signs: list[Sign] = field(default_factory=list)

    def add(self, row: int, start: int, value: str) -> None:
        """Count a sign, and keep its place while few are kept."""
        self.count += 1
        if len(self.signs) < SHOWN:
            self.signs.append(Sign(row=row, start=start, end=start + len(value), shape=identifiers.shape(value)))


def scan(log: str, check: Callable[[], None]) -> dict[str, Subject]:
    """Subject → its signs, in order of the rows; rows end in line feeds. `check` is called between blocks and may raise."""
    found: dict[str, Subject] = {}
    start = row = 0
    while start < len(log):
        end = log.find("\n", start + _BLOCK) + 1 or len(log)
        block = log[start:end]
        places = sorted({*_people(block, check), *_states(block, check)}, key=lambda place: (place[1], place[0]))
        counted = begin = 0
        for subject, first, last in places:
            row += block.count("\n", counted, first)
            begin = block.rfind("\n", counted, first) + 1 or begin  # from the place before on, so that one endless line is read once
            counted = first
            found.setdefault(subject, Subject()).add(row, first - begin, block[first:last])
        row += block.count("\n", counted)
        start = end
    return found


@cache
def rules() -> tuple[Rule, ...]:
    """Every rule, in the order of the file."""
    return tuple(Rule.model_validate(rule) for rule in _shipped()["rules"])


def source() -> str:
    """Where the rules come from."""
    return str(_shipped()["source"])


def _people(block: str, check: Callable[[], None]) -> Iterator[tuple[str, int, int]]:
    """Identifiers of people, and those of them that are card numbers once more as such."""
    looked = begin = 0
    for found in identifiers.found(block, check):
        begin = block.rfind("\n", looked, found.start) + 1 or begin
        looked = found.start
        if found.kind == "date" and found.start - begin < _CLOCK_WITHIN and set(block[begin : found.start]) <= _CLOCK:
            continue
        yield found.kind, found.start, found.end
        if found.kind == "account" and _card(block[found.start : found.end]):
            yield "card", found.start, found.end


def _states(block: str, check: Callable[[], None]) -> Iterator[tuple[str, int, int]]:
    for subject, compiled, is_field in _patterns():
        check()
        for match in compiled.finditer(block):
            first, last = match.span(1)
            if is_field:
                following = _NEXT_KEY.search(block, first, last)
                last = following.start() if following else last
                last = first + len(block[first:last].rstrip())
                if _clear(block[first:last]):
                    continue
            yield subject, first, last


def _clear(value: str) -> bool:
    """Whether a field's value says nothing: empty, unknown, or masked already."""
    bare = value.strip().casefold()
    return bare in _clear_values() or set(bare) <= _STARS


def _card(value: str) -> bool:
    """Thirteen to nineteen digits whose check digit is right (Luhn)."""
    digits = [int(character) for character in value if character.isdigit()]
    if not 13 <= len(digits) <= 19 or any(character.isalpha() for character in value):
        return False
    doubled = [digit if place % 2 == 0 else sum(divmod(2 * digit, 10)) for place, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


@cache
def _clear_values() -> frozenset[str]:
    return frozenset(_shipped()["clear_values"])


@cache
def _patterns() -> Sequence[tuple[str, Any, bool]]:
    options = re2.Options()
    options.never_nl = True
    options.log_errors = False
    return tuple((pattern["subject"], re2.compile(f"(?m){pattern['regex']}", options), pattern["field"]) for pattern in _shipped()["patterns"])


@cache
def _shipped() -> dict[str, Any]:
    shipped: dict[str, Any] = orjson.loads(resources.files("windlass.agents.data").joinpath("compliance_rules.json").read_bytes())
    return shipped
