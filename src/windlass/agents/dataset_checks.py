"""What a dataset of labelled texts shows before anybody trains on it: copies, leaks between splits, labels, lengths. Pure."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from pydantic import Field

from windlass.agents import near_duplicates
from windlass.agents.agent import Item

BYTES_PER_TOKEN = 4
"""A text's tokens are estimated as its UTF-8 bytes over this, rounded up: a rule that needs no tokenizer."""
FEW = 10
"""Records of a label below which it is too rare to learn or to test."""
LISTED = 500
"""Groups or pairs that are listed at most; all are counted."""

_PARTS = (("train", 80), ("validation", 10), ("test", 10))


class Record(Item):
    """One example of the dataset; places are counted from 1, and ids are never repeated in answers: they may identify a person."""

    text: Annotated[str, Field(min_length=1, max_length=10_000_000)]
    label: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    split: Annotated[str, Field(pattern=r"^[A-Za-z_\-]{1,32}$")] | None = None
    id: Annotated[str, Field(max_length=500)] | int | None = None


class Copies(Item):
    """Records with the same text (case, accents' form and white space apart), by place."""

    records: list[int]
    labels_differ: bool
    splits_differ: bool


class Leak(Item):
    """Two records of different splits with the same words or nearly so; `likeness` is the share of common word triples."""

    records: list[int]
    splits: list[str]
    kind: Literal["exact", "near"]
    likeness: float


class Labels(Item):
    """How the labels are spread: over all, and by split; `rare` have fewer than FEW records, `absent` lists label and split without any."""

    counts: dict[str, int]
    by_split: dict[str, dict[str, int]]
    unlabelled: int
    greatest_over_least: float | None
    rare: list[str]
    absent: list[list[str]]


class Lengths(Item):
    """Estimated tokens per record; percentiles are nearest ranks."""

    rule: str
    total: int
    by_split: dict[str, int]
    least: int
    median: int
    p95: int
    most: int
    over_limit: int | None


def copies(records: Sequence[Record]) -> list[Copies]:
    """Every group of records with the same text, in order of its first place."""
    places: dict[str, list[int]] = {}
    for place, record in enumerate(records, 1):
        places.setdefault(digest(record.text), []).append(place)
    return [_group(records, group) for group in places.values() if len(group) > 1]


def leaks(records: Sequence[Record], check: Callable[[], None] = lambda: None) -> tuple[list[Leak], bool]:
    """Pairs across splits that are the same or nearly so, by place, and whether all that may be alike were compared.

    Of the copies within one split only the first is paired: `copies` lists the rest.
    """
    kept: dict[tuple[str, str], int] = {}
    for place, record in enumerate(records, 1):
        if record.split is not None:
            kept.setdefault((digest(record.text), record.split), place)
    digests = {place: text for (text, _split), place in kept.items()}
    places = sorted(digests)
    first: dict[str, int] = {}
    exact = [(first[digests[place]], place) for place in places if first.setdefault(digests[place], place) != place]
    found = near_duplicates.across([records[place - 1].text for place in places], [records[place - 1].split or "" for place in places], check)
    near = [(places[pair.first], places[pair.second], pair.likeness) for pair in found.pairs]
    pairs = [
        *(_leak(records, one, other, "exact", 1.0) for one, other in exact),
        *(_leak(records, one, other, "near", likeness) for one, other, likeness in near if digests[one] != digests[other]),
    ]
    return sorted(pairs, key=lambda leak: leak.records), found.complete


def labels(records: Sequence[Record]) -> Labels:
    """How the labels are spread."""
    counts = Counter(record.label for record in records if record.label is not None)
    by_split: dict[str, Counter[str]] = {}
    for record in records:
        if record.split is not None:
            tally = by_split.setdefault(record.split, Counter())
            if record.label is not None:
                tally[record.label] += 1
    return Labels(
        counts=dict(sorted(counts.items())),
        by_split={split: dict(sorted(tally.items())) for split, tally in sorted(by_split.items())},
        unlabelled=sum(record.label is None for record in records),
        greatest_over_least=max(counts.values()) / min(counts.values()) if counts else None,
        rare=sorted(label for label, count in counts.items() if count < FEW),
        absent=[[label, split] for split, tally in sorted(by_split.items()) for label in sorted(counts) if label not in tally],
    )


def lengths(records: Sequence[Record], limit: int | None) -> Lengths:
    """Estimated tokens of the records, at least one; `limit` is what the model takes of one."""
    sizes = [tokens(record.text) for record in records]
    ordered = sorted(sizes)
    by_split: Counter[str] = Counter()
    for record, size in zip(records, sizes, strict=True):
        if record.split is not None:
            by_split[record.split] += size
    return Lengths(
        rule=f"UTF-8 bytes / {BYTES_PER_TOKEN}, rounded up",
        total=sum(sizes),
        by_split=dict(sorted(by_split.items())),
        least=ordered[0],
        median=_percentile(ordered, 50),
        p95=_percentile(ordered, 95),
        most=ordered[-1],
        over_limit=None if limit is None else sum(size > limit for size in sizes),
    )


def tokens(text: str) -> int:
    """The estimated tokens of a text."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def part(text: str) -> str:
    """The split that a text belongs to when nobody split the dataset: 80, 10 and 10 of a hundred by its hash, so copies stay together."""
    place = int(digest(text)[:8], 16) % 100
    for name, share in _PARTS:
        if place < share:
            return name
        place -= share
    raise AssertionError("the shares add up to a hundred")


def digest(text: str) -> str:
    """The SHA-256 of a text without its case, the form of its accents and its white space."""
    return hashlib.sha256(" ".join(unicodedata.normalize("NFC", text).casefold().split()).encode()).hexdigest()


def _group(records: Sequence[Record], places: list[int]) -> Copies:
    members = [records[place - 1] for place in places]
    splits = {record.split for record in members if record.split is not None}
    return Copies(records=places, labels_differ=len({record.label for record in members}) > 1, splits_differ=len(splits) > 1)


def _leak(records: Sequence[Record], one: int, other: int, kind: Literal["exact", "near"], likeness: float) -> Leak:
    splits = [records[place - 1].split or "" for place in (one, other)]
    return Leak(records=[one, other], splits=splits, kind=kind, likeness=likeness)


def _percentile(ordered: Sequence[int], percent: int) -> int:
    return ordered[-(-len(ordered) * percent // 100) - 1]
