"""Counts sources by one stated rule.

A source is a line that begins, after list marks and bold, with `### Source` (a heading) or, in a list, with `Source`; equal lines count once.
Where a file has no such line, its distinct http and https URLs are counted, without a fragment and a final slash.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from windlass.records.checks import kinds
from windlass.records.checks.lines import Blocks
from windlass.records.checks.types import Result, Type

if TYPE_CHECKING:
    from windlass.records.checks.judge import Given
    from windlass.records.checks.reading import Read
    from windlass.records.contracts.contract import Check

_ENTRY = re.compile(rb"^[ \t]{0,3}(?:#{3,6}[ \t]+|(?:[-*+]|\d{1,9}[.)])[ \t]+)\*{0,2}Source\b[^\n]*", re.MULTILINE)
_URL = re.compile(rb"https?://[^\s<>\"'`)\]}|\\^]{1,2048}")


class Sources:
    """Counts the sources of one file while it is read; lives as long as the read."""

    def __init__(self, threshold: int, depth: str) -> None:
        self._threshold, self._depth = threshold, depth
        self._blocks = Blocks()
        self._entries: set[bytes] = set()
        self._urls: set[bytes] = set()

    def feed(self, chunk: memoryview) -> None:
        """Take the lines that these bytes complete."""
        for _, block in self._blocks.take(chunk):
            self._take(bytes(block))

    def _take(self, block: bytes) -> None:
        if b"Source" in block:
            for line in _ENTRY.findall(block):
                _add(self._entries, b" ".join(line.split()).lower())
        if not self._entries and b"http" in block:
            for url in _URL.findall(block):
                _add(self._urls, url.rstrip(b".,;:!?").partition(b"#")[0].rstrip(b"/"))

    def end(self, found: Read) -> Mapping[str, Any]:
        """The count, held against the threshold of the run's depth."""
        del found
        for _, line in self._blocks.last():
            self._take(bytes(line))
        count = len(self._entries) or len(self._urls)
        told = {"count": count, "threshold": self._threshold, "depth": self._depth, "pass": count >= self._threshold}
        if told["pass"]:
            return told
        if self._blocks.too_long is not None:
            return told | {"code": "LINE_TOO_LONG", "reason": "a line is longer than 1 MiB, and was not looked at"}
        return told | {"code": "VALIDATION_FAILED", "reason": f"{count} sources, at least {self._threshold} are needed at depth {self._depth}"}


def _add(known: set[bytes], text: bytes) -> None:
    if len(known) < kinds.MOST_SOURCES:  # by digests, so that long lines take no more room than short ones
        known.add(hashlib.blake2b(text, digest_size=16).digest())


def _watch(check: Check, given: Given) -> Sources:
    return Sources(check.fields["thresholds"][given.depth], given.depth)


def _any(results: Sequence[tuple[Read, Result]]) -> Result:
    """The best of several files."""
    read, best = max(results, key=lambda found: (found[1]["pass"], found[1].get("count", -1)))
    checked = [{"path": one.artifact.path, "count": result.get("count", 0), "pass": result["pass"]} for one, result in results]
    return {**best, "path": read.artifact.path, "resolved_path": read.artifact.resolved_path, "checked": checked}


def _words(fields: Mapping[str, Any], target: str) -> str:
    least = ", ".join(f"{fields['thresholds'][depth]} at depth {depth}" for depth in kinds.DEPTHS)
    return f"{target} lists enough distinct sources ({least}): headings or entries that begin with 'Source', else distinct URLs"


TYPES: dict[str, Type] = {
    "min_sources": Type(fields={"target": kinds.TARGET, "thresholds": kinds.THRESHOLDS}, words=_words, watch=_watch),
    "min_sources_any_of": Type(
        fields={"targets": kinds.TARGETS, "thresholds": kinds.THRESHOLDS},
        targets=lambda fields: tuple(fields["targets"]),
        words=lambda fields, target: _words(fields, f"one of {target}"),
        watch=_watch,
        combine=_any,
    ),
}
