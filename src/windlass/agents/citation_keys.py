"""Citation keys: one per paper, unique, readable, and safe in Markdown: `bellomund2019`, `bellomund2019b`."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from windlass.agents import papers
from windlass.agents.papers import Paper

_NOT_PLAIN = re.compile(r"[^a-z0-9]+")
_INITIALS = re.compile(r"(?:[A-Z]\.?-?){1,3}")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def of_papers(records: Sequence[Paper]) -> list[str]:
    """Keys in order: the first author's family name and the year; else the paper's own id; else its place. Repeats get a letter."""
    return unique(_stem(paper, position) for position, paper in enumerate(records))


def unique(stems: Iterable[str]) -> list[str]:
    """The stems in order, each later repeat with a letter of its own: `roe2020`, `roe2020b`, `roe2020c`."""
    used: set[str] = set()
    endings: defaultdict[str, Iterator[str]] = defaultdict(_endings)
    keys: list[str] = []
    for stem in stems:
        key = stem
        while key in used:
            key = f"{stem}{next(endings[stem])}"
        used.add(key)
        keys.append(key)
    return keys


def _endings() -> Iterator[str]:
    """`b` to `z`, then `aa`, `ab` and on."""
    everything = ("".join(letters) for length in itertools.count(1) for letters in itertools.product(_LETTERS, repeat=length))
    return itertools.islice(everything, 1, None)


def _stem(paper: Paper, position: int) -> str:
    author = next(iter(papers.authors(paper)), "")
    words = author.split(",", maxsplit=1)[0].split()
    if len(words) > 1 and _INITIALS.fullmatch(words[-1]):
        words.pop()
    family = _plain(words[-1]) if words else ""
    if family:
        return f"{family}{paper.year or ''}"
    return _plain(papers.name(paper, position)) or f"paper{position + 1}"


def _plain(name: str) -> str:
    """At most 40 characters of a to z and 0 to 9, accents folded; empty where the script has none of these."""
    return _NOT_PLAIN.sub("", unicodedata.normalize("NFKD", name[:400]).casefold())[:40]
