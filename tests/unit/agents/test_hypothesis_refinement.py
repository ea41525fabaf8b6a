from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents import hypothesis_refinements, hypothesis_slots, smart
from windlass.agents.reference.hypothesis_refinement import AGENT

from . import probing, runs

HYPOTHESIS = "We hypothesise that metformin reduces HbA1c by 0.5% in adults with type 2 diabetes compared with placebo within 12 weeks."


def quotes(outputs: Mapping[str, Any], slot: str) -> list[str]:
    return [piece["quote"] for piece in outputs["picot"][slot]]


def test_a_complete_hypothesis_has_every_slot_and_nothing_to_add(tmp_path):
    outputs = runs.outputs(AGENT, {"hypothesis": HYPOTHESIS}, tmp_path)
    assert quotes(outputs, "population") == ["adults with type 2 diabetes"]
    assert quotes(outputs, "intervention") == ["metformin"]
    assert quotes(outputs, "comparison") == ["placebo"]
    assert quotes(outputs, "outcome") == ["HbA1c"]
    assert quotes(outputs, "time") == ["12 weeks"]
    assert (outputs["direction"]["quote"], outputs["size"]["quote"]) == ("reduces", "0.5%")
    assert outputs["missing_slots"] == outputs["refinements"] == []
    assert {check["id"] for check in outputs["checks"] if not check["met"]} == {"outcome_felt"}
    assert outputs["total"] == 90.0


def test_what_is_missing_is_a_placeholder_and_the_rest_is_in_the_users_words(tmp_path):
    outputs = runs.outputs(AGENT, AGENT.example, tmp_path)
    best = outputs["refinements"][0]
    assert best["text"] == (
        "In adults with breast cancer, daily walking reduces fatigue by [size of the change] "
        "compared with usual care within [number and unit of time]."
    )
    assert best["placeholders"] == ["[number and unit of time]", "[size of the change]"]
    assert best["repairs"] == ["size_stated", "time_named", "time_measured"]
    assert best["total_when_filled"] == round(outputs["total"] + best["gain"], 1)


def test_a_question_stays_a_question(tmp_path):
    outputs = runs.outputs(AGENT, {"research_question": "Does metformin reduce mortality in adults?"}, tmp_path)
    assert outputs["refined_from"] == "research_question"
    assert outputs["refinements"][0]["text"] == (
        "In adults, does metformin reduce mortality by [size of the change] compared with [comparison] within [number and unit of time]?"
    )


def test_a_population_in_front_and_a_modal_verb_are_read(tmp_path):
    outputs = runs.outputs(AGENT, {"hypothesis": "In older adults, tai chi will reduce falls compared with stretching over 6 months."}, tmp_path)
    assert quotes(outputs, "population") == ["older adults"]
    assert quotes(outputs, "intervention") == ["tai chi"]
    assert outputs["direction"]["quote"] == "will reduce"
    assert quotes(outputs, "time") == ["6 months"]


def test_two_outcomes_are_split_into_one_rewording_each(tmp_path):
    outputs = runs.outputs(AGENT, {"hypothesis": "Aspirin reduces mortality and bleeding in adults.", "max_refinements": 20}, tmp_path)
    split = [one["text"] for one in outputs["refinements"] if one["kind"] == "split_outcome"]
    assert len(split) == 2
    assert any("reduces mortality by" in wording for wording in split)
    assert any("reduces bleeding by" in wording for wording in split)


def test_an_absolute_word_is_marked_in_place(tmp_path):
    outputs = runs.outputs(AGENT, {"hypothesis": "Aspirin always reduces mortality.", "max_refinements": 20}, tmp_path)
    assert "Aspirin [qualified wording] reduces mortality." in [one["text"] for one in outputs["refinements"]]
    absolute = next(check for check in outputs["checks"] if check["id"] == "no_absolute")
    assert (absolute["met"], absolute["quote"]) == (False, "always")


def test_text_without_any_slot_gets_a_skeleton_of_placeholders_only(tmp_path):
    outputs = runs.outputs(AGENT, {"hypothesis": "水は体に良い"}, tmp_path)
    assert outputs["missing_slots"] == ["population", "comparison", "outcome", "time"]
    assert outputs["refinements"][0]["text"].startswith("In [population], 水は体に良い [reduces or increases] [outcome]")


def test_both_keys_are_answered_by_the_hypothesis_and_said(tmp_path):
    answer = runs.answer(AGENT, {"hypothesis": HYPOTHESIS, "research_question": "Why?"}, tmp_path)
    assert answer["outputs"]["refined_from"] == "hypothesis"
    assert any("research_question was not read" in warning for warning in answer["warnings"])


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "hypothesis or research_question is required"),
        ({"hypotesis": "x"}, "did you mean 'hypothesis'"),
        ({"research_questions": "x"}, "did you mean 'research_question'"),
        ({"hypothesis": " "}, "hypothesis"),
        ({"hypothesis": 3}, "hypothesis"),
        ({"hypothesis": "x" * 10_000_000}, "at most 5000"),
        ({"hypothesis": "x", "max_refinements": 0}, "max_refinements"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_by_name(tmp_path, inputs, said):
    error = runs.refusal(AGENT, inputs, tmp_path)
    assert error["code"] == "VALIDATION_ERROR"
    assert said in error["message"]


@pytest.mark.parametrize("piece", ["A. ", "in ", "reduces ", "hypothesis that ", "does not ", "1,", "[population] ", "\u202e", "x" * 50, "and "])
def test_hostile_repetition_is_answered_in_time(tmp_path, piece):
    runs.outputs(AGENT, {"hypothesis": (piece * 5000)[:5000]}, tmp_path, budgets={"timeout_ms": 3000})


def test_the_word_check_names_what_was_added():
    given = "Aspirin reduces pain."
    assert hypothesis_refinements.foreign_words("In [population], Aspirin reduces pain within [number and unit of time].", given) == []
    assert hypothesis_refinements.foreign_words("In children, aspirin reduces pain by 12%.", given) == ["children", "12"]


_WORDS = st.sampled_from(
    "We hypothesise that aspirin reduces pain in adults compared with placebo within 12 weeks by 5% does and , . ? always [x] é 水 will not".split()
)


@settings(max_examples=30, deadline=None)
@given(words=st.lists(_WORDS, min_size=1, max_size=25))
def test_no_rewording_has_a_word_or_number_that_is_not_the_users_and_every_piece_stands_in_the_text(words):
    text = " ".join(words)
    slots = hypothesis_slots.read(text)
    checks = smart.checks(text, slots)
    assert all(check.quote is None or text[check.start : check.end] == check.quote for check in checks)
    spans = [span for name in ("population", "intervention", "comparison", "outcome", "time") for span in getattr(slots, name)]
    assert all(text[span.start : span.end] == span.text for span in spans)
    for refinement in hypothesis_refinements.ranked(text, slots, checks):
        assert hypothesis_refinements.foreign_words(refinement.text, text) == []
        assert set(re.findall(r"\d+", refinement.text)) <= set(re.findall(r"\d+", text))


def test_the_probe_passes_for_real_work(tmp_path):
    probing.passes(AGENT, tmp_path)


def test_the_probe_rejects_canned_answers(tmp_path):
    probing.rejects_canned_answers(AGENT, tmp_path)


def test_the_probe_needs_every_step(tmp_path):
    probing.needs_every_step(AGENT, tmp_path)
