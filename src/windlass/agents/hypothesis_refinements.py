"""Refinements of a hypothesis, built from its own words: what is missing stands as a [placeholder] for a person to fill.

`foreign_words` is the check that every refinement must pass, whoever wrote it: no word that the user did not write, and that is not one of
the few that join the slots.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from windlass.agents import smart, text
from windlass.agents.agent import Item
from windlass.agents.hypothesis_slots import Slots
from windlass.agents.smart import Check

Kind = Literal["complete", "single", "split_outcome", "split_intervention"]

PLACEHOLDERS: Mapping[str, str] = {
    "population": "[population]",
    "intervention": "[intervention]",
    "comparison": "[comparison]",
    "outcome": "[outcome]",
    "time": "[number and unit of time]",
    "size": "[size of the change]",
    "verb": "[reduces or increases]",
    "measure": "[measure]",
    "absolute": "[qualified wording]",
}
JOINING = frozenset("in does by compared with within measured as".split())
"""The only words that a refinement may add outside a placeholder."""

_FILLS = {
    "population": "population_named",
    "intervention": "intervention_named",
    "comparison": "comparison_named",
    "outcome": "outcome_named",
    "time": "time_named",
    "size": "size_stated",
    "verb": "direction_stated",
}
_JOINED = re.compile(r"\s(?:and|plus|or)\s|[,;/&+]", re.IGNORECASE)
_SPLIT_MOST = 5


class Refinement(Item):
    """A rewording: `repairs` are the checks that it meets once its placeholders are filled, `gain` what the total grows by then."""

    rank: int
    kind: Kind
    text: str
    placeholders: list[str]
    repairs: list[str]
    gain: float
    total_when_filled: float


def ranked(given: str, slots: Slots, checks: Sequence[Check]) -> list[Refinement]:
    """Every refinement, the largest gain first; of equals the one with fewer placeholders, then the shorter. Equal wordings stand once."""
    before = smart.total(checks)
    failed = {check.id for check in checks if not check.met}
    found: dict[str, Refinement] = {}
    for kind, wording, meets in _candidates(given, slots, checks):
        repairs = [check.id for check in checks if check.id in meets & failed]
        after = smart.total(checks, frozenset(repairs))
        used = [placeholder for placeholder in PLACEHOLDERS.values() if placeholder in wording and placeholder not in given]
        if repairs and wording not in found and wording != given:
            found[wording] = Refinement(
                rank=1, kind=kind, text=wording, placeholders=used, repairs=repairs, gain=round(after - before, 1), total_when_filled=after
            )
    ordered = sorted(found.values(), key=lambda one: (-one.gain, len(one.placeholders), len(one.text), one.text))
    return [one.model_copy(update={"rank": rank}) for rank, one in enumerate(ordered, 1)]


def foreign_words(refinement: str, given: str) -> list[str]:
    """The words of a refinement that are neither the user's, nor joining words, nor a placeholder; each once, in order."""
    bare = refinement
    for placeholder in PLACEHOLDERS.values():
        bare = bare.replace(placeholder, " ")
    own = set(text.words(given)) | JOINING
    return list(dict.fromkeys(word for word in text.words(bare) if word not in own))


def _candidates(given: str, slots: Slots, checks: Sequence[Check]) -> Iterator[tuple[Kind, str, frozenset[str]]]:
    named = {slot: _joined(getattr(slots, slot)) for slot in ("population", "intervention", "comparison", "outcome", "time")}
    whole = frozenset({*_FILLS.values(), "time_measured"})
    yield "complete", _sentence(slots, named), whole
    for slot in ("outcome", "intervention"):
        parts = _parts(named[slot])
        for part in parts[:_SPLIT_MOST]:
            split: Kind = "split_outcome" if slot == "outcome" else "split_intervention"
            yield split, _sentence(slots, {**named, slot: part}), whole | {f"one_{slot}"}
    yield from (("single", wording, meets) for wording, meets in _singles(given, named, checks))


def _singles(given: str, named: Mapping[str, str], checks: Sequence[Check]) -> Iterator[tuple[str, frozenset[str]]]:
    """The user's own sentence with one thing added or marked."""
    stem = given.strip().rstrip(".?! ")
    end = given.strip()[len(stem) :].strip() or "."
    if not named["population"]:
        yield f"In {PLACEHOLDERS['population']}, {stem}{end}", frozenset({"population_named"})
    if not named["comparison"]:
        yield f"{stem} compared with {PLACEHOLDERS['comparison']}{end}", frozenset({"comparison_named"})
    if not named["time"]:
        yield f"{stem} within {PLACEHOLDERS['time']}{end}", frozenset({"time_named", "time_measured"})
    met = {check.id: check for check in checks}
    if named["outcome"] and not met["size_stated"].met:
        yield f"{stem} by {PLACEHOLDERS['size']}{end}", frozenset({"size_stated"})
    if named["outcome"] and not met["measure_named"].met:
        yield f"{stem}, measured as {PLACEHOLDERS['measure']}{end}", frozenset({"measure_named"})
    absolute = met["no_absolute"]
    if absolute.start is not None and absolute.end is not None:
        yield f"{given[: absolute.start]}{PLACEHOLDERS['absolute']}{given[absolute.end :]}".strip(), frozenset({"no_absolute"})


def _sentence(slots: Slots, named: Mapping[str, str]) -> str:
    """One sentence with every slot; a size that stands inside a slot already is not said twice."""
    slot = {name: wording or PLACEHOLDERS[name] for name, wording in named.items()}
    verb = slots.verb.text if slots.verb else PLACEHOLDERS["verb"]
    pieces = (*slots.outcome, *slots.intervention, *slots.population, *slots.comparison)
    told = slots.size is not None and any(piece.start <= slots.size.start < piece.end for piece in pieces)
    size = "" if told else f" by {slots.size.text if slots.size else PLACEHOLDERS['size']}"
    asks, end = ("does ", "?") if slots.asks else ("", ".")
    told_of = f"{slot['intervention']} {verb} {slot['outcome']}{size}"
    return f"In {slot['population']}, {asks}{told_of} compared with {slot['comparison']} within {slot['time']}{end}"


def _joined(pieces: Iterable[text.Span]) -> str:
    return ", ".join(piece.text for piece in pieces)


def _parts(wording: str) -> list[str]:
    parts = [part.strip() for part in _JOINED.split(wording) if part.strip()]
    return parts if len(parts) > 1 else []
