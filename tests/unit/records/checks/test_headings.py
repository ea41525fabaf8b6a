"""`contains_headings` finds the headings that a Markdown reader would see, and no others."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.unit.records.checks import gates
from windlass.errors import Refused
from windlass.records.checks import markdown

LAYER = {"type": "contains_headings", "target": gates.DOCUMENT, "required_headings": ["## Layer 1"]}


@pytest.mark.parametrize(
    "text",
    [
        "## Layer 1",
        "# Spec\n\n## Layer 1: Hook\n",
        "## Layer 1 — the hook\n",
        "  ##   Layer   1   ##\n",
        "Layer 1: Hook\n---\n",
        "Layer 1\n  continued on a line\n------\n",
        "---\ntitle: a\n---\n## Layer 1\n",
        "\ufeff## Layer 1\r\n",
        "text before\r## Layer 1\rtext after",
        "a paragraph\n## Layer 1\nanother",
        "<!-- a comment -->\n## Layer 1\n",
        "```\ncode\n```\n## Layer 1\n",
        "- a list\n\n## Layer 1\n",
        "> quoted\n\n## Layer 1\n",
        "    indented code\n\n## Layer 1\n",
    ],
)
def test_a_heading_of_the_document_satisfies(tmp_path: Path, text: str) -> None:
    assert gates.result(tmp_path, LAYER, {gates.DOCUMENT: text})["pass"]


@pytest.mark.parametrize(
    "text",
    [
        "## Layer 10\n",
        "## Layer 1a\n",
        "## Layer 1_b\n",
        "## Layer 1\u0301\n",
        "## layer 1\n",
        "### Layer 1\n",
        "# Layer 1\n",
        "Layer 1\n===\n",
        "##Layer 1\n",
        "####### ## Layer 1\n",
        r"\## Layer 1",
        "```\n## Layer 1\n```\n",
        "~~~ markdown\n## Layer 1\n",
        "    ## Layer 1\n",
        "\t## Layer 1\n",
        "<!--\n## Layer 1\n-->\n",
        "<!-- never closed\n\n## Layer 1\n",
        "<pre>\n\n## Layer 1\n\n</pre>\n",
        "<div>\n## Layer 1\n</div>\n",
        "---\n## Layer 1\n---\n",
        "---\ntitle: x\n## Layer 1\n...\ntext\n",
        "> ## Layer 1\n",
        "- ## Layer 1\n",
        "1. one\n\n   ## Layer 1\n",
        "text ## Layer 1\n",
        "[a]: /url\n'## Layer 1'\n",
        "no heading at all",
    ],
)
def test_what_only_looks_like_the_heading_does_not(tmp_path: Path, text: str) -> None:
    found = gates.result(tmp_path, LAYER, {gates.DOCUMENT: text})
    assert (found["pass"], found["code"], found["missing"]) == (False, "HEADING_MISMATCH", ["## Layer 1"])


def test_says_each_heading_that_is_missing(tmp_path: Path) -> None:
    asked = {**LAYER, "required_headings": [f"## Layer {number}" for number in range(1, 7)]}
    found = gates.judged(tmp_path, asked, {gates.DOCUMENT: "## Layer 1: a\n## Layer 3\n## Layer 10\n"})
    assert found.validations[0]["missing"] == ["## Layer 2", "## Layer 4", "## Layer 5", "## Layer 6"]
    assert found.failure_reason == f"contains_headings {gates.DOCUMENT}: has no heading ## Layer 2, ## Layer 4, ## Layer 5, ## Layer 6"


def test_a_heading_that_is_asked_for_without_marks_may_have_any_level(tmp_path: Path) -> None:
    asked = {**LAYER, "required_headings": ["Layer 1", "Étude"]}
    assert gates.result(tmp_path, asked, {gates.DOCUMENT: "#### Layer 1\n\nE\u0301tude\n===\n"})["pass"]


def test_a_missing_and_an_empty_document_fail(tmp_path: Path) -> None:
    assert gates.result(tmp_path, LAYER)["code"] == "MISSING_ARTIFACT"
    assert gates.result(tmp_path, LAYER, {gates.DOCUMENT: b""})["code"] == "EMPTY_FILE"


def test_a_document_of_more_than_16_mib_is_too_large(tmp_path: Path) -> None:
    found = gates.result(tmp_path, LAYER, {gates.DOCUMENT: b"## Layer 1\n" + b"a" * markdown_size()})
    assert (found["pass"], found["code"]) == (False, "TOO_LARGE")


def markdown_size() -> int:
    return 16 * 1024 * 1024


@pytest.mark.parametrize("heading", ["", "  ", "##", "## \t", "## a\nb", "x" * 1001])
def test_a_contract_that_asks_for_no_heading_is_refused(heading: str) -> None:
    with pytest.raises(Refused, match="required_headings"):
        gates.read({**LAYER, "required_headings": [heading]})


HOSTILE = {
    "brackets": "[" * 16_000_000,
    "bracket lines": "[\n" * 390_000,
    "stars": "* " * 8_000_000,
    "quotes on a line": ">" * 16_000_000,
    "quotes in lines": (">" * 40 + "\n") * 400_000,
    "lazy lines": "> " * 25 + "a\n" + "b\n" * 390_000,
    "headings": "# a\n" * 390_000,
    "list items": "- a\n" * 390_000,
    "stairs": "".join("  " * (line % 25) + "- a\n" for line in range(390_000)),
    "definitions": "[a]: b '\n" * 390_000,
    "a title without an end": "[a]: b '" + "x\n" * 390_000,
    "attributes": "<a" + " b" * 8_000_000,
    "newlines": "\n" * 16_000_000,
    "front matter without an end": "---\n" + "a: 1\n" * 390_000,
}


@pytest.mark.parametrize("name", ["quotes on a line", "quotes in lines", "attributes", "newlines", "bracket lines"])
def test_a_hostile_document_costs_seconds_at_most(tmp_path: Path, name: str) -> None:
    """All of `HOSTILE` are tried by the promise's test; these are those that took minutes or gigabytes in a parser without a purse."""
    begun = time.perf_counter()
    found = gates.result(tmp_path, LAYER, {gates.DOCUMENT: HOSTILE[name]})
    assert not found["pass"]
    assert found["code"] in {"TOO_LARGE", "HEADING_MISMATCH"}
    assert time.perf_counter() - begun < 10


