"""`frontmatter_status` holds a document's front matter against a contract, value by value and kind by kind."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.unit.records.checks import gates
from windlass.errors import Refused
from windlass.records.checks.types import table


def status(tmp_path: Path, front: str | bytes, **checks: Any) -> dict[str, Any]:
    content = f"---\n{front}\n---\n# Text\n" if isinstance(front, str) else front
    return gates.result(tmp_path, {"type": "frontmatter_status", "target": gates.DOCUMENT, "checks": checks}, {gates.DOCUMENT: content})


@pytest.mark.parametrize(
    ("front", "wanted"),
    [
        ("status: approved", "approved"),
        ('status: "approved"', "approved"),
        ("status: 3", 3),
        ("status: 3.0", 3),
        ("status: 0.5", 0.5),
        ("status: true", True),
        ("status:", None),
        ("status: ~", None),
        ("status: yes", "yes"),
        ("status: 2026-01-19", "2026-01-19"),
        ("status: 1_000", "1_000"),
        ("status: '3'", "3"),
        ("status: [a, 2]", ["a", 2]),
        ("status: draft", {"not": "approved"}),
        ("status: '3'", {"not": 3}),
        ("status: 8", {"min": 8}),
        ("status: 8", {"max": 8}),
        ("status: 8.5", {"min": 8, "max": 9, "not": 9}),
    ],
)
def test_a_value_that_is_what_was_asked_for_passes(tmp_path: Path, front: str, wanted: Any) -> None:
    assert status(tmp_path, front, status=wanted)["pass"]


@pytest.mark.parametrize(
    ("front", "wanted", "reason"),
    [
        ("other: 1", "approved", "status is absent"),
        ("other: 1", {"not": "draft"}, "status is absent"),
        ("other: 1", {"min": 0}, "status is absent"),
        ("other: 1", None, "status is absent"),
        ("status:", {"not": "draft"}, "status is empty"),
        ("status: Approved", "approved", 'status is "Approved", not "approved"'),
        ("status: '3'", 3, 'status is "3", not 3'),
        ("status: 3", "3", 'status is 3, not "3"'),
        ("status: true", 1, "status is true, not 1"),
        ("status: 1", True, "status is 1, not true"),
        ("status: 'true'", True, 'status is "true", not true'),
        ("status: approved", {"not": "approved"}, 'status is "approved"'),
        ("status: 3.0", {"not": 3}, "status is 3.0"),
        ("status: 7", {"min": 8}, "status is 7, below 8"),
        ("status: 9", {"max": 8}, "status is 9, above 8"),
        ("status: '9'", {"min": 8}, 'status is "9", not a number'),
        ("status: true", {"min": 0}, "status is true, not a number"),
        ("status: .inf", {"min": 8}, 'status is ".inf", not a number'),
        ("status: 1e999", {"min": 8}, 'status is "1e999", not a number'),
        ("status: {a: 1}", "a", 'status is a group of fields, not "a"'),
    ],
)
def test_any_other_value_fails_and_says_what_it_is(tmp_path: Path, front: str, wanted: Any, reason: str) -> None:
    found = status(tmp_path, front, status=wanted)
    assert (found["pass"], found["code"], found["reason"]) == (False, "VALIDATION_FAILED", reason)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"# Text\n", "has no front matter"),
        (b"\n---\nstatus: a\n---\n", "has no front matter"),
        (b"text\n---\nstatus: a\n---\n", "has no front matter"),
        (b"----\nstatus: a\n----\n", "has no front matter"),
        (b"---\nstatus: a\n", "does not end"),
        (b"---\nstatus: a\n" + b"b: 1\n" * 100_000 + b"---\n", "does not end within 65,536 bytes"),
        (b"---\nstatus: a\nstatus: b\n---\n", "'status' twice"),
        (b"---\n- status\n---\n", "not a list of fields"),
        (b"---\nstatus: [\n---\n", "is not YAML: line"),
        (b"---\nstatus: !!python/object/apply:os.system [id]\n---\n", "uses the tag"),
        (b"---\nstatus: !!binary YQ==\n---\n", "uses the tag"),
        (b"---\na: &a [x]\nb: [*a, *a]\nstatus: a\n---\n", "uses the anchor 'a'"),
        (b"---\n? [a]\n: b\nstatus: a\n---\n", "a key of its front matter is not a word"),
        (b"---\nstatus: a\n---x\n", "does not end"),
        (b"---\n" + b"[" * 60_000 + b"\n---\n", "front matter"),
        (b"---\na: " + b"{a: " * 15_000 + b"\n---\n", "front matter"),
        (b"---\n" + b"".join(b"k%d: v\n" % number for number in range(6000)) + b"---\n", "front matter"),
        (b"---\n\xff\xfe\x00\n---\n", "is not YAML"),
    ],
)
def test_front_matter_that_can_not_be_taken_fails_in_little_time(tmp_path: Path, content: bytes, reason: str) -> None:
    begun = time.perf_counter()
    found = status(tmp_path, content, status="a")
    assert (found["pass"], found["code"]) == (False, "VALIDATION_FAILED")
    assert reason in found["reason"]
    assert time.perf_counter() - begun < 2


def test_what_follows_may_be_of_any_size(tmp_path: Path) -> None:
    assert status(tmp_path, b"---\nstatus: a\n---\n" + b"text\n" * 5_000_000, status="a")["pass"]


def test_a_long_value_is_not_recorded_whole(tmp_path: Path) -> None:
    (row,) = status(tmp_path, "status: " + "x" * 50_000, status="a")["checks"]
    assert len(row["found"]) == 80


@pytest.mark.parametrize(
    "checks",
    [
        {},
        [],
        "status",
        {"status": {}},
        {"status": {"least": 3}},
        {"status": {"min": "3"}},
        {"status": {"max": True}},
        {"status": {"min": 3, "max": 2}},
    ],
)
def test_a_contract_that_asks_for_nothing_sensible_is_refused(checks: Any) -> None:
    with pytest.raises(Refused, match="/validations/0/checks"):
        gates.read({"type": "frontmatter_status", "target": gates.DOCUMENT, "checks": checks})


def test_says_in_words_what_is_asked() -> None:
    words = table()["frontmatter_status"].words({"checks": {"status": "approved", "score": {"min": 8, "not": 9}}}, "a.md")
    assert words == 'the front matter of a.md says: status is "approved"; score is not 9 and score is at least 8'
