"""Whether the quotes behind a sentence bear out its words: a rule for sentences that a model wrote and no chunk holds verbatim.

It takes no model and no understanding: a sentence is in its evidence's words, names no name of its own, and says neither the opposite nor
the other direction. What passes can still be put badly; what fails has something that the evidence does not have.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from windlass.agents import text

LEAST_SHARE = 0.8
"""Share of a sentence's content words (numbers apart) that its quotes must hold: what CLAIM_VERIFY asks of evidence."""
MOST_OWN = 3
"""Content words that a sentence may have of its own, however long it is: enough for `however` and `overall`, too few for a claim."""
_NEGATIONS = frozenset("no not never without neither nor cannot failed fail lack lacked absence none".split())
_UP = frozenset("increase raise improve prolong enhance elevate higher greater longer more rise rose gain exceed superior".split())
_DOWN = frozenset("decrease reduce lower shorten fewer less decline fall fell drop diminish worsen inferior smaller shorter".split())
_NAME = re.compile(r"(?<=[^\s.!?:;\"“(\[])\s+[\"“(\[]?([A-ZÀ-ÞΑ-ΩА-Я][\w-]*|\w*[a-z][A-Z]\w*)")
_MARKUP = re.compile(r"\[[^\[\]]*\]?|\]|</?[A-Za-z!][^<>]*>?|\bet al\b", re.IGNORECASE)


def faults(sentence: str, quotes: Sequence[str]) -> list[str]:
    """What the quotes do not bear out in the sentence; empty for one that may stand on them."""
    shown = sentence[:120]
    held = [word for quote in quotes for word in text.words(quote)]
    return [f"{reason}: {shown!r}" for reason in (_own_words(sentence, held), _own_name(sentence, held), _turned(sentence, quotes, held)) if reason]


def citation_of_its_own(sentence: str, quotes: Sequence[str]) -> str | None:
    """A bracket, a tag or an `et al.` that no quote has, in a sentence whose references are added from its quotes."""
    own = any(all(found.group() not in quote for quote in quotes) for found in _MARKUP.finditer(sentence))
    return f"leave citations, brackets and markup out, references are added from the quotes: {sentence[:120]!r}" if own else None


def place(source: str, quote: str) -> tuple[int, int] | None:
    """Where a quote stands in its source, letter by letter; None where it does not. The first place where there are several."""
    start = source.find(quote) if quote.strip() else -1
    return (start, start + len(quote)) if start >= 0 else None


def negated(sentence: str) -> bool:
    """Whether an odd number of negations stands in the sentence."""
    return sum(word in _NEGATIONS or word.endswith("n't") for word in text.words(sentence.replace("’", "'"))) % 2 == 1


def _own_words(sentence: str, held: Sequence[str]) -> str | None:
    wanted = {text.stem(word) for word in text.content_words(sentence) if not word[0].isdigit()}
    missing = sorted(wanted - {text.stem(word) for word in held})
    if not wanted or (1 - len(missing) / len(wanted) >= LEAST_SHARE and len(missing) <= MOST_OWN):
        return None
    return f"the quotes do not speak of {', '.join(missing[:8])}"


def _own_name(sentence: str, held: Sequence[str]) -> str | None:
    known = set(held) | {part for word in held for part in word.split("-")}
    for match in _NAME.finditer(sentence):
        name = match.group(1).casefold()
        if not all(part in known for part in text.words(name)) and not set(name.split("-")) <= known:
            return f"no quote names {match.group(1)!r}"
    return None


def _turned(sentence: str, quotes: Sequence[str], held: Sequence[str]) -> str | None:
    """A negation or a direction that no quote has, or that all quotes have and the sentence drops."""
    if quotes and all(negated(quote) != negated(sentence) for quote in quotes):
        return "the sentence denies what its quotes affirm, or the other way round"
    said, given = {text.stem(word) for word in text.words(sentence)}, {text.stem(word) for word in held}
    for one, other in ((_UP_STEMS, _DOWN_STEMS), (_DOWN_STEMS, _UP_STEMS)):
        if said & one and not given & one and given & other:
            return "the sentence turns the direction of its quotes round"
    return None


_UP_STEMS = frozenset(text.stem(word) for word in _UP)
_DOWN_STEMS = frozenset(text.stem(word) for word in _DOWN)
