from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents.reference.clinical_section import AGENT

from . import packs, probing, runs

CHUNKS = packs.pack(
    a="Rain fell. The list was concealed in opaque envelopes. Fatigue fell by 12% (P=0.01).",
    b="The primary outcome was fatigue at week 12. A limitation is the small sample.",
)["chunks"]


def found(outputs: dict[str, Any]) -> dict[str, Any]:
    return {item["id"]: item for item in outputs["checklist"] if item["status"] == "found"}


def test_methods_are_drawn_from_evidence_and_data_with_the_items_of_their_section(tmp_path):
    inputs = {"section_type": "methods", "evidence_chunks": CHUNKS, "results_data": {"blinding": "Nobody knew 7 codes."}}
    outputs = runs.outputs(AGENT, inputs, tmp_path)
    assert outputs["text"] == (
        "Blinding: Nobody knew 7 codes.\n\nThe list was concealed in opaque envelopes. [a]\n\nThe primary outcome was fatigue at week 12. [b]"
    )
    items = found(outputs)
    assert set(items) == {"6a", "9", "11a"}
    assert (items["9"]["shown"]["source"], items["11a"]["fields"]) == ("a", ["blinding"])
    assert CHUNKS[0]["text"][items["9"]["shown"]["start"] : items["9"]["shown"]["end"]] == "The list was concealed in opaque envelopes."
    assert {item["section"] for item in outputs["checklist"]} == {"Methods"}
    assert outputs["checklist_counts"] == {"found": 3, "missing": 14, "total": 17}


def test_a_protocol_is_held_against_spirit(tmp_path):
    inputs = {"section_type": "methods", "evidence_chunks": CHUNKS, "results_data": {"blinding": "Nobody knew."}, "reporting_standard": "SPIRIT"}
    outputs = runs.outputs(AGENT, inputs, tmp_path)
    assert (outputs["checklist_name"], set(found(outputs)), len(outputs["checklist"])) == ("SPIRIT 2013", {"12", "16b", "17a"}, 25)


def test_numbers_of_the_data_that_do_not_agree_are_named(tmp_path):
    data = {"outcomes": [{"name": "fatigue", "groups": [{"arm": "x", "n": 10, "events": 11}]}]}
    answered = runs.answer(AGENT, {"section_type": "results", "results_data": data}, tmp_path)
    assert answered["outputs"]["text"] == "fatigue: 11 of 10 (110.0%) in x."
    assert "11 events of n 10" in answered["warnings"][0]


def test_nothing_to_write_is_closed_in_live_and_said_in_demo(tmp_path):
    for inputs in ({"section_type": "introduction"}, {"section_type": "introduction", "evidence_chunks": CHUNKS}):
        assert runs.refusal(AGENT, inputs, tmp_path, mode="LIVE")["code"] == "EVIDENCE_REQUIRED"
        answered = runs.answer(AGENT, inputs, tmp_path)
        assert "nothing was written" in answered["warnings"][-1]
        assert answered["outputs"]["missing_items"] == ["2a", "2b"]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "section_type: is required"),
        ({"sectiontype": "methods"}, "did you mean 'section_type'"),
        ({"section_type": "preface"}, "section_type"),
        ({"section_type": "results", "reporting_standard": "SPIRIT"}, "reporting_standard: SPIRIT is for protocols"),
        ({"section_type": "results", "result_data": {}}, "did you mean 'results_data'"),
        ({"section_type": "results", "results_data": {"outcome": []}}, "did you mean 'outcomes'"),
        ({"section_type": "results", "evidence_chunk": []}, "did you mean 'evidence_chunks'"),
        ({"section_type": "results", "evidence_chunks": [CHUNKS[0], CHUNKS[0]]}, "stands there twice"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_by_name(tmp_path, inputs, said):
    error = runs.refusal(AGENT, inputs, tmp_path)
    assert error["code"] == "VALIDATION_ERROR"
    assert said in error["message"]


def test_ten_megabytes_of_evidence_are_read_up_to_sixty_sentences(tmp_path):
    text = " ".join(f"A limitation is that {number} bottles broke." for number in range(230_000))
    answered = runs.answer(AGENT, {"section_type": "discussion", "evidence_chunks": [{"chunk_id": "c", "text": text}]}, tmp_path)
    assert len(packs.sentences(answered["outputs"])) == 60
    assert "more than 60 sentences" in answered["warnings"][0]


def test_it_is_proved(tmp_path):
    probing.passes(AGENT, tmp_path)
    probing.rejects_canned_answers(AGENT, tmp_path)
    probing.needs_every_step(AGENT, tmp_path)


@pytest.mark.parametrize(
    ("step", "change"),
    [
        ("draw", lambda _result: {"paragraphs": [{"heading": "design", "sentences": []}]}),
        ("audit", lambda result: {"checklist": [{**item, "status": "missing"} for item in result["checklist"]]}),
        ("audit", lambda result: {"checklist": [{**item, "status": "found"} for item in result["checklist"]]}),
    ],
)
def test_the_probe_notices_work_that_is_skipped(tmp_path, step, change):
    assert any(probing.fails(AGENT, step, change, seed, AGENT.probe.make(seed), tmp_path) for seed in range(6))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.text(alphabet="A limitation is 12%.\n\u202e|[]<>", max_size=150), min_size=1, max_size=4),
    st.sampled_from(["methods", "results", "discussion"]),
)
def test_nothing_is_drafted_that_does_not_stand_in_the_evidence(tmp_path_factory, texts, section):
    chunks = {f"c{place}": f"{text} A limitation is that 3 of 12 fell by 5%. {text}" for place, text in enumerate(texts)}
    inputs = {"section_type": section, "evidence_chunks": packs.pack(**chunks)["chunks"]}
    packs.stands(runs.outputs(AGENT, inputs, tmp_path_factory.getbasetemp()), chunks)
