"""STAGE2_SCREEN: every record gets one fate, with its reasons, and the flow adds up."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents.reference.stage2_screen import AGENT

from . import probing, runs

FIVE = [
    {"id": "one", "title": "Valoxin for sleep: a randomised controlled trial", "year": 2020, "doi": "10.5555/one", "authors": ["Roe J"]},
    {"id": "two", "title": "Walking and sleep", "year": 2021, "study_type": "RCT", "journal": "Sleep Notes"},
    {"id": "three", "title": "Sleep in nurses: a cohort study", "year": 2021},
    {"id": "four", "title": "Sleep in rats: a randomised trial", "abstract": "Animal study.", "year": 2001},
    {"id": "five", "title": "Valoxin for sleep", "year": 2020, "doi": "https://doi.org/10.5555/ONE"},
]
CRITERIA = {"study_types": ["randomized controlled trial"], "exclude_keywords": ["rat"], "include_keywords": ["sleep"], "year_range": {"from": 2010}}


def screen(store: Path, chosen: list[dict[str, Any]], **criteria: Any) -> dict[str, Any]:
    return runs.outputs(AGENT, {"papers": chosen, "criteria": criteria}, store)


def test_of_five_papers_two_pass_two_fail_and_one_is_a_duplicate(tmp_path):
    found = screen(tmp_path, FIVE, **CRITERIA)
    assert [decided["decision"] for decided in found["decisions"]] == ["include", "include", "exclude", "exclude", "duplicate"]
    assert found["included"] == [0, 1]
    assert [[reason["code"] for reason in decided["reasons"]] for decided in found["decisions"]] == [
        [], [], ["other_study_type"], ["outside_years", "exclude_keyword"], [],
    ]  # fmt: skip
    assert (found["decisions"][4]["duplicate_of"], found["decisions"][4]["duplicate_by"]) == (0, "doi")
    prisma = found["prisma"]
    assert {key: prisma[key] for key in ("identified", "duplicates", "screened", "included", "excluded")} == {
        "identified": 5, "duplicates": 1, "screened": 4, "included": 2, "excluded": 2,
    }  # fmt: skip
    assert {code: count for code, count in prisma["excluded_by_reason"].items() if count} == {"other_study_type": 1, "outside_years": 1}


def test_what_a_record_does_not_say_speaks_against_it_under_a_reason_of_its_own(tmp_path):
    answered = runs.answer(AGENT, {"papers": [{"title": "Sleep"}], "criteria": {"study_types": ["RCT"], "year_range": [2010, 2020]}}, tmp_path)
    assert [reason["code"] for reason in answered["outputs"]["decisions"][0]["reasons"]] == ["study_type_unknown", "year_unknown"]
    assert answered["warnings"] == ["2 times a record does not say what a criterion asks for: read these papers"]


def test_include_keywords_match_any_or_all_as_whole_words(tmp_path):
    chosen = [{"title": "Sleep and pains"}, {"title": "Sleep"}, {"title": "Painters"}]
    assert screen(tmp_path, chosen, include_keywords=["sleep", "pain"])["included"] == [0, 1]
    assert screen(tmp_path, chosen, include_keywords=["sleep", "pain"], include_match="all")["included"] == [0]


def test_a_type_can_be_excluded_by_its_wider_name(tmp_path):
    found = screen(tmp_path, FIVE[:3], exclude_study_types=["observational study"])
    assert found["included"] == [0, 1]
    assert found["decisions"][2]["reasons"] == [{"code": "excluded_study_type", "detail": "excluded: observational study"}]


def test_papers_keep_keys_of_the_users_own(tmp_path):
    assert screen(tmp_path, [{"title": "Sleep", "PMID": 4, "notes": {"x": [1]}}], include_keywords=["sleep"])["included"] == [0]


def test_details_stay_short_however_many_phrases_are_missing(tmp_path):
    found = screen(tmp_path, [{"title": "Sleep"}], include_keywords=[f"w{number} " + "long " * 50 for number in range(200)])
    assert len(found["decisions"][0]["reasons"][0]["detail"]) <= 500


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ({"criteria": CRITERIA}, "papers"),
        ({"papers": FIVE}, "criteria"),
        ({"papers": [], "criteria": CRITERIA}, "papers"),
        ({"papers": FIVE, "criteria": {}}, "criteria"),
        ({"papers": FIVE, "criteria": {"include_keywords": []}}, "criteria"),
        ({"papers": FIVE, "criteria": {"include_keywords": ["—"]}}, "criteria.include_keywords.0"),
        ({"papers": FIVE, "criteria": {"include_keyword": ["sleep"]}}, "criteria.include_keyword"),
        ({"papers": FIVE, "criteria": {"year_range": {"from": 2020, "to": 2010}}}, "criteria.year_range"),
        ({"papers": FIVE, "criteria": "RCT only"}, "criteria"),
        ({"papers": FIVE, "criterias": CRITERIA}, "criterias"),
        ({"papers": [{"title": ""}], "criteria": CRITERIA}, "papers.0.title"),
    ],
)
def test_a_refusal_names_the_field(tmp_path, inputs, field):
    refused = runs.refusal(AGENT, inputs, tmp_path)
    assert refused["code"] == "VALIDATION_ERROR"
    assert field in refused["details"]["fieldErrors"]


def test_the_schema_says_what_is_required():
    assert AGENT.inputs.model_json_schema()["required"] == ["papers", "criteria"]


records = st.lists(
    st.fixed_dictionaries(
        {"title": st.sampled_from(["Sleep in four winter nights", "SLEEP in four winter nights.", "Pain: an RCT", "高血压 sleep"])},
        optional={
            "year": st.integers(2000, 2004),
            "doi": st.sampled_from(["10.5555/a", "doi:10.5555/A", "10.5555/b", "nonsense"]),
            "study_type": st.sampled_from(["RCT", "cohort", "other"]),
            "abstract": st.text(max_size=30),
        },
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=30, deadline=None)
@given(chosen=records, first=st.integers(2000, 2004))
def test_the_flow_always_adds_up(tmp_path_factory, chosen, first):
    criteria = {"include_keywords": ["sleep"], "year_range": [first, 2004], "study_types": ["RCT"]}
    found = runs.outputs(AGENT, {"papers": chosen, "criteria": criteria}, tmp_path_factory.mktemp("store"))
    prisma, decisions = found["prisma"], found["decisions"]
    assert prisma["identified"] == prisma["duplicates"] + prisma["included"] + prisma["excluded"] == len(chosen) == len(decisions)
    assert sum(prisma["excluded_by_reason"].values()) == prisma["excluded"]
    assert all(bool(decided["reasons"]) == (decided["decision"] == "exclude") for decided in decisions)
    assert all(decisions[decided["duplicate_of"]]["decision"] != "duplicate" for decided in decisions if decided["decision"] == "duplicate")


def test_thousands_of_papers_are_screened_in_time(tmp_path):
    crowd = [{"title": f"Sleep study number {number}", "abstract": "On sleep and pain. " * 20, "year": 2000 + number % 20} for number in range(5000)]
    answered = runs.answer(AGENT, {"papers": crowd, "criteria": {**CRITERIA, "exclude_keywords": [f"w{n}" for n in range(100)]}}, tmp_path)
    assert answered["status"] == "ok"
    assert answered["usage"]["duration_ms"] < 20_000


def test_the_probe_accepts_the_work(tmp_path):
    probing.passes(AGENT, tmp_path)


def test_the_probe_rejects_canned_answers(tmp_path):
    probing.rejects_canned_answers(AGENT, tmp_path)
    probing.needs_every_step(AGENT, tmp_path)


def _decided(found: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    return {"decisions": [{**decided, **fields} for decided in found["decisions"]]}


@pytest.mark.parametrize(
    ("step", "change"),
    [
        ("deduplicate", lambda _found: {"repeats": []}),
        ("deduplicate", lambda found: {"repeats": found["repeats"][1:]}),
        ("deduplicate", lambda found: {"repeats": [[position - 1, of, by] for position, of, by in found["repeats"]]}),
        ("screen", lambda found: _decided(found, decision="include", reasons=[])),
        ("screen", lambda found: _decided(found, decision="duplicate", reasons=[])),
        ("screen", lambda found: {"decisions": found["decisions"][::-1]}),
        ("screen", lambda found: {"decisions": [{**decided, "reasons": decided["reasons"][:1]} for decided in found["decisions"]][:-1]}),
        ("count", lambda found: {"outputs": {**found["outputs"], "prisma": {**found["outputs"]["prisma"], "included": 0, "excluded": 0}}}),
        ("count", lambda found: {"outputs": {**found["outputs"], "included": list(range(len(found["outputs"]["decisions"])))}}),
    ],
)
def test_the_probe_notices_every_step_that_does_not_work(tmp_path, step, change):
    for seed in range(8):
        assert probing.fails(AGENT, step, change, seed, AGENT.probe.make(seed), tmp_path), f"seed {seed}"
