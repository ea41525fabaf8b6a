from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents.reference.section_intro import AGENT

from . import packs, runs

EVIDENCE = packs.pack(
    b="Valoxin lowers fatigue in adults. However, few trials of valoxin have included women. Patients received 5 mg of valoxin.",
    a="We aimed to assess whether valoxin lowers fatigue in women. Fatigue accounts for 12% of visits.",
)


def test_an_introduction_goes_from_background_over_the_gap_to_the_aim(tmp_path):
    found = runs.outputs(AGENT, {"outline": "Fatigue and valoxin\nWomen", "groundingPack": EVIDENCE}, tmp_path)
    assert packs.paragraphs(found) == [
        ("background", ["Valoxin lowers fatigue in adults.", "Fatigue accounts for 12% of visits."]),
        ("gap", ["However, few trials of valoxin have included women."]),
        ("aim", ["We aimed to assess whether valoxin lowers fatigue in women."]),
    ]
    assert found["text"].startswith("Valoxin lowers fatigue in adults. [b] Fatigue accounts for 12% of visits. [a]\n\nHowever,")
    assert (found["chunk_ids"], found["missing_moves"]) == (["b", "a"], [])
    packs.stands(found, {chunk["chunk_id"]: chunk["text"] for chunk in EVIDENCE["chunks"]})


def test_what_the_evidence_lacks_is_named_and_not_made_up(tmp_path):
    found = runs.outputs(AGENT, {"outline": ["Valoxin", "Penguins"], "groundingPack": packs.pack(a="Valoxin is widely used in adults.")}, tmp_path)
    assert found["missing_moves"] == ["gap", "aim"]
    assert found["outline"] == [{"point": "Valoxin", "sentences": 1}, {"point": "Penguins", "sentences": 0}]


def test_a_sentence_of_two_chunks_stands_once_with_both(tmp_path):
    twice = packs.pack(a="Valoxin is widely used in adults.", b="Valoxin is widely\nused in adults.")
    found = runs.outputs(AGENT, {"topic": "valoxin", "groundingPack": twice}, tmp_path)
    assert found["text"] == "Valoxin is widely used in adults. [a; b]"


def test_a_section_holds_sixty_sentences_those_nearest_to_the_outline(tmp_path):
    many = " ".join(f"Valoxin is widely used at site {number}." for number in range(70)) + " Valoxin is widely used against fatigue in women."
    answered = runs.answer(AGENT, {"topic": "valoxin against fatigue in women", "groundingPack": packs.pack(a=many)}, tmp_path)
    assert len(packs.sentences(answered["outputs"])) == 60
    assert "against fatigue in women" in answered["outputs"]["text"]
    assert "11 more sentences fit" in answered["warnings"][0]


def test_a_claim_that_names_a_chunk_is_carried_by_it(tmp_path):
    claim = {"id": "k", "text": "Fatigue accounts for 12% of visits.", "chunk_ids": ["a"]}
    found = runs.outputs(AGENT, {"topic": "women", "groundingPack": EVIDENCE, "verifiedClaims": [claim]}, tmp_path, mode="LIVE")
    assert [line["text"] for line in packs.sentences(found) if line["claim_ids"] == ["k"]] == ["Fatigue accounts for 12% of visits."]


def test_it_keeps_the_rules_of_every_writer(tmp_path):
    packs.lives_up_to_its_rules(AGENT, "Valoxin is widely used in adults.", "valoxin", tmp_path)


def test_huge_and_hostile_evidence_is_survived(tmp_path):
    packs.survives(AGENT, "Valoxin is widely used in adults.", "valoxin", tmp_path)


def test_it_is_proved(tmp_path):
    packs.is_proved(AGENT, tmp_path)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(alphabet="Valoxin is widely used. 12%\n\u202e|[]<>", max_size=200), min_size=1, max_size=4))
def test_nothing_is_written_that_does_not_stand_in_the_evidence(tmp_path_factory, texts):
    chunks = {f"c{place}": f"{text} Valoxin is widely used in adults. {text}" for place, text in enumerate(texts)}
    store = tmp_path_factory.getbasetemp()
    found = runs.outputs(AGENT, {"topic": "valoxin", "groundingPack": packs.pack(**chunks)}, store)
    packs.stands(found, chunks)
