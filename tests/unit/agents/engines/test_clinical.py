from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from windlass.agents.reference.clinical_manuscript import AGENT as MANUSCRIPT
from windlass.agents.reference.clinical_section import AGENT

from . import scripted

EVENT = "Serious adverse events occurred in 18 patients."
INPUTS = dict(AGENT.example)


@pytest.fixture
def good(tmp_path):
    chat = scripted.Scripted(answers=[None])
    scripted.answer(AGENT, INPUTS, tmp_path, chat)
    told = chat.asked[0]["user"]["statements"]
    assert told
    return {
        "statements": [{"number": one["number"], "text": f"In this trial: {one['text']}"} for one in told],
        "paragraphs": [
            {
                "heading": "other",
                "sentences": [{"text": "In 18 patients serious adverse events occurred.", "evidence": [{"chunk_id": "r1", "quote": EVENT}]}],
            }
        ],
    }


def test_a_reworded_section_is_taken_and_its_checklist_is_made_from_it(tmp_path, good):
    plain = scripted.answer(AGENT, INPUTS, tmp_path, scripted.Scripted(answers=[None]))["outputs"]
    outputs = scripted.accepted(AGENT, INPUTS, tmp_path, good)["outputs"]
    assert [one["text"] for one in outputs["statements"]] == [one["text"] for one in good["statements"]]
    assert [one["fields"] for one in outputs["statements"]] == [one["fields"] for one in plain["statements"]]
    assert "In 18 patients serious adverse events occurred. [r1]" in outputs["text"]
    assert [item["id"] for item in outputs["checklist"]] == [item["id"] for item in plain["checklist"]]
    assert outputs["missing_items"] == plain["missing_items"]


def changed(good: Any, change: Callable[[Any], Any]) -> Any:
    draft = copy.deepcopy(good)
    change(draft)
    return draft


@pytest.mark.parametrize(
    ("change", "because"),
    [
        (lambda one: one["statements"][0].update(text=one["statements"][0]["text"] + " Of these 77 recovered."), "added ['77']"),
        (lambda one: one["statements"][0].update(text="In this trial: stroke."), "lost ["),
        (lambda one: one["statements"].pop(), "stands there once"),
        (lambda one: one["statements"].append(one["statements"][0]), "stands there once"),
        (lambda one: one["paragraphs"][0]["sentences"][0]["evidence"][0].update(chunk_id="r2"), "there is no chunk 'r2'"),
        (
            lambda one: one["paragraphs"][0]["sentences"][0].update(text="In 19 patients serious adverse events occurred."),
            "does not give the number 19",
        ),
        (
            lambda one: one["paragraphs"][0]["sentences"][0].update(text="In 18 patients no serious adverse events occurred."),
            "denies what its quotes affirm",
        ),
        (lambda one: one["paragraphs"].clear(), "none is written"),
    ],
)
def test_a_section_that_changes_the_data_or_the_evidence_is_refused(tmp_path, good, change, because):
    scripted.refused(AGENT, INPUTS, tmp_path, changed(good, change), because)


@pytest.fixture
def whole(tmp_path):
    chat = scripted.Scripted(answers=[None])
    scripted.answer(MANUSCRIPT, MANUSCRIPT.example, tmp_path, chat)
    return {"statements": [{"number": one["number"], "text": f"So it was: {one['text']}"} for one in chat.asked[0]["user"]["statements"]]}


def test_a_reworded_manuscript_is_taken_with_its_sections_fields_and_checklist_as_they_were(tmp_path, whole):
    plain = scripted.answer(MANUSCRIPT, MANUSCRIPT.example, tmp_path, scripted.Scripted(answers=[None]))["outputs"]
    outputs = scripted.accepted(MANUSCRIPT, MANUSCRIPT.example, tmp_path, whole)["outputs"]
    told = [statement for section in outputs["sections"] for statement in section["statements"]]
    assert [one["text"] for one in told] == [one["text"] for one in whole["statements"]]
    assert [one["fields"] for one in told] == [one["fields"] for section in plain["sections"] for one in section["statements"]]
    assert outputs["missing_items"] == plain["missing_items"]
    assert outputs["text"].count("So it was: ") == len(told)


@pytest.mark.parametrize(
    ("change", "because"),
    [
        (lambda one: one["statements"][-1].update(text=one["statements"][-1]["text"] + " In 4711 patients."), "added ['4711']"),
        (lambda one: one["statements"].reverse() or one["statements"].pop(), "stands there once"),
        (lambda one: one["statements"][0].update(text="Something else altogether happened there."), "do not speak of"),
    ],
)
def test_a_manuscript_that_changes_the_data_is_refused(tmp_path, whole, change, because):
    scripted.refused(MANUSCRIPT, MANUSCRIPT.example, tmp_path, changed(whole, change), because)
