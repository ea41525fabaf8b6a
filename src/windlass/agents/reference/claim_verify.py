"""CLAIM_VERIFY: does the evidence that was handed in support each claim?

A claim passes only on the sentence that is nearest to it in all the evidence, if that sentence holds at least four fifths of the
claim's content words, every number of the claim and the same polarity. Nothing is looked up elsewhere and nothing is believed.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from windlass.agents import text
from windlass.agents.agent import Agent, Context, Inputs, Item, Outputs, Probe, Step, Work

SUPPORT = 0.8
"""Share of a claim's content words (numbers apart) that a sentence must hold before it can support the claim."""
TOUCH = 0.6
"""Share from which a sentence speaks of the claim at all, and so can contradict it."""
_NEGATIONS = frozenset({"no", "not", "never", "without", "neither", "nor", "cannot", "failed", "lack", "lacked", "absence"})

Text = Annotated[str, Field(min_length=1, pattern=r"\S")]


class Claim(Item):
    """A claim with an id of the caller's."""

    id: Text | None = None
    text: Text


class Chunk(Item):
    """A piece of evidence: `text` is quoted verbatim, `chunk_id` names it."""

    chunk_id: Text
    text: str
    doc_id: str | None = None


class GroundingPack(Item):
    """The evidence, and nothing but the evidence, that claims are held against."""

    chunks: list[Chunk] = Field(default_factory=list)


class ClaimVerifyInputs(Inputs):
    """Claims (plain sentences, or objects with an id) and the evidence to hold them against."""

    claims: Annotated[list[Text | Claim], Field(min_length=1, max_length=1000)]
    groundingPack: GroundingPack  # noqa: N815  # the wire name is the seed's


class Quote(Item):
    """A verbatim piece of a chunk: `chunk.text[start:end] == quote`."""

    chunk_id: str
    quote: str
    start: int
    end: int
    similarity: float


class Verdict(Item):
    """What the evidence says of one claim."""

    claim_id: str
    claim: str
    verdict: Literal["pass", "fail", "unclear"]
    reason: str
    evidence: list[Quote]


class ClaimVerifyOutputs(Outputs):
    """A verdict per claim, in the order of the claims; `overallPass` only when every claim passed."""

    claim_verdicts: list[Verdict]
    overallPass: bool  # noqa: N815  # the wire name is the seed's
    counts: dict[str, int]


