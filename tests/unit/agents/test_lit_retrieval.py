"""LIT_RETRIEVAL finds what speaks of the query, and says where it looked."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents import papers
from windlass.agents.reference.lit_retrieval import AGENT

from . import probing, runs

CORPUS = [
    {"id": "sleep", "title": "Sleep after surgery", "abstract": "Pain keeps people awake.", "year": 2020, "shelf": {"row": 4}},
    {"title": "Walking against low back pain", "keywords": ["exercise", "pain", "pain"], "doi": "10.5555/w", "authors": "Roe J; Doe A"},
    {"id": 77, "title": "Migraine in children"},
]


def test_the_best_paper_comes_first_with_its_own_record(tmp_path):
    found = runs.outputs(AGENT, {"query": "back pain", "corpus": CORPUS}, tmp_path)
    assert [paper["id"] for paper in found["papers"]] == ["paper-2", "sleep"]
    assert found["papers"][0] | {"score": 0} == {
        "rank": 1, "id": "paper-2", "title": "Walking against low back pain", "year": None, "journal": None, "authors": ["Roe J", "Doe A"],
        "doi": "10.5555/w", "score": 0, "matched_terms": ["back", "pain"], "synthetic": False,
    }  # fmt: skip
    assert found["papers"][0]["score"] > found["papers"][1]["score"] > 0
    assert (found["total_matches"], found["corpus_size"], found["source"], found["synthetic_count"]) == (2, 3, "inline", 0)


def test_matches_beyond_max_results_are_counted(tmp_path):
    found = runs.outputs(AGENT, {"query": "pain", "corpus": CORPUS, "max_results": 1}, tmp_path)
    assert (len(found["papers"]), found["total_matches"]) == (1, 2)


def test_demo_mode_searches_the_shipped_corpus_and_warns_that_it_is_synthetic(tmp_path):
    answered = runs.answer(AGENT, AGENT.example, tmp_path)
    found = answered["outputs"]
    assert found["source"] == "demo"
    assert found["corpus_size"] == len(papers.shipped())
    assert found["synthetic_count"] == len(found["papers"]) == 5
    assert "breast cancer" in found["papers"][0]["title"]
    assert "synthetic" in answered["warnings"][0]


def test_live_mode_without_a_corpus_is_refused_and_with_one_is_answered(tmp_path):
    assert runs.refusal(AGENT, {"query": "pain"}, tmp_path, mode="LIVE")["code"] == "CORPUS_REQUIRED"
    assert runs.outputs(AGENT, {"query": "pain", "corpus": CORPUS}, tmp_path, mode="LIVE")["total_matches"] == 2


def test_a_query_that_nothing_speaks_of_finds_nothing_and_says_so(tmp_path):
    answered = runs.answer(AGENT, {"query": "volcano", "corpus": CORPUS}, tmp_path)
    assert answered["outputs"]["papers"] == []
    assert answered["warnings"] == ["none of the 3 papers shares a word with the query"]


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ({}, "query"),
        ({"query": ""}, "query"),
        ({"query": "the of — !"}, "query"),
        ({"query": 5}, "query"),
        ({"qeury": "pain"}, "qeury"),
        ({"query": "pain", "max_results": 0}, "max_results"),
        ({"query": "pain", "max_results": 201}, "max_results"),
        ({"query": "pain", "max_results": "9"}, "max_results"),
        ({"query": "pain", "corpus": []}, "corpus"),
        ({"query": "pain", "corpus": [{"abstract": "no title"}]}, "corpus.0.title"),
        ({"query": "pain", "corpus": [{"title": "x", "year": "2020"}]}, "corpus.0.year"),
    ],
)
def test_a_refusal_names_the_field(tmp_path, inputs, field):
    refused = runs.refusal(AGENT, inputs, tmp_path)
    assert refused["code"] == "VALIDATION_ERROR"
    assert field in refused["details"]["fieldErrors"]
    assert field in refused["message"]


def test_the_schema_says_that_a_query_is_required():
    assert AGENT.inputs.model_json_schema()["required"] == ["query"]


def test_a_search_ends_when_its_time_is_up(tmp_path):
    crowd = [{"title": f"paper {number}", "abstract": "many words on pain " * 50} for number in range(4000)]
    refused = runs.refusal(AGENT, {"query": "pain", "corpus": crowd}, tmp_path, budgets={"timeout_ms": 30})
    assert refused["code"] == "BUDGET_EXCEEDED"


@settings(max_examples=20, deadline=None)
@given(query=st.text(min_size=1, max_size=30), titles=st.lists(st.text(min_size=1, max_size=50), min_size=1, max_size=5))
def test_any_text_is_answered_or_refused_by_name(tmp_path_factory, query, titles):
    answered = runs.answer(AGENT, {"query": query, "corpus": [{"title": title} for title in titles]}, tmp_path_factory.mktemp("store"))
    assert answered["status"] == "ok" or answered["error"]["code"] == "VALIDATION_ERROR"
    assert all(paper["title"] in titles and paper["matched_terms"] for paper in answered["outputs"].get("papers", ()))


def test_the_probe_accepts_the_work(tmp_path):
    probing.passes(AGENT, tmp_path)


def test_the_probe_rejects_canned_answers(tmp_path):
    probing.rejects_canned_answers(AGENT, tmp_path)
    probing.needs_every_step(AGENT, tmp_path)


@pytest.mark.parametrize(
    ("step", "change"),
    [
        ("choose", lambda found: {**found, "source": "demo"}),
        ("rank", lambda found: {"hits": found["hits"][::-1]}),
        ("rank", lambda found: {"hits": sorted(found["hits"])}),
        ("rank", lambda found: {"hits": [[position, 1.0] for position, _score in found["hits"]]}),
        ("rank", lambda found: {"hits": found["hits"][:-1]}),
        ("rank", lambda found: {"hits": [*found["hits"], [0, 0.0]]}),
        ("present", lambda found: {"outputs": {**found["outputs"], "papers": [{**p, "matched_terms": []} for p in found["outputs"]["papers"]]}}),
        ("present", lambda found: {"outputs": {**found["outputs"], "papers": found["outputs"]["papers"][:1]}}),
    ],
)
def test_the_probe_notices_every_step_that_does_not_work(tmp_path, step, change):
    for seed in range(8):
        assert probing.fails(AGENT, step, change, seed, AGENT.probe.make(seed), tmp_path), f"seed {seed}"
