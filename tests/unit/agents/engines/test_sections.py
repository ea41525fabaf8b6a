from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from windlass.agents import catalogue

from . import scripted

AGENT = catalogue.by_task()["SECTION_WRITE_RESULTS"]
STROKE = "Stroke occurred in 12 of 400 patients with rhythm control and in 24 of 398 with usual care (hazard ratio 0.49, 95% CI 0.25 to 0.98)."
BLEEDING = "Major bleeding did not differ (3% versus 4%; P=0.41)."
INPUTS: dict[str, Any] = {
    "outline": ["Stroke", "Bleeding"],
    "groundingPack": {
        "chunks": [
            {"chunk_id": "r1", "doc_id": "trial", "text": STROKE},
            {"chunk_id": "r2", "doc_id": "trial", "text": f"{BLEEDING} The dose was 200 mg."},
        ]
    },
    "verifiedClaims": [{"id": "stroke", "text": "Stroke occurred in 12 of 400 patients with rhythm control.", "chunk_ids": ["r1"]}],
}
GOOD: dict[str, Any] = {
    "paragraphs": [
        {
            "heading": "Stroke",
            "sentences": [
                {
                    "text": "With rhythm control stroke occurred in 12 of 400 patients, with usual care in 24 of 398 (hazard ratio 0.49).",
                    "evidence": [{"chunk_id": "r1", "quote": STROKE}],
                }
            ],
        },
        {
            "heading": "Bleeding",
            "sentences": [{"text": "In major bleeding the groups did not differ (P=0.41).", "evidence": [{"chunk_id": "r2", "quote": BLEEDING}]}],
        },
    ]
}


def changed(change: Callable[[Any], Any]) -> Any:
    draft = copy.deepcopy(GOOD)
    change(draft["paragraphs"])
    return draft


def test_a_section_on_verbatim_quotes_is_taken_and_put_together_like_the_deterministic_one(tmp_path):
    answer = scripted.accepted(AGENT, INPUTS, tmp_path, GOOD, mode="LIVE")
    outputs = answer["outputs"]
    texts = {chunk["chunk_id"]: chunk["text"] for chunk in INPUTS["groundingPack"]["chunks"]}
    sentences = [sentence for paragraph in outputs["paragraphs"] for sentence in paragraph["sentences"]]
    assert [sentence["text"] for sentence in sentences] == [one["sentences"][0]["text"] for one in GOOD["paragraphs"]]
    for quote in (quote for sentence in sentences for quote in sentence["evidence"]):
        assert texts[quote["chunk_id"]][quote["start"] : quote["end"]] == quote["quote"]
        assert quote["doc_id"] == "trial"
    assert sentences[0]["claim_ids"] == ["stroke"]
    assert outputs["chunk_ids"] == ["r1", "r2"]
    assert [point["sentences"] for point in outputs["outline"]] == [1, 1]
    assert outputs["text"].startswith("With rhythm control stroke occurred in 12 of 400 patients")
    assert "[r1]" in outputs["text"]


@pytest.mark.parametrize(
    ("change", "because"),
    [
        (lambda given: given[0]["sentences"][0]["evidence"][0].update(chunk_id="r9"), "there is no chunk 'r9'"),
        (
            lambda given: given[0]["sentences"][0]["evidence"][0].update(quote=STROKE.replace("0.49", "0.94")),
            "this quote does not stand in the chunk 'r1'",
        ),
        (
            lambda given: given[1]["sentences"][0].update(text="In major bleeding the groups did not differ (P=0.14)."),
            "does not give the number 0.14",
        ),
        (lambda given: given[1]["sentences"][0].update(text="In major bleeding the groups did differ (P=0.41)."), "denies what its quotes affirm"),
        (lambda given: given[1]["sentences"][0].update(text="Aspirin and warfarin are known to be dangerous drugs."), "the quotes do not speak of"),
        (lambda given: given[1]["sentences"][0].update(text="In Denmark major bleeding did not differ."), "no quote names 'Denmark'"),
        (lambda given: given[1]["sentences"][0].update(evidence=[]), "evidence"),
        (lambda given: given[1]["sentences"][0].update(text="Major bleeding did not differ [12]."), "leave citations, brackets and markup out"),
        (lambda given: given.pop(0), "no sentence quotes, whole, the sentence that carries the claim 'stroke'"),
        (lambda given: given[0].update(heading="Conclusions"), "is none of the given ones"),
        (lambda given: given.append(given[1]), "stands there twice"),
    ],
)
def test_a_section_with_something_of_its_own_is_refused(tmp_path, change, because):
    scripted.refused(AGENT, INPUTS, tmp_path, changed(change), because)


