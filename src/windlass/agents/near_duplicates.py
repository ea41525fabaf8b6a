"""Finds texts that are nearly the same: the share of common word triples (Jaccard), without comparing every text with every other. Pure.

Two texts are compared when one of the eight smallest fingerprints of the one is among those of the other: at a likeness of 0.8 a pair is missed
about once in 400,000. What is compared is compared exactly. A text of fewer than three words has one triple: itself.
"""

from __future__ import annotations

import heapq
import re
import unicodedata
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

ALIKE = 0.8
"""Share of common triples from which two texts are nearly the same."""
SMALLEST = 8
"""Fingerprints of a text by which others are looked for."""
WORDS = 50_000
"""Words of a text that are compared; what comes after them is not looked at."""
MOST_COMPARED = 100_000
"""Pairs that are compared at most; `Likeness.complete` says whether that was enough."""

_TOKEN = re.compile(r"[぀-ヿ㐀-鿿가-힯]|[^\W_]+")
"""A word; scripts that do not part words count every character as one."""
_MASK = (1 << 64) - 1
_SPREAD = 0x9E3779B97F4A7C15
"""An odd constant that spreads small differences over 64 bits (2^64 over the golden ratio)."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two texts that are alike, by their places in the list, the lesser first; a likeness of 1 is the same words. Lives as long as the run."""

    first: int
    second: int
    likeness: float


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """The pairs that are alike; `complete` unless MOST_COMPARED ended the search. Lives as long as the run."""

    pairs: tuple[Pair, ...]
    complete: bool


def across(texts: Sequence[str], groups: Sequence[str], check: Callable[[], None] = lambda: None) -> Likeness:
    """The pairs of texts of different groups that are alike, in order of place. `check` is called now and then."""
    shared: dict[int, list[int]] = {}
    for place, text in enumerate(texts):
        check()
        for fingerprint in heapq.nsmallest(SMALLEST, fingerprints(text)):
            shared.setdefault(fingerprint, []).append(place)
    candidates, complete = _candidates(shared, groups)
    pairs: list[Pair] = []
    held: tuple[int, frozenset[int]] = (-1, frozenset())
    for first, second in sorted(candidates):
        check()
        if held[0] != first:
            held = (first, fingerprints(texts[first]))
        likeness = jaccard(held[1], fingerprints(texts[second]))
        if likeness >= ALIKE:
            pairs.append(Pair(first=first, second=second, likeness=likeness))
    return Likeness(pairs=tuple(pairs), complete=complete)


def jaccard(one: frozenset[int], other: frozenset[int]) -> float:
    """Common members as a share of all; 0 of nothing."""
    return len(one & other) / len(one | other) if one or other else 0.0


def fingerprints(text: str) -> frozenset[int]:
    """A 64-bit number for each triple of the first WORDS words; the same in every process. Empty for a text without words."""
    plain = unicodedata.normalize("NFC", text).casefold()
    words = [_hashed(match.group()) for match in islice(_TOKEN.finditer(plain), WORDS)]
    if 0 < len(words) < 3:
        words += [0] * (3 - len(words))
    return frozenset(
        (((one * _SPREAD ^ two) * _SPREAD ^ three) * _SPREAD & _MASK) >> 1 for one, two, three in zip(words, words[1:], words[2:], strict=False)
    )


def _hashed(word: str) -> int:
    return zlib.crc32(word.encode("utf-8", "surrogatepass"))


def _candidates(shared: dict[int, list[int]], groups: Sequence[str]) -> tuple[set[tuple[int, int]], bool]:
    """Pairs of different groups that share a fingerprint; rare fingerprints first, so that boilerplate does not use up what is compared."""
    found: set[tuple[int, int]] = set()
    for places in sorted(shared.values(), key=len):
        for pair in _crossing(places, groups):
            if len(found) >= MOST_COMPARED:
                return found, False
            found.add(pair)
    return found, True


def _crossing(places: Sequence[int], groups: Sequence[str]) -> Iterator[tuple[int, int]]:
    by_group: dict[str, list[int]] = {}
    for place in places:
        for group, others in by_group.items():
            if group != groups[place]:
                yield from ((other, place) for other in others)
        by_group.setdefault(groups[place], []).append(place)
