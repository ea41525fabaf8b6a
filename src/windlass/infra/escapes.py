r"""One escape per output format: text of a stranger stays text in a table, a page, a test report, a terminal and a file name.

Every function first makes what can't be seen visible: control, format (bidirectional, zero-width, tags), surrogate and other
invisible characters become `\n`, `\u202e` or `\U000e0041`. Then what has a meaning in the format loses it. Source of the set:
Unicode's categories Cc, Cf, Cs, Zl, Zp, its noncharacters and its default-ignorable code points.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xml.etree.ElementTree as ET

_INVISIBLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    r"\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    r"\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    + "".join(rf"\U{plane:04x}fffe\U{plane:04x}ffff" for plane in range(1, 17))
    + "]"
)
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}

_HASH_COMMAND = re.compile(r"##(?=\w*\[)")
_COLON_COMMAND = re.compile(
    r"(\[(?![^\]]{0,45}::[^\]]{0,45}::)[0-9A-Fa-f:.]{2,45}\])|:(?=:)"
)  # the bracket of an IPv6 address, with one :: at most, stays as it is


def visible(text: str) -> str:
    """The text on one line, with every character that can't be seen written as its escape. Not reversible: a backslash stays one."""
    return _INVISIBLE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    return _SHORT.get(character) or (f"\\u{ord(character):04x}" if character <= "\uffff" else f"\\U{ord(character):08x}")


_TSV_LEAD = re.compile(r"(?:\s|\\[tnr])*(?:(['\"=+\-@−]|::)|([^\x00-\x7f]))")
_TSV_ESCAPED = re.compile(r"\\(?:([\\tnr])|u([0-9a-f]{4})|U([0-9a-f]{8}))")
_TSV_SHORT = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}


def tsv_cell(text: str) -> str:
    r"""One cell of a TSV file; `tsv_text` gives the text back.

    A backslash becomes `\\`, what can't be seen its escape, and a cell that a spreadsheet would compute or unquote, or a build log
    would obey (it begins, after spaces, with = + - @ ' " :: or a wide form of one) gets an apostrophe before it.
    """
    cell = _HASH_COMMAND.sub(r"#\\u0023", visible(text.replace("\\", "\\\\")))
    lead = _TSV_LEAD.match(cell)
    if lead and (lead[1] or unicodedata.normalize("NFKC", lead[2])[:1] in {"=", "+", "-", "@", "'", '"', "−"}):
        return "'" + cell
    return cell


def tsv_text(cell: str) -> str:
    """The text that `tsv_cell` made this cell of."""
    return _TSV_ESCAPED.sub(_unescape, cell.removeprefix("'"))


def _unescape(match: re.Match[str]) -> str:
    return _TSV_SHORT[match[1]] if match[1] else chr(int(match[2] or match[3], 16))


_JOINER = "&#8288;"  # U+2060, written so that the file shows it: what follows is no longer one word with what stands before
_MARKDOWN = str.maketrans(
    {character: "\\" + character for character in "\\`*[]~"}
    | {"|": "&#124;", "<": "&lt;", ">": "&gt;", "&": "&amp;", "$": "&#36;", "@": "@" + _JOINER, "#": "\\#" + _JOINER}
)
_MARKDOWN_UNDERSCORE = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")  # one inside a word means nothing, and CLAIM_VERIFY stays findable
_MARKDOWN_WORDS = re.compile(r":(?=//|(?:[\w+-]|\\_)+:)|!(?=[\d\\])|(?<=www)(?=\.)", re.IGNORECASE)
_CODE = re.compile(r"[\w .,:;/=+%?()'\"…-]+", re.ASCII)


def markdown(text: str) -> str:
    """Text inside a Markdown sentence or table cell: no cell, link, autolink, image, tag, code, emphasis, heading, mention, reference or emoji."""
    return _MARKDOWN_WORDS.sub(_joined, _MARKDOWN_UNDERSCORE.sub(r"\\_", visible(text).translate(_MARKDOWN)))


def _joined(match: re.Match[str]) -> str:
    return match[0] + _JOINER


def markdown_code(text: str) -> str:
    """Text as a code span where it is plain enough to be copied from one, else as `markdown`."""
    return f"`{text}`" if _CODE.fullmatch(text) and text == text.strip() and "::" not in text else markdown(text)


_XML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


def xml(text: str) -> str:
    """Text of an XML 1.0 element or attribute; characters that XML can't hold are written as their escapes."""
    return _HASH_COMMAND.sub("#&#35;", visible(text).translate(_XML))


def xml_document(root: ET.Element) -> str:
    """The document of an element whose texts passed `visible`; no text of it is a command of a build log."""
    import xml.etree.ElementTree as ET  # noqa: PLC0415  # `windlass verify` escapes too, and writes no XML

    return '<?xml version="1.0" encoding="UTF-8"?>\n' + _HASH_COMMAND.sub("#&#35;", ET.tostring(root, encoding="unicode")) + "\n"


def json_document(value: Any) -> str:
    """An ASCII JSON document, two spaces deep, with a newline at its end, in which every text is escaped and none is a command of a build log."""
    return _HASH_COMMAND.sub(r"#\\u0023", json.dumps(value, indent=2, allow_nan=False)) + "\n"


def command_safe(line: str) -> str:
    r"""A line that no build log takes for a command: `::add-mask::` reads `:\:add-mask:\:`, `##[error]` reads `#\#[error]`.

    GitHub's runner obeys `::` at the start of a line and `##[` anywhere; Azure Pipelines `##vso[`, TeamCity `##teamcity[`. As
    others wrap lines later, `::` loses its meaning everywhere.
    """
    return _HASH_COMMAND.sub(r"#\\#", _COLON_COMMAND.sub(_parted, line))


def _parted(match: re.Match[str]) -> str:
    return match[1] or ":\\"


def terminal(text: str, width: int | None = None) -> str:
    """Text for a terminal or a build log: one line, nothing that moves the cursor or reorders, no commands, at most `width` columns."""
    shown = command_safe(visible(text))
    return shown if width is None else cut(shown, width)


def columns(text: str) -> int:
    """How many terminal columns the text takes: wide characters two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def cut(text: str, width: int) -> str:
    """The text in at most `width` columns; what was cut shows as `…`."""
    if columns(text) <= width:
        return text
    taken, used = [], 1
    for character in text:
        used += _columns(character)
        if used > width:
            break
        taken.append(character)
    return "".join(taken) + "…" if width > 0 else ""


_PLAIN_NAME = re.compile(r"(?!(?:con|nul|aux|prn|com\d|lpt\d)(?:\.|$))[a-z0-9](?:[a-z0-9._-]{0,78}[a-z0-9_-])?")


def file_name(text: str) -> str:
    """One safe path component, different for different texts, also where case does not count.

    A plain lower-case name is kept; any other gets its readable part, `~` (which no plain name holds) and a digest: no traversal, no hidden
    file, no device name, at most 80 characters.
    """
    if _PLAIN_NAME.fullmatch(text):
        return text
    readable = re.sub(r"[^a-z0-9_-]+", "_", text[:200].lower()).strip("_-")[:60] or "unnamed"
    return f"{readable}~{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
