from __future__ import annotations

from windlass.agents import claim_support
from windlass.agents.claim_support import Support, VerifiedClaim
from windlass.agents.grounding import Chunk

CHUNKS = [
    Chunk(chunk_id="a", text="Rain fell. In the trial valoxin reduced fatigue by twelve percent in adults. Ships left."),
    Chunk(chunk_id="b", doc_id="d", text="Valoxin did not change sleep in adults."),
]


def weighed(claim: str | VerifiedClaim) -> Support:
    (word,) = claim_support.supports([claim], CHUNKS, lambda: None)
    return word


def test_a_claim_is_carried_by_the_sentence_with_its_words_and_numbers():
    word = weighed("Valoxin reduced fatigue by 12% in adults.")
    assert word.referenced
    assert word.evidence is not None
    assert CHUNKS[0].text[word.evidence.start : word.evidence.end] == word.evidence.quote
    assert word.evidence.quote.startswith("In the trial valoxin")


def test_another_number_another_polarity_or_other_words_carry_nothing():
    assert "does not give the number 13%" in weighed("Valoxin reduced fatigue by 13% in adults.").reason
    assert "says the opposite" in weighed("Valoxin did change sleep in adults.").reason
    assert "enough of its words" in weighed("Termudan cured dyspnoea of adults in Norway.").reason


def test_a_claim_that_names_its_chunks_is_held_to_them():
    assert weighed(VerifiedClaim(text="Valoxin did not change sleep.", chunk_ids=["b"])).referenced
    assert not weighed(VerifiedClaim(text="Valoxin did not change sleep.", chunk_ids=["a"])).referenced
    assert "'z', which is not among" in weighed(VerifiedClaim(text="Valoxin did not change sleep.", chunk_ids=["b", "z"])).reason


def test_a_claim_of_stop_words_or_numbers_alone_is_carried_by_nothing():
    assert not weighed("It was 12% of them.").referenced
    assert not weighed("12 13 14").referenced


def test_a_thousand_claims_on_ten_thousand_sentences_are_weighed_in_a_moment():
    chunks = [Chunk(chunk_id="c", text=" ".join(f"Site {number} saw rain." for number in range(10_000)))]
    words = claim_support.supports([f"Vendor{number} sold tulips to {number} gardeners" for number in range(1000)], chunks, lambda: None)
    assert not any(word.referenced for word in words)
