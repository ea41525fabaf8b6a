"""The terms that come back in the texts of one language: counted, each with the place where it first stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from windlass.agents import languages

SHORTEST = 4
"""Letters of a term in scripts that write spaces; in languages without a list of function words one more."""
LEAST = 2
"""Times that a term stands in the texts before it recurs."""
_LONGEST = 60
_WORD = re.compile(r"[^\W\d_]+(?:[-’'][^\W\d_]+)*")
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_KANA = re.compile("[\u3040-\u309f]")
_PAIR = 2


@dataclass(kw_only=True)
class Term:
    """A term in lower case, how often it stands there, in which texts, and where first. Lives as long as the run."""

    term: str
    count: int = 0
    texts: list[int] = field(default_factory=list)
    start: int = 0
    end: int = 0


def recurring(passages: Sequence[tuple[int, str]], language: str, most: int, check: Callable[[], None]) -> list[Term]:
    """At most `most` terms of these texts (position, wording), those in most texts first, then the most frequent, then by alphabet."""
    found: dict[str, Term] = {}
    for position, passage in passages:
        check()
        for term, start, end in _terms(passage, language):
            known = found.setdefault(term, Term(term=term, start=start, end=end))
            known.count += 1
            if not known.texts or known.texts[-1] != position:
                known.texts.append(position)
    kept = (term for term in found.values() if term.count >= LEAST)
    return sorted(kept, key=lambda term: (-len(term.texts), -term.count, term.term))[:most]


def _terms(passage: str, language: str) -> Iterator[tuple[str, int, int]]:
    """Words; runs of a script without spaces as overlapping pairs of characters, but for pairs of hiragana, which are mostly grammar."""
    shortest = SHORTEST if languages.has_function_words(language) else SHORTEST + 1
    for match in _WORD.finditer(passage):
        runs = list(_UNSPACED.finditer(match.group()))
        for run in runs:
            for place in range(run.start(), run.end() - 1):
                pair = match.group()[place : place + _PAIR]
                if not _KANA.search(pair):
                    yield pair, match.start() + place, match.start() + place + _PAIR
        word = match.group().casefold()
        if not runs and shortest <= len(word) <= _LONGEST and not languages.function_word(word, language):
            yield word, match.start(), match.end()
