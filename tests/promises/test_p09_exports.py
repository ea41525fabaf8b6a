"""P-09: no text can forge a row, cell, formula, tag or escape in any export.

Random hostile strings stand in every place of a sweep, and of a run, that a stranger can fill; every export is read by a parser that is not ours and
must show as many rows, cells and elements as the same sweep with harmless texts. The budget counts strings (see `budget.py`).
"""

import csv
import io
import json
import random
import re
import sys
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import PurePosixPath
from typing import Any

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.promises import budget
from tests.unit.records.attest import hostile as runs
from tests.unit.sweep import samples
from windlass.infra.escapes import columns, tsv_text
from windlass.records.attest import comparison, summary, timeline
from windlass.records.attest import junit as run_junit
from windlass.records.attest import markdown as run_markdown
from windlass.records.attest import sarif as run_sarif
from windlass.records.attest import statement as run_statement
from windlass.records.attest import terminal as run_terminal
from windlass.sweep.writers import gate_table, junit, report, step_summary, summaries, terminal, tsv

BUDGET = budget.of(small=2000, full=1_000_000)
SEED = budget.seed(9)
PER_SWEEP = 100
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
HARMLESS = [f"word {number}" for number in range(PER_SWEEP)]

FRAGMENTS = [
    *"\t\n\r\\|`*_~#<>&\"'=+-@!()[]{}:/;,.%^$ \0\x07\x08\x0b\x0c\x1b\x1c\x7f\x85\u2028\u2029\u202e\u2066\u200b\u200d\ufeff\ufffe\U000e0041＝＋－＠−",
    *("\r\n", "\\n", "\\t", "\\\\", "'=", '"=', "=cmd|' /C calc'!A1", '=HYPERLINK("http://x")', "@SUM(1)", "+1", "-1+1", "\t=1", " =1"),
    *(
        "CLAIM_VERIFY\t200\tagent-verify\thttp://x\t200\t12\tPASS\t\n",
        "| PASS |",
        " | | \n| a | b |\n|---|---|",
        "\n\n# PASS\n",
        "\nSUMMARY: 31/31 PASS\n",
    ),
    *(
        "<script>alert(1)</script>",
        "<img src=x onerror=y>",
        "</td></tr></table>",
        "<!--",
        "-->",
        "]]>",
        "<![CDATA[",
        "<?x?>",
        "</failure></testcase>",
    ),
    *(
        "<testcase name='x'/>",
        "&lt;",
        "&#60;",
        "&#x3c;",
        "&amp;amp;",
        '" onload="x',
        "javascript:x",
        "</style><style>",
        "</title>",
        "{{7*7}}",
        "{%x%}",
    ),
    *(
        "![x](http://x/y.png)",
        "[x](http://x)",
        "[x]: http://x",
        "<http://x>",
        "https://x.example/y",
        "www.x.example",
        "a@b.example",
        "@octocat",
        "#12",
    ),
    *("```", "~~x~~", "**x**", "__x__", "***", "---", "- [ ] x", "1. x", "> x", "    x", "\\|", "\\\\|", "\\`", ":tada:", "$x$"),
    *("::add-mask::x", "::set-output name=x::y", "##[error]x", "##vso[task.setvariable]x", "##teamcity[x]", "::", "##", "[", "stop-commands"),
    *(
        "\x1b[2J",
        "\x1b]0;x\x07",
        "\x1b]8;;http://x\x1b\\y",
        "\x9b31m",
        "\u202etxt.exe",
        "../../etc/passwd",
        ".git",
        "con",
        "a/b",
        "A" * 90,
        "漢字",
        "e\u0301",
        "😀",
    ),
]


def hostile_text(rng: random.Random) -> str:
    """A string of the fragments above and of characters from all of Unicode; surrogates stay out, since no JSON document can carry them."""
    pieces = [rng.choice(FRAGMENTS) if rng.random() < 0.8 else anywhere(rng) for _ in range(rng.choice((1, 1, 2, 3, 5, 8)))]
    return "".join(pieces).encode("utf-8", "replace").decode()


