"""A step summary is gate.md, or as much of it as GitHub keeps, and says which."""

import pytest

from tests.unit.sweep import samples
from windlass.sweep.writers import gate_table, step_summary


def test_it_is_gate_md_on_lines_of_its_own():
    assert step_summary.render(samples.failing()) == "\n" + gate_table.render(samples.failing())


@pytest.mark.parametrize("limit", [512, 4000, 20_000])
def test_it_is_cut_between_lines_and_says_so(limit):
    sweep = samples.large(300)
    whole, cut = gate_table.render(sweep), step_summary.render(sweep, limit)
    kept, said = cut.split("\n**Cut here:** ")
    assert len(cut.encode()) <= limit
    assert ("\n" + whole).startswith(kept)
    assert kept.endswith("\n")
    assert f"the first {kept.count(chr(10))} of {whole.count(chr(10)) + 1} lines" in said
    assert cut.splitlines()[-1] == "SUMMARY: 270/300 PASS"


def test_a_fleet_of_ten_thousand_fits_what_github_keeps():
    assert len(step_summary.render(samples.large(10_000)).encode()) <= 900_000
