"""The numbers that a passage states, in figures or in English words, in one exact normal form: no float rounds them, none is too long.

`1,200.50 %`, `1200.5%` and `1200.5 per cent` are the same; so are `twenty-five` and `25`. The word `one` alone, ordinals and words such as
`half` or `twice` are not read as numbers; digits within a word (`HbA1c`) neither.
"""

from __future__ import annotations

import re
import unicodedata

_FIGURE = re.compile(
    r"(?<![\w.])(?=[-\u2212]?\.?\d)(?P<sign>(?<![%)\]])[-\u2212])?(?P<whole>\d+(?:[,\u00a0\u202f]\d{3}(?!\d))*)?(?:(?<=\d)[.\u00b7](?P<part>\d+)|(?<!\d)\.(?P<bare>\d+))?"
    r"(?P<power>[eE][-+]?\d{1,6}(?!\d))?(?P<percent>\s{0,3}(?:%|per ?cent\b))?"
)
_GROUPING = str.maketrans("", "", ",\u00a0\u202f")
_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SMALL = {word: value for value, word in enumerate(_UNITS)} | {word: 20 + 10 * place for place, word in enumerate(_TENS)}
_LARGE = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
_WORD = "|".join(sorted([*_SMALL, *_LARGE], key=len, reverse=True))
_WORDS = re.compile(rf"(?<![\w-])(?:{_WORD})(?:(?:-|\s(?:and\s)?)(?:{_WORD}))*(?!\w)(?P<percent>\s?(?:%|per ?cent\b))?", re.IGNORECASE)
_PART = re.compile(_WORD, re.IGNORECASE)


def figures(passage: str) -> frozenset[str]:
    """The distinct numbers of a passage in their normal form; a percentage ends in `%` and is another number than the same without."""
    found = {normal for match in _FIGURE.finditer(passage) if (normal := _figure(match))}
    return frozenset(found | {spelt for match in _WORDS.finditer(passage) if (spelt := _spelt(match))})


def _figure(match: re.Match[str]) -> str | None:
    whole, part = match["whole"], match["part"] or match["bare"]
    if not whole and not part:
        return None
    digits = _plain((whole or "").translate(_GROUPING)).lstrip("0") or "0"
    decimals = _plain(part or "").rstrip("0")
    power = int(match["power"][1:]) if match["power"] else 0
    number = digits + (f".{decimals}" if decimals else "") + (f"e{power}" if power else "")
    return ("-" if match["sign"] and number != "0" else "") + number + ("%" if match["percent"] else "")


def _plain(digits: str) -> str:
    return digits if digits.isascii() else "".join(str(unicodedata.decimal(digit)) for digit in digits)


def _spelt(match: re.Match[str]) -> str | None:
    words = [word.lower() for word in _PART.findall(match.group())]
    if words == ["one"]:
        return None
    total = current = 0
    for word in words:
        if word in _SMALL:
            current += _SMALL[word]
        elif word == "hundred":
            current = max(current, 1) * 100
        else:
            total, current = total + max(current, 1) * _LARGE[word], 0
    return str(total + current) + ("%" if match["percent"] else "")
