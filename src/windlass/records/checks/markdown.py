"""The headings of a Markdown document as a CommonMark parser sees them: block rules only, bounded work, nothing kept but the headings.

Only the document's own headings count: not what stands in a code block, an HTML block or comment, in front matter, in a quotation or in
a list. Work is counted, not timed, so that the same bytes get the same answer on every machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.parser_block import ParserBlock
from markdown_it.rules_block import StateBlock, fence, html_block
from markdown_it.token import Token

MAX_LINES = 400_000
MAX_STEPS = 500_000
"""Lines times the containers they stand in, about four seconds of work on a slow machine; a book of 16 MiB in ordinary lines takes 440,000."""
MAX_NESTING = 60
"""Quotations and lists inside one another; the parser would skip the rest of the document beyond its own limit, and say nothing."""
MAX_TAG_PARTS = 100_000
"""Blanks in a line that begins with `<`: the parser's pattern for a tag keeps 400 bytes for each attribute while it matches."""
FRONT_MATTER = re.compile(r"---[ \t]*\n(?:(?!(?:---|\.\.\.)[ \t]*(?:\n|\Z)).*\n)*+(?:---|\.\.\.)[ \t]*(?:\n|\Z)")


class TooComplex(Exception):
    """The document takes more work than a gate may cost; the message says of what there is too much."""


@dataclass(frozen=True, kw_only=True)
class Heading:
    """One heading: `level` 1 to 6, its text as it is written, and the line (from 1) where it begins."""

    level: int
    text: str
    line: int


def headings(content: bytes) -> tuple[Heading, ...]:
    """Every heading of a document in UTF-8, in order; raises TooComplex."""
    text = content.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    if text.count("\n") > MAX_LINES:
        raise TooComplex(f"has more than {MAX_LINES:,} lines")
    matter = FRONT_MATTER.match(text)
    skipped = text.count("\n", 0, matter.end()) if matter else 0
    found = _Headings(skipped)
    parser = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING})
    parser.block = block = _Block()
    block.ruler.at("fence", block.counted_fence, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    block.ruler.at("html_block", block.bounded_html, {"alt": ["paragraph", "reference", "blockquote"]})
    block.ruler.disable("table")
    block.parse(text[matter.end() :] if matter else text, parser, {"references": _Forgetful()}, found)
    return tuple(found.found)


class _Headings(list[Token]):
    """What the parser hands its tokens to; keeps the headings of the document itself and drops the rest. Lives as long as one parse."""

    def __init__(self, skipped: int) -> None:
        super().__init__()
        self.found: list[Heading] = []
        self._skipped = skipped
        self._heading: list[Token] = []

    def append(self, token: Token) -> None:
        """Take the next token. What a token contains is filled in afterwards, so a heading is whole when its end comes."""
        if token.level >= MAX_NESTING - 2:
            raise TooComplex(f"has quotations or lists more than {MAX_NESTING // 2} deep")
        if token.level == 0 and token.type == "heading_close":
            begin, inline = self._heading
            self.found.append(Heading(level=int(begin.tag[1:]), text=inline.content, line=(begin.map or [0])[0] + 1 + self._skipped))
            self._heading = []
        elif self._heading or (token.level == 0 and token.type == "heading_open"):
            self._heading.append(token)


class _Forgetful(dict[str, Any]):
    """Where the parser puts link definitions, which nobody asks for. Lives as long as one parse."""

    def __setitem__(self, label: str, definition: Any) -> None:
        pass

    def __contains__(self, label: object) -> bool:
        return False


class _Block(ParserBlock):
    """The block parser with a purse. Lives as long as one parse."""

    def __init__(self) -> None:
        super().__init__()
        self._left = MAX_STEPS

    def counted_fence(self, state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001  # the parser calls it so
        """The rule that is tried at every line of every container, and so counts them."""
        self._spend(1 + state.level // 6)  # inside many containers, a line costs more than a line
        return fence(state, start, end, silent)

    def bounded_html(self, state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001  # the parser calls it so
        """The rule for HTML, which is not shown a line that it could not look at in little memory."""
        first, last = state.bMarks[start] + state.tShift[start], state.eMarks[start]
        if last - first > MAX_TAG_PARTS and state.src[first] == "<" and len(state.src[first:last].split(None, MAX_TAG_PARTS)) > MAX_TAG_PARTS:
            raise TooComplex(f"has a line of HTML with more than {MAX_TAG_PARTS:,} parts")
        return html_block(state, start, end, silent)

    def tokenize(self, state: StateBlock, startLine: int, endLine: int) -> None:  # noqa: N803  # the parser's own names
        """Parse a container; what a quotation costs before it is looked into is the number of its lines."""
        if state.parentType == "blockquote":
            self._spend(endLine - startLine)
        super().tokenize(state, startLine, endLine)

    def _spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise TooComplex("has more Markdown structure than is looked through")