def test_many_headings_against_many_that_are_asked_for(tmp_path: Path) -> None:
    asked = {**LAYER, "required_headings": [f"## {'a' * number}" for number in range(1, 990)]}
    begun = time.perf_counter()
    found = gates.result(tmp_path, asked, {gates.DOCUMENT: "".join(f"## {'a' * 1000}{number}\n" for number in range(10_000))})
    assert len(found["missing"]) == 989
    assert time.perf_counter() - begun < 10


def test_deep_nesting_does_not_hide_the_rest_of_the_document(tmp_path: Path) -> None:
    """The parser by itself skips everything after 20 levels, without a word."""
    shallow = "".join("  " * level + "- a\n" for level in range(12)) + "\n## Layer 1\n"
    assert gates.result(tmp_path, LAYER, {gates.DOCUMENT: shallow})["pass"]
    deep = "".join("  " * level + "- a\n" for level in range(40)) + "\n## Layer 1\n"
    assert gates.result(tmp_path, LAYER, {gates.DOCUMENT: deep})["code"] == "TOO_LARGE"


PIECES = [
    "# a",
    "## b",
    "a",
    "===",
    "---",
    "- a",
    "  b",
    "    c",
    "> q",
    "```",
    "~~~",
    "<!--",
    "-->",
    "<div>",
    "</div>",
    "[a]: b",
    "1. x",
    "",
    "\t# t",
    "***",
    "* # x",
]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=14))
def test_agrees_with_the_whole_parser(lines: list[str]) -> None:
    """Switching the inline rules off, dropping tokens and counting work change no heading."""
    text = "\n".join(["text", *lines])
    tokens = MarkdownIt("commonmark").parse(text)
    wanted = [
        (int(token.tag[1:]), tokens[place + 1].content) for place, token in enumerate(tokens) if token.type == "heading_open" and not token.level
    ]
    assert [(found.level, found.text) for found in markdown.headings(text.encode())] == wanted
