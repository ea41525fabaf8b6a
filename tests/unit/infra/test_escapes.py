"""Every escape keeps a stranger's text inside its cell, sentence, attribute, line or name."""

import csv
import io
import json
import sys
import unicodedata
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from windlass.infra import escapes

ANY_TEXT = st.text(st.characters(), max_size=60)
COMMANDS = [
    "[::add::x]"[1:],
    ":::add-mask::x",
    "::add-mask::x",
    "  ::error::x",
    "\t::group::x",
    "##[error]x",
    "text ##[add-mask]x",
    "###[x]",
    "##vso[task.x]y",
    "##teamcity[x]",
    "a\n::debug::b",
]


def obeyed(line: str) -> bool:
    """Whether GitHub's runner, Azure Pipelines or TeamCity would take the line for a command (after `ActionCommand.cs`)."""
    return line.lstrip().startswith("::") or "##[" in line or "##vso[" in line or "##teamcity[" in line


def test_every_character_that_unicode_calls_invisible_is_made_visible():
    unseen = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    missed = [
        f"{point:04X}"
        for point in range(sys.maxunicode + 1)
        if (unicodedata.category(chr(point)) in unseen or point & 0xFFFE == 0xFFFE or 0xFDD0 <= point <= 0xFDEF)
        and escapes.visible(chr(point)) == chr(point)
    ]
    assert missed == []


def test_what_can_be_seen_stays_as_it_is():
    text = "Ünïcode 漢字 😀 «quotes» – 50 % C:\\temp {json: [1]}"
    assert escapes.visible(text) == text


def test_invisible_characters_read_as_their_escapes():
    assert escapes.visible("a\nb\tc\x1b[31m\u202e\U000e0041\ud800") == r"a\nb\tc\u001b[31m\u202e\U000e0041\ud800"


@given(ANY_TEXT)
def test_a_tsv_cell_gives_its_text_back(text):
    assert escapes.tsv_text(escapes.tsv_cell(text)) == text


@given(st.lists(ANY_TEXT, min_size=1, max_size=6))
def test_a_tsv_line_splits_into_its_cells_for_every_reader(texts):
    line = "\t".join(map(escapes.tsv_cell, texts))
    assert len(line.splitlines()) <= 1
    assert [escapes.tsv_text(cell) for cell in line.split("\t")] == texts
    assert next(csv.reader(io.StringIO(line + "\n"), dialect="excel-tab"), [""]) == (line.split("\t") if line else [])


@pytest.mark.parametrize(
    "formula", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\u3000=1", "＝1", "＋1", "－1", "＠x", "−1", "﹦1", " \n ＝1", '"=1', "'=1"]
)
def test_a_cell_never_begins_like_a_formula(formula):
    cell = escapes.tsv_cell(formula)
    assert cell.startswith("'")
    assert escapes.tsv_text(cell) == formula


@pytest.mark.parametrize("text", ["", "PASS", "a = b", "x'y", "http://[::1]:80", "é", "漢"])
def test_a_harmless_cell_stays_as_it_is(text):
    assert escapes.tsv_cell(text) == text


@given(ANY_TEXT)
def test_markdown_shows_the_text_and_nothing_else(text):
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(f"| a |\n|---|\n| x{escapes.markdown(text)}x |\n")
    cells = [token for token in tokens if token.type == "inline"]
    assert len(cells) == 2
    assert {child.type for child in cells[1].children or []} <= {"text", "text_special"}
    shown = "".join(child.content for child in cells[1].children or [])
    assert shown.replace("\u2060", "") == f"x{escapes.visible(text)}x"


