"""Holds a drafted section against its evidence, whoever drafted it: no dangling citation, no reference that nobody cites, no number of its own.

Each function returns None or the reason.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from windlass.agents import written_numbers

CITATION = re.compile(r"(?<!\\)\[(@[^\[\]@;\s]{1,100}(?:; @[^\[\]@;\s]{1,100})*)\]")
"""`[@roe2020; @ode2021]`; the user's own text has its brackets escaped and is no citation."""
_NUMBER = re.compile(r"\d{1,3}(?:[, ]\d{3}){1,3}(?![\d,.])|\d{1,15}(?:\.\d{1,15})?|\.\d{1,15}")
_PART = re.compile(r"\d+(?:\.\d+)?|\.\d+")


def cited_keys(markdown: str) -> list[str]:
    """Every key that the Markdown cites, each once, in order of first citation."""
    keys = (part.removeprefix("@") for found in CITATION.finditer(markdown) for part in found.group(1).split("; "))
    return list(dict.fromkeys(keys))


def dangling(cited: Iterable[str], references: Sequence[str]) -> str | None:
    """Why citations and references do not go together: a key without its reference, a reference twice or never cited."""
    keys = list(dict.fromkeys(cited))
    listed = set(references)
    if len(listed) != len(references):
        return "a reference is listed twice"
    if lost := next((key for key in keys if key not in listed), None):
        return f"the citation {lost!r} has no reference"
    never = listed - set(keys)
    return f"the reference {min(never)!r} is never cited" if never else None


def invented_number(sentence: str, evidence: Iterable[str], counted: Collection[int] = ()) -> str | None:
    """The first number of a sentence that stands in no piece of its evidence and was not counted from it, as a reason."""
    supported = {reading for piece in evidence for reading in _readings(piece)} | {float(number) for number in counted}
    for reading in _readings(sentence):
        if reading not in supported:
            return f"the number {reading:g} is not in the evidence"
    return None


def _readings(passage: str) -> list[float]:
    """The values of the numbers in a passage, grouped thousands included; a number with no single reading is read by its parts."""
    flat = written_numbers.flat(passage)
    found: list[float] = []
    for match in _NUMBER.finditer(flat):
        piece = match.group()
        whole = written_numbers.count(piece, passage[slice(*match.span())])
        if whole is not None:
            found.append(float(whole))
        else:
            found.extend(float(part) for part in _PART.findall(piece))
    return found
