from __future__ import annotations

import copy
from typing import Any

import pytest

from windlass.agents.reference.stage2_extract import AGENT

from . import scripted

ABSTRACT = (
    "We surveyed households with 220 couples in all. Death was rarer: 0.81 was the hazard ratio, with 0.70 and 0.94 as limits of its 95% confidence "
    "interval. What mattered most to us was sleep, our main interest and primary measure. We randomly assigned 1,204 adults. The risk ratio was 0.75 "
    "(95% CI 0.62–0.91). In Germany HR 0,75 (95% CI 0,62–0,91)."
)
INPUTS = {"papers": [{"title": "On sleep", "abstract": ABSTRACT, "year": 2021, "authors": ["Roe J"]}]}
HAZARD = "0.81 was the hazard ratio, with 0.70 and 0.94 as limits of its 95% confidence interval"
KEY = "roe2021"
GOOD: dict[str, Any] = {
    "effects": [
        {
            "citation_key": KEY,
            "quote": HAZARD,
            "measure": "HR",
            "numbers": ["0.81", "0.70", "0.94"],
            "level_percent": 95.0,
            "interval": "confidence",
            "endpoint": "Death",
        }
    ],
    "sample_sizes": [{"citation_key": KEY, "quote": "220 couples", "value": 220}],
    "endpoints": [
        {
            "citation_key": KEY,
            "quote": "sleep",
            "sentence": "What mattered most to us was sleep, our main interest and primary measure.",
            "role": "primary",
        }
    ],
}


def test_findings_that_the_grammar_missed_are_added_with_their_places(tmp_path):
    answer = scripted.accepted(AGENT, INPUTS, tmp_path, GOOD)
    (row,) = answer["outputs"]["rows"]
    assert [(effect["measure"], effect["estimate"], effect["low"], effect["high"]) for effect in row["effects"]] == [
        ("HR", 0.81, 0.70, 0.94),
        ("RR", 0.75, 0.62, 0.91),
    ]
    assert row["n"] == 1204
    assert [count["value"] for count in row["sample_sizes"]] == [220, 1204]
    assert [endpoint["quote"] for endpoint in row["endpoints"]] == ["sleep"]
    places = [*row["effects"], *row["sample_sizes"], *row["endpoints"], row["effects"][0]["endpoint"]]
    assert all(ABSTRACT[place["start"] : place["end"]] == place["quote"] for place in places)
    assert answer["outputs"]["counts"]["effects"] == 2
    assert any("3 findings were added by the model" in warning for warning in answer["warnings"])


def test_a_finding_that_the_grammar_has_is_not_doubled_and_nothing_to_add_is_an_answer(tmp_path):
    nothing: dict[str, Any] = {"effects": [], "sample_sizes": [], "endpoints": []}
    again = {**nothing, "sample_sizes": [{"citation_key": KEY, "quote": "1,204 adults", "value": 1204}]}
    for draft in (nothing, again):
        (row,) = scripted.accepted(AGENT, INPUTS, tmp_path, draft)["outputs"]["rows"]
        assert [count["value"] for count in row["sample_sizes"]] == [1204]


def with_effect(**changes: Any) -> dict[str, Any]:
    draft = copy.deepcopy(GOOD)
    draft["effects"][0] |= changes
    return draft


@pytest.mark.parametrize(
    ("draft", "because"),
    [
        (with_effect(citation_key="roe2022"), "there is no paper 'roe2022'"),
        (with_effect(quote=HAZARD.replace("0.70", "0.72"), numbers=["0.81", "0.72", "0.94"]), "does not stand in the abstract"),
        (with_effect(numbers=["0.18", "0.70", "0.94"]), "does not give the numbers"),
        (with_effect(numbers=["0.70", "0.81", "0.94"]), "an estimate outside its interval"),
        (with_effect(measure="OR"), "the quote names HR, not OR alone"),
        (with_effect(interval="credible"), "does not call the interval a credible interval"),
        (with_effect(endpoint="sleep"), "does not stand in the sentence of its estimate"),
        (with_effect(quote="HR 0,75 (95% CI 0,62–0,91)", numbers=["0,75", "0,62", "0,91"], endpoint=None), "as printed"),
        (with_effect(quote="HR 0,75 (95% CI 0,62–0,91)", numbers=["0.75", "0.62", "0.91"], endpoint=None), "does not give the numbers"),
        ({**GOOD, "sample_sizes": [{"citation_key": KEY, "quote": "220 couples", "value": 222}]}, "does not give the number 222"),
        ({**GOOD, "sample_sizes": [{"citation_key": KEY, "quote": "0.70 and", "value": 70}]}, "does not say whom the number counts"),
        ({**GOOD, "endpoints": [GOOD["endpoints"][0] | {"role": "secondary"}]}, "does not call it secondary"),
        ({**GOOD, "endpoints": [GOOD["endpoints"][0] | {"quote": "Death"}]}, "does not hold the endpoint"),
        ({**GOOD, "p_values": []}, "p_values"),
    ],
)
def test_a_finding_that_the_paper_does_not_bear_out_refuses_the_draft(tmp_path, draft, because):
    scripted.refused(AGENT, INPUTS, tmp_path, draft, because)
