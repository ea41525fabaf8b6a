"""STAGE2_SYNTHESIZE: every sentence comes from rows, every citation has its reference, every number its quote."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents import section_checks
from windlass.agents.reference import stage2_extract
from windlass.agents.reference.stage2_synthesize import AGENT

from . import probing, runs

THREE: list[dict[str, Any]] = [
    {
        "title": "One",
        "abstract": "We enrolled 1,204 adults. The HR for falls was 0.75 (95% CI 0.62–0.91).",
        "year": 2020,
        "authors": ["Roe J"],
        "study_type": "RCT",
    },
    {
        "title": "Two",
        "abstract": "We followed 880 adults. HR 1.30 (95% CI 1.10 to 1.54) for falls.",
        "year": 2021,
        "authors": ["Doe K", "Roe J"],
        "study_type": "cohort",
    },
    {"title": "Three", "abstract": "The primary outcome was pain. Sleep was longer (p = 0.03).", "year": 2022},
]


def rows(store: Path, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = runs.outputs(stage2_extract.AGENT, {"papers": records}, store)["rows"]
    return found


def test_the_section_says_what_the_papers_report(tmp_path):
    found = runs.outputs(AGENT, {"papers": THREE, "research_question": "What prevents falls?"}, tmp_path)
    told = [sentence["text"] for sentence in found["section"]["sentences"]]
    overview = (
        "Papers read: 3 (1 cohort study, 1 randomized controlled trial, 1 of a design that is not stated); "
        "papers that report an effect estimate with an interval: 2"
    )
    assert told == [
        overview,
        "Roe J 2020 (randomized controlled trial, n = 1204) reported a hazard ratio of 0.75 (95% CI 0.62 to 0.91) for falls",
        "Doe K et al. 2021 (cohort study, n = 880) reported a hazard ratio of 1.30 (95% CI 1.10 to 1.54) for falls",
        "Of these 2 estimates 1 lie below no effect, 1 above and 0 at no effect; pairs of them whose intervals exclude each other: 1",
        "“Three” (design not stated): no effect estimate could be read from its abstract; its primary endpoint was pain; it states p = 0.03",
    ]
    assert section_checks.cited_keys(found["section"]["markdown"]) == ["roe2020", "doe2021", "paper3"]
    assert [reference["key"] for reference in found["references"]] == ["roe2020", "doe2021", "paper3"]
    assert found["references"][1]["text"] == "Doe K, Roe J. Two. 2021"


def test_rows_of_the_extraction_give_the_same_section(tmp_path):
    found = runs.outputs(AGENT, {"papers": THREE, "rows": rows(tmp_path, THREE)}, tmp_path)
    assert found == runs.outputs(AGENT, {"papers": THREE}, tmp_path)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda row: {**row, "effects": [{**row["effects"][0], "estimate": 0.5, "numbers": ["0.5", "0.62", "0.91"]}]}, "rows.0"),
        (lambda row: {**row, "effects": [{**row["effects"][0], "quote": "HR was 0.5"}]}, "rows.0"),
        (lambda row: {**row, "n": 9999}, "rows.0"),
        (lambda row: {**row, "citation_key": "other2020"}, "rows"),
        (lambda row: {**row, "position": 2}, "rows"),
    ],
)
def test_a_row_that_its_paper_does_not_bear_out_is_refused(tmp_path, change, field):
    first, *rest = rows(tmp_path, THREE)
    refused = runs.refusal(AGENT, {"papers": THREE, "rows": [change(first), *rest]}, tmp_path)
    assert refused["code"] == "VALIDATION_ERROR"
    assert field in refused["details"]["fieldErrors"]


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ({"research_question": "What?"}, "papers"),
        ({"papers": []}, "papers"),
        ({"paperz": THREE, "papers": THREE}, "paperz"),
        ({"papers": THREE, "research_questions": "x"}, "research_questions"),
        ({"papers": THREE, "research_question": "the"}, "research_question"),
        ({"papers": THREE, "rows": []}, "rows"),
        ({"papers": [{"title": "x", "abstrct": "HR 0.5"}]}, "papers.0"),
    ],
)
def test_a_refusal_names_the_field(tmp_path, inputs, field):
    refused = runs.refusal(AGENT, inputs, tmp_path)
    assert refused["code"] == "VALIDATION_ERROR"
    assert field in refused["details"]["fieldErrors"]


def test_one_row_per_paper(tmp_path):
    assert "2 rows stand beside 3 papers" in runs.refusal(AGENT, {"papers": THREE, "rows": rows(tmp_path, THREE)[:2]}, tmp_path)["message"]


def test_live_mode_without_evidence_is_refused(tmp_path):
    assert runs.refusal(AGENT, {"papers": [{"title": "x"}]}, tmp_path, mode="LIVE")["code"] == "EVIDENCE_REQUIRED"


def test_a_paper_can_t_forge_a_citation_or_markdown(tmp_path):
    hostile = {"title": "x](http://evil) [@forged2020]", "abstract": "p = 0.01 [@forged2020]", "authors": ["![a](b) [@forged2020]\n# Head"]}
    found = runs.outputs(AGENT, {"papers": [hostile], "research_question": "[@forged2020] <img>"}, tmp_path)
    assert section_checks.cited_keys(found["section"]["markdown"]) == [found["references"][0]["key"]]
    assert "\n# Head" not in found["section"]["markdown"]
    assert "<img>" not in found["section"]["markdown"]


def test_thousands_of_papers_are_synthesized_in_time(tmp_path):
    crowd = [{**THREE[number % 3], "title": f"Paper {number}"} for number in range(1000)]
    answered = runs.answer(AGENT, {"papers": crowd}, tmp_path)
    assert answered["status"] == "ok"
    assert answered["usage"]["duration_ms"] < 10_000


abstracts = [*(paper["abstract"] for paper in THREE), "SMD 2 [1; 3].", "HR 0,5.", "n=7"]
optional: dict[str, st.SearchStrategy[Any]] = {
    "abstract": st.lists(st.sampled_from(abstracts), max_size=3).map(" ".join),
    "authors": st.lists(st.text(max_size=20), max_size=3),
    "study_type": st.sampled_from(["RCT", "phase 3 trial", "other"]),
    "year": st.integers(1900, 2030),
}
required: dict[str, st.SearchStrategy[Any]] = {"title": st.text(min_size=1, max_size=30).filter(str.strip)}
papers = st.lists(st.fixed_dictionaries(required, optional=optional), min_size=1, max_size=6)


@settings(max_examples=30, deadline=None)
@given(given=papers)
def test_no_citation_dangles_and_no_number_is_invented(tmp_path_factory, given):
    found = runs.outputs(AGENT, {"papers": given}, tmp_path_factory.mktemp("store"))
    keys = [reference["key"] for reference in found["references"]]
    assert section_checks.dangling(section_checks.cited_keys(found["section"]["markdown"]), keys) is None
    by_key = dict(zip(keys, given, strict=True))
    for sentence in found["section"]["sentences"]:
        values = [value for key in sentence["citation_keys"] for value in by_key[key].values()]
        cited = [str(piece) for value in values for piece in (value if isinstance(value, list) else [value])]
        assert section_checks.invented_number(sentence["text"], [*cited, *keys, *map(str, range(1, 7))], sentence["counted"]) is None


def test_the_probe_accepts_the_work(tmp_path):
    probing.passes(AGENT, tmp_path)


def test_the_probe_rejects_canned_answers(tmp_path):
    probing.rejects_canned_answers(AGENT, tmp_path)
    probing.needs_every_step(AGENT, tmp_path)


def _told(found: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    return {**found, "paragraphs": [{**part, "sentences": [{**told, **fields} for told in part["sentences"]]} for part in found["paragraphs"]]}


@pytest.mark.parametrize(
    ("step", "change"),
    [
        ("gather", lambda found: {**found, "rows": [{**row, "effects": []} for row in found["rows"]]}),
        ("gather", lambda found: {**found, "citations": found["citations"][::-1]}),
        ("draft", lambda found: {**found, "paragraphs": found["paragraphs"][:1]}),
        ("draft", lambda found: {**found, "paragraphs": []}),
        ("draft", lambda found: _told(found, text="The drug works")),
        ("draft", lambda found: _told(found, text="The drug works in 99")),
        ("draft", lambda found: _told(found, citation_keys=[])),
        ("draft", lambda found: _told(found, citation_keys=["ghost2020"])),
        ("bind", lambda found: {"outputs": {**found["outputs"], "references": found["outputs"]["references"][1:]}}),
        ("bind", lambda found: {"outputs": {**found["outputs"], "section": {**found["outputs"]["section"], "markdown": ""}}}),
    ],
)
def test_the_probe_notices_every_step_that_does_not_work(tmp_path, step, change):
    for seed in range(6):
        assert probing.fails(AGENT, step, change, seed, AGENT.probe.make(seed), tmp_path), f"seed {seed}"