@pytest.mark.parametrize("task", ["SECTION_WRITE_INTRO", "SECTION_WRITE_METHODS", "SECTION_WRITE_RESULTS", "SECTION_WRITE_DISCUSSION"])
def test_every_writer_takes_its_own_sentences_from_a_model_and_none_that_is_altered(tmp_path, task):
    agent = catalogue.by_task()[task]
    inputs = dict(agent.example)
    chat = scripted.Scripted(answers=[None])
    plain = scripted.answer(agent, inputs, tmp_path, chat)["outputs"]
    assert chat.asked[0]["user"]["section"] == plain["section"]
    copied: list[dict[str, Any]] = [
        {
            "heading": paragraph["heading"] if paragraph["heading"] in chat.asked[0]["user"]["headings"] else "other",
            "sentences": [
                {"text": one["text"], "evidence": [{"chunk_id": quote["chunk_id"], "quote": quote["quote"]} for quote in one["evidence"]]}
                for one in paragraph["sentences"]
            ],
        }
        for paragraph in plain["paragraphs"]
    ]
    answer = scripted.accepted(agent, inputs, tmp_path, {"paragraphs": copied})
    assert answer["outputs"]["chunk_ids"] == plain["chunk_ids"]
    altered = copy.deepcopy(copied)
    altered[0]["sentences"][0]["text"] += " This was seen in 98765 cases."
    scripted.refused(agent, inputs, tmp_path, {"paragraphs": altered}, "98765")


def test_evidence_that_holds_nothing_for_the_section_is_not_sent(tmp_path):
    chat = scripted.Scripted(answers=[GOOD])
    answer = scripted.answer(AGENT, {"topic": "Stroke", "groundingPack": {"chunks": []}}, tmp_path, chat)
    assert (answer["status"], answer["provenance"]["engine"], chat.asked) == ("ok", "deterministic", [])
    live = scripted.answer(AGENT, {"topic": "Stroke", "groundingPack": {"chunks": []}}, tmp_path, chat, mode="LIVE")
    assert (live["error"]["code"], chat.asked) == ("EVIDENCE_REQUIRED", [])


_WORDS = st.sampled_from(
    "stroke bleeding occurred in 12 of 400 patients 24 398 rhythm control 0.49 0.94 not 312 Denmark [r1] lower higher <b> é .".split()
)
_QUOTES = st.sampled_from([STROKE, BLEEDING, STROKE[:40], "Stroke", BLEEDING.replace("0.41", "0.14"), "", " "])
_SENTENCES = st.fixed_dictionaries(
    {
        "text": st.one_of(st.lists(_WORDS, min_size=1, max_size=12).map(" ".join), st.sampled_from([STROKE, BLEEDING])),
        "evidence": st.lists(st.fixed_dictionaries({"chunk_id": st.sampled_from(["r1", "r2", "r3", ""]), "quote": _QUOTES}), min_size=1, max_size=3),
    }
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sentences=st.lists(_SENTENCES, min_size=1, max_size=3))
def test_whatever_a_model_says_no_number_quote_or_chunk_of_its_own_is_in_the_outputs(tmp_path, sentences):
    inputs = {"outline": ["Stroke", "Bleeding"], "groundingPack": INPUTS["groundingPack"]}
    texts = {chunk["chunk_id"]: chunk["text"] for chunk in INPUTS["groundingPack"]["chunks"]}
    draft = {"paragraphs": [{"heading": "Stroke", "sentences": sentences}]}
    answer = scripted.answer(AGENT, inputs, tmp_path, scripted.Scripted(answers=[draft]))
    assert answer["status"] in {"ok", "degraded"}
    assert (answer["status"] == "ok") == (answer["provenance"]["engine"] == "model")
    for sentence in (sentence for paragraph in answer["outputs"]["paragraphs"] for sentence in paragraph["sentences"]):
        cited = [texts[quote["chunk_id"]] for quote in sentence["evidence"]]
        assert cited
        assert all(text[quote["start"] : quote["end"]] == quote["quote"] != "" for text, quote in zip(cited, sentence["evidence"], strict=True))
        assert set(re.findall(r"\d+", sentence["text"])) <= set(re.findall(r"\d+", " ".join(cited)))
        assert not set("[]<>") & set(sentence["text"])
