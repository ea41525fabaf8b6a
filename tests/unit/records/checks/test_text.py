"""Texts, patterns and sources are found in the lines of a file, whatever the pieces it is read in."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from windlass.records.artifacts import Artifact
from windlass.records.checks import patterns, sources, text
from windlass.records.checks.reading import Read, Watcher

FOUND = Read(artifact=Artifact(path="a", resolved_path="a", sha256="0" * 64, size=1, exists=True), problem=None)
PIECES = (1, 2, 3, 7, 1000, 2**20, 2**22)


def told(make: Any, content: bytes, pieces: tuple[int, ...] = PIECES) -> dict[str, Any]:
    """What a watcher says, the same for all sizes of pieces."""
    results = []
    for size in pieces:
        if len(content) // size > 100_000:
            continue
        watcher: Watcher = make()
        whole = bytearray(content)  # pieces of one buffer: a watcher must not look beside its own
        for start in range(0, len(content), size):
            watcher.feed(memoryview(whole)[start : start + size])
        results.append(dict(watcher.end(FOUND)))
    assert all(result == results[0] for result in results), results
    return results[0]


@pytest.mark.parametrize(
    ("wanted", "content", "found"),
    [("abc", b"xxabcxx", True), ("abc", b"xxab\ncxx", False), ("aab", b"aaaab", True), ("x", b"", False), ("ü", "grün".encode(), True)],
)
def test_a_text_is_found_across_pieces(wanted: str, content: bytes, found: bool) -> None:
    assert told(lambda: text.ContainsText(wanted), content)["pass"] is found
    assert told(lambda: text.NotContains(wanted), content)["pass"] is not found


@pytest.mark.parametrize(
    ("pattern", "content", "count"),
    [
        ("^done$", b"done\ndone", 2),
        ("^done$", b"a\r\ndone\r\nb\r\n", 1),
        (r"\Adone\z", b"a\r\ndone\r\nb\r\n", 1),
        ("a.b", b"a\nb", 0),
        (r"a\sb", b"a\nb", 0),
        (r"(?s)a.b", b"a\nb", 0),
        (r"a\Cb", b"a\nb", 0),
        ("o", b"foo\nboo", 4),
        ("(?-m)^b", b"a\nb", 1),
        ("x|y", b"x\ny\n", 2),
        ("z$", b"z\rz\n", 1),
    ],
)
def test_a_pattern_is_held_against_each_line(pattern: str, content: bytes, count: int) -> None:
    assert told(lambda: text.Matches(pattern, 100), content)["count"] == count


def test_where_a_pattern_is_found_is_told_in_bytes_of_the_file() -> None:
    content = b"one\r\ntwo\r\n  DRAFT\r\n"
    assert told(lambda: text.NoMatch("DRAFT"), content)["byte"] == content.index(b"DRAFT")


@pytest.mark.parametrize(("length", "code"), [(2**20, None), (2**20 + 1, "LINE_TOO_LONG"), (3 * 2**20, "LINE_TOO_LONG")])
def test_a_line_over_a_mebibyte_fails(length: int, code: str | None) -> None:
    for end in (b"", b"\n", b"\nyes\n"):
        result = told(lambda: text.Matches("zz", 1), b"short\n" + b"a" * length + end)
        assert result["code"] == (code or "VALIDATION_FAILED")
    assert told(lambda: text.Matches("yes", 1), b"yes\n" + b"a" * length)["pass"]


@pytest.mark.parametrize("pattern", ["(", "a)(b", "x*", "^$", "(?:a{0,900}){0,900}", r"\pL{1000}" * 20])
def test_patterns_that_can_not_be_used_are_said(pattern: str) -> None:
    assert patterns.problem(pattern)


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (b"### Source 1: a\n### Source 2: b\n### Source 2: b\n", 2),
        (b"- Source: a\n1. **Source** b\n", 2),
        (b"## Sources\nhttps://a.example/x https://a.example/x/ <https://b.example/y#z>.\n", 2),
        (b"### Source 1\nhttps://a.example https://b.example https://c.example\n", 1),
        (b"### Sourcery\n", 0),
        (b"nothing", 0),
        (b"a" * (2**20 + 5) + b"\n- Source: a\n", 1),
    ],
)
def test_sources_are_counted_by_the_stated_rule(content: bytes, count: int) -> None:
    assert told(lambda: sources.Sources(1, "quick"), content)["count"] == count


def test_long_sources_take_little_memory() -> None:
    """Each distinct line used to be kept."""
    watcher = sources.Sources(1, "quick")
    tracemalloc.start()
    try:
        for number in range(64):
            watcher.feed(memoryview(b"### Source %d " % number + b"x" * 900_000 + b"\n"))
        assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    finally:
        tracemalloc.stop()
    assert watcher.end(FOUND)["count"] == 64


@pytest.mark.parametrize("place", [0, 5_000, 9_999, 10_000, 19_999])
def test_a_match_anywhere_in_a_large_block_is_found(place: int) -> None:
    """Large blocks are searched in two halves at once."""
    lines = [b"some words of an ordinary line, and no more than that"] * 20_000
    lines[place] = b"here it is: 12345"
    assert told(lambda: text.NoMatch("^here .*[0-9]{5}$"), b"\n".join(lines))["byte"] == place * 54
