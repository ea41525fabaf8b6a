"""Ranked full-text search: which of these texts speak most of that question, by BM25 (Lucene's variant, k1 1.5, b 0.75).

A text is a sequence of terms: lower-case, accents folded, hyphenated words split, English endings off, British and American
spelling alike (`randomised`, `haemoglobin`, `tumour`), and runs of a script that writes no spaces (Chinese, Japanese, Korean, Thai …)
as overlapping pairs of characters.
"""

from __future__ import annotations

import heapq
import logging
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, Field

from windlass.agents import text

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0002ffff"
"""Character ranges of Thai, Lao, Burmese, Khmer, kana, Han and Hangul."""
_RUN = re.compile(f"[{_UNSPACED}]+|[^{_UNSPACED}]+")
_ANY_UNSPACED = re.compile(f"[{_UNSPACED}]")
_ACCENT = re.compile("[\u0300-\u036f]")
_JOINT = re.compile("[-’']")
_BRITISH_IS = re.compile("is(?=$|ation$|ing$)")
_BRITISH_OUR = re.compile("our(?=$|al$)")
_POSSESSIVE = re.compile("['’]s$")
_SHORT = 32


def terms(passage: str) -> Iterator[str]:
    """The terms of a text in order, stop words included."""
    for piece in _pieces(passage):
        yield _term(piece)


def normal(passage: str) -> str:
    """The terms of a text between single spaces, one at either end, so that a phrase's normal form is found at whole words only."""
    return f" {' '.join(terms(passage))} "


def searchable(query: str) -> str:
    """The query itself; raises ValueError where it holds no word to search for."""
    if next(_asked(query), None) is None:
        raise ValueError("holds no word to search for")
    return query


Query = Annotated[str, Field(min_length=1, max_length=10_000), AfterValidator(searchable)]
"""A search query with at least one word that is not a stop word."""


def wanted_terms(query: str) -> list[str]:
    """The distinct terms of a query in order, without the stop words."""
    return list(dict.fromkeys(term for _piece, term in _asked(query)))


def matched(query: str, passage: str) -> list[str]:
    """Those words of the query, as they stand there but in lower case, that the text holds too; each once, in their order."""
    present = set(terms(passage))
    found: dict[str, str] = {}
    for piece, term in _asked(query):
        if term in present:
            found.setdefault(term, piece)
    return list(found.values())


def rank(query: str, texts: Sequence[str], limit: int, check: Callable[[], None] | None = None) -> list[tuple[int, float]]:
    """Positions in `texts` and their scores, best first, ties by position; only texts that share a term with the query (score > 0).

    Each distinct term of the query counts once, stop words not at all. `check` is called between texts and may raise to stop the work.
    """
    wanted = {term: place for place, term in enumerate(wanted_terms(query))}
    if not wanted or limit < 1:
        return []
    other = len(wanted)  # every term that nobody asked for: it counts only for the length of its text, so the index stays small
    rows: list[list[int]] = []
    for passage in texts:
        if check:
            check()
        rows.append([wanted.get(_term(piece), other) for piece in _pieces(passage) if piece not in text.STOPWORDS])
    asked = sorted({place for row in rows for place in row} - {other})
    return _scored(rows, {**wanted, "": other}, asked, limit) if asked else []


def _scored(rows: list[list[int]], vocabulary: dict[str, int], asked: list[int], limit: int) -> list[tuple[int, float]]:
    import bm25s  # noqa: PLC0415  # imports NumPy: loaded on first use, so that starting a service does not pay for it

    logging.getLogger("bm25s").setLevel(logging.WARNING)  # the import sets DEBUG, which would put a line per search into every log
    index = bm25s.BM25(method="lucene", k1=1.5, b=0.75, dtype="float64")
    index.index((rows, vocabulary), create_empty_token=False, show_progress=False)
    scores = enumerate(index.get_scores_from_ids(asked).tolist())
    return heapq.nsmallest(limit, ((place, score) for place, score in scores if score > 0), key=lambda hit: (-hit[1], hit[0]))


def _asked(query: str) -> Iterator[tuple[str, str]]:
    """Word and term of everything in the query that is not a stop word."""
    for piece in _pieces(query):
        if piece not in text.STOPWORDS:
            yield piece, _term(piece)


def _pieces(passage: str) -> Iterator[str]:
    """Lower-case words, split where a term begins and ends."""
    spaced = passage.isascii() or not _ANY_UNSPACED.search(passage)
    for word in text.words(passage):
        if spaced:
            yield from _split(word)
            continue
        for run in _RUN.findall(word):
            if _ANY_UNSPACED.match(run):
                yield from (run[place : place + 2] for place in range(max(1, len(run) - 1)))
            else:
                yield from _split(run)


def _split(word: str) -> Iterable[str]:
    if word.isalnum():
        return (word,)
    return filter(None, _JOINT.split(_POSSESSIVE.sub("", word)))


def _term(piece: str) -> str:
    """The form under which a word is compared; it need not be a word, it has only to be the same for both spellings."""
    return _short_term(piece) if len(piece) <= _SHORT else _reduced(piece)


@lru_cache(maxsize=65_536)
def _short_term(piece: str) -> str:
    return _reduced(piece)  # texts repeat their words; long ones are not kept, they could be megabytes


def _reduced(piece: str) -> str:
    plain = piece if piece.isascii() else _ACCENT.sub("", unicodedata.normalize("NFKD", piece))
    stem = text.stem(plain)
    if len(stem) < 5:
        return stem
    return _BRITISH_OUR.sub("or", _BRITISH_IS.sub("iz", stem.replace("ae", "e").replace("oe", "e")))