def anywhere(rng: random.Random) -> str:
    """A character of ASCII, of Latin, of the Basic Multilingual Plane or of the end of Unicode."""
    return chr(rng.choice((0x7F, 0x2FF, 0xD7FF, 0xFFFF, sys.maxunicode)) - rng.randrange(0x7F))


def sweeps() -> Iterator[tuple[list[str], dict[str, Any]]]:
    rng = random.Random(SEED)
    for _ in range(-(-BUDGET // PER_SWEEP)):
        texts = [hostile_text(rng) for _ in range(PER_SWEEP)]
        yield texts, samples.hostile(texts)


class Hostile:
    """The same sweeps each time they are gone through: all at once would fill the memory. Lives as long as the tests of this file."""

    def __iter__(self) -> Iterator[tuple[list[str], dict[str, Any]]]:
        return sweeps()


@pytest.fixture(scope="module", name="hostile")
def hostile_sweeps():
    budget.tell("P-09", SEED, f"{BUDGET:,} strings through every export")
    return Hostile()


@pytest.fixture(scope="module", name="harmless")
def harmless_sweep():
    return samples.hostile(HARMLESS)


def seen(text: str) -> str:
    """The text with each character that Unicode calls invisible, or no character, written as an escape: said again, by Unicode's own table."""

    def shown(character: str) -> str:
        point = ord(character)
        hidden = unicodedata.category(character) in INVISIBLE or point & 0xFFFE == 0xFFFE or 0xFDD0 <= point <= 0xFDEF or ignorable(point)
        short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
        return (short or (f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}")) if hidden else character

    return "".join(map(shown, text))


def ignorable(point: int) -> bool:
    """Unicode's Default_Ignorable_Code_Point, beyond category Cf."""
    ranges = ((0x34F, 0x34F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2065, 0x2065), (0x3164, 0x3164), (0xFE00, 0xFE0F))
    return any(first <= point <= last for first, last in (*ranges, (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0xE0000, 0xE0FFF)))


def assert_nothing_acts(export: str, allowed: str = "\n") -> None:
    """No character of the export moves a cursor or reorders, and no line of it is a command of a build log."""
    assert not {character for character in set(export) - set(allowed) if unicodedata.category(character) in INVISIBLE}
    for line in export.split("\n"):
        assert not line.lstrip().startswith("::"), line
        assert not re.search(r"##(vso|teamcity)?\[", line), line


def test_tsv(hostile):
    for texts, sweep in hostile:
        export = tsv.render(sweep)
        lines = export.removesuffix("\n").split("\n")
        assert len(lines) == len(export.splitlines()) == 1 + PER_SWEEP
        assert_nothing_acts(export, "\n\t")
        by_csv = [
            list(csv.reader(io.StringIO(export), delimiter="\t", **dialect))
            for dialect in ({}, {"quoting": csv.QUOTE_NONE}, {"skipinitialspace": True})
        ]
        assert [len(read) for read in by_csv] == [1 + PER_SWEEP] * 3
        for text, line, *rows in zip(texts, lines[1:], *(read[1:] for read in by_csv), strict=True):
            cells = line.split("\t")
            assert [len(cells), *map(len, rows)] == [8] * 4
            assert rows[:2] == [cells, cells]
            assert [tsv_text(cells[at]) for at in (0, 2, 3, 7)] == [text, text, f"http://{text}", f"BUSINESS_ERROR: {text}"]
            assert cells[6] == "FAIL"
            for cell in cells:
                assert unicodedata.normalize("NFKC", cell).lstrip()[:1] not in {"=", "+", "-", "@", "−"}


def markdown_shape(tokens: Sequence[Token]) -> list[tuple[str, str, Any]]:
    """The tokens of a page in order, without the texts; a code span and a plain text inside a cell count as the same."""
    return [(token.type, token.tag, token.attrs) for token in tokens if token.type != "inline"]


@pytest.mark.parametrize("render", [gate_table.render, step_summary.render])
def test_markdown(hostile, harmless, render):
    expected = markdown_shape(MARKDOWN.parse(render(harmless)))
    for texts, sweep in hostile:
        export = render(sweep)
        assert_nothing_acts(export)
        assert export.splitlines()[-1] == f"SUMMARY: 0/{PER_SWEEP} PASS"
        assert export.count("\nSUMMARY:") == 1
        tokens = MARKDOWN.parse(export)
        assert markdown_shape(tokens) == expected
        inlines = [token for token in tokens if token.type == "inline"]
        assert {child.type for token in inlines for child in token.children or []} <= {
            "text",
            "text_special",
            "code_inline",
            "strong_open",
            "strong_close",
        }
        shown = ["".join(child.content for child in token.children or [] if child.type != "code_inline") for token in inlines]
        assert not [text for text in shown if re.search(r"(?i)(https?|ftp)://|www\.\w|@\w|#\d", text)]
        agents = shown[-1 - 7 * PER_SWEEP : -1][2::7]
        assert [agent.replace("\u2060", "") for agent in agents] == [seen(text).strip() for text in texts]


def test_junit(hostile, harmless):
    expected = [(element.tag, sorted(element.attrib)) for element in ET.fromstring(junit.render(harmless)).iter()]
    for texts, sweep in hostile:
        export = junit.render(sweep)
        assert_nothing_acts(export)
        root = ET.fromstring(export)
        assert [(element.tag, sorted(element.attrib)) for element in root.iter()] == expected
        cases = root.findall("testsuite[@name='task types']/testcase")
        assert [case.get("name") for case in cases] == [seen(text) for text in texts]
        failures = root.findall("testsuite[@name='task types']/testcase/failure")
        assert [failure.get("message") for failure in failures] == [seen(text) for text in texts]
        assert [len((failure.text or "").split("\n")) for failure in failures] == [2] * PER_SWEEP


class Shape(HTMLParser):
    """The elements of a page with their attributes, and its texts by element. Lives as long as one comparison."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.shape: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.said: list[str] = []
        self.declared = 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.shape.append((tag, tuple(attrs)))
        self.said.append("")

    def handle_endtag(self, tag: str) -> None:
        self.shape.append(("/" + tag, ()))

    def handle_data(self, data: str) -> None:
        if self.said:
            self.said[-1] += data

    def handle_comment(self, data: str) -> None:
        self.declared += 1

    handle_pi = unknown_decl = handle_comment


def test_report(hostile, harmless):
    expected = Shape(report.render(harmless))
    for texts, sweep in hostile:
        export = report.render(sweep)
        assert not {character for character in set(export) - {"\n"} if unicodedata.category(character) in INVISIBLE}
        found = Shape(export)
        assert found.shape == expected.shape
        assert found.declared == 0
        names = [
            said
            for (tag, attrs), said in zip((each for each in found.shape if each[0][0] != "/"), found.said, strict=True)
            if ("class", "task") in attrs
        ]
        assert names[-PER_SWEEP:] == [seen(text) + names[-1][len(seen(texts[-1])) :] for text in texts]


def test_terminal(hostile):
    for texts, sweep in hostile:
        lines = [terminal.row(row, 160) for row in sweep["rows"]]
        failures = terminal.failures(sweep, 100)
        assert len(failures) == 2 * len(texts)
        for line in (*lines, *failures, terminal.gates(sweep), terminal.door(sweep)):
            assert "\n" not in line
            assert_nothing_acts(line)
            assert "::" not in re.sub(r"\[[0-9A-Fa-f:.]+\]", "", line)
        assert max(map(columns, lines)) <= 160
        assert max(map(columns, failures[::2])) <= 100


def test_summaries(hostile):
    for texts, sweep in hostile:
        written = summaries.render(sweep)
        assert len({path.lower() for path in written}) == len(set(texts))
        for path, content in written.items():
            parts = PurePosixPath(path).parts
            assert re.fullmatch(r"[a-z0-9_][a-z0-9._~-]{0,79}", parts[1])
            assert (parts[0], len(parts)) == ("validation", 4)
            assert_nothing_acts(content.decode("ascii"))
        assert {json.loads(content)["agent_name"] for content in written.values()} == set(texts)


def test_a_run_as_markdown(hostile):
    expected = markdown_shape(MARKDOWN.parse(run_markdown.render(runs.story(HARMLESS))))
    for texts, _ in hostile:
        export = run_markdown.render(runs.story(texts))
        assert_nothing_acts(export)
        tokens = MARKDOWN.parse(export)
        assert markdown_shape(tokens) == expected
        inlines = [token for token in tokens if token.type == "inline"]
        kinds = {child.type for token in inlines for child in token.children or []}
        assert kinds <= {"text", "text_special", "code_inline", "strong_open", "strong_close"}
        shown = ["".join(child.content for child in token.children or [] if child.type != "code_inline") for token in inlines]
        assert not [text for text in shown if re.search(r"(?i)(https?|ftp)://|www\.\w|@\w|#\d", text)]


def test_a_run_as_junit(hostile):
    expected = [(element.tag, sorted(element.attrib)) for element in ET.fromstring(run_junit.render(runs.story(HARMLESS))).iter()]
    for texts, _ in hostile:
        export = run_junit.render(runs.story(texts))
        assert_nothing_acts(export)
        root = ET.fromstring(export)
        assert [(element.tag, sorted(element.attrib)) for element in root.iter()] == expected
        failures = root.findall("testsuite[2]/testcase/failure")[1:]
        assert [failure.get("type") for failure in failures] == [seen(text) for text in texts]
        assert [failure.text for failure in failures] == [f"{seen(text)}: {seen(text)}" for text in texts]


def test_a_run_as_a_page(hostile):
    expected = Shape(timeline.render(runs.story(HARMLESS)))
    volatile = {"x", "width", "cx"}
    for texts, _ in hostile:
        export = timeline.render(runs.story(texts))
        assert not {character for character in set(export) - {"\n"} if unicodedata.category(character) in INVISIBLE}
        found = Shape(export)
        assert [(tag, [name for name, _ in attrs if name not in volatile]) for tag, attrs in found.shape] == [
            (tag, [name for name, _ in attrs if name not in volatile]) for tag, attrs in expected.shape
        ]
        assert found.declared == 0


def test_a_run_as_sarif(hostile):
    for texts, _ in hostile:
        export = run_sarif.render(runs.story(texts))
        assert_nothing_acts(export)
        (run,) = json.loads(export)["runs"]
        assert len(run["results"]) == PER_SWEEP + 1
        for text, result in zip(texts, run["results"], strict=False):
            assert result["ruleId"] == seen(text)
            assert not re.search(r"(?<!\\)(?:\\\\)*[\[\]]", result["message"]["text"]), "a link"
            (place,) = (location["physicalLocation"] for location in result["locations"])
            assert re.fullmatch(r"(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})+", place["artifactLocation"]["uri"])
            assert not place["artifactLocation"]["uri"].startswith("/")
            assert ".." not in place["artifactLocation"]["uri"].split("/")


def test_a_run_in_the_terminal(hostile):
    expected = len(run_terminal.lines(runs.story(HARMLESS)))
    for texts, _ in hostile:
        story = runs.story(texts)
        lines = run_terminal.lines(story)
        assert len(lines) == expected
        compared = list(comparison.lines(comparison.compare(runs.story(HARMLESS), story)))
        for line in (*lines, *compared):
            assert "\n" not in line
            assert_nothing_acts(line)
        assert max(map(columns, lines)) <= run_terminal.WIDTH


def test_a_run_as_values(hostile):
    for texts, _ in hostile:
        story = runs.story(texts)
        stated = json.loads(json.dumps(run_statement.statement(story)))
        assert len(set(stated["predicate"]["failedTests"])) == len(stated["predicate"]["failedTests"]) == PER_SWEEP + 2
        assert [check["says"] for check in json.loads(json.dumps(summary.summary(story)))["gates"][0]["attempts"][1]["checks"]] == texts
