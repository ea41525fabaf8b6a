from __future__ import annotations

from typing import Any

import pytest

from windlass.agents.reference import rag_ingest
from windlass.agents.reference.rag_retrieve import AGENT

from . import probing, runs

PAPERS: list[dict[str, Any]] = [
    {"doc_id": "statins", "title": "Statins", "text": "In the trial, statins reduced mortality by 12%.", "metadata": {"year": 2020}},
    {"doc_id": "audit", "text": "Sites were audited every spring. " * 100},
    {"doc_id": "体", "text": "患者の死亡率は低下した。"},
]


def test_what_was_ingested_is_found_again_with_the_same_ids_and_words(tmp_path):
    stored = runs.outputs(rag_ingest.AGENT, {"documents": PAPERS, "collection": "papers"}, tmp_path)
    for document, chunk_ids in zip(PAPERS, [[chunk["chunk_id"] for chunk in one["chunks"]] for one in stored["documents"]], strict=True):
        found = runs.outputs(AGENT, {"query": document["text"][:40], "collection": "papers"}, tmp_path)["chunks"][0]
        assert found["doc_id"] == document["doc_id"]
        assert found["chunk_id"] in chunk_ids
        assert document["text"][found["start"] : found["end"]] == found["text"]
        assert (found["title"], found["metadata"], found["source"]) == (document.get("title"), document.get("metadata", {}), "collection")


def test_chunks_come_best_first_and_at_most_k(tmp_path):
    runs.outputs(rag_ingest.AGENT, {"documents": PAPERS}, tmp_path)
    found = runs.outputs(AGENT, {"query": "were sites of the statins trial audited", "k": 3}, tmp_path)
    assert found["collection"] == "default"
    assert found["chunks"][0]["doc_id"] == "statins"
    assert [hit["rank"] for hit in found["chunks"]] == [1, 2, 3]
    assert [hit["score"] for hit in found["chunks"]] == sorted((hit["score"] for hit in found["chunks"]), reverse=True)


def test_ad_hoc_documents_are_searched_beside_the_collection_and_not_stored(tmp_path):
    runs.outputs(rag_ingest.AGENT, {"documents": PAPERS, "collection": "papers"}, tmp_path)
    both = runs.outputs(AGENT, {"query": "statins", "collection": "papers", "documents": [{"doc_id": "new", "text": "Statins again."}]}, tmp_path)
    assert {(hit["doc_id"], hit["source"]) for hit in both["chunks"]} == {("statins", "collection"), ("new", "ad_hoc")}
    after = runs.outputs(AGENT, {"query": "statins", "collection": "papers"}, tmp_path)
    assert [hit["doc_id"] for hit in after["chunks"]] == ["statins"]
    alone = runs.outputs(AGENT, {"query": "statins", "documents": [{"doc_id": "new", "text": "Statins again."}]}, tmp_path)
    assert (alone["collection"], alone["searched_documents"]) == (None, 1)


def test_a_collection_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    assert "none yet" in runs.refusal(AGENT, {"query": "statins"}, tmp_path)["message"]
    runs.outputs(rag_ingest.AGENT, {"documents": PAPERS, "collection": "papers"}, tmp_path)
    for inputs in ({"query": "statins", "collection": "paper"}, {"query": "statins", "collection": "paper", "documents": PAPERS}):
        error = runs.refusal(AGENT, inputs, tmp_path)
        assert (error["code"], error["details"]) == ("COLLECTION_NOT_FOUND", {"collection": "paper", "existing": ["papers"]})
        assert "'paper'" in error["message"]


def test_a_question_that_nothing_speaks_of_finds_nothing_and_says_so(tmp_path):
    answer = runs.answer(AGENT, {"query": "zebra", "documents": PAPERS}, tmp_path)
    assert answer["outputs"]["chunks"] == []
    assert answer["warnings"] == ["no chunk shares a word with the query"]
    assert answer["grounding"] == {"chunks": 0, "chunk_ids": []}


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ({}, "query"),
        ({"query": "?!"}, "query"),
        ({"query": "a b", "k": 0}, "k"),
        ({"query": "zebra", "collection": "A/B"}, "collection"),
        ({"query": "zebra", "documents": []}, "documents"),
        ({"qury": "zebra"}, "qury"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_by_name(tmp_path, inputs, field):
    error = runs.refusal(AGENT, inputs, tmp_path)
    assert error["code"] == "VALIDATION_ERROR"
    assert field in error["details"]["fieldErrors"]


def test_ten_megabytes_are_searched(tmp_path):
    found = runs.outputs(AGENT, {"query": "needle", "documents": [{"text": "hay " * 2_500_000 + "needle"}]}, tmp_path)
    assert found["chunks"][0]["text"].endswith("needle")


def test_more_than_one_run_may_hold_is_refused(tmp_path):
    documents = [{"doc_id": str(number), "text": "x" * 5_100_000} for number in range(10)]
    assert runs.refusal(AGENT, {"query": "needle", "documents": documents}, tmp_path)["code"] == "COLLECTION_TOO_LARGE"


def test_the_probe_passes_for_real_work(tmp_path):
    probing.passes(AGENT, tmp_path)


def test_the_probe_rejects_canned_answers(tmp_path):
    probing.rejects_canned_answers(AGENT, tmp_path)


def test_the_probe_needs_every_step(tmp_path):
    probing.needs_every_step(AGENT, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda result: {**result, "found": result["found"][::-1]},
        lambda result: {**result, "found": [{**hit, "score": 1.0} for hit in result["found"]]},
        lambda result: {**result, "found": result["found"][1:]},
        lambda result: {**result, "found": [{**hit, "text": hit["text"].upper()} for hit in result["found"]]},
    ],
    ids=["unsorted", "constant scores", "best left out", "not verbatim"],
)
def test_the_probe_notices_a_search_that_does_not_rank_or_quote(tmp_path, change):
    assert all(probing.fails(AGENT, "find", change, seed, AGENT.probe.make(seed), tmp_path) for seed in range(4))
