from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from windlass.agents import section_checks
from windlass.agents.reference.stage2_synthesize import AGENT

from . import scripted

INPUTS = dict(AGENT.example)
ROE = "The risk ratio for fatigue was 0.75 (95% CI 0.62–0.91)."
DOE = "The adjusted risk ratio for fatigue was 1.10 (95% CI 0.90 to 1.34)."


def quote(key: str, words: str) -> dict[str, Any]:
    return {"citation_key": key, "field": "abstract", "quote": words}


def keys(tmp_path: Path) -> list[str]:
    chat = scripted.Scripted(answers=[{}])
    scripted.answer(AGENT, INPUTS, tmp_path, chat)
    return [paper["citation_key"] for paper in chat.asked[0]["user"]["papers"]]


@pytest.fixture
def good(tmp_path):
    roe, doe = keys(tmp_path)
    return {
        "paragraphs": [
            {
                "heading": "Fatigue",
                "sentences": [
                    {"text": "In Roe J 2021 the risk ratio for fatigue was 0.75 (95% CI 0.62–0.91).", "quotes": [quote(roe, ROE)]},
                    {
                        "text": "In Doe K 2022, however, the adjusted risk ratio for fatigue was 1.10 (95% CI 0.90 to 1.34).",
                        "quotes": [quote(doe, DOE)],
                    },
                ],
            }
        ]
    }


def test_a_section_on_verbatim_quotes_is_taken_and_its_references_are_ours(tmp_path, good):
    outputs = scripted.accepted(AGENT, INPUTS, tmp_path, good)["outputs"]
    texts = [sentence["text"] for sentence in outputs["section"]["sentences"]]
    assert texts == [sentence["text"] for sentence in good["paragraphs"][0]["sentences"]]
    abstracts = {key: paper["abstract"] for key, paper in zip(keys(tmp_path), INPUTS["papers"], strict=True)}
    for sentence in outputs["section"]["sentences"]:
        for found in sentence["quotes"]:
            assert abstracts[found["citation_key"]][found["start"] : found["end"]] == found["quote"]
    assert section_checks.dangling(section_checks.cited_keys(outputs["section"]["markdown"]), keys(tmp_path)) is None


def changed(good: Any, change: Callable[[Any], Any]) -> Any:
    draft = copy.deepcopy(good)
    change(draft["paragraphs"][0])
    return draft


@pytest.mark.parametrize(
    ("change", "because"),
    [
        (lambda one: one["sentences"][0]["quotes"][0].update(citation_key="smith1999"), "there is no paper 'smith1999'"),
        (lambda one: one["sentences"][0]["quotes"][0].update(quote=ROE.replace("0.75", "0.57")), "does not stand in the paper's abstract"),
        (
            lambda one: one["sentences"][0].update(text="In Roe J 2021 the risk ratio for fatigue was 0.57 (95% CI 0.62–0.91)."),
            "0.57 is not in the evidence",
        ),
        (lambda one: one["sentences"].pop(), "is never cited"),
        (lambda one: one["sentences"][0].update(text="The risk ratio for fatigue was not 0.75 (95% CI 0.62–0.91)."), "denies what its quotes affirm"),
        (lambda one: one["sentences"][0].update(text="Fatigue is cured by swimming every day in warm water."), "the quotes do not speak of"),
        (lambda one: one["sentences"][0].update(text="In the Framingham cohort the risk ratio for fatigue was 0.75."), "no quote names 'Framingham'"),
        (lambda one: one["sentences"][0].update(text="The risk ratio for fatigue was 0.75 [@roe2021]."), "leave citations, brackets and markup out"),
        (lambda one: one.update(heading="Fatigue in 312 adults"), "312 is not in the evidence"),
        (lambda one: one["sentences"][0].update(quotes=[]), "quotes"),
    ],
)
def test_a_section_with_something_of_its_own_is_refused(tmp_path, good, change, because):
    scripted.refused(AGENT, INPUTS, tmp_path, changed(good, change), because)
