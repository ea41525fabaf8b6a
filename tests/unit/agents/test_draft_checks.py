from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents import draft_checks, grounding, text
from windlass.agents.grounding import Chunk, Grounded, Quote

SOURCE = "Rain fell. Mortality fell by 12% in 300 adults. Sixty withdrew."
CHUNKS = {"c1": Chunk(chunk_id="c1", doc_id="d1", text=SOURCE)}
QUOTE = Quote(chunk_id="c1", doc_id="d1", quote="Mortality fell by 12% in 300 adults.", start=11, end=47)


def broken(sentence: str, *quotes: Quote) -> list[str]:
    return [fault.rule for fault in draft_checks.faults([Grounded(text=sentence, evidence=list(quotes))], CHUNKS)]


def test_a_sentence_may_reword_its_quote_and_take_numbers_from_its_chunk():
    assert broken("In three hundred adults, deaths fell by 12 per cent; 60 left.", QUOTE) == []


@pytest.mark.parametrize(
    ("sentence", "quotes", "rule"),
    [
        ("Mortality fell.", (), "no_evidence"),
        ("Mortality fell.", (QUOTE.model_copy(update={"chunk_id": "c9"}),), "unknown_chunk"),
        ("Mortality fell.", (QUOTE.model_copy(update={"doc_id": "d2"}),), "wrong_document"),
        ("Mortality fell.", (QUOTE.model_copy(update={"quote": "Mortality fell by 13% in 300 adults."}),), "not_verbatim"),
        ("Mortality fell.", (QUOTE.model_copy(update={"start": 10}),), "not_verbatim"),
        ("Mortality fell.", (QUOTE.model_copy(update={"start": -52, "end": -16}),), "not_verbatim"),
        ("Mortality fell by 13%.", (QUOTE,), "number_not_in_evidence"),
        ("Mortality fell by 12 points.", (QUOTE,), "number_not_in_evidence"),
        ("Mortality fell in four hundred adults.", (QUOTE,), "number_not_in_evidence"),
    ],
)
def test_what_a_draft_may_not_do_is_named(sentence, quotes, rule):
    assert broken(sentence, *quotes) == [rule]


def test_a_forged_quote_backs_no_number():
    assert broken("Mortality fell by 99%.", QUOTE.model_copy(update={"quote": "Mortality fell by 99% in 300 adults."})) == [
        "not_verbatim",
        "number_not_in_evidence",
    ]


def test_every_fault_of_every_sentence_is_told_with_its_place():
    faults = draft_checks.faults([Grounded(text="Fine.", evidence=[QUOTE]), Grounded(text="It was 7.", evidence=[])], CHUNKS)
    assert [(fault.sentence, fault.rule) for fault in faults] == [(1, "no_evidence"), (1, "number_not_in_evidence")]


@settings(max_examples=30, deadline=None)
@given(st.text(alphabet="ab 12%.,-\n\u00a0twenty()A", max_size=120))
def test_a_sentence_of_the_evidence_always_holds(source):
    chunk = Chunk(chunk_id="c", text=source)
    lines = [Grounded(text=draft_checks.folded(span.text), evidence=[grounding.quoted(chunk, span)]) for span in text.sentences(source)]
    assert draft_checks.faults(lines, {"c": chunk}) == []
