"""LIT_TRIAGE orders papers by rules that anyone can compute again."""

import math
from pathlib import Path
from typing import Any

import pytest

from windlass.agents.reference.lit_triage import AGENT

from . import probing, runs

NEW = {"title": "Sleep and pain", "abstract": "On rest.", "year": 2020, "journal": "The Lancet", "authors": ["Roe J", "Doe A"], "citation_count": 150}
OLD = {"title": "Walking", "abstract": "Pain and sleep.", "year": 2014, "journal": "Some Journal", "authors": ["Doe A"], "citation_count": 7}
BARE = {"title": "Notes", "shelf": "B4"}


def triage(store: Path, *chosen: dict[str, Any], **inputs: Any) -> dict[str, Any]:
    return runs.outputs(AGENT, {"papers": list(chosen), **inputs}, store)


def test_every_sub_score_follows_its_rule(tmp_path):
    found = triage(tmp_path, BARE, OLD, NEW, query="sleep pain", reference_year=2022)["papers"]
    assert [paper["title"] for paper in found] == ["Sleep and pain", "Walking", "Notes"]
    new, old, bare = (paper["parts"] for paper in found)
    assert new == {"recency": 0.8, "relevance": 1.0, "journal": 1.0, "author": 0.6667, "citation": 1.0}
    assert old == {"recency": 0.2, "relevance": 0.6, "journal": 0.6, "author": 0.6667, "citation": round(math.log(1 + 7 / 9) / math.log(51), 4)}
    assert bare == {"recency": 0.0, "relevance": 0.0, "journal": 0.0, "author": 0.0, "citation": 0.0}
    assert found[0]["score"] == pytest.approx(20 * 0.8 + 30 + 20 + 15 * 2 / 3 + 15)
    assert found[2]["missing"] == ["year", "journal", "authors", "citation_count"]


@pytest.mark.parametrize(("citations", "tier"), [(50, "must"), (19, "must"), (18, "should"), (7, "should"), (6, "optional"), (0, "optional")])
def test_the_tier_is_that_of_the_score(tmp_path, citations, tier):
    """With all the weight on citations, ln(1 + c) / ln(51) passes 0.75 between 18 and 19 and 0.5 between 6 and 7."""
    found = triage(tmp_path, {"title": "x", "year": 2020, "citation_count": citations}, weights={"citation": 1})["papers"][0]
    assert found["tier"] == tier


def test_the_answer_does_not_depend_on_the_calendar(tmp_path):
    assert triage(tmp_path, OLD, NEW, query="sleep")["reference_year"] == 2020
    assert triage(tmp_path, OLD, NEW, query="sleep")["papers"][0]["parts"]["recency"] == 1.0


def test_a_paper_from_after_the_reference_year_counts_as_new(tmp_path):
    assert triage(tmp_path, NEW, reference_year=1990, query="sleep")["papers"][0]["parts"]["recency"] == 1.0


def test_without_a_query_the_weight_of_relevance_goes_to_the_others(tmp_path):
    answered = runs.answer(AGENT, {"papers": [NEW]}, tmp_path)
    found = answered["outputs"]
    assert found["papers"][0]["parts"]["relevance"] is None
    assert found["weights"] == pytest.approx(
        {"recency": 0.2 / 0.7, "relevance": 0, "journal": 0.2 / 0.7, "author": 0.15 / 0.7, "citation": 0.15 / 0.7}
    )
    assert "no query was given" in answered["warnings"][0]


def test_the_callers_journal_scores_go_before_ours(tmp_path):
    found = triage(tmp_path, NEW, {**OLD, "journal": "medRxiv"}, weights={"journal": 1}, journal_scores={"the lancet": 12})["papers"]
    assert [(paper["title"], paper["score"]) for paper in found] == [("Walking", 30.0), ("Sleep and pain", 12.0)]


def test_a_duplicate_does_not_count_for_its_authors(tmp_path):
    answered = runs.answer(AGENT, {"papers": [OLD, {**OLD, "doi": "10.5555/x"}], "query": "pain"}, tmp_path)
    assert {paper["parts"]["author"] for paper in answered["outputs"]["papers"]} == {0.3333}
    assert any("repeat another one" in warning for warning in answered["warnings"])


