"""Checks that look for a text or a pattern while the file goes by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from windlass.records.checks import kinds
from windlass.records.checks.types import Type

if TYPE_CHECKING:
    from windlass.records.checks.judge import Given
    from windlass.records.checks.reading import Read
    from windlass.records.contracts.contract import Check


class Literal:
    """Looks for bytes, across chunks; lives as long as one read."""

    def __init__(self, text: str) -> None:
        self._wanted = text.encode()
        self._tail = b""
        self.found = False

    def feed(self, chunk: memoryview) -> None:
        """Look at the next bytes, with the end of those before."""
        if self.found:
            return
        content, overlap = bytes(chunk), len(self._wanted) - 1
        self.found = self._wanted in content or bool(overlap and self._wanted in self._tail + content[:overlap])
        if overlap:
            self._tail = (self._tail + content[-overlap:])[-overlap:]


class ContainsText(Literal):
    """`contains_text`: the text stands somewhere in the file."""

    def end(self, found: Read) -> Mapping[str, Any]:
        """Whether it was there."""
        del found
        return {"pass": True} if self.found else {"pass": False, "code": "VALIDATION_FAILED", "reason": "the text is not in it"}


class NotContains(Literal):
    """`not_contains` with a text: it stands nowhere in the file."""

    def __init__(self, pattern: str) -> None:
        super().__init__(pattern)
        self._pattern = pattern

    def end(self, found: Read) -> Mapping[str, Any]:
        """Whether it was there, in the original's words."""
        del found
        return _not_contains(self._pattern, found=self.found)


def _not_contains(pattern: str, *, found: bool) -> Mapping[str, Any]:
    told = {"pattern": pattern, "found": found, "pass": not found}
    return told | ({"code": "VALIDATION_FAILED", "reason": f"{pattern} is in it"} if found else {})


class Matches:
    """Counts what a pattern matches, line by line, and stops where more could change nothing; lives as long as one read."""

    def __init__(self, pattern: str, least: int) -> None:
        from windlass.records.checks.patterns import Lines  # noqa: PLC0415  # RE2 is loaded where a pattern is

        self._lines = Lines(pattern)
        self._pattern = pattern
        self._least = least

    def feed(self, chunk: memoryview) -> None:
        """Count in the lines that these bytes complete."""
        self._lines.take(chunk, self._least)

    def end(self, found: Read) -> Mapping[str, Any]:
        """The count, held against its bound."""
        del found
        self._lines.last(self._least)
        return self._told(self._lines.count, self._lines.too_long)

    def _told(self, count: int, too_long: int | None) -> Mapping[str, Any]:
        told = {"pattern": self._pattern, "count": count, "threshold": self._least, "pass": count >= self._least}
        if told["pass"]:
            return told
        return told | (_too_long(too_long) or {"code": "VALIDATION_FAILED", "reason": f"{count} matches, at least {self._least} are needed"})


class NoMatch(Matches):
    """`not_contains` with a pattern: no line matches. Lives as long as one read."""

    def __init__(self, pattern: str) -> None:
        super().__init__(pattern, 1)

    def _told(self, count: int, too_long: int | None) -> Mapping[str, Any]:
        told = _not_contains(self._pattern, found=count > 0)
        if count:
            return {**told, "byte": self._lines.first}
        return {**told, "pass": False, **wrong} if (wrong := _too_long(too_long)) else told


def _too_long(start: int | None) -> dict[str, Any]:
    if start is None:
        return {}
    return {
        "code": "LINE_TOO_LONG",
        "reason": f"the line that begins at byte {start} is longer than 1 MiB; neither it nor what follows was looked at",
    }


def _not_contains_of(check: Check, _given: Given) -> NotContains | NoMatch:
    pattern = check.fields["pattern"]
    return NoMatch(pattern) if check.fields["regex"] else NotContains(pattern)


def _not_contains_problems(fields: Mapping[str, Any]) -> Any:
    return kinds.pattern_problems(fields) if fields["regex"] else ()


TYPES: dict[str, Type] = {
    "not_contains": Type(
        fields={"target": kinds.TARGET, "pattern": kinds.TEXT, "regex": kinds.truth(default=False), "missing_ok": kinds.truth(default=False)},
        words=lambda fields, target: (
            f"{target} does not contain {'a match of ' if fields['regex'] else ''}{fields['pattern']!r}"
            + (", or does not exist" if fields["missing_ok"] else "")
        ),
        problems=_not_contains_problems,
        watch=_not_contains_of,
    ),
    "contains_text": Type(
        fields={"target": kinds.TARGET, "text": kinds.TEXT},
        words=lambda fields, target: f"{target} contains the text {fields['text']!r}",
        watch=lambda check, _given: ContainsText(check.fields["text"]),
    ),
    "regex_match": Type(
        fields={"target": kinds.TARGET, "pattern": kinds.TEXT},
        words=lambda fields, target: f"a line of {target} matches {fields['pattern']!r}",
        problems=kinds.pattern_problems,
        watch=lambda check, _given: Matches(check.fields["pattern"], 1),
    ),
    "min_regex_count": Type(
        fields={"target": kinds.TARGET, "pattern": kinds.TEXT, "min": kinds.number(least=1, most=1_000_000)},
        words=lambda fields, target: f"{target} has at least {fields['min']} matches of {fields['pattern']!r}",
        problems=kinds.pattern_problems,
        watch=lambda check, _given: Matches(check.fields["pattern"], check.fields["min"]),
    ),
}
