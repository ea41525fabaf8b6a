"""Small rules over text that several agents share: sentences, words and numbers, each with its span."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")
_NUMBER = re.compile(r"(?<![\w.])[-−+]?\d+(?:[,  ]\d{3})*(?:\.\d+)?(?:[eE][-+]?\d+)?\s?%?|(?<![\w.])\.\d+\s?%?")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[A-ZÀ-ÞА-Я0-9])|\n{2,}")
_ABBREVIATION = re.compile(r"(?:\b(?:al|vs|Fig|Figs|Dr|Prof|cf|e\.g|i\.e|approx|No|Eq|Ref|St)|\b[A-Z])\.$")

_LONGEST_ABBREVIATION = 8
"""Characters at the end of a piece that can be an abbreviation, with the one before it: reading more would make a long text quadratic."""

STOPWORDS = frozenset(
    "a an and are as at be been but by can did do does for from had has have he her his how if in into is it its may more most no not of on or our "
    "she should so such than that the their them then there these they this those to under up was we were what when which while who will with would "
    "you your".split()
)


@dataclass(frozen=True, kw_only=True)
class Span:
    """A piece of a text with its place: `text[start:end] == self.text`."""

    text: str
    start: int
    end: int


def sentences(text: str) -> list[Span]:
    """The sentences of a text, verbatim, in order; abbreviations such as `et al.` do not end one."""
    found: list[Span] = []
    start = 0
    for boundary in [*_SENTENCE_END.finditer(text), None]:
        end = boundary.start() if boundary else len(text)
        if boundary and "\n" not in boundary.group() and _ABBREVIATION.search(text, max(start, end - _LONGEST_ABBREVIATION), end):
            continue
        piece = text[start:end]
        stripped = piece.strip()
        if stripped:
            offset = start + piece.index(stripped)
            found.append(Span(text=stripped, start=offset, end=offset + len(stripped)))
        start = boundary.end() if boundary else end
    return found


def words(text: str) -> list[str]:
    """Lower-case words of a text, accents kept, in order."""
    return [match.group().casefold() for match in _WORD.finditer(unicodedata.normalize("NFC", text))]


def content_words(text: str) -> list[str]:
    """`words` without the English stop words."""
    return [word for word in words(text) if word not in STOPWORDS]


def stem(word: str) -> str:
    """A light English stem: plural and verb endings off, so that `reduces`, `reduced` and `reducing` meet."""
    for ending, least in (("ing", 5), ("ies", 5), ("ed", 5), ("es", 5), ("s", 4)):
        if word.endswith(ending) and len(word) >= least and not word.endswith("ss"):
            root = word[: -len(ending)] + ("y" if ending == "ies" else "")
            return root.removesuffix("e") if len(root) > 3 else root
    return word.removesuffix("e") if len(word) > 4 else word


def numbers(text: str) -> list[str]:
    """The numbers of a text in a normal form: no grouping, one minus sign, no trailing zeros, `%` kept: `1,200.50 %` → `1200.5%`."""
    return [_normal(match.group()) for match in _NUMBER.finditer(text)]


def _normal(number: str) -> str:
    percent = "%" if number.rstrip().endswith("%") else ""
    plain = number.rstrip("% \u00a0\u202f").replace("−", "-").replace("+", "")
    plain = re.sub(r"[,\u00a0\u202f](?=\d{3})", "", plain)
    value = float(plain)
    if value in (float("inf"), float("-inf")):
        return plain + percent
    return (str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)) + percent
