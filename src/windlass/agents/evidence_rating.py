"""What a body of evidence comes to: its pooled estimate where two studies can be pooled, and its certainty."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from windlass.agents import conflicts, grade, pooling
from windlass.agents.conflicts import Conflict
from windlass.agents.evidence_bodies import Body
from windlass.agents.extraction_rows import Row


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """A body, what it was pooled to, and its rating. Lives as long as the run."""

    body: Body
    pooled: pooling.Pooled | None
    pooled_members: tuple[int, ...]
    """Positions of the rows that were pooled."""
    not_pooled: dict[int, str]
    """Position of a row → why its effect was not pooled."""
    conflicts: list[Conflict]
    """Places in the body, not positions of rows."""
    participants: int | None
    rating: grade.Rating


def assess(body: Body, rows: Sequence[Row], judgements: Sequence[grade.Step], check: Callable[[], None]) -> Assessment:
    """Pool what can be pooled, find the conflicts, rate."""
    usable = [place for place, effect in enumerate(body.effects) if not pooling.unusable(effect)]
    pooled = pooling.fixed([body.effects[place] for place in usable]) if len(usable) > 1 else None
    found = conflicts.between(body.effects, check)
    rated = [body.members[place] for place in usable] or list(body.members)
    stated = [rows[position].n for position in rated]
    participants = None if None in stated else sum(n for n in stated if n is not None)
    alone = body.effects[usable[0] if usable else 0]
    evidence = grade.Evidence(
        stream=body.stream,
        designs=tuple(rows[position].design.kind for position in body.members),
        measure=body.measure,
        estimate=pooled.estimate if pooled else alone.estimate,
        low=pooled.low if pooled else (alone.low if usable else None),
        high=pooled.high if pooled else (alone.high if usable else None),
        studies=len(body.members),
        i_squared=pooled.i_squared if pooled else None,
        apart=sum("intervals_apart" in conflict.kinds for conflict in found),
        participants=participants,
    )
    return Assessment(
        body=body,
        pooled=pooled,
        pooled_members=tuple(body.members[place] for place in usable) if pooled else (),
        not_pooled=_not_pooled(body, usable, pooled),
        conflicts=found,
        participants=participants,
        rating=grade.rate(evidence, judgements),
    )


def _not_pooled(body: Body, usable: Sequence[int], pooled: pooling.Pooled | None) -> dict[int, str]:
    reasons = {body.members[place]: pooling.unusable(effect) for place, effect in enumerate(body.effects)}
    alone = "no second study of this stream reports this measure for this outcome with a confidence interval"
    if pooled is None:
        reasons |= {body.members[place]: alone for place in usable}
    return {position: reason for position, reason in reasons.items() if reason}
