"""Pass rates over sweeps, with intervals that an independent computation gives too."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.sweep import flakes


def sweep(**outcomes: str | None) -> dict[str, Any]:
    """Task type → failure class, PASS, or None where there is no row."""
    rows = [
        {"task_type": name, "pass_fail": "PASS" if found == "PASS" else "FAIL", "failure_class": None if found == "PASS" else found}
        for name, found in outcomes.items()
        if found
    ]
    return {"fleet": {"expected": sorted(outcomes)}, "rows": rows}


@pytest.mark.parametrize(
    ("passes", "sweeps", "low", "high"),
    [(0, 1, 0.0, 0.793450), (1, 1, 0.206549, 1.0), (8, 10, 0.490162, 0.943318), (29, 31, 0.792814, 0.982136), (50, 100, 0.403831, 0.596169)],
)
def test_the_interval_is_wilsons(passes: int, sweeps: int, low: float, high: float):
    assert flakes.wilson(passes, sweeps) == pytest.approx((low, high), abs=2e-5)


@given(st.integers(1, 2000).flatmap(lambda sweeps: st.tuples(st.integers(0, sweeps), st.just(sweeps))))
def test_the_interval_holds_exactly_the_rates_that_a_score_test_does_not_reject(counts: tuple[int, int]):
    passes, sweeps = counts
    low, high = flakes.wilson(passes, sweeps)
    share = passes / sweeps
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1
    for edge in (low, high):
        if 1e-9 < edge < 1 - 1e-9:
            assert abs(share - edge) / math.sqrt(edge * (1 - edge) / sweeps) == pytest.approx(1.959963984540054, rel=1e-6)


@pytest.mark.parametrize(("passes", "sweeps"), [(0, 0), (1, 0), (-1, 3), (4, 3)])
def test_a_rate_of_nothing_is_none(passes: int, sweeps: int):
    with pytest.raises(ValueError, match="at least one sweep"):
        flakes.wilson(passes, sweeps)


def test_rates_come_least_reliable_first_with_what_failed_them():
    found = flakes.rates([sweep(A="PASS", B="TIMEOUT", C="PASS"), sweep(A="PASS", B="PASS", C="DNS"), sweep(A="PASS", B="TIMEOUT", C="PASS")])
    assert [(rate.task_type, rate.passes, rate.sweeps, rate.flaky) for rate in found] == [("B", 1, 3, True), ("C", 2, 3, True), ("A", 3, 3, False)]
    assert found[0].failures == {"TIMEOUT": 2}


def test_a_cell_that_was_never_run_did_not_pass_and_one_that_was_not_expected_does_not_count():
    never, later = flakes.rates([sweep(A=None), sweep(A="PASS", B="PASS"), {**sweep(A="PASS"), "rows": [*sweep(C="PASS")["rows"]]}])
    assert (never.task_type, never.passes, never.sweeps, never.failures) == ("A", 1, 3, {"NOT_RUN": 2})
    assert (later.task_type, later.passes, later.sweeps) == ("B", 1, 1)
    assert flakes.rates([]) == []
