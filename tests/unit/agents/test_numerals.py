from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents import numerals


@pytest.mark.parametrize(
    ("passage", "figures"),
    [
        ("1,200.50 % and 1200.5 per cent", {"1200.5%"}),
        ("HR 0.85 (95% CI, 0.70–1.02; P<.001)", {"0.85", "95%", "0.7", "1.02", "0.001"}),
        ("0·85 and 12mg", {"0.85", "12"}),
        ("from -3 to 4-5", {"-3", "4", "5"}),
        ("HbA1c and CD4", set()),
        ("twenty-five of one hundred and twenty", {"25", "120"}),
        ("two thousand three hundred, ninety percent", {"2300", "90%"}),
        ("one of the first", set()),
        ("1e999 and 007", {"1e999", "7"}),
        ("٣٤", {"34"}),
        ("5% is not 5", {"5%", "5"}),
        ("0.1234567890123456789012345678901", {"0.1234567890123456789012345678901"}),
    ],
)
def test_numbers_are_read_exactly(passage, figures):
    assert numerals.figures(passage) == figures


@pytest.mark.parametrize("hostile", ["9" * 1_000_000, "1," * 200_000, "5" + " " * 500_000, "-" * 1_000_000, "two and " * 60_000, "1e5" * 300_000])
def test_hostile_runs_of_signs_are_read_in_bounded_time(hostile):
    began = time.monotonic()
    numerals.figures(hostile)
    assert time.monotonic() - began < 3


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**12), st.integers(1, 10**6))
def test_grouping_and_trailing_zeros_do_not_make_another_number(whole, part):
    decimals = f"{part:07d}"
    assert numerals.figures(f"about {whole:,}.{decimals}00 mg") == numerals.figures(f"({whole}.{decimals})")
