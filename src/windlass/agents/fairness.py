"""Fairness of decisions over groups: selection rates, parity, disparate impact, equal opportunity and equalised odds, from counts alone. Pure.

A group is compared with the reference group: the one that is named, or the one with the highest rate among those that are large enough. The
four-fifths rule is that of 29 CFR 1607.4(D): a rate below four fifths of the highest is evidence of adverse impact. It is judged only where both
groups are large enough and the reference selects anybody at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from windlass.agents import exact_tests, proportions
from windlass.agents.agent import Item

FOUR_FIFTHS = 0.8
"""What the lesser of two rates must be of the greater."""
SMALL = 30
"""A group below this size is too small for a verdict, unless the caller says otherwise."""

Judgement = Literal["met", "not met", "not judged"]


class Counts(Item):
    """A group's outcomes: how many were selected, and how predictions fell against labels where both are known."""

    n: int
    selected: int
    true_positives: int | None = None
    false_positives: int | None = None
    false_negatives: int | None = None
    true_negatives: int | None = None


class Rate(Item):
    """A share with its Wilson interval; null of nothing."""

    value: float | None
    of: int
    low: float | None
    high: float | None


class GroupRates(Item):
    """A group's rates; `small` groups are shown and not judged."""

    group: str
    n: int
    selected: int
    small: bool
    selection_rate: Rate
    true_positive_rate: Rate | None
    false_positive_rate: Rate | None


class Comparison(Item):
    """A group beside the reference: difference (Newcombe's interval), ratio (Katz' interval, null where a count is 0), Fisher's p."""

    group: str
    reference: str
    parity_difference: float
    parity_low: float
    parity_high: float
    impact_ratio: float | None
    impact_low: float | None
    impact_high: float | None
    p: float
    four_fifths: Judgement
    true_positive_difference: float | None
    false_positive_difference: float | None
    note: str | None


class Audit(Item):
    """One attribute's groups and comparisons; the gaps are greatest minus least over the groups that are large enough."""

    attribute: str
    reference: str | None
    groups: list[GroupRates]
    comparisons: list[Comparison]
    parity_gap: float | None
    equal_opportunity_gap: float | None
    equalised_odds_gap: float | None
    four_fifths: Judgement
    notes: list[str]


def rates(group: str, counts: Counts, small: int, confidence: float) -> GroupRates:
    """A group's rates with their intervals."""
    known = None not in (counts.true_positives, counts.false_positives, counts.false_negatives, counts.true_negatives)
    hits, false_alarms = counts.true_positives or 0, counts.false_positives or 0
    return GroupRates(
        group=group,
        n=counts.n,
        selected=counts.selected,
        small=counts.n < small,
        selection_rate=_rate(counts.selected, counts.n, confidence),
        true_positive_rate=_rate(hits, hits + (counts.false_negatives or 0), confidence) if known else None,
        false_positive_rate=_rate(false_alarms, false_alarms + (counts.true_negatives or 0), confidence) if known else None,
    )


def audit(attribute: str, groups: list[GroupRates], *, reference: str | None, threshold: float, confidence: float) -> Audit:
    """Every group against the reference, and the gaps between all that are large enough."""
    large = [group for group in groups if not group.small]
    pool = [group for group in large or groups if group.selection_rate.value is not None]
    chosen = next((group for group in groups if group.group == reference), None) if reference else max(pool, key=_order, default=None)
    comparisons = (
        [] if chosen is None else [compare(one, chosen, threshold, confidence) for one in groups if one.group != chosen.group and one.n and chosen.n]
    )
    opportunity = _gap(group.true_positive_rate for group in large)
    alarms = _gap(group.false_positive_rate for group in large)
    return Audit(
        attribute=attribute,
        reference=chosen.group if chosen else None,
        groups=groups,
        comparisons=comparisons,
        parity_gap=_gap(group.selection_rate for group in large),
        equal_opportunity_gap=opportunity,
        equalised_odds_gap=None if opportunity is None or alarms is None else max(opportunity, alarms),
        four_fifths=_verdict([one.four_fifths for one in comparisons]),
        notes=_notes(groups, comparisons),
    )


