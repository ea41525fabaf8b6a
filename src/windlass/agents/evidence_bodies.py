"""Bodies of evidence: the effects of one measure for one outcome in one stream (randomized or observational), one effect per study."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from windlass.agents import grade, pooling, search
from windlass.agents.extraction_rows import Effect, Measure, Row
from windlass.agents.synthesis_sentences import stated_endpoint


@dataclass(frozen=True, kw_only=True)
class Body:
    """One body of evidence: `members` are positions of rows, `effects` their effects, in order. Lives as long as the run."""

    measure: Measure
    unit: str | None
    endpoint: str
    """As the first study states it; empty where none does."""
    stream: grade.Stream
    members: tuple[int, ...]
    effects: tuple[Effect, ...]


@dataclass(frozen=True, kw_only=True)
class Sorted:
    """The bodies in order of first appearance, and why each other row is in none. Lives as long as the run."""

    bodies: list[Body]
    left_out: dict[int, str]


def sort(rows: Sequence[Row], repeats: Mapping[int, int], check: Callable[[], None]) -> Sorted:
    """Put every row's effects into bodies; `repeats` maps a row to the earlier one that is the same paper.

    A study enters a body once: with an effect that can be pooled before one that can't, an adjusted one before a crude one, the first
    before a later one.
    """
    left_out: dict[int, str] = {}
    found: dict[tuple[Measure, str | None, str, grade.Stream], dict[int, tuple[Effect, str]]] = {}
    for position, row in enumerate(rows):
        check()
        stream = grade.stream(row.design.kind)
        reason = _no_evidence(row, position, stream, repeats)
        if reason or stream is None:
            left_out[position] = reason or "the design is not rated"
            continue
        for effect in row.effects:
            if effect.measure == "unnamed":
                continue
            endpoint = stated_endpoint(row, effect)
            key = (effect.measure, effect.unit, search.normal(endpoint).strip(), stream)
            members = found.setdefault(key, {})
            if position not in members or _rank(effect) > _rank(members[position][0]):
                members[position] = (effect, endpoint)
    return Sorted(bodies=[_body(key, members) for key, members in found.items()], left_out=left_out)


def _no_evidence(row: Row, position: int, stream: grade.Stream | None, repeats: Mapping[int, int]) -> str | None:
    if position in repeats:
        return f"the same paper as record {repeats[position] + 1}"
    if row.design.kind in grade.SECONDARY:
        return f"a {row.design.kind} gathers other studies: beside them it would count participants twice"
    if stream is None:
        return "its design is not stated" if row.design.kind == "unknown" else f"a {row.design.kind} is not rated as evidence on an effect"
    if not row.has_text:
        return "it has no abstract to read"
    return None if any(effect.measure != "unnamed" for effect in row.effects) else "no named effect estimate could be read"


def _rank(effect: Effect) -> tuple[bool, bool]:
    return pooling.unusable(effect) is None, effect.adjusted


def _body(key: tuple[Measure, str | None, str, grade.Stream], members: Mapping[int, tuple[Effect, str]]) -> Body:
    measure, unit, _endpoint, stream = key
    return Body(
        measure=measure,
        unit=unit,
        endpoint=next(iter(members.values()))[1],
        stream=stream,
        members=tuple(members),
        effects=tuple(effect for effect, _stated in members.values()),
    )
