"""STAGE2_EXTRACT: one row per paper, in order, under its citation key; every finding stands where the row says."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents import papers
from windlass.agents.reference.stage2_extract import AGENT

from . import probing, runs

TWO = [
    {"title": "Sleep", "abstract": "We randomly assigned 1,204 adults. HR 0.75 (95% CI 0.62–0.91); p < 0.001.", "year": 2020, "authors": ["Roe J"]},
    {"title": "Sleep again: a cohort study", "year": 2020, "authors": "Roe J; Doe K", "doi": "10.5555/x"},
]


def test_rows_stand_beside_their_citations(tmp_path):
    answered = runs.answer(AGENT, {"papers": TWO}, tmp_path)
    found = answered["outputs"]
    assert [row["citation_key"] for row in found["rows"]] == [cited["key"] for cited in found["citations"]] == ["roe2020", "roe2020b"]
    assert [(row["n"], row["has_text"], row["design"]["kind"]) for row in found["rows"]] == [
        (1204, True, "randomized controlled trial"),
        (None, False, "cohort study"),
    ]
    assert found["counts"] == {
        "papers": 2, "with_text": 1, "with_n": 1, "with_effect": 1, "with_interval": 1, "effects": 1, "p_values": 1, "endpoints": 0, "unread": 0,
    }  # fmt: skip
    assert answered["warnings"] == ["1 of 2 papers have no abstract to read: roe2020b"]


def test_bare_abstracts_are_read_under_keys_of_their_own(tmp_path):
    found = runs.outputs(AGENT, {"abstracts": ["n = 30", {"id": "mine", "text": "p = 0,03"}]}, tmp_path)
    assert [(cited["key"], cited["id"], cited["title"]) for cited in found["citations"]] == [
        ("abstract1", "abstract-1", None),
        ("mine", "mine", None),
    ]
    assert [row["n"] for row in found["rows"]] == [30, None]
    assert "not guessed" in found["rows"][1]["unread"][0]["reason"]


def test_both_task_types_are_this_agent_s(tmp_path):
    assert AGENT.task_types == ("STAGE2_EXTRACT", "STAGE_2_EXTRACT")
    assert runs.answer(AGENT, AGENT.example, tmp_path, task_type="STAGE_2_EXTRACT")["task_type"] == "STAGE_2_EXTRACT"


def test_the_shipped_corpus_is_read_whole(tmp_path):
    corpus = [paper.model_dump(exclude_none=True) for paper in papers.shipped()]
    answered = runs.answer(AGENT, {"papers": corpus}, tmp_path)
    counts = answered["outputs"]["counts"]
    assert (counts["papers"], counts["with_n"], counts["with_interval"], counts["unread"]) == (60, 60, 48, 0)
    assert "synthetic" in answered["warnings"][0]


@pytest.mark.parametrize(
    ("inputs", "field", "said"),
    [
        ({}, "body", "papers or abstracts"),
        ({"papers": TWO, "abstracts": ["x"]}, "body", "both given"),
        ({"papers": []}, "papers", "at least 1"),
        ({"paper": TWO}, "paper", "did you mean 'papers'"),
        ({"abstract": ["x"]}, "abstract", "did you mean 'abstracts'"),
        ({"papers": [{"title": "x", "abstarct": "HR 0.5"}]}, "papers.0", "did you mean 'abstract'"),
        ({"papers": [{"titel": "x"}]}, "papers.0.title", "is required"),
        ({"papers": [{"title": "x", "abstract": 5}]}, "papers.0.abstract", "string"),
        ({"abstracts": [{"txt": "x"}]}, "abstracts.0.Abstract.txt", "not a known key"),
        ({"abstracts": [" "]}, "abstracts.0.constrained-str", "match"),
    ],
)
def test_a_refusal_names_the_field(tmp_path, inputs, field, said):
    refused = runs.refusal(AGENT, inputs, tmp_path)
    assert refused["code"] == "VALIDATION_ERROR"
    assert said in " ".join(refused["details"]["fieldErrors"][field])


@pytest.mark.parametrize("given", [[{"title": "x"}], [{"title": "x", "abstract": "n = 5", "synthetic": True}]])
def test_live_mode_takes_only_real_papers_with_text(tmp_path, given):
    assert runs.refusal(AGENT, {"papers": given}, tmp_path, mode="LIVE")["code"] == "EVIDENCE_REQUIRED"


def test_live_mode_reads_real_papers(tmp_path):
    assert runs.outputs(AGENT, {"papers": TWO}, tmp_path, mode="LIVE")["counts"]["effects"] == 1


def test_ten_megabytes_in_one_abstract_are_refused_at_once(tmp_path):
    answered = runs.answer(AGENT, {"papers": [{"title": "x", "abstract": "HR 0.5 (95% CI 0.4-0.6) " * 420_000}]}, tmp_path)
    assert answered["error"]["details"]["fieldErrors"].keys() == {"papers.0.abstract"}
    assert answered["usage"]["duration_ms"] < 1000


def test_long_foreign_and_hostile_papers_are_read_in_time(tmp_path):
    crowd = [
        {"title": "高血压", "abstract": text} for text in ("高血压患者。" * 8000, "HR [" * 10_000, "\u202e\u0000<script>" * 3000, "", "1," * 20_000)
    ]
    answered = runs.answer(AGENT, {"papers": crowd * 2}, tmp_path)
    assert answered["status"] == "ok"
    assert answered["usage"]["duration_ms"] < 3000


words = st.sampled_from(["HR 0.75 (95% CI 0.62–0.91)", "n = 1,204", "p = .03", "p = 0,03", "880 women", "a cohort study", "OR", "0.5", "–", "é", "."])
texts = st.lists(words, max_size=8).map(" ".join)


@settings(max_examples=25, deadline=None)
@given(
    given=st.lists(
        st.fixed_dictionaries({"title": st.just("On sleep")}, optional={"abstract": texts, "authors": st.just(["Roe J"])}), min_size=1, max_size=5
    )
)
def test_no_number_quote_or_key_is_invented(tmp_path_factory, given):
    found = runs.outputs(AGENT, {"papers": given}, tmp_path_factory.mktemp("store"))
    assert len({row["citation_key"] for row in found["rows"]}) == len(found["rows"]) == len(found["citations"]) == len(given)
    for paper, row in zip(given, found["rows"], strict=True):
        places: list[dict[str, Any]] = [*row["effects"], *row["p_values"], *row["sample_sizes"], *row["endpoints"], *row["unread"]]
        for place in places:
            assert paper[place["field"]][place["start"] : place["end"]] == place["quote"] != ""
        assert all(number in effect["quote"] for effect in row["effects"] for number in effect["numbers"])


def test_the_probe_accepts_the_work(tmp_path):
    probing.passes(AGENT, tmp_path)


def test_the_probe_rejects_canned_answers(tmp_path):
    probing.rejects_canned_answers(AGENT, tmp_path)
    probing.needs_every_step(AGENT, tmp_path)


@pytest.mark.parametrize(
    ("step", "change"),
    [
        ("identify", lambda found: {"citations": found["citations"][::-1]}),
        ("identify", lambda found: {"citations": [{**cited, "key": "same"} for cited in found["citations"]]}),
        ("extract", lambda found: {"rows": found["rows"][:-1]}),
        ("extract", lambda found: {"rows": found["rows"][::-1]}),
        ("extract", lambda found: {"rows": [{**row, "effects": []} for row in found["rows"]]}),
        ("extract", lambda found: {"rows": [{**row, "n": None} for row in found["rows"]]}),
        ("extract", lambda found: {"rows": [{**row, "unread": []} for row in found["rows"]]}),
        ("extract", lambda found: {"rows": [{**row, "design": {**row["design"], "kind": "cohort"}} for row in found["rows"]]}),
        ("extract", lambda found: {"rows": [{**row, "effects": [{**row["effects"][0], "estimate": 1.0}]} for row in found["rows"]]}),
        ("extract", lambda found: {"rows": [{**row, "endpoints": [{**row["endpoints"][0], "start": 0}]} for row in found["rows"]]}),
        ("verify", lambda found: {"outputs": {**found["outputs"], "counts": dict.fromkeys(found["outputs"]["counts"], 0)}}),
    ],
)
def test_the_probe_notices_every_step_that_does_not_work(tmp_path, step, change):
    for seed in range(6):
        assert probing.fails(AGENT, step, change, seed, AGENT.probe.make(seed), tmp_path), f"seed {seed}"
