"""Numbers as papers print them: read where one reading exists, refused with the reason where there are two.

`flat` gives a text one dash, one space and one decimal point without moving a character, so that a span in the flat text is the span in
the text. A middle dot is a decimal point (`0·75`); a decimal comma is refused, since `1,204` would be 1204 or 1.204.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

HIDDEN = "\x7f"
"""What invisible characters become: inside a number they break it, so that nobody reads 0 in `0.<zero width space>75`."""
PLAIN = r"(?:\d{1,9}(?:\.\d{1,12})?|\.\d{1,12})"
"""A number that has one reading."""
ANY = r"[0-9.](?:[0-9.,'\x7f]{0,30}[0-9])?"
"""Whatever looks like a number, readable or not; ends in a digit."""
END = r"(?![\d\x7f]|[.,']\x7f?\d|[.,]\x7f)"
"""What may not follow a number that was read in full."""

_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u207b\ufe58\ufe63\uff0d"
_SPACES = "\t\n\r\x0b\x0c\x85\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
_POINTS = "\u00b7\u2219\u22c5\u2027"
_UNSEEN = "\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\ufeff\x00"
_FLAT: Mapping[int, str] = MappingProxyType(
    {ord(sign): to for signs, to in ((_DASHES, "-"), (_SPACES, " "), (_POINTS, "."), (_UNSEEN, HIDDEN), ("\u2019", "'")) for sign in signs}
)
_PLAIN = re.compile(rf"[-+]?{PLAIN}")
_GROUPED = re.compile(r"\d{1,3}(?:[, ]\d{3}){1,3}")
_COMMA = re.compile(r"[-+]?\d{1,9},\d{1,12}")


def flat(text: str) -> str:
    """The text with one kind of dash, space and decimal point, of the same length."""
    return text.translate(_FLAT)


def decimal(written: str) -> float | None:
    """The value of a number with at most one decimal point; None where it has no single reading."""
    return float(written) if _PLAIN.fullmatch(written) else None


def places(written: str) -> int:
    """Decimal places as printed: 2 of `0.80`."""
    return len(written.partition(".")[2])


def count(written: str, original: str) -> int | None:
    """A whole number, its thousands grouped by commas or by spaces that do not break a line; None where it has no single reading.

    `written` is flat, `original` the same piece as it stands in the text: a plain space may stand between two numbers.
    """
    if written.isdigit():
        return int(written)
    if _GROUPED.fullmatch(written) and " " not in original and "\n" not in original and not {",", " "} <= set(written):
        return int(re.sub("[, ]", "", written))
    return None


def refusal(written: str) -> str:
    """Why a number that looks like one was not read."""
    if HIDDEN in written:
        return "an invisible character stands in this number"
    if _COMMA.fullmatch(written):
        return "a comma may be a decimal sign or may group thousands: this number is not guessed"
    if " " in written:
        return "a space may group thousands or stand between two numbers: this number is not guessed"
    return "this number has no single reading"
