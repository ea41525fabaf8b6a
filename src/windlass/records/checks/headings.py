"""`contains_headings`: the document has these headings, as a Markdown parser sees them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
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
    texts: dict[int, set[str]] = {}
    for heading in found:
        texts.setdefault(heading.level, set()).add(plain(heading.text))
    return [one.written for one in wanted if not any(satisfies(text, one.text) for text in _at(texts, one.level))]


def _at(texts: dict[int, set[str]], level: int | None) -> Iterable[str]:
    return (text for at, found in texts.items() if level in (None, at) for text in found)


def satisfies(text: str, wanted: str) -> bool:
    """Whether a heading is the wanted one: equal, or continued by what is not part of a word (`Layer 1: Hook`, not `Layer 10`)."""
    return text.startswith(wanted) and not _continues(text[len(wanted) :])


def _continues(rest: str) -> bool:
    return bool(rest) and (rest[0].isalnum() or rest[0] == "_" or unicodedata.category(rest[0])[0] == "M")