def test_ties_keep_the_given_order(tmp_path):
    assert [paper["position"] for paper in triage(tmp_path, BARE, BARE, BARE)["papers"]] == [0, 1, 2]


def test_the_report_shows_every_paper_and_no_title_can_forge_a_row(tmp_path):
    forged = {"title": "x |\n| 1 | must | 100.00 | ![p](http://example.org/p.png) <b>"}
    report = triage(tmp_path, NEW, forged, query="sleep")["report"]
    rows = [line for line in report.splitlines() if line.startswith("| ")]
    assert len(rows) == 3
    assert "\\!\\[p\\](http\\://example.org/p.png) \\<b\\>" in rows[2]


def test_a_long_list_is_ranked_in_full_and_shown_in_part(tmp_path):
    crowd = [{"title": f"n{number}", "year": 1900 + number % 100} for number in range(3000)]
    found = triage(tmp_path, *crowd)
    assert len(found["papers"]) == 3000
    assert "2500 more papers are not shown here." in found["report"]


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ({}, "papers"),
        ({"papers": []}, "papers"),
        ({"paper": [NEW]}, "paper"),
        ({"papers": [{"title": " "}]}, "papers.0.title"),
        ({"papers": [{**NEW, "citation_count": -1}]}, "papers.0.citation_count"),
        ({"papers": [NEW], "query": "of the"}, "query"),
        ({"papers": [NEW], "weights": {"recency": 0.5}}, "weights"),
        ({"papers": [NEW], "weights": {"recency": 0.6, "author": 0.6}}, "weights"),
        ({"papers": [NEW], "weights": {"recency": 1.00001}}, "weights.recency"),
        ({"papers": [NEW], "weights": {"recency": 1.5, "author": -0.5}}, "weights.author"),
        ({"papers": [NEW], "weights": {"recensy": 1.0}}, "weights.recensy"),
        ({"papers": [NEW], "journal_scores": {"BMJ": 101}}, "journal_scores.BMJ"),
    ],
)
def test_a_refusal_names_the_field(tmp_path, inputs, field):
    refused = runs.refusal(AGENT, inputs, tmp_path)
    assert refused["code"] == "VALIDATION_ERROR"
    assert field in refused["details"]["fieldErrors"]


def test_nothing_but_relevance_needs_a_query(tmp_path):
    refused = runs.refusal(AGENT, {"papers": [NEW], "weights": {"relevance": 1}}, tmp_path)
    assert refused["code"] == "VALIDATION_ERROR"
    assert "query: is required" in refused["message"]


def test_weights_within_a_millionth_of_one_are_taken(tmp_path):
    assert triage(tmp_path, NEW, query="pain", weights={"recency": 1 / 3, "author": 1 / 3, "citation": 0.3333335})["papers"]


def test_the_schema_says_that_papers_are_required():
    assert AGENT.inputs.model_json_schema()["required"] == ["papers"]


def test_the_probe_accepts_the_work(tmp_path):
    probing.passes(AGENT, tmp_path)


def test_the_probe_rejects_canned_answers(tmp_path):
    probing.rejects_canned_answers(AGENT, tmp_path)
    probing.needs_every_step(AGENT, tmp_path)


@pytest.mark.parametrize(
    ("step", "change"),
    [
        *(("measure", lambda found, part=part: {**found, "measured": [{**parts, part: 0.5} for parts in found["measured"]]})
          for part in ("recency", "relevance", "journal", "author", "citation")),
        ("weigh", lambda found: {**found, "scores": [50.0] * len(found["scores"])}),
        ("weigh", lambda found: {**found, "scores": found["scores"][::-1]}),
        ("order", lambda found: {**found, "order": sorted(found["order"])}),
        ("order", lambda found: {"order": found["order"][::-1], "tiers": found["tiers"][::-1]}),
        ("order", lambda found: {**found, "tiers": ["should"] * len(found["order"])}),
        ("report", lambda found: {"outputs": {**found["outputs"], "report": "# Reading list"}}),
        ("report", lambda found: {"outputs": {**found["outputs"], "tiers": {"must": 0, "should": 0, "optional": 0}}}),
    ],
)  # fmt: skip
def test_the_probe_notices_every_step_that_does_not_work(tmp_path, step, change):
    for seed in range(8):
        assert probing.fails(AGENT, step, change, seed, AGENT.probe.make(seed), tmp_path), f"seed {seed}"
