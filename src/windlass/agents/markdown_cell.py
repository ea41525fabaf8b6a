"""A user's text as one cell of a Markdown table: it can't end the cell, forge a row, load an image, link or style."""

from __future__ import annotations

import re

from windlass.model import clip

_SPECIAL = re.compile(r"([\\`*_\[\]<>|!~&#:@$])")
_WWW = re.compile(r"(?i)(?<=www)\.")
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]+")
"""Control characters, line ends of every kind, and characters that turn the direction of text or do not show."""


def escaped(text: str, limit: int = 300) -> str:
    """The text on one line, cut to `limit` characters, with all that Markdown would read as more than text escaped by a backslash."""
    shown = clip(" ".join(_UNSEEN.sub(" ", text[: limit * 4]).split()), limit)
    return _WWW.sub(r"\\.", _SPECIAL.sub(r"\\\1", shown))
