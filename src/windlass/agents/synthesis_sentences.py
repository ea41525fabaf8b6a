"""Sentences of a synthesis, built only from extraction rows: each knows the keys that it cites, the quotes behind it and what it counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from windlass.agents import conflicts, search
from windlass.agents.extraction_rows import Cited, Effect, Measure, Place, Row

NAMES: Mapping[Measure, str] = {
    "HR": "hazard ratio",
    "OR": "odds ratio",
    "RR": "risk ratio",
    "IRR": "rate ratio",
    "RD": "risk difference",
    "MD": "mean difference",
    "SMD": "standardized mean difference",
    "unnamed": "estimate",
}
_INTERVALS = {"confidence": "CI", "credible": "credible interval", "unlabelled": "interval of a kind that is not stated:"}


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """One sentence. Lives as long as the run."""

    text: str
    rows: tuple[int, ...]
    """Positions of the rows that it is built from, whose keys it cites."""
    quotes: tuple[Place, ...] = ()
    """Empty where the sentence only counts."""
    counted: tuple[int, ...] = ()
    """Numbers of the sentence that stand nowhere and were counted from the rows."""


@dataclass(frozen=True, kw_only=True)
class Topic:
    """The estimates of one measure for one endpoint; `endpoint` is empty where no text states it. Lives as long as the run."""

    measure: Measure
    endpoint: str
    members: tuple[tuple[int, int], ...]
    """(row, effect) positions."""


def overview(rows: Sequence[Row]) -> Sentence:
    """How many papers of which design there are, and how many report an effect with its interval."""
    designs = Counter(row.design.kind for row in rows)
    listed = ", ".join(f"{count} {kind if kind != 'unknown' else 'of a design that is not stated'}" for kind, count in sorted(designs.items()))
    reporting = sum(any(effect.interval for effect in row.effects) for row in rows)
    text = f"Papers read: {len(rows)} ({listed}); papers that report an effect estimate with an interval: {reporting}"
    return Sentence(text=text, rows=tuple(range(len(rows))), counted=(len(rows), reporting, *designs.values()))


def topics(rows: Sequence[Row], check: Callable[[], None]) -> list[Topic]:
    """The named estimates by measure and endpoint, in order of first appearance."""
    found: dict[tuple[Measure, str | None, str], tuple[str, list[tuple[int, int]]]] = {}
    for position, row in enumerate(rows):
        check()
        for place, effect in enumerate(row.effects):
            endpoint = stated_endpoint(row, effect)
            key = (effect.measure, effect.unit, search.normal(endpoint).strip())
            found.setdefault(key, (endpoint, []))[1].append((position, place))
    return [Topic(measure=measure, endpoint=endpoint, members=tuple(members)) for (measure, *_key), (endpoint, members) in found.items()]


def stated_endpoint(row: Row, effect: Effect) -> str:
    """What the estimate is of: as its sentence says, else the study's one primary endpoint; empty where neither is stated."""
    if effect.endpoint:
        return effect.endpoint.quote
    primary = [endpoint.quote for endpoint in row.endpoints if endpoint.role == "primary"]
    return primary[0] if len(primary) == 1 else ""


def estimate(row: Row, effect: Effect, cited: Cited) -> Sentence:
    """What one paper reports: design, participants, estimate, interval and endpoint, the numbers as they are printed."""
    value, *limits = effect.numbers
    unit = effect.unit or ""
    shown = f"{'adjusted ' if effect.adjusted else ''}{NAMES[effect.measure]} of {value}{unit}"
    if limits and effect.interval:
        level = f"{effect.level:g}% " if effect.level is not None else ""
        shown += f" ({level}{_INTERVALS[effect.interval]} {limits[0]}{unit} to {limits[1]}{unit})"
    endpoint = stated_endpoint(row, effect)
    origin = effect.endpoint or next((stated for stated in row.endpoints if stated.quote == endpoint), None)
    text = f"{label(cited)} {_about(row)} reported {_article(shown)} {shown}{f' for {endpoint}' if endpoint else ''}"
    quotes = (effect, *_behind(row), *((origin,) if origin else ()))
    return Sentence(text=text, rows=(row.position,), quotes=tuple(map(_place, quotes)))


def comparison(topic: Topic, rows: Sequence[Row], check: Callable[[], None]) -> Sentence | None:
    """Which way the estimates of a topic point; None for fewer than two papers or a measure without a name."""
    positions = tuple(dict.fromkeys(position for position, _place in topic.members))
    if topic.measure == "unnamed" or len(positions) < 2:
        return None
    effects = [rows[position].effects[place] for position, place in topic.members]
    sides = Counter(conflicts.direction(effect) for effect in effects)
    counted = [len(effects), sides["below"], sides["above"], sides["at"]]
    text = f"Of these {counted[0]} estimates {counted[1]} lie below no effect, {counted[2]} above and {counted[3]} at no effect"
    if len(effects) <= _COMPARED:
        apart = sum("intervals_apart" in found.kinds for found in conflicts.between(effects, check))
        text += f"; pairs of them whose intervals exclude each other: {apart}"
        counted.append(apart)
    return Sentence(text=text, rows=positions, quotes=tuple(_place(effect) for effect in effects), counted=tuple(counted))


_COMPARED = 300
"""Up to so many estimates of one topic are compared pair by pair."""


def without_estimate(row: Row, cited: Cited) -> Sentence:
    """What a paper without an effect estimate states instead: p-values and endpoints, or nothing that could be read."""
    endpoints = [endpoint for endpoint in row.endpoints if endpoint.role == "primary"][:3]
    values = row.p_values[:5]
    told = [f"its primary endpoint was {endpoint.quote}" for endpoint in endpoints[:1]]
    told += [f"it states {', '.join(value.quote for value in values)}"] if values else []
    nothing = "no effect estimate could be read from its abstract" if row.has_text else "it has no abstract to read"
    text = f"{label(cited)} {_about(row)}: {'; '.join([nothing, *told])}"
    return Sentence(text=text, rows=(row.position,), quotes=tuple(map(_place, (*values, *endpoints[:1], *_behind(row)))))


def label(cited: Cited) -> str:
    """How a paper is called in a sentence: first author and year, else its title, else its id."""
    if cited.authors:
        return f"{cited.authors[0][:80]}{' et al.' if len(cited.authors) > 1 else ''}{f' {cited.year}' if cited.year else ''}"
    return f"“{cited.title[:120]}”" if cited.title else cited.id[:80]


def _about(row: Row) -> str:
    kind = row.design.kind if row.design.kind != "unknown" else "design not stated"
    return f"({kind}{f', n = {row.n}' if row.n is not None else ''})"


def _behind(row: Row) -> list[Place]:
    count = next((count for count in row.sample_sizes if count.value == row.n), None)
    return [*([count] if count else []), *([row.design.place] if row.design.place else [])]


def _article(words: str) -> str:
    return "an" if words[0] in "aeio" else "a"


def _place(found: Place) -> Place:
    """The place alone, without what was read there."""
    return Place(field=found.field, start=found.start, end=found.end, quote=found.quote)
