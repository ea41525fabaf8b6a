"""Patterns of contracts: RE2, so linear in the text, and line by line. A line ends before its newline, or carriage return and newline."""

from __future__ import annotations

import re as own
from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import re2

from windlass.records.checks.lines import Blocks

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

MAX_PROGRAM = 20_000
"""Instructions of a compiled pattern: what it may cost for each byte, at the worst."""
_PART = 128 * 1024
"""Bytes that a thread searches at a time where two share the search of a block; a block of two parts is worth it."""
_RETURN, _LINE_END, _NEWLINE = own.compile(rb"\r"), own.compile(rb"\n"), 10
_OF_THE_WHOLE = own.compile(r"\\[AzC]|\(\?[a-zA-Z]*-?[a-zA-Z]*m|\(\?[a-zA-Z]*-[a-zA-Z]*m")
"""What means the whole text and not a line (or crosses its end): lines are then given one by one."""


def problem(pattern: str) -> str | None:
    """Why a pattern can't be used, or None."""
    try:
        compiled = _compiled(pattern)
    except re2.error as failure:
        return f"does not compile under RE2: {_said(failure)}"
    if compiled.search(b""):
        return "matches the empty text, so it is found in every line of every file"
    if compiled.programsize > MAX_PROGRAM:
        return f"is too large: {compiled.programsize:,} instructions when compiled, and at most {MAX_PROGRAM:,} are run"
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
    return re2.compile(f"(?m){pattern}", options)


@lru_cache(maxsize=1)
def _beside() -> ThreadPoolExecutor:
    """One thread, begun with the first large file and idle from then on."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  # most gates have no large file

    return ThreadPoolExecutor(1, "windlass-search")


class _Shared:
    """Whether a pattern is found in a block of lines, for two threads; lives until both are done with it.

    Each takes the next part that none has taken: neither waits for the other's half where a core is busy with something else.
    """

    def __init__(self, pattern: Any, text: memoryview) -> None:
        self._pattern, self._parts = pattern, deque(_parts(text))
        self.found = False

    def work(self) -> None:
        """Search until there is no part left, or the pattern is found in one."""
        while not self.found and self._parts:
            try:
                part = self._parts.popleft()
            except IndexError:  # the other thread was faster
                return
            if self._pattern.search(part):
                self.found = True


def _parts(text: memoryview) -> Iterator[memoryview]:
    """The block in pieces of whole lines, the last one without its newline."""
    start = 0
    while start < len(text):
        newline = _LINE_END.search(text, start + _PART)
        yield text[start : newline.start() if newline else len(text)]
        start = newline.end() if newline else len(text)


class Lines:
    """Counts what a pattern matches in lines as they come; lives as long as one read."""

    def __init__(self, pattern: str) -> None:
        self._pattern = _compiled(pattern)
        self._one_by_one = bool(_OF_THE_WHOLE.search(pattern))
        self._blocks = Blocks()
        self.count = 0
        self.first: int | None = None
        """Where the first match begins, in bytes from the start of the file."""

    @property
    def too_long(self) -> int | None:
        """Where the first line that is too long begins; neither it nor what follows is looked at."""
        return self._blocks.too_long

    def take(self, chunk: memoryview, enough: int) -> None:
        """Count in the lines that these bytes complete, up to `enough`."""
        if self._is_done(enough):
            return
        for at, block in self._blocks.take(chunk):
            if self._is_done(enough):
                return
            self._search(at, block, enough)

    def last(self, enough: int) -> None:
        """Count in a last line without its newline."""
        if not self._is_done(enough):
            for at, line in self._blocks.last():
                self._search(at, line, enough)

    def _is_done(self, enough: int) -> bool:
        return self.count >= enough or self.too_long is not None

    def _search(self, at: int, block: memoryview, enough: int) -> None:
        if not self._one_by_one and not _RETURN.search(block):
            self._count(at, block, block[:-1] if block and block[-1] == _NEWLINE else block, enough)
            return
        content = bytes(block)
        if not self._one_by_one:
            self._count(at, memoryview(content), memoryview(content.replace(b"\r\n", b"\n").removesuffix(b"\n").removesuffix(b"\r")), enough)
            return
        for line in content.removesuffix(b"\n").split(b"\n"):
            self._count(at, memoryview(line), memoryview(line.removesuffix(b"\r")), enough)
            if self.count >= enough:
                return
            at += len(line) + 1

    def _is_in(self, text: memoryview) -> bool:
        """Whether a line matches; two threads share a large block, as RE2 lets go of the interpreter while it searches."""
        if self._one_by_one or len(text) < 2 * _PART:
            return bool(self._pattern.search(text))
        search = _Shared(self._pattern, text)
        second = _beside().submit(search.work)
        try:
            search.work()
        finally:
            if not second.cancel():
                second.result()  # the memory is the reader's own again when this returns
        return search.found

    def _count(self, at: int, block: memoryview, text: memoryview, enough: int) -> None:
        """Count in `text`, which is `block` with plain ends of lines."""
        if not self._is_in(text):
            return
        for match in self._pattern.finditer(text):
            if self.first is None:
                shown, content = bytes(text), bytes(block)
                line_start = shown.rfind(b"\n", 0, match.start()) + 1
                before = content.split(b"\n", shown.count(b"\n", 0, line_start))[:-1]
                self.first = at + sum(len(line) + 1 for line in before) + match.start() - line_start
            self.count += 1
            if self.count >= enough:
                return
