"""Patterns of contracts: RE2, so linear in the text, and line by line."""

from __future__ import annotations

import re as own
from functools import lru_cache
from typing import Any

import re2

MAX_LINE = 1024 * 1024
_ANCHORED = own.compile(r"\\[AzZ]|\(\?[a-zA-Z]*-?[a-zA-Z]*m|\(\?[a-zA-Z]*-[a-zA-Z]*m")


def problem(pattern: str) -> str | None:
    """Why a pattern can't be used, or None."""
    try:
        compiled = _compiled(pattern)
    except re2.error as failure:
        return f"does not compile under RE2: {_said(failure)}"
    if compiled.search(b""):
        return "matches the empty text, so it is found in every line of every file"
    return None


def _said(failure: Exception) -> str:
    reason = failure.args[0] if failure.args else failure
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.never_nl = True
    options.log_errors = False
    options.max_mem = 32 * 1024 * 1024
    return re2.compile(f"(?m:{pattern})", options)


class Lines:
    """Counts what a pattern matches in lines as they come, without copying them; lives as long as one read."""

    def __init__(self, pattern: str) -> None:
        self._pattern = _compiled(pattern)
        self._one_by_one = bool(_ANCHORED.search(pattern))
        self._rest = b""
        self._at = 0
        self.count = 0
        self.first: int | None = None
        """Where the first match begins, in bytes from the start of the file."""
        self.too_long: int | None = None
        """Where the first line over `MAX_LINE` bytes begins; neither it nor what follows is looked at."""

    def take(self, chunk: memoryview, enough: int) -> None:
        """Count in the lines that these bytes complete, up to `enough`."""
        if self.too_long is not None or self.count >= enough:
            return
        owner: object = chunk.obj
        find = owner if isinstance(owner, bytearray) else bytes(chunk)  # no copy: a chunk is the beginning of its buffer
        first, last = find.find(b"\n", 0, len(chunk)) + 1, find.rfind(b"\n", 0, len(chunk)) + 1
        if not last:
            self._keep(bytes(chunk))
            return
        self._keep(bytes(chunk[:first]))
        if self.too_long is not None:
            return
        self._search(self._rest, enough)
        self._rest = b""
        self._search(chunk[first:last], enough)
        self._rest = bytes(chunk[last:])

    def last(self, enough: int) -> None:
        """Count in a last line without its newline."""
        if self.too_long is None:
            self._search(self._rest, enough)

    def _keep(self, part: bytes) -> None:
        self._rest += part
        if len(self._rest) > MAX_LINE + 1:
            self.too_long, self._rest = self._at, b""

    def _search(self, block: bytes | memoryview, enough: int) -> None:
        lines = bytes(block).splitlines(keepends=True) if self._one_by_one else [block]
        for line in lines:
            body = line.rstrip(b"\r\n") if isinstance(line, bytes) and self._one_by_one else line
            if self.count < enough and self._pattern.search(body):
                for match in self._pattern.finditer(body):
                    if self.first is None:
                        self.first = self._at + match.start()
                    self.count += 1
                    if self.count >= enough:
                        break
            self._at += len(line)
