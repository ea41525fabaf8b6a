"""GRADE's arithmetic: every step has its rule, and only numbers and readers move the level."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from windlass.agents import grade
from windlass.agents.grade import Evidence, Step

SOLID = Evidence(
    stream="randomized",
    designs=("randomized controlled trial",),
    measure="RR",
    estimate=0.8,
    low=0.7,
    high=0.9,
    studies=2,
    i_squared=0.0,
    apart=0,
    participants=2000,
)
OBSERVED: dict[str, Any] = {"stream": "observational", "designs": ("cohort study",)}
JUDGED = [Step(domain=domain, levels=0, rule="judged by the caller", reason="fine") for domain in grade.FOR_A_READER]


def rated(judgements: Sequence[Step] = (), **fields: Any) -> grade.Rating:
    return grade.rate(dataclasses.replace(SOLID, **fields), judgements)


@pytest.mark.parametrize(
    ("fields", "level", "domains"),
    [
        ({}, "high", []),
        ({"i_squared": 49.9}, "high", []),
        ({"i_squared": 50.0}, "moderate", ["inconsistency"]),
        ({"i_squared": 75.0}, "low", ["inconsistency"]),
        ({"apart": 1}, "moderate", ["inconsistency"]),
        ({"high": 1.1}, "moderate", ["imprecision"]),
        ({"low": 0.7, "high": 1.3}, "low", ["imprecision"]),
        ({"participants": 399}, "moderate", ["imprecision"]),
        ({"participants": 400}, "high", []),
        ({"participants": None}, "high", []),
        ({"low": None, "high": None}, "moderate", ["imprecision"]),
        ({"i_squared": 80.0, "low": 0.5, "high": 1.6}, "very low", ["inconsistency", "imprecision"]),
        ({"measure": "MD", "estimate": 1.0, "low": -0.1, "high": 2.0}, "moderate", ["imprecision"]),
        (OBSERVED, "low", []),
        ({**OBSERVED, "designs": ("case report",)}, "very low", []),
        ({**OBSERVED, "high": 1.2}, "very low", ["imprecision"]),
    ],
)
def test_the_level_follows_from_start_and_steps(fields, level, domains):
    rating = rated(**fields)
    assert (rating.level, [step.domain for step in rating.steps]) == (level, domains)
    assert rating.points == max(1, min(4, grade.LEVELS.index(rating.start) + 1 + sum(step.levels for step in rating.steps)))
    assert all(step.rule and step.reason for step in rating.steps)
    assert rating.provisional


@pytest.mark.parametrize(
    ("estimate", "interval", "level"),
    [(2.5, (2.0, 3.0), "moderate"), (6.0, (4.0, 9.0), "high"), (0.4, (0.3, 0.5), "moderate"), (1.9, (1.5, 2.4), "low")],
)
def test_a_large_effect_raises_judged_observational_evidence(estimate, interval, level):
    rating = rated(JUDGED, **OBSERVED, estimate=estimate, low=interval[0], high=interval[1])
    assert (rating.level, rating.provisional) == (level, False)


@pytest.mark.parametrize(
    ("judgements", "fields"),
    [
        ((), OBSERVED),
        (JUDGED, {}),
        (JUDGED, {**OBSERVED, "i_squared": 60.0}),
        ([*JUDGED[1:], Step(domain="risk_of_bias", levels=-1, rule="judged by the caller", reason="open")], OBSERVED),
    ],
)
def test_a_large_effect_does_not_count_where_something_lowers_or_was_not_judged(judgements, fields):
    rating = rated(judgements, estimate=6.0, low=4.0, high=9.0, **fields)
    assert [step.domain for step in rating.not_counted] == ["large_effect"]
    assert all(step.levels < 0 for step in rating.steps)


def test_a_reader_s_judgement_replaces_the_rule_of_its_domain():
    rating = rated([Step(domain="imprecision", levels=0, rule="judged by the caller", reason="enough")], high=1.1)
    assert (rating.level, rating.steps) == ("high", ())


def test_designs_that_are_no_primary_evidence_have_no_stream():
    assert [grade.stream(kind) for kind in ("randomized controlled trial", "cohort study", "systematic review", "animal study", "unknown")] == [
        "randomized", "observational", None, None, None,
    ]  # fmt: skip
