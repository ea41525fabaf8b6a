"""`contains_headings`: the document has these headings, as a Markdown parser sees them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from windlass.records.checks import markdown
from windlass.records.checks.kept import Kept, failed
from windlass.records.checks.markdown import Heading

MAX_SIZE = 16 * 1024 * 1024
_REQUIRED = re.compile(r"(?:(#{1,6})\s+)?(.*)", re.DOTALL)


def watcher(wanted: Sequence[str]) -> Kept:
    """Judges one document while it is read."""
    return Kept(MAX_SIZE, lambda content: _judged(content, wanted))


def _judged(content: bytes, wanted: Sequence[str]) -> Mapping[str, Any]:
    try:
        lacking = missing(map(required, wanted), markdown.headings(content))
    except markdown.TooComplex as failure:
        return failed("TOO_LARGE", str(failure), missing=[])
    if lacking:
        return failed("HEADING_MISMATCH", f"has no heading {', '.join(lacking)}", missing=lacking)
    return {"missing": [], "pass": True}


@dataclass(frozen=True, kw_only=True)
class Required:
    """One heading that a contract asks for; `level` is None when it is written without `#` and any level will do."""

    written: str
    level: int | None
    text: str


def required(written: str) -> Required:
    """What `## Layer 1` asks for."""
    match = _REQUIRED.fullmatch(written.strip())
    if match is None:
        raise ValueError(f"{written!r} is no heading")
    return Required(written=written, level=len(match[1]) if match[1] else None, text=plain(match[2]))


def plain(text: str) -> str:
    """The text of a heading with equal characters made the same and each run of blanks one space; case counts."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def missing(wanted: Iterable[Required], found: Iterable[Heading]) -> list[str]:
    """The required headings that no heading satisfies, as they are written in the contract."""
    asked = list(wanted)
    lengths = sorted({len(one.text) for one in asked})
    texts = {one.text for one in asked}
    met: set[tuple[int, str]] = set()
    for heading in {(heading.level, plain(heading.text)) for heading in found}:
        met.update((heading[0], text) for text in _satisfied(heading[1], texts, lengths))
    return [one.written for one in asked if not any((level, one.text) in met for level in ([one.level] if one.level else range(1, 7)))]


def _satisfied(text: str, wanted: Container[str], lengths: Sequence[int]) -> Iterator[str]:
    """The wanted texts that a heading satisfies: it is equal, or continued by what is not part of a word (`Layer 1: Hook`, not `Layer 10`).

    By length, so that many headings against many wanted ones cost the characters of the document and no product.
    """
    for length in lengths:
        if length > len(text):
            return
        if text[:length] in wanted and not _continues(text[length : length + 1]):
            yield text[:length]


def _continues(following: str) -> bool:
    return bool(following) and (following.isalnum() or following == "_" or unicodedata.category(following)[0] == "M")
