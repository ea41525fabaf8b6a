"""Reads one JSON object strictly: every key is asked for by name and type, and a key that nobody asked for is refused."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from windlass.errors import UnusableRecord

SHA256 = re.compile(r"[0-9a-f]{64}")
INSTANT = re.compile(r"\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\d\.\d{3}Z")


class Fields:
    """One JSON object being read; lives until its last key is taken. Every error is UnusableRecord and begins with a JSON pointer."""

    def __init__(self, content: object, pointer: str = "") -> None:
        if not isinstance(content, Mapping):
            raise UnusableRecord(f"{pointer or 'the whole'}: is not an object")
        self._rest: dict[str, Any] = dict(content)
        self._pointer = pointer

    def lacking(self, defaults: Mapping[str, Any]) -> None:
        """Take keys that an older writer did not know for `defaults`; refuse one that is there all the same."""
        for key, default in defaults.items():
            if key in self._rest:
                raise self._problem(key, "is not a known key")
            self._rest[key] = default

    def text(self, key: str, pattern: re.Pattern[str] | None = None) -> str:
        """A non-empty string, wholly matching `pattern`."""
        value = self._take(key)
        if not isinstance(value, str) or not value:
            raise self._problem(key, "is not a non-empty string")
        if pattern and not pattern.fullmatch(value):
            raise self._problem(key, f"{value[:80]!r} does not match {pattern.pattern}")
        return value

    def maybe_text(self, key: str, pattern: re.Pattern[str] | None = None) -> str | None:
        """A non-empty string, or null."""
        if self._rest.get(key, "") is None:
            self._rest.pop(key)
            return None
        return self.text(key, pattern)

    def word(self, key: str, words: Collection[str]) -> str:
        """One of `words`."""
        value = self._take(key)
        if value not in words:
            raise self._problem(key, f"{str(value)[:80]!r} is none of {', '.join(words)}")
        return str(value)

    def number(self, key: str, least: int) -> int:
        """A whole number of at least `least`."""
        value = self._take(key)
        if type(value) is not int or value < least:
            raise self._problem(key, f"is not a whole number of at least {least}")
        return value

    def maybe_number(self, key: str, least: int) -> int | None:
        """A whole number of at least `least`, or null."""
        if self._rest.get(key, "") is None:
            self._rest.pop(key)
            return None
        return self.number(key, least)

    def maybe_amount(self, key: str) -> float | None:
        """A finite number of at least 0, or null."""
        value = self._take(key)
        if value is None:
            return None
        if type(value) not in (int, float) or not 0 <= value < float("inf"):
            raise self._problem(key, "is not a number of at least 0")
        return float(value)

    def truth(self, key: str) -> bool:
        """True or false."""
        value = self._take(key)
        if not isinstance(value, bool):
            raise self._problem(key, "is not true or false")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        values = self._list(key)
        if not all(isinstance(value, str) for value in values):
            raise self._problem(key, "is not a list of strings")
        return tuple(values)

    def part(self, key: str) -> Fields:
        """An object, to be read in its turn."""
        return Fields(self._take(key), f"{self._pointer}/{key}")

    def maybe_part(self, key: str) -> Fields | None:
        """An object, to be read in its turn, or null."""
        value = self._take(key)
        return None if value is None else Fields(value, f"{self._pointer}/{key}")

    def parts(self, key: str) -> list[Fields]:
        """A list of objects, each to be read in its turn."""
        return [Fields(value, f"{self._pointer}/{key}/{place}") for place, value in enumerate(self._list(key))]

    def located(self, key: str) -> list[tuple[object, str]]:
        """A list of whatever, each with its pointer, to be read by their reader."""
        return [(value, f"{self._pointer}/{key}/{place}") for place, value in enumerate(self._list(key))]

    def free(self, key: str) -> dict[str, Any]:
        """An object whose keys are its writer's own."""
        return Fields(self._take(key), f"{self._pointer}/{key}").rest()

    def rest(self) -> dict[str, Any]:
        """Everything that was not taken yet."""
        rest, self._rest = self._rest, {}
        return rest

    def end(self) -> None:
        """Refuse what nobody asked for."""
        for key in self._rest:
            raise self._problem(key, "is not a known key")

    def _take(self, key: str) -> Any:
        if key not in self._rest:
            raise self._problem(key, "is missing")
        return self._rest.pop(key)

    def _list(self, key: str) -> list[Any]:
        value = self._take(key)
        if not isinstance(value, list | tuple):
            raise self._problem(key, "is not a list")
        return list(value)

    def _problem(self, key: str, reason: str) -> UnusableRecord:
        return UnusableRecord(f"{self._pointer}/{key}: {reason}")
