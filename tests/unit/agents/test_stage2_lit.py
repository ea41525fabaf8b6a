"""STAGE_2_LITERATURE_REVIEW: a question becomes a search, and every paper is accounted for."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents.reference.stage2_lit import AGENT

from . import probing, runs

QUESTION = "In adults with heart attacks, do statins compared with placebo reduce mortality within 12 months?"
CORPUS = [
    {"id": "a", "title": "Statins after myocardial infarction: a randomised controlled trial", "abstract": "Mortality in adults.", "year": 2018},
    {"id": "b", "title": "Statins and mortality: a cohort study", "year": 2019},
    {"id": "c", "title": "Statins and mortality", "year": 2020},
    {"id": "d", "title": "Statins and mortality: an RCT", "year": 1999},
    {"id": "e", "title": "Statins and mortality: an RCT"},
    {"id": "f", "title": "Exercise after myocardial infarction, an RCT", "year": 2021},
    {"id": "g", "title": "Gardening", "year": 2020},
]


def test_a_question_is_taken_apart_searched_filtered_and_counted(tmp_path):
    found = runs.outputs(
        AGENT, {"research_question": QUESTION, "corpus": CORPUS, "year_range": {"from": 2010, "to": 2022}, "study_types": ["RCT"]}, tmp_path
    )
    structured = found["structured_query"]
    assert structured["pico"] == {
        "population": ["adults with heart attacks"], "intervention": ["statins"], "comparison": ["placebo"], "outcome": ["mortality"],
        "time": ["12 months"],
    }  # fmt: skip
    assert {"heading": "Myocardial Infarction", "phrase": "heart attack"} in structured["headings"]
    assert "infarction" in structured["synonyms"]
    assert [paper["id"] for paper in found["papers"]] == ["a", "f"]
    assert (found["papers"][0]["study_type"], found["papers"][0]["study_type_source"]) == ("randomized controlled trial", "title")
    assert found["counts"] == {
        "corpus": 7, "matched": 6, "not_matched": 1, "excluded_by_year": 2, "excluded_by_study_type": 2, "eligible": 2, "returned": 2,
        "beyond_max_results": 0,
    }  # fmt: skip
    assert found["by_year"] == {"2018": 1, "2021": 1}
    assert found["by_study_type"] == {"randomized controlled trial": 2}


def test_a_synonym_of_a_heading_finds_what_the_question_words_do_not(tmp_path):
    found = runs.outputs(AGENT, {"query": "heart attack", "corpus": CORPUS}, tmp_path)
    assert {paper["id"] for paper in found["papers"]} == {"a", "f"}


def test_a_query_stands_for_the_question_or_adds_words_to_it(tmp_path):
    alone = runs.outputs(AGENT, {"query": "mortality", "corpus": CORPUS}, tmp_path)
    assert alone["structured_query"]["question"] == "mortality"
    both = runs.outputs(AGENT, {"research_question": "Does gardening help?", "query": "mortality", "corpus": CORPUS}, tmp_path)
    assert both["structured_query"]["keywords"] == ["gardening", "help", "mortality"]
    assert {"g", "b"} <= {paper["id"] for paper in both["papers"]}


def test_demo_mode_answers_from_the_shipped_corpus_with_a_warning(tmp_path):
    answered = runs.answer(AGENT, AGENT.example, tmp_path)
    assert answered["outputs"]["source"] == "demo"
    assert "valoxin" in answered["outputs"]["papers"][0]["title"].lower()
    assert all(paper["synthetic"] and 2010 <= paper["year"] <= 2025 for paper in answered["outputs"]["papers"])
    assert "synthetic" in answered["warnings"][0]


def test_live_mode_without_a_corpus_is_refused(tmp_path):
    assert runs.refusal(AGENT, {"query": "pain"}, tmp_path, mode="LIVE")["code"] == "CORPUS_REQUIRED"


def test_a_question_without_cue_words_is_searched_and_says_so(tmp_path):
    answered = runs.answer(AGENT, {"query": "statins mortality", "corpus": CORPUS}, tmp_path)
    assert answered["outputs"]["counts"]["matched"] == 5
    assert "no cue word" in answered["warnings"][0]


@pytest.mark.parametrize(
    ("inputs", "named"),
    [
        ({}, "research_question or query is required"),
        ({"year_range": [2010, 2020]}, "research_question or query is required"),
        ({"research_question": "the"}, "research_question"),
        ({"researchquestion": "pain"}, "researchquestion"),
        ({"query": "pain", "year_range": [2020, 2010]}, "year_range"),
        ({"query": "pain", "year_range": "2010-2020"}, "year_range"),
        ({"query": "pain", "study_types": "RCT"}, "study_types"),
        ({"query": "pain", "study_types": [""]}, "study_types.0"),
        ({"query": "pain", "max_results": 500}, "max_results"),
        ({"query": "pain", "corpus": []}, "corpus"),
    ],
)
def test_a_refusal_names_the_field(tmp_path, inputs, named):
    refused = runs.refusal(AGENT, inputs, tmp_path)
    assert refused["code"] == "VALIDATION_ERROR"
    assert named in refused["message"]


years = st.none() | st.integers(2000, 2010)
kinds = st.sampled_from([None, "RCT", "cohort study", "Delphi panel"])


@settings(max_examples=25, deadline=None)
@given(
    corpus=st.lists(st.tuples(st.sampled_from(["pain", "sleep", "pain and sleep"]), years, kinds), min_size=1, max_size=12),
    first=st.integers(2000, 2010),
    wanted=st.lists(st.sampled_from(["RCT", "observational study", "Delphi panels"]), max_size=2),
    limit=st.integers(1, 5),
)
def test_the_counts_always_add_up(tmp_path_factory, corpus, first, wanted, limit):
    records = [{"title": title, "year": year, "study_type": kind} for title, year, kind in corpus]
    found = runs.outputs(
        AGENT,
        {"query": "pain", "corpus": records, "year_range": {"from": first}, "study_types": wanted, "max_results": limit},
        tmp_path_factory.mktemp("store"),
    )
    counts = found["counts"]
    assert counts["corpus"] == counts["matched"] + counts["not_matched"] == len(records)
    assert counts["matched"] == counts["excluded_by_year"] + counts["excluded_by_study_type"] + counts["eligible"]
    assert (
        counts["eligible"]
        == counts["returned"] + counts["beyond_max_results"]
        == sum(found["by_year"].values())
        == sum(found["by_study_type"].values())
    )
    assert counts["returned"] == len(found["papers"]) <= limit
    assert all(paper["year"] >= first for paper in found["papers"])


def test_the_probe_accepts_the_work(tmp_path):
    probing.passes(AGENT, tmp_path)


def test_the_probe_rejects_canned_answers(tmp_path):
    probing.rejects_canned_answers(AGENT, tmp_path)
    probing.needs_every_step(AGENT, tmp_path)


def _in_pico(found: Mapping[str, Any], **slots: Any) -> dict[str, Any]:
    structured = found["structured_query"]
    return {"structured_query": {**structured, "pico": {**structured["pico"], **slots}}}


@pytest.mark.parametrize(
    ("step", "change"),
    [
        ("structure", lambda found: _in_pico(found, comparison=[])),
        ("structure", lambda found: _in_pico(found, intervention=[found["structured_query"]["question"]])),
        ("structure", lambda found: {"structured_query": {**found["structured_query"], "keywords": found["structured_query"]["keywords"][:2]}}),
        ("retrieve", lambda found: {"hits": found["hits"][::-1]}),
        ("retrieve", lambda found: {"hits": sorted(found["hits"])}),
        ("retrieve", lambda found: {"hits": found["hits"][:3]}),
        ("sift", lambda found: {**found, "eligible": found["eligible"][::-1]}),
        ("sift", lambda found: {**found, "eligible": found["eligible"][:1]}),
        ("sift", lambda found: {**found, "excluded_by_year": found["excluded_by_year"] + 1}),
        ("sift", lambda found: {**found, "eligible": [*found["eligible"], *found["eligible"]]}),
        ("report", lambda found: {"outputs": {**found["outputs"], "papers": found["outputs"]["papers"][1:]}}),
    ],
)
def test_the_probe_notices_every_step_that_does_not_work(tmp_path, step, change):
    caught = [probing.fails(AGENT, step, change, seed, AGENT.probe.make(seed), tmp_path) for seed in range(12)]
    assert all(caught), caught