def compare(group: GroupRates, reference: GroupRates, threshold: float, confidence: float) -> Comparison:
    """A group beside the reference; both hold somebody."""
    events, sizes = (group.selected, reference.selected), (group.n, reference.n)
    mine, other = group.selected / group.n, reference.selected / reference.n
    low, high = proportions.newcombe(events, sizes, confidence)
    impact_low, impact_high = proportions.katz(events, sizes, confidence) if min(events) else (None, None)
    ratio = mine / other if other else None
    note = _unjudged(group, reference)
    return Comparison(
        group=group.group,
        reference=reference.group,
        parity_difference=mine - other,
        parity_low=low,
        parity_high=high,
        impact_ratio=ratio,
        impact_low=impact_low,
        impact_high=impact_high,
        p=exact_tests.fisher(group.selected, group.n - group.selected, reference.selected, reference.n - reference.selected),
        four_fifths="not judged" if note or ratio is None else "met" if _alike(ratio, threshold) else "not met",
        true_positive_difference=_difference(group.true_positive_rate, reference.true_positive_rate),
        false_positive_difference=_difference(group.false_positive_rate, reference.false_positive_rate),
        note=note,
    )


def tally(rows: Iterable[tuple[str, bool, bool | None]]) -> Mapping[str, Counts]:
    """Group → counts over rows of (group, selected, label); labels are counted where they are known for all rows of the group."""
    cells: dict[str, list[int]] = {}
    unknown: set[str] = set()
    for group, selected, label in rows:
        counts = cells.setdefault(group, [0, 0, 0, 0])
        counts[2 * selected + bool(label)] += 1
        if label is None:
            unknown.add(group)
    found: dict[str, Counts] = {}
    for group, (negatives, misses, alarms, hits) in cells.items():
        n, selected_count = negatives + misses + alarms + hits, alarms + hits
        labelled = {"true_positives": hits, "false_positives": alarms, "false_negatives": misses, "true_negatives": negatives}
        found[group] = Counts(n=n, selected=selected_count, **({} if group in unknown else labelled))
    return found


def _rate(events: int, n: int, confidence: float) -> Rate:
    if n == 0:
        return Rate(value=None, of=0, low=None, high=None)
    low, high = proportions.wilson(events, n, confidence)
    return Rate(value=events / n, of=n, low=low, high=high)


def _order(group: GroupRates) -> tuple[float, int, str]:
    return group.selection_rate.value or 0.0, group.n, group.group


def _gap(shares: Iterable[Rate | None]) -> float | None:
    known = [share.value for share in shares if share is not None and share.value is not None]
    return max(known) - min(known) if len(known) > 1 else None


def _difference(mine: Rate | None, other: Rate | None) -> float | None:
    return None if mine is None or other is None or mine.value is None or other.value is None else mine.value - other.value


def _alike(ratio: float, threshold: float) -> bool:
    """Whether the lesser of two rates is at least `threshold` of the greater, whichever of them the reference has."""
    return ratio > 0 and min(ratio, 1 / ratio) >= threshold - 1e-12


def _unjudged(group: GroupRates, reference: GroupRates) -> str | None:
    small = [one.group for one in (group, reference) if one.small]
    if small:
        return f"not judged: too few in {' and '.join(map(repr, small))}"
    return None if reference.selected else "not judged: nobody of the reference group is selected"


def _verdict(judgements: list[Judgement]) -> Judgement:
    if "not met" in judgements:
        return "not met"
    return "met" if judgements and "not judged" not in judgements else "not judged"


def _notes(groups: list[GroupRates], comparisons: list[Comparison]) -> list[str]:
    notes = [f"group {group.group!r} has {group.n}: too few for a verdict" for group in groups if group.small]
    return notes if comparisons else [*notes, "there are no two groups to compare"]
