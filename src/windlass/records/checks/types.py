"""The table of validation types: the fields of each, what it means in words, and how it is judged. Adding a type is one entry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from windlass.records.checks.judge import Given
    from windlass.records.checks.reading import Read, Watcher
    from windlass.records.contracts.contract import Check
    from windlass.records.contracts.problems import Keys

Result = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of a type: how it is read from a contract, and its JSON Schema."""

    read: Callable[[Keys, str], Any]
    schema: Mapping[str, Any]
    required: bool = True


@dataclass(frozen=True, kw_only=True)
class Type:
    """One validation type. Either `watch` judges files while they are read, or `judge` judges anything else once all are read.

    `targets`: the templates that it reads; `combine`: the result of several targets. `words`: the check in one sentence.
    """

    fields: Mapping[str, Field]
    words: Callable[[Mapping[str, Any], str], str]
    problems: Callable[[Mapping[str, Any]], Iterable[tuple[str, str]]] = lambda _: ()
    targets: Callable[[Mapping[str, Any]], tuple[str, ...]] = lambda fields: (fields["target"],) if "target" in fields else ()
    watch: Callable[[Check, Given], Watcher] | None = None
    combine: Callable[[Sequence[tuple[Read, Result]]], Result] | None = None
    judge: Callable[[Check, Given, Mapping[str, Read]], Result] | None = None


@cache
def table() -> Mapping[str, Type]:
    """Every type by its name."""
    from windlass.records.checks import files, outside, sources, text, whole  # noqa: PLC0415  # each of them describes its types with the values above

    return {**files.TYPES, **sources.TYPES, **text.TYPES, **whole.TYPES, **outside.TYPES}
