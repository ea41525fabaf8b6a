"""EVIDENCE_SYNTHESIS: pooled where studies can be, rated by rules, with conflicts and limitations named from the data."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents import conflicts, papers
from windlass.agents.reference.evidence_synthesis import AGENT

from . import probing, runs
from .test_pooling import effect

Change = Callable[[Mapping[str, Any]], dict[str, Any]]
QUESTION = "Does walking prevent falls?"


def trial(name: str, result: str, kind: str = "RCT", people: int = 1200, **fields: Any) -> dict[str, Any]:
    return {"id": name, "title": f"Walking, part {name}", "study_type": kind, "abstract": f"We enrolled {people} adults. {result}", **fields}


TWO = [trial("a", "The HR for falls was 0.75 (95% CI 0.62–0.91)."), trial("b", "The HR for falls was 0.80 (95% CI 0.64 to 1.00).")]


def synthesis(store: Path, records: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    return runs.outputs(AGENT, {"research_question": QUESTION, "papers": records, **fields}, store)


def codes(found: Mapping[str, Any]) -> set[str]:
    return {limit["code"] for limit in found["limitations"]}


def test_two_trials_are_pooled_and_rated(tmp_path):
    found = synthesis(tmp_path, TWO)
    (body,) = found["bodies"]
    assert (body["measure"], body["outcome"], body["stream"], body["participants"]) == ("HR", "falls", "randomized", 2400)
    assert body["pooled"]["estimate"] == pytest.approx(0.77086, abs=1e-5)  # by hand: weights 104.356 and 77.148
    assert (body["certainty"]["level"], body["certainty"]["provisional"]) == ("high", True)
    assert sum(study["weight"] for study in body["studies"]) == pytest.approx(100)
    assert codes(found) == {"NOT_JUDGED", "ABSTRACTS_ONLY"}


def test_streams_are_apart_reviews_repeats_and_mute_papers_are_left_out(tmp_path):
    more = [
        trial("c", "The HR for falls was 1.90 (95% CI 1.50 to 2.41).", "cohort study"),
        trial("d", "The HR for falls was 0.70 (95% CI 0.60 to 0.82).", "systematic review"),
        trial("e", "Nobody fell.", "cohort study"),
        {**TWO[0], "id": "f", "doi": "https://doi.org/10.5555/A"},
        {"title": "Walking", "abstract": "HR 0.5 (95% CI 0.4 to 0.6)"},
        trial("g", "The HR was 0.4 (95% CI 0.3 to 0.5).", "animal study"),
    ]
    found = synthesis(tmp_path, [{**TWO[0], "doi": "10.5555/a"}, TWO[1], *more])
    assert [(body["stream"], len(body["studies"])) for body in found["bodies"]] == [("randomized", 2), ("observational", 1)]
    reasons = [row["left_out"] for row in found["evidence_table"]]
    assert reasons[:3] == [None, None, None]
    assert all(
        word in (reason or "")
        for word, reason in zip(["twice", "no named effect", "same paper as record 1", "not stated", "not rated"], reasons[3:], strict=True)
    )
    assert [conflict["kinds"] for conflict in found["conflicts"]] == [
        ["opposite_directions", "contradiction", "intervals_apart"],
        ["opposite_directions", "intervals_apart"],
    ]
    assert found["overall_certainty"] == "low"
    assert {"LEFT_OUT", "SINGLE_STUDY"} <= codes(found)


def test_outcomes_and_measures_are_not_mixed(tmp_path):
    others = [trial("b", "The HR for death was 0.80 (95% CI 0.64 to 1.00)."), trial("c", "The OR for falls was 0.80 (95% CI 0.64 to 1.00).")]
    found = synthesis(tmp_path, [TWO[0], *others])
    assert [(body["measure"], body["outcome"], body["pooled"]) for body in found["bodies"]] == [
        ("HR", "falls", None), ("HR", "death", None), ("OR", "falls", None),
    ]  # fmt: skip


def test_an_interval_of_no_stated_level_is_not_pooled(tmp_path):
    found = synthesis(tmp_path, [*TWO, trial("c", "The HR for falls was 0.50 [0.40, 0.60].")])
    study = found["bodies"][0]["studies"][2]
    assert (study["weight"], study["not_pooled"]) == (None, "the text does not say what the interval is")
    assert found["bodies"][0]["pooled"]["studies"] == 2
    assert "NOT_POOLED" in codes(found)


def test_heterogeneity_lowers_and_is_named(tmp_path):
    found = synthesis(tmp_path, [TWO[0], trial("b", "The HR for falls was 2.00 (95% CI 1.60 to 2.50).")])
    steps = [step["domain"] for step in found["bodies"][0]["certainty"]["steps"]]
    assert steps[0] == "inconsistency"
    assert "HETEROGENEITY" in codes(found)


def test_judgements_are_counted_where_they_belong(tmp_path):
    judgements = [
        {"domain": "risk_of_bias", "levels": -1, "reason": "nobody was blind"},
        {"domain": "indirectness", "levels": 0, "reason": "the same people", "outcome": "Falls"},
        {"domain": "publication_bias", "levels": -2, "reason": "elsewhere", "outcome": "death"},
    ]
    certainty = synthesis(tmp_path, TWO, judgements=judgements)["bodies"][0]["certainty"]
    assert [(step["domain"], step["reason"]) for step in certainty["steps"]] == [("risk_of_bias", "nobody was blind")]
    assert (certainty["level"], certainty["not_judged"]) == ("moderate", ["publication_bias"])


def test_papers_without_effects_are_no_evidence(tmp_path):
    found = synthesis(tmp_path, [trial("a", "Nobody fell.")])
    assert (found["bodies"], found["overall_certainty"], found["conflicts"]) == ([], None, [])
    assert "NO_EVIDENCE" in codes(found)


def test_a_paper_off_the_question_is_named(tmp_path):
    found = synthesis(tmp_path, [*TWO, {"title": "Zinc", "abstract": "Nothing."}])
    assert {"code": "OFF_QUESTION", "text": "1 of 3 papers share no word with the question", "citation_keys": ["paper3"]} in found["limitations"]


def test_a_lopsided_interval_is_named(tmp_path):
    assert "LOPSIDED_INTERVAL" in codes(synthesis(tmp_path, [trial("a", "The HR for falls was 0.64 (95% CI 0.62–0.91).")]))


def test_the_shipped_corpus_is_synthesized(tmp_path):
    corpus = [paper.model_dump(exclude_none=True) for paper in papers.shipped()]
    answered = runs.answer(AGENT, {"research_question": "Does valoxin reduce hospital readmission?", "papers": corpus}, tmp_path)
    assert answered["status"] == "ok"
    assert "synthetic" in answered["warnings"][0]
    assert len(answered["outputs"]["evidence_table"]) == 60


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ({"papers": TWO}, "research_question"),
        ({"research_question": QUESTION}, "papers"),
        ({"research_question": QUESTION, "papers": []}, "papers"),
        ({"research_question": "the", "papers": TWO}, "research_question"),
        ({"research_questoin": QUESTION, "papers": TWO}, "research_questoin"),
        ({"research_question": QUESTION, "papers": TWO, "judgments": []}, "judgments"),
        ({"research_question": QUESTION, "papers": TWO, "judgements": [{"domain": "mood", "levels": -1, "reason": "x"}]}, "judgements.0.domain"),
        ({"research_question": QUESTION, "papers": TWO, "judgements": [{"domain": "risk_of_bias", "levels": 1, "reason": "x"}]}, "judgements.0"),
        ({"research_question": QUESTION, "papers": TWO, "judgements": [{"domain": "large_effect", "levels": -1, "reason": "x"}]}, "judgements.0"),
    ],
)
def test_a_refusal_names_the_field(tmp_path, inputs, field):
    refused = runs.refusal(AGENT, inputs, tmp_path)
    assert refused["code"] == "VALIDATION_ERROR"
    assert field in refused["details"]["fieldErrors"]
    assert AGENT.inputs.model_json_schema()["required"] == ["research_question", "papers"]


def test_live_mode_without_evidence_is_refused(tmp_path):
    for records in ([{"title": "x"}], [{**TWO[0], "synthetic": True}]):
        refused = runs.refusal(AGENT, {"research_question": QUESTION, "papers": records}, tmp_path, mode="LIVE")
        assert refused["code"] == "EVIDENCE_REQUIRED"


def test_pairs_that_disagree_are_found_and_no_others():
    effects = [effect("HR", 0.5, 0.4, 0.6), effect("HR", 2.0, 1.5, 2.5), effect("HR", 1.1, 0.55, 2.2), effect("HR", 0.5, None, None, None, None)]
    found = {(pair.first, pair.second): pair.kinds for pair in conflicts.between(effects, lambda: None)}
    assert found == {
        (0, 1): ("opposite_directions", "contradiction", "intervals_apart"),
        (0, 2): ("opposite_directions",),
        (1, 3): ("opposite_directions",),
        (2, 3): ("opposite_directions",),
    }


def test_hundreds_of_studies_are_compared_in_time(tmp_path):
    crowd = [trial(str(n), f"The HR for falls was {0.5 + n % 100 / 100:.2f} (95% CI 0.40 to 1.60).") for n in range(500)]
    answered = runs.answer(AGENT, {"research_question": QUESTION, "papers": crowd}, tmp_path)
    assert answered["status"] == "ok"
    assert answered["outputs"]["conflicts_found"] > 500 == len(answered["outputs"]["conflicts"])
    assert answered["usage"]["duration_ms"] < 10_000


results = st.sampled_from(
    [
        "The HR for falls was 0.75 (95% CI 0.62–0.91).",
        "HR 1.2 [1.1, 1.3]",
        "OR 2 (90% CI 1.5-2.5)",
        "MD −1.2 (95% CI −2.0 to −0.4) for falls",
        "None.",
    ]
)


@settings(max_examples=25, deadline=None)
@given(chosen=st.lists(st.tuples(results, st.sampled_from(["RCT", "cohort", "review", "case report"])), min_size=1, max_size=6))
def test_every_study_and_level_comes_from_the_papers(tmp_path_factory, chosen):
    given = [trial(str(place), result, kind) for place, (result, kind) in enumerate(chosen)]
    found = synthesis(tmp_path_factory.mktemp("store"), given)
    keys = [cited["key"] for cited in found["citations"]]
    by_key = dict(zip(keys, given, strict=True))
    for body in found["bodies"]:
        for study in body["studies"]:
            stated = study["effect"]
            assert by_key[study["citation_key"]]["abstract"][stated["start"] : stated["end"]] == stated["quote"]
        assert (body["pooled"] is None) == (sum(study["weight"] is not None for study in body["studies"]) < 2)
    assert {key for limit in found["limitations"] for key in limit["citation_keys"]} <= set(keys)
    assert len(found["evidence_table"]) == len(given)


def test_the_probe_accepts_the_work(tmp_path):
    probing.passes(AGENT, tmp_path)


def test_the_probe_rejects_canned_answers(tmp_path):
    probing.rejects_canned_answers(AGENT, tmp_path)
    probing.needs_every_step(AGENT, tmp_path)


def _bodies(found: Mapping[str, Any], change: Change) -> dict[str, Any]:
    return {**found, "bodies": [change(body) for body in found["bodies"]]}


def _pooled(body: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    return {**body, "pooled": {**body["pooled"], **fields} if body["pooled"] else None}


@pytest.mark.parametrize(
    ("step", "change"),
    [
        ("read", lambda found: {**found, "rows": [{**row, "effects": []} for row in found["rows"]]}),
        ("read", lambda found: {**found, "shared": [[] for _row in found["shared"]]}),
        ("assess", lambda found: _bodies(found, lambda body: {**body, "pooled": None})),
        ("assess", lambda found: _bodies(found, lambda body: _pooled(body, estimate=1.0))),
        ("assess", lambda found: _bodies(found, lambda body: _pooled(body, i_squared=-1.0))),
        ("assess", lambda found: _bodies(found, lambda body: _pooled(body, q_p_value=2.0))),
        ("assess", lambda found: _bodies(found, lambda body: {**body, "participants": 1})),
        ("assess", lambda found: {**found, "left_out": [None for _row in found["left_out"]]}),
        ("assess", lambda found: {**found, "limitations": []}),
        ("compare", lambda _found: {"conflicts": [], "conflicts_found": 0}),
        ("report", lambda found: {"outputs": {**found["outputs"], "evidence_table": found["outputs"]["evidence_table"][::-1]}}),
    ],
)
def test_the_probe_notices_every_step_that_does_not_work(tmp_path, step, change):
    for seed in range(5):
        assert probing.fails(AGENT, step, change, seed, AGENT.probe.make(seed), tmp_path), f"seed {seed}"


def test_the_probe_notices_a_constant_certainty(tmp_path):
    def always(level: str) -> Change:
        return lambda found: _bodies(found, lambda body: {**body, "certainty": {**body["certainty"], "level": level}})

    for level in ("high", "very low"):
        assert any(probing.fails(AGENT, "assess", always(level), seed, AGENT.probe.make(seed), tmp_path) for seed in range(5))
