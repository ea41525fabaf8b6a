"""Reads a JSON file that people write by hand: every problem of it is found, each with its JSON pointer and the nearest known key."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from windlass.errors import Refused

MAX_SIZE = 1024 * 1024
"""Bytes of a contract or a workflow."""
_MOST_TOLD = 50
_LONGEST_KEY = 80
_MISSING = object()


class InvalidFile(Refused):
    """A contract or workflow can't be used. Its message lists every problem, one a line, each with the file and the JSON pointer."""

    def __init__(self, path: str, problems: Sequence[str]) -> None:
        self.path = path
        self.problems = tuple(f"{path} {problem}" for problem in problems)
        told = list(self.problems[:_MOST_TOLD]) + ([f"{path}: {len(problems) - _MOST_TOLD} more"] if len(problems) > _MOST_TOLD else [])
        super().__init__("\n  - ".join(told) if len(told) == 1 else "\n  - ".join((f"{path}: {len(problems)} problems", *told)))


@dataclass(kw_only=True)
class Notes:
    """The problems and warnings of one file; lives while it is read."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def problem(self, pointer: str, reason: str) -> None:
        """Something that forbids the file's use."""
        self.problems.append(f"{pointer or '/'}: {reason}")

    def warn(self, pointer: str, reason: str) -> None:
        """Something that its author should know."""
        self.warnings.append(f"{pointer or '/'}: {reason}")


def parsed(content: bytes, path: str) -> dict[str, Any]:
    """The object in a file's bytes; raises InvalidFile."""
    if len(content) > MAX_SIZE:
        raise InvalidFile(path, [f"/: is larger than {MAX_SIZE} bytes"])
    try:
        found = orjson.loads(content.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as failure:
        raise InvalidFile(path, [f"/: is not JSON: {failure}"]) from failure
    if not isinstance(found, dict):
        raise InvalidFile(path, ["/: is not an object"])
    if reason := _hidden(content):
        raise InvalidFile(path, [f"/: {reason}"])
    return found


def _hidden(content: bytes) -> str | None:
    """What the fast parser does not tell: a key that stands twice in one object, and nesting that other readers can't follow."""
    import json  # noqa: PLC0415  # slow to import, and needed for this alone

    twice: list[str] = []

    def watch(pairs: list[tuple[str, Any]]) -> None:
        if len({name for name, _ in pairs}) < len(pairs):
            twice.extend(sorted(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)[:1])

    try:
        json.loads(content.decode("utf-8-sig"), object_pairs_hook=watch, parse_int=len, parse_float=len)  # what a number is does not matter
    except RecursionError:
        return "is nested too deeply"
    except ValueError as failure:
        return f"is not JSON: {failure}"
    return f"the key {twice[0][:80]!r} stands twice in one object; readers differ on which of them counts" if twice else None


class Keys:
    """One object being read by its known keys; lives until `end`. What is wrong is noted, and a default returned in its place."""

    def __init__(self, content: Mapping[str, Any], pointer: str, notes: Notes, *, unknown: str = "problem") -> None:
        self._content = content
        self.pointer = pointer
        self.notes = notes
        self._unknown = unknown
        self._asked: list[str] = []

    def given(self, key: str) -> bool:
        """Whether the key is there; it counts as known."""
        self._asked.append(key)
        return key in self._content

    def raw(self, key: str, default: Any = _MISSING) -> Any:
        """The value as it is; a missing key without a default is a problem, and None."""
        self._asked.append(key)
        if key in self._content:
            return self._content[key]
        if default is _MISSING:
            self.wrong(key, "is missing")
            return None
        return default

    def text(self, key: str, default: Any = _MISSING, *, most: int = 100_000) -> str:
        """A non-empty string."""
        value = self.raw(key, default)
        if key in self._content and (not isinstance(value, str) or not value.strip() or len(value) > most):
            self.wrong(key, "is not a non-empty string" if not isinstance(value, str) or not value.strip() else f"is longer than {most} characters")
            return ""
        return value if isinstance(value, str) else ""

    def maybe_text(self, key: str) -> str | None:
        """A non-empty string, or nothing."""
        self._asked.append(key)
        return None if self._content.get(key) is None else self.text(key)

    def truth(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self.raw(key, default)
        if not isinstance(value, bool):
            self.wrong(key, "is not true or false")
            return default
        return value

    def number(self, key: str, default: Any = _MISSING, *, least: int = 0, most: int = 10**9) -> int:
        """A whole number within bounds."""
        value = self.raw(key, default)
        if type(value) is not int or not least <= value <= most:
            if key in self._content:
                self.wrong(key, f"is not a whole number from {least} to {most}")
            return least
        return value

    def word(self, key: str, words: Collection[str], default: str) -> str:
        """One of `words`."""
        value = self.raw(key, default)
        if not isinstance(value, str) or value not in words:
            self.wrong(key, f"{value!r} is none of {', '.join(words)}{nearest(value, words)}")
            return default
        return value

    def texts(self, key: str, default: Any = (), *, words: Collection[str] | None = None) -> tuple[str, ...]:
        """A list of non-empty strings, each of `words` if they are given."""
        value = self.raw(key, default)
        if not isinstance(value, list | tuple):
            self.wrong(key, "is not a list of strings")
            return ()
        for place, one in enumerate(value):
            if not isinstance(one, str) or not one:
                self.wrong(f"{key}/{place}", "is not a non-empty string")
            elif words is not None and one not in words:
                self.wrong(f"{key}/{place}", f"{one!r} is none of {', '.join(words)}{nearest(one, words)}")
        return tuple(one for one in value if isinstance(one, str) and one)

    def objects(self, key: str) -> list[Keys]:
        """A list of objects, each to be read in its turn."""
        value = self.raw(key, [])
        if not isinstance(value, list):
            self.wrong(key, "is not a list of objects")
            return []
        found = []
        for place, one in enumerate(value):
            if isinstance(one, dict):
                found.append(Keys(one, f"{self.pointer}/{key}/{place}", self.notes, unknown=self._unknown))
            else:
                self.wrong(f"{key}/{place}", "is not an object")
        return found

    def part(self, key: str) -> Keys | None:
        """An object, or nothing."""
        value = self.raw(key, None)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.wrong(key, "is not an object")
            return None
        return Keys(value, f"{self.pointer}/{key}", self.notes, unknown=self._unknown)

    def wrong(self, key: str, reason: str) -> None:
        """Note a problem at a key."""
        self.notes.problem(f"{self.pointer}/{key}", reason)

    def end(self) -> None:
        """Note every key that nobody asked for, with the one that may have been meant."""
        known = set(self._asked)
        unknown = [key for key in self._content if key not in known]
        note = self.notes.problem if self._unknown == "problem" else self.notes.warn
        for key in unknown[:_MOST_TOLD]:
            note(f"{self.pointer}/{_token(key)}", f"is not a known key{nearest(key, known)}")
        if len(unknown) > _MOST_TOLD:
            note(self.pointer, f"has {len(unknown) - _MOST_TOLD} more keys that are not known")


def _token(key: str) -> str:
    """A key as one part of a JSON pointer, its beginning at least."""
    return key[:_LONGEST_KEY].replace("~", "~0").replace("/", "~1")


def nearest(given: object, known: Collection[str]) -> str:
    """`; did you mean 'x'?`, or nothing."""
    near = difflib.get_close_matches(given, sorted(known), n=1) if isinstance(given, str) and len(given) <= _LONGEST_KEY else []
    return f"; did you mean {near[0]!r}?" if near else ""
