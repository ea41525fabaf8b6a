"""Cuts a file that goes by in pieces into blocks of whole lines, the same lines whatever the pieces are. Memory stays bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_LINE = 1024 * 1024
"""Bytes of a line, without its end; a longer one is left out."""
_NEWLINE = re.compile(rb"\n")


class Blocks:
    """The lines of one file while it is read; lives as long as the read.

    `too_long`: where the first line over `MAX_LINE` begins, in bytes from the start of the file; it is known before what follows is given.
    """

    def __init__(self) -> None:
        self.too_long: int | None = None
        self._parts: list[bytes] = []
        self._length = 0  # of the line that is not complete yet
        self._at = 0  # where it begins

    def take(self, chunk: memoryview) -> Iterator[tuple[int, memoryview]]:
        """The blocks that these bytes complete, each with where it begins; every line in them ends with its newline.

        A block is gone with the chunk: nothing large is copied, as each copy would cost the kernel new pages.
        """
        for start in range(0, len(chunk), MAX_LINE):
            yield from self._piece(chunk[start : start + MAX_LINE])

    def last(self) -> Iterator[tuple[int, memoryview]]:
        """The last line, where it does not end with a newline."""
        if self._parts:
            yield self._at, memoryview(b"".join(self._parts))

    def _piece(self, piece: memoryview) -> Iterator[tuple[int, memoryview]]:
        newline = _NEWLINE.search(piece)
        if newline is None:
            self._keep(piece)
            return
        first, last = newline.end(), _after_last_newline(piece)
        self._keep(piece[: first - 1])
        whole = None if self._length > MAX_LINE else b"".join([*self._parts, b"\n"])
        begins, self._at = self._at, self._at + self._length + 1
        self._parts, self._length = [], 0
        if whole is not None:
            yield begins, memoryview(whole)
        if last > first:
            begins, self._at = self._at, self._at + last - first
            yield begins, memoryview(piece)[first:last]  # no copy: a gibibyte goes by here
        self._keep(piece[last:])

    def _keep(self, part: memoryview) -> None:
        self._length += len(part)
        if self._length > MAX_LINE:
            self._parts = []
            self.too_long = self._at if self.too_long is None else self.too_long
        elif part:
            self._parts.append(bytes(part))


def _after_last_newline(piece: memoryview) -> int:
    """Where the last line that is not complete begins; lines are short, so the search begins with the end."""
    for length in (4096, len(piece)):
        if found := bytes(piece[-length:]).rfind(b"\n") + 1:
            return len(piece) - min(length, len(piece)) + found
    return 0
