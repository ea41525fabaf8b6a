"""Instants are written one way: UTC, milliseconds, `Z`; and are never naive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from windlass.infra import instants

NOON = datetime(2026, 1, 19, 14, 30, 12, 7_999, tzinfo=timezone(timedelta(hours=2)))


def test_forms() -> None:
    assert instants.stamp(NOON) == "2026-01-19T12:30:12.007Z"
    assert instants.compact(NOON) == "20260119T123012Z"
    assert instants.compact_ms(NOON) == "20260119T123012007Z"
    assert instants.parse("2026-01-19T12:30:12.007Z") == datetime(2026, 1, 19, 12, 30, 12, 7000, tzinfo=UTC)
    assert instants.now().tzinfo is UTC


def test_naive_times_are_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        instants.stamp(datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(ValueError, match="offset"):
        instants.parse("2026-01-19T12:30:12")
