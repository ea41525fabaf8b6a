"""When two names are one person's. For approvals it is safer to take two persons for one than one person for two. Pure."""

from __future__ import annotations

import unicodedata

_CAPITALS = str.maketrans("АВЕІКМНОРСТУХЅЈԚԜѴΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹ", "ABEIKMHOPCTYXSJQWVABEZHIKMNOPTYXC")
_SMALL = str.maketrans("авеікмнорстухѕјһԁԛԝӏԍѵαβεηικνορτυχωϲɑɡı", "abeikmhopctyxsjhdqwlgvabenikvoptuxwcagi")
"""The letters of Cyrillic and Greek that a reader takes for Latin ones; what Unicode calls confusables has thousands more."""


def person(name: str) -> str:
    """What stays of a name when case, accents, spaces, punctuation, invisible characters, wide forms and look-alikes are taken away.

    Empty for a name without a letter or a digit: nobody is called so.
    """
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).translate(_CAPITALS).casefold()).translate(_SMALL)
    return "".join(character for character in plain if unicodedata.category(character)[0] in "LN")


def same(one: str, other: str) -> bool:
    """Whether both names may be one person's; two names that nobody has are equal as they stand."""
    first, second = person(one), person(other)
    return first == second if first or second else one.strip() == other.strip()
