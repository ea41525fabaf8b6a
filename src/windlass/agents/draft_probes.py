"""Questions for the section writers: evidence on invented drugs with a known right draft. It shares no function with the engine."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

DRUGS = ("valoxin", "termudan", "corvetil", "ismaprel", "dorvatan", "kelpramide", "zantorol", "bexitrine", "morlatine", "pexavone")
EFFECTS = ("mortality", "readmission", "fatigue", "relapse", "bleeding", "dyspnoea", "nausea", "delirium")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A question and its right answer: `wanted` are (heading, sentence) in order. Lives as long as the check."""

    inputs: dict[str, Any]
    wanted: Sequence[tuple[str, str]]
    claims: Mapping[str, bool] = field(default_factory=dict)


def scattered(rng: random.Random, sentences: Sequence[str], fillers: Sequence[str]) -> list[dict[str, Any]]:
    """Each sentence in a chunk of its own, between fillers, the chunks in random order with random ids and documents."""
    chunks = []
    for place, sentence in enumerate(sentences):
        before, after = rng.sample(fillers, 2)
        chunks.append(
            {"chunk_id": f"c{rng.randrange(10**6)}-{place}", "doc_id": f"doc-{rng.randrange(10**6)}", "text": f"{before} {sentence}\n{after}"}
        )
    rng.shuffle(chunks)
    return chunks


def ordered(chunks: Sequence[Mapping[str, Any]], sentences: Sequence[str]) -> list[str]:
    """The sentences in the order of the chunks that hold them."""
    return sorted(sentences, key=lambda sentence: next(place for place, chunk in enumerate(chunks) if sentence in chunk["text"]))


def claims(rng: random.Random, true: str, number: int, false: str) -> tuple[list[dict[str, Any]], dict[str, bool]]:
    """Three claims in random order and whether each can be referenced: a true one, `false`, and one on a subject that is nowhere."""
    tag = f"{rng.randrange(10**6)}"
    stated = [
        {"id": f"true-{tag}", "text": true},
        {"id": f"false-{tag}", "text": false},
        {"id": f"absent-{tag}", "text": f"Gardeners in {number} provinces prefer tulips over peonies."},
    ]
    rng.shuffle(stated)
    return stated, {f"true-{tag}": True, f"false-{tag}": False, f"absent-{tag}": False}


def judged(scene: Scene, section: str, outputs: Mapping[str, Any]) -> str | None:
    """None for the right draft, or the first thing that is wrong with it."""
    chunks = {chunk["chunk_id"]: chunk for chunk in scene.inputs["groundingPack"]["chunks"]}
    written = [(paragraph["heading"], sentence) for paragraph in outputs["paragraphs"] for sentence in paragraph["sentences"]]
    if outputs["section"] != section:
        return f"the section is {outputs['section']!r}, not {section!r}"
    if [(heading, sentence["text"]) for heading, sentence in written] != list(scene.wanted):
        return "the draft does not hold the sentences that belong into this section, in their order"
    for _, sentence in written:
        quotes = sentence["evidence"]
        if not quotes or any(chunks.get(quote["chunk_id"], {}).get("doc_id") != quote["doc_id"] for quote in quotes):
            return "a sentence names a chunk that does not exist, or another document than its chunk's"
        if any(chunks[quote["chunk_id"]]["text"][quote["start"] : quote["end"]] != quote["quote"] for quote in quotes):
            return "a quote does not stand in the chunk that it names"
        if quotes[0]["quote"] != sentence["text"]:
            return "a sentence is not its own quote"
        if f"{sentence['text']} [{quotes[0]['chunk_id']}" not in outputs["text"]:
            return "the text lacks a sentence with its chunk"
    if outputs["word_count"] != sum(len(sentence.split()) for _, sentence in scene.wanted):
        return "the words are not counted right"
    if {word["claim_id"]: word["referenced"] for word in outputs["claims"]} != dict(scene.claims):
        return "a claim without evidence was referenced, or one with evidence was not"
    carried = {claim_id for _, sentence in written for claim_id in sentence["claim_ids"]}
    return None if carried == {claim_id for claim_id, true in scene.claims.items() if true} else "a referenced claim is not carried by the draft"
