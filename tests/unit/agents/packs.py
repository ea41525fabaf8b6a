"""Evidence for the section writers' tests, and what every draft of theirs must keep."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from windlass.agents import numerals
from windlass.agents.agent import Agent

from . import probing, runs


def pack(**texts: str) -> dict[str, Any]:
    """A grounding pack: chunk id → text, each of a document of its own."""
    return {"chunks": [{"chunk_id": name, "doc_id": f"doc-{name}", "text": text} for name, text in texts.items()]}


def paragraphs(outputs: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Heading and sentences of each paragraph."""
    return [(part["heading"], [line["text"] for line in part["sentences"]]) for part in outputs["paragraphs"]]


def sentences(outputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every sentence of the draft."""
    return [line for part in outputs["paragraphs"] for line in part["sentences"]]


def stands(outputs: Mapping[str, Any], chunks: Mapping[str, str]) -> None:
    """Every quote is verbatim, every number of a sentence is in its quotes, every id exists, nothing is uncited."""
    for line in sentences(outputs):
        assert line["evidence"]
        for quote in line["evidence"]:
            assert chunks[quote["chunk_id"]][quote["start"] : quote["end"]] == quote["quote"]
            assert quote["quote"].split() == line["text"].split()
        assert numerals.figures(line["text"]) <= frozenset().union(*(numerals.figures(" ".join(q["quote"].split())) for q in line["evidence"]))
        assert f"{line['text']} [" in outputs["text"]


def lives_up_to_its_rules(agent: Agent[Any], cued: str, subject: str, store: Path) -> None:
    """What all four writers promise: refusals by name, LIVE closed, claims rejected or warned of."""
    evidence = pack(c1=f"{cued} Rain fell.")
    for inputs, said in (
        ({"groundingPack": evidence}, "outline or topic is required"),
        ({"topic": subject}, "groundingPack: is required"),
        ({"topik": subject, "groundingPack": evidence}, "did you mean 'topic'"),
        ({"topic": subject, "groundingpack": evidence}, "did you mean 'groundingPack'"),
        ({"outlines": [subject], "groundingPack": evidence}, "did you mean 'outline'"),
        ({"topic": subject, "groundingPack": evidence, "verifiedClaim": []}, "did you mean 'verifiedClaims'"),
        ({"topic": " ", "groundingPack": evidence}, "topic"),
        ({"outline": [], "groundingPack": evidence}, "outline"),
        ({"topic": subject, "groundingPack": {"chunks": [{"chunk_id": "c", "text": "a"}] * 2}}, "stands there twice"),
        ({"topic": subject, "groundingPack": {"chunks": [{"chunk_id": "c", "txt": "a"}]}}, "groundingPack.chunks.0.txt"),
    ):
        error = runs.refusal(agent, inputs, store)
        assert error["code"] == "VALIDATION_ERROR"
        assert said in error["message"], error
    assert runs.refusal(agent, {"topic": subject, "groundingPack": {}}, store, mode="LIVE")["code"] == "EVIDENCE_REQUIRED"
    empty = runs.answer(agent, {"topic": subject, "groundingPack": {}}, store)
    assert empty["outputs"]["text"] == ""
    assert any("nothing was written" in warning for warning in empty["warnings"])
    unborne = {"topic": subject, "groundingPack": evidence, "verifiedClaims": [cued, {"id": "lie", "text": "Seals sing in 77 keys at dawn."}]}
    error = runs.refusal(agent, unborne, store, mode="LIVE")
    assert (error["code"], list(error["details"]["claims"])) == ("UNREFERENCED_CLAIM", ["lie"])
    warned = runs.answer(agent, unborne, store)
    assert any("the claim lie was left out" in warning for warning in warned["warnings"])
    assert [(word["claim_id"], word["referenced"]) for word in warned["outputs"]["claims"]] == [("claim-1", True), ("lie", False)]
    assert "Seals" not in warned["outputs"]["text"]


def survives(agent: Agent[Any], cued: str, subject: str, store: Path) -> None:
    """Ten megabytes of prose are read, and so much of what is no prose is passed over with a warning."""
    huge = f"{cued} Rain fell on the roof and on the road. " * (10_000_000 // (len(cued) + 43))
    found = runs.outputs(agent, {"topic": subject, "groundingPack": {"chunks": [{"chunk_id": "c", "text": huge}]}}, store)
    assert [line["text"] for line in sentences(found)] == [cued]
    for hostile in ("x" * 10_000_000, "\u202e<script>{{7*7}}</script>\n|a|\x00 " * 200_000, "他汀类药物降低死亡率。" * 300_000):
        answered = runs.answer(agent, {"topic": subject, "groundingPack": {"chunks": [{"chunk_id": "c", "text": hostile}]}}, store)
        assert answered["outputs"]["text"] == ""
        assert any("were passed over" in warning for warning in answered["warnings"])


def is_proved(agent: Agent[Any], store: Path) -> None:
    """The probe passes for the work, and for nothing but the whole work; echoing and reordering included."""
    probing.passes(agent, store)
    probing.rejects_canned_answers(agent, store)
    probing.needs_every_step(agent, store)
    for seed in range(4):
        inputs = agent.probe.make(seed)
        for step, change in (
            ("choose", lambda _result: {"chosen": []}),
            ("choose", lambda result: {"chosen": result["chosen"][:1]}),
            ("support", lambda result: {**result, "claims": []}),
            ("support", lambda result: {**result, "claims": [{**one, "referenced": True} for one in result["claims"]]}),
            ("arrange", lambda result: {**result, "paragraphs": result["paragraphs"][::-1]}),
            ("arrange", lambda result: {**result, "paragraphs": [_reworded(part) for part in result["paragraphs"]]}),
        ):
            assert probing.fails(agent, step, change, seed, inputs, store), step


def _reworded(paragraph: dict[str, Any]) -> dict[str, Any]:
    return {**paragraph, "sentences": [{**line, "text": f"Surely {line['text']}"} for line in paragraph["sentences"]]}
