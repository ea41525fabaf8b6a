"""One way to read the clock and one way to write an instant: UTC, milliseconds, `Z`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def now() -> datetime:
    """The current instant, aware, in UTC."""
    return datetime.now(UTC)


def stamp(instant: datetime) -> str:
    """`2026-01-19T14:30:12.000Z`; raises ValueError for a naive datetime."""
    if instant.tzinfo is None:
        raise ValueError("a naive datetime has no place on a time line")
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def compact(instant: datetime) -> str:
    """`20260119T143012Z`, for file names."""
    return instant.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def compact_ms(instant: datetime) -> str:
    """`20260119T143012000Z`, for run ids."""
    utc = instant.astimezone(UTC)
    return f"{utc:%Y%m%dT%H%M%S}{utc.microsecond // 1000:03d}Z"


def parse(text: str) -> datetime:
    """The instant that `stamp` wrote; raises ValueError for anything without an offset."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} has no offset")
    try:
        return instant.astimezone(UTC)
    except OverflowError as failure:  # the first and last hours of the calendar, seen from another zone
        raise ValueError(f"{text!r} is outside the calendar") from failure