@pytest.mark.parametrize(
    "text",
    [
        "@octocat",
        "a@b.example",
        "#12",
        "o/r#12",
        "https://x.example",
        "ftp://x",
        "www.x.example",
        "WWW.x.example",
        ":tada:",
        ":+1:",
        ":a_b:",
        "!12",
        "GH$x$",
    ],
)
def test_markdown_leaves_nothing_that_a_host_links_or_notifies(text):
    tokens = MarkdownIt("commonmark").parse(f"see {escapes.markdown(text)}")
    shown = "".join(child.content for child in tokens[1].children or [])
    assert shown.replace("\u2060", "") == f"see {text}"
    assert text not in shown or "$" in text
    assert "$" not in escapes.markdown(text)


def test_a_task_type_stays_findable_in_markdown():
    assert escapes.markdown("STAGE_2_EXTRACT") == "STAGE_2_EXTRACT"


def test_a_plain_command_becomes_a_code_span_and_a_hostile_one_does_not():
    assert escapes.markdown_code("windlass sweep show run_1 CLAIM_VERIFY") == "`windlass sweep show run_1 CLAIM_VERIFY`"
    for hostile in ("a`b", "a|b", "a\nb", "`", " a", "", "<b>", "a\\", "@x", "é"):
        assert not escapes.markdown_code(hostile).startswith("`")


@given(ANY_TEXT)
def test_xml_gives_the_visible_text_back_from_elements_and_attributes(text):
    element = ET.fromstring(f'<a b="{escapes.xml(text)}">{escapes.xml(text)}</a>')
    assert (element.get("b"), element.text or "") == (escapes.visible(text),) * 2


@given(ANY_TEXT)
def test_json_gives_the_text_back_in_ascii(text):
    document = escapes.json_document({"a": text})
    assert document.isascii()
    assert json.loads(document) == {"a": text}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_build_log_obeys(command):
    for escaped in (escapes.terminal(command), escapes.tsv_cell(command), escapes.xml(command), escapes.markdown(command)):
        assert not any(obeyed(line) for line in f"- {escaped}".splitlines())
    assert not obeyed(escapes.terminal(command))
    assert not obeyed(escapes.tsv_cell(command))
    assert not obeyed(escapes.json_document([command]))


@given(ANY_TEXT, st.integers(0, 80))
def test_a_terminal_line_is_visible_and_fits(text, width):
    line = escapes.terminal(text, width)
    assert escapes.visible(line) == line
    assert escapes.columns(line) <= width


@given(st.text(":[]#a1 ", max_size=20))
def test_a_line_may_be_wrapped_anywhere_and_still_no_build_log_obeys(text):
    line = escapes.terminal(text)
    assert not any(line[at:].startswith("::") and "::" in line[at + 2 :].split("]")[0] for at in range(len(line)))
    assert escapes.terminal(line) == line


def test_ipv6_addresses_stay_readable_on_a_terminal():
    assert escapes.terminal("http://[::1]:80 and [fe80::1]") == "http://[::1]:80 and [fe80::1]"


def test_wide_characters_take_two_columns():
    assert escapes.columns("漢a\u0301") == 3
    assert escapes.cut("漢字漢字", 6) == "漢字…"


@pytest.mark.parametrize("name", ["agent-verify", "a", "agent.v2", "a_b", "x" * 80])
def test_a_plain_file_name_is_kept(name):
    assert escapes.file_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../../etc/passwd", "/abs", "a/b", "a\\b", ".hidden", "con", "nul.txt", "a.", "a\0b", "x" * 5000, "A", "~x", "-rf", "é"]
)
def test_any_other_file_name_becomes_a_safe_one(name):
    safe = escapes.file_name(name)
    assert safe != name
    assert 1 <= len(safe) <= 80
    assert safe[0] not in ".-~"
    assert set(safe) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-~")


@given(ANY_TEXT, ANY_TEXT)
def test_different_texts_have_different_file_names_where_case_does_not_count(one, other):
    assert (escapes.file_name(one).lower() == escapes.file_name(other).lower()) == (one == other)
    assert escapes.file_name(escapes.file_name(one)) != escapes.file_name(one) or escapes.file_name(one) == one