def candidates(inputs: ClaimVerifyInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """For each claim, the sentences that share most of its content words: at most three, all equally near."""
    index = [(chunk.chunk_id, sentence, _gist(sentence.text)) for chunk in inputs.groundingPack.chunks for sentence in text.sentences(chunk.text)]
    found: list[list[dict[str, Any]]] = []
    for claim in inputs.claims:
        context.check()
        wanted = _gist(_text(claim))
        shared = ((len(wanted & present) / max(1, len(wanted)), chunk_id, sentence) for chunk_id, sentence, present in index)
        near = sorted((entry for entry in shared if entry[0] >= TOUCH), key=lambda entry: (-entry[0], entry[1], entry[2].start))
        best = [entry for entry in near if entry[0] == near[0][0]][:3]
        found.append(
            [
                {"chunk_id": chunk_id, "quote": sentence.text, "start": sentence.start, "end": sentence.end, "similarity": round(share, 4)}
                for share, chunk_id, sentence in best
            ]
        )
    return {"candidates": found}


def judge(inputs: ClaimVerifyInputs, work: Work, _context: Context) -> Mapping[str, Any]:
    """A verdict per claim from its candidate sentences."""
    verdicts = [_verdict(number, claim, quotes) for number, (claim, quotes) in enumerate(zip(inputs.claims, work["candidates"], strict=True), 1)]
    return {"verdicts": verdicts}


def conclude(inputs: ClaimVerifyInputs, work: Work, _context: Context) -> Mapping[str, Any]:
    """Counts and the overall word, from the verdicts alone."""
    verdicts = work["verdicts"]
    counts = {word: sum(verdict["verdict"] == word for verdict in verdicts) for word in ("pass", "fail", "unclear")}
    warnings = [] if inputs.groundingPack.chunks else ["no evidence was given: no claim can pass"]
    return {
        "outputs": {"claim_verdicts": verdicts, "overallPass": counts["pass"] == len(verdicts), "counts": counts},
        "grounding": {"chunks": len(inputs.groundingPack.chunks), "quotes": sum(len(verdict["evidence"]) for verdict in verdicts)},
        "warnings": warnings,
    }


def _text(claim: str | Claim) -> str:
    return claim if isinstance(claim, str) else claim.text


def _verdict(number: int, claim: str | Claim, quotes: list[dict[str, Any]]) -> dict[str, Any]:
    claim_id = claim.id if isinstance(claim, Claim) and claim.id else f"claim-{number}"
    verdict, reason, evidence = _weigh(_text(claim), quotes)
    return {"claim_id": claim_id, "claim": _text(claim), "verdict": verdict, "reason": reason, "evidence": evidence}


def _gist(sentence: str) -> frozenset[str]:
    """The stems of a sentence's content words; numbers are compared by themselves, exactly."""
    return frozenset(text.stem(word) for word in text.content_words(sentence) if not word[0].isdigit())


def _weigh(claim: str, close: list[dict[str, Any]]) -> tuple[str, str, list[dict[str, Any]]]:
    if not close:
        return "unclear", "no sentence of the evidence speaks of this claim", []
    stated = set(text.numbers(claim))
    agreeing = [quote for quote in close if stated <= set(text.numbers(quote["quote"]))]
    if not agreeing:
        missing = ", ".join(sorted(stated - set(text.numbers(close[0]["quote"]))))
        return "fail", f"the evidence speaks of this claim, but does not give the number {missing}", close[:1]
    same_polarity = [quote for quote in agreeing if _negated(quote["quote"]) == _negated(claim)]
    if not same_polarity:
        return "fail", "the evidence says the opposite", agreeing[:1]
    if same_polarity[0]["similarity"] < SUPPORT:
        return "unclear", "the nearest sentence of the evidence says only a part of this claim", same_polarity
    return "pass", "a sentence of the evidence carries the claim's words and numbers", same_polarity


def _negated(sentence: str) -> bool:
    return sum(word in _NEGATIONS or word.endswith("n't") for word in text.words(sentence.replace("’", "'"))) % 2 == 1


_DRUGS = ("valoxin", "termudan", "corvetil", "ismaprel", "dorvatan", "kelpramide", "zantorol", "bexitrine")
_EFFECTS = ("mortality", "readmission", "fatigue", "relapse", "bleeding", "dyspnoea")


def _make(seed: int) -> dict[str, Any]:
    """Four claims on invented trials: one true, one with another number, one denied, one that nothing speaks of."""
    rng = random.Random(seed)
    drugs, effects = rng.sample(_DRUGS, 4), rng.sample(_EFFECTS, 4)
    rates = rng.sample(range(11, 89), 4)
    chunks = [
        {"chunk_id": f"c{rng.randrange(10**6)}-{place}", "text": f"Sites were audited in {1990 + place}. {sentence} Follow-up was complete."}
        for place, sentence in enumerate(
            (
                f"In the trial {drugs[0]} reduced {effects[0]} by {rates[0]}%.",
                f"In the trial {drugs[1]} reduced {effects[1]} by {rates[1]}%.",
                f"The drug {drugs[2]} did not change {effects[2]} in adults.",
            )
        )
    ]
    claims = [
        {"id": "true", "text": f"{drugs[0].capitalize()} reduced {effects[0]} by {rates[0]}% in the trial."},
        {"id": "number", "text": f"{drugs[1].capitalize()} reduced {effects[1]} by {rates[1] + rng.randrange(1, 10)}% in the trial."},
        {"id": "denied", "text": f"The drug {drugs[2]} did change {effects[2]} in adults."},
        {"id": "unknown", "text": f"Surgeons prefer {drugs[3]} against {effects[3]} in {rates[3]} countries."},
    ]
    rng.shuffle(claims)
    rng.shuffle(chunks)
    return {"claims": claims, "groundingPack": {"chunks": chunks}}


def _check(_seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    expected = {"true": "pass", "number": "fail", "denied": "fail", "unknown": "unclear"}
    excuse = {"number": "a claim whose number differs from its quote was passed", "denied": "a claim that the evidence denies was passed"}
    verdicts = {verdict["claim_id"]: verdict for verdict in outputs["claim_verdicts"]}
    if [verdict["claim_id"] for verdict in outputs["claim_verdicts"]] != [claim["id"] for claim in inputs["claims"]]:
        return "the verdicts are not those of the claims, in their order"
    for claim_id, wanted in expected.items():
        given = verdicts[claim_id]["verdict"]
        if given != wanted:
            return (
                excuse[claim_id]
                if given == "pass" and claim_id in excuse
                else f"the claim {claim_id!r} was judged {given}, the evidence says {wanted}"
            )
    sources = {chunk["chunk_id"]: chunk["text"] for chunk in inputs["groundingPack"]["chunks"]}
    quotes = [quote for verdict in outputs["claim_verdicts"] for quote in verdict["evidence"]]
    if any(sources.get(quote["chunk_id"], "")[quote["start"] : quote["end"]] != quote["quote"] or not quote["quote"] for quote in quotes):
        return "a quote does not stand in the chunk that it names"
    drug = next(claim["text"] for claim in inputs["claims"] if claim["id"] == "true").split()[0].lower()
    if not any(drug in quote["quote"] for quote in verdicts["true"]["evidence"]):
        return "the supported claim carries no quote that speaks of it"
    return "overallPass is true beside failed claims" if outputs["overallPass"] else None


AGENT = Agent(
    name="agent-verify",
    task_types=("CLAIM_VERIFY",),
    summary="Judges each claim against the given evidence, with verbatim quotes; numbers and negations must agree.",
    version="1.0.0",
    inputs=ClaimVerifyInputs,
    outputs=ClaimVerifyOutputs,
    steps=(Step(name="candidates", run=candidates), Step(name="judge", run=judge), Step(name="conclude", run=conclude)),
    example={
        "claims": ["Statins reduced mortality by 12% in the trial."],
        "groundingPack": {"chunks": [{"chunk_id": "c1", "text": "In the trial, statins reduced mortality by 12% over five years."}]},
    },
    probe=Probe(make=_make, check=_check),
)
