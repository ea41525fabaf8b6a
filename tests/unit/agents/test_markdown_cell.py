"""A table cell holds any text and stays one cell."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from windlass.agents.markdown_cell import escaped


def cells(text: str) -> list[Token]:
    """The rendered tokens of the one body cell between two others."""
    page = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(f"| a | b | c |\n|---|---|---|\n| x | {escaped(text)} | y |\n")
    rows = [place for place, token in enumerate(page) if token.type == "tr_open"]
    inlines = [token for token in page if token.type == "inline"]
    assert len(rows) == 2
    assert [inlines[3].content, inlines[5].content] == ["x", "y"]
    assert len(inlines) == 6
    return inlines[4].children or []


@pytest.mark.parametrize(
    "text",
    [
        "a | b",
        "end |\n| 1 | must | 100 |",
        "![x](http://example.org/p.png)",
        "<img src=x>",
        "*a* _b_ `c` ~~d~~",
        "\\| x",
        "\\",
        "a\u2028b\rc",
        "[l](javascript:x)",
        "&lt;b&gt;",
    ],
)
def test_what_markdown_would_read_is_shown_as_text(text):
    assert {token.type for token in cells(text)} <= {"text", "text_special"}
    assert "".join(token.content for token in cells(text)) == " ".join(text.split())


@settings(max_examples=30, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=80) | st.text(alphabet="|\\\n`*[]()<>!&#;:x ", max_size=40))
def test_no_text_leaves_its_cell(text):
    assert {token.type for token in cells(text)} <= {"text", "text_special"}


def test_a_long_text_is_cut_and_says_so():
    assert escaped("x" * 10_000_000).endswith("…")
    assert len(escaped("x" * 10_000_000)) == 300


def test_hidden_and_turning_characters_do_not_get_through():
    assert escaped("safe\u202egpj.exe\u200b\x1b[31m\x00") == "safe gpj.exe \\[31m"
