"""Tells that two texts in different languages report the same work, by what translation leaves alone: DOIs, registrations, names, numbers.

A text's signature is the set of its numbers (three characters at least, so that `12` counts as nothing and `12%` or `0.82` as something) and its
named tokens (Latin words with a digit in them or with two capitals: `HbA1c`, `ICU`, `NCT01234567`).
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from windlass.agents import papers

LEAST_SHARED = 3
"""Tokens that two texts must share before their numbers can make them one work."""
ALIKE = 0.6
"""Share of the tokens of both together that must be shared."""
COMMON = 50
"""Texts that hold a token from which on it tells nothing; it is not compared by."""

_NUMBER = re.compile(r"(?<![A-Za-z0-9.,])\d+(?:[.,٫\u00a0\u202f]\d+)*\s?[%٪％]?")
_NAMED = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*(?![A-Za-z0-9])")
_REGISTRATION = re.compile(r"(?<![A-Za-z0-9])(NCT\d{8}|ISRCTN\d{8}|DRKS\d{8}|ACTRN\d{14}|ChiCTR[-\w]{6,20}|UMIN\d{9}|CRD42\d{6,9})(?!\d)")
_DOI = re.compile(r"10\.\d{4,9}/[^\s\"'<>()\[\]]{1,200}")
_GROUPED = re.compile(r"\d{1,3}(?:[.,\u00a0\u202f]\d{3})+")
_LONGEST = 60


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What translation leaves alone in one text. Lives as long as the run."""

    doi: str | None
    registrations: frozenset[str]
    tokens: frozenset[str]
    wording: str
    """The text with white space and case made alike: the same wording is the same work."""


@dataclass(frozen=True, kw_only=True)
class Twin:
    """A text repeats an earlier one. Lives as long as the run."""

    of: int
    by: Literal["doi", "wording", "registration", "numbers"]
    shared: tuple[str, ...]


def read(passage: str, doi: str | None = None) -> Signature:
    """The signature of a text; `doi` counts before one that stands in it."""
    stands = _DOI.search(passage)
    return Signature(
        doi=papers.doi_key(doi) or papers.doi_key(stands.group() if stands else None),
        registrations=frozenset(match.upper() for match in _REGISTRATION.findall(passage)),
        tokens=frozenset({*numbers(passage), *_names(passage)}),
        wording=" ".join(passage.casefold().split()),
    )


def twins(found: Sequence[Signature], check: Callable[[], None]) -> Mapping[int, Twin]:
    """Position → the first text of the same work: same DOI, wording or registration, or enough of the same tokens.

    Two texts with different DOIs are never one work. `check` is called per text and may raise.
    """
    repeated: dict[int, Twin] = {}
    holders: dict[str, list[int]] = defaultdict(list)
    exact: dict[tuple[str, str], int] = {}
    for position, signature in enumerate(found):
        check()
        twin = _exact(signature, exact, found) or _alike(position, found, holders)
        if twin is None:
            for token in signature.tokens:
                holders[token].append(position)
        else:
            repeated[position] = twin
        first = position if twin is None else twin.of
        for key in _keys(signature):
            exact.setdefault(key, first)
    return repeated


def numbers(passage: str) -> Iterator[str]:
    """The telling numbers of a text in one form: digits of every script as 0–9, a decimal point, no grouping, `%` kept.

    `1.200`, `1,200` and 1200 with a no-break space are one, since languages differ in which mark groups; `0,82` and `0.825` are decimals.
    """
    for match in _NUMBER.finditer(passage):
        plain = "".join(str(unicodedata.digit(one)) if one.isdigit() else one for one in match.group()[:_LONGEST])
        percent = plain[-1] in "%٪％"
        plain = plain.rstrip("%٪％ \t\n\u00a0\u202f").replace("٫", ".")
        if _GROUPED.fullmatch(plain) and not plain.startswith("0"):
            plain = re.sub(r"\D", "", plain)
        plain = plain.replace(",", ".").replace("\u00a0", "").replace("\u202f", "")
        form = plain + ("%" if percent else "")
        if len(form) >= 3:
            yield form


def _names(passage: str) -> Iterator[str]:
    for match in _NAMED.finditer(passage):
        word = match.group()
        if len(word) > _LONGEST or not any(one.isalpha() for one in word):
            continue
        if any(one.isdigit() for one in word) or sum(one.isupper() for one in word) > 1:
            yield word.casefold()


def _keys(signature: Signature) -> list[tuple[str, str]]:
    doi = [("doi", signature.doi)] if signature.doi else []
    return [*doi, ("wording", signature.wording), *(("registration", one) for one in sorted(signature.registrations))]


def _exact(signature: Signature, exact: Mapping[tuple[str, str], int], found: Sequence[Signature]) -> Twin | None:
    for key in _keys(signature):
        first = exact.get(key)
        if first is not None and not _apart(signature, found[first]):
            shared = () if key[0] == "wording" else (key[1],)
            return Twin(of=first, by=key[0], shared=shared)  # type: ignore[arg-type]  # `_keys` has no other names
    return None


def _alike(position: int, found: Sequence[Signature], holders: Mapping[str, Sequence[int]]) -> Twin | None:
    """The earlier text that shares most; of equals the first."""
    mine = found[position]
    counts: dict[int, int] = defaultdict(int)
    for token in mine.tokens:
        near = holders.get(token, ())
        if len(near) <= COMMON:
            for other in near:
                counts[other] += 1
    for other, count in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])):
        shared = mine.tokens & found[other].tokens
        if count >= LEAST_SHARED and len(shared) >= ALIKE * len(mine.tokens | found[other].tokens) and not _apart(mine, found[other]):
            return Twin(of=other, by="numbers", shared=tuple(sorted(shared)))
    return None


def _apart(one: Signature, other: Signature) -> bool:
    return one.doi is not None and other.doi is not None and one.doi != other.doi
