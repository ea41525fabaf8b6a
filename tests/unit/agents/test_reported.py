from __future__ import annotations

import pytest

from windlass.agents import reported, stated
from windlass.agents.reported import Report


def check(text: str, alpha: float = 0.05) -> reported.Check:
    (place,) = reported.places(text, alpha)
    assert text[place.start : place.end] == place.quote
    return reported.check(place.report, alpha)


@pytest.mark.parametrize(
    ("text", "consistent", "decision_error"),
    [
        ("t(28) = 2.20, p = .036", True, False),
        ("t(28) = 2.20, p = .04", True, False),
        ("t(28) = 2.2, p = .04", True, False),
        ("t(28) = 2.20, p = .03", False, False),
        ("t(28) = 2.20, p = .06", False, True),
        ("t(28) = -2.20, p < .05", True, False),
        ("t(28) = −2.20, p > .05", False, True),
        ("t(28) = 1.20, p < .05", False, True),
        ("t(28) = 1.20, ns", True, False),
        ("t(28) = 2.20, n.s.", False, True),
        ("t(37) = 4.93, p < .001", True, False),
        ("t(37) = 9.93, p = .000", False, False),
        ("F(2, 45) = 3.20, p = .05", True, False),
        ("F(2, 45) = 3.21, p < .05", True, False),
        ("F(1,1,200) = 3.21, p < .05", False, True),
        ("χ2(1, N = 90) = 3.84, p = .05", True, False),
        ("chi-square(4) = 3.84, p = .43", True, False),
        ("X²(2) = 9.21, p = .01", True, False),
        ("z = 1.96, p = .05", True, False),
        ("Z = 1.50, p = .05", False, True),
        ("r(48) = .30, p = .034", True, False),
        ("r(48) = .30, p = .2", False, True),
    ],
)
def test_a_report_is_held_against_its_own_statistic(text, consistent, decision_error):
    found = check(text)
    assert (found.consistent, found.decision_error) == (consistent, decision_error)


def test_a_p_of_a_one_sided_test_is_recognised_but_not_called_consistent():
    found = check("t(28) = 2.20, p = .018")
    assert (found.consistent, found.one_sided) == (False, True)


def test_p_at_alpha_counts_as_significant():
    report = Report(statistic="z", value="1.20", df=(), p=".05", relation="=")
    assert reported.check(report, 0.05).decision_error is True


@pytest.mark.parametrize(
    "text",
    [
        "",
        "p = .03",
        "t = 2.2, p = .03",
        "F(2) = 3.2, p = .05",
        "z(3) = 1.2, p = .2",
        "t(28) = 2.20 and p = .036",
        "t(0) = 2.20, p = .036",
        "r(48) = 1.30, p = .034",
        "chart(28) = 2.20, p = .036",
    ],
)
def test_what_is_no_whole_report_is_not_read(text):
    assert list(reported.places(text, 0.05)) == []


@pytest.mark.parametrize(
    ("figure", "decimals", "half"), [("2.20", 2, 0.005), (2.2, 1, 0.05), ("−.5", 1, 0.05), (3, 0, 0.0), ("3", 0, 0.0), (3.0, 0, 0.0), (1e-7, 7, 5e-8)]
)
def test_a_stated_figure_knows_its_decimals(figure, decimals, half):
    assert stated.decimals(figure) == decimals
    assert stated.half_unit(figure) == pytest.approx(half)


def test_a_stated_figure_stands_for_all_that_round_to_it():
    assert stated.may_round_to(0.0349, 0.0351, ".03")
    assert stated.may_round_to(0.0349, 0.0351, ".04")
    assert not stated.may_round_to(0.0352, 0.0361, ".03")
