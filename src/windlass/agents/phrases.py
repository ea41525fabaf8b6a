"""Finds which of many phrases stand in a text: whole words, case ignored, in one pass however many phrases there are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_WORD = re.compile(r"[^\W_]+")
_CUE_WORD = re.compile(r"(?:[^\W_]|#)+\*?")
_LONGEST = 64
"""Characters of a word that can matter; a longer run of letters is no word of a phrase, and is not kept."""
_REMEMBERED = 50_000


class Place(NamedTuple):
    """Where a phrase stands: `text[start:end]`. Lives as long as the run; a plain tuple, because a long text has very many."""

    phrase: str
    start: int
    end: int


class _Phrase(NamedTuple):
    """A phrase as it was written, and its words. Lives as long as its `Phrases`."""

    source: str
    words: tuple[str, ...]


class Phrases:
    """The phrases that are looked for; lives as long as the process.

    A phrase is words between spaces or hyphens; a word that ends in `*` stands for all that begin so (`randomi*`), and `#` for any
    digit (`20##`). What parts the words of the text does not count: `double blind` finds `double-blind`.
    """

    def __init__(self, phrases: Iterable[str]) -> None:
        self._whole: dict[str, list[_Phrase]] = {}
        self._shaped: list[_Phrase] = []
        for source in dict.fromkeys(phrases):
            phrase = _Phrase(source, tuple(_CUE_WORD.findall(source.lower())))
            if not phrase.words:
                raise ValueError(f"the phrase {source!r} holds no word")
            if "*" in phrase.words[0] or "#" in phrase.words[0]:
                self._shaped.append(phrase)
            else:
                self._whole.setdefault(phrase.words[0], []).append(phrase)
        self._known: dict[str, list[_Phrase]] = {}

    def places(self, text: str, start: int = 0, end: int | None = None) -> Iterator[Place]:
        """Every place of every phrase in `text[start:end]`, in the order in which they end; places may overlap."""
        running: list[tuple[_Phrase, int, int]] = []
        for match in _WORD.finditer(text, start, len(text) if end is None else end):
            word = match.group().lower()
            begun = self._known.get(word)
            if begun is None:
                begun = self._beginning_with(word)
            if not begun and not running:
                continue
            going = [(phrase, at + 1, since) for phrase, at, since in running if _fits(phrase.words[at], word)]
            going += [(phrase, 1, match.start()) for phrase in begun]
            running = []
            for phrase, at, since in going:
                if at == len(phrase.words):
                    yield Place(phrase.source, since, match.end())
                else:
                    running.append((phrase, at, since))

    def _beginning_with(self, word: str) -> list[_Phrase]:
        if len(word) > _LONGEST:
            return []
        found = [*self._whole.get(word, ()), *(phrase for phrase in self._shaped if _fits(phrase.words[0], word))]
        if len(self._known) < _REMEMBERED:
            self._known[word] = found
        return found


def _fits(wanted: str, word: str) -> bool:
    if wanted.endswith("*"):
        return word.startswith(wanted[:-1])
    if "#" in wanted:
        return len(wanted) == len(word) and all(one == other or (one == "#" and other.isdigit()) for one, other in zip(wanted, word, strict=True))
    return wanted == word
