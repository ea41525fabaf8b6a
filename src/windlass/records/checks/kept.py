"""Keeps a file, or its beginning, while it is read, for rules that need it in one piece."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from windlass.records.checks.reading import Read

Rule = Callable[[bytes], Mapping[str, Any]]


class Kept:
    """At most `at_most` bytes of one file, handed to `rule` when it has been read; lives as long as the read.

    A longer file fails TOO_LARGE, and nothing of it is kept; with `head_only` its beginning is judged.
    """

    def __init__(self, at_most: int, rule: Rule, *, head_only: bool = False) -> None:
        self._at_most, self._rule, self._head_only = at_most, rule, head_only
        self._bytes = bytearray()
        self._too_large = False

    def feed(self, chunk: memoryview) -> None:
        """Keep the next bytes."""
        if self._too_large:
            return
        room = self._at_most - len(self._bytes)
        self._bytes += chunk[:room]
        if len(chunk) > room:
            self._too_large = not self._head_only
            if self._too_large:
                self._bytes = bytearray()

    def end(self, found: Read) -> Mapping[str, Any]:
        """What the rule says of the bytes that were read."""
        if found.problem is not None:
            return failed(*found.problem)
        if self._too_large:
            return failed("TOO_LARGE", f"is larger than {self._at_most:,} bytes")
        content, self._bytes = bytes(self._bytes), bytearray()
        return self._rule(content)


def failed(code: str, reason: str, **told: Any) -> dict[str, Any]:
    """A failing result."""
    return {**told, "pass": False, "code": code, "reason": reason}
