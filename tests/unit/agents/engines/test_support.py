"""What a sentence may say on its quotes: the rule itself, on pairs whose answer is plain."""

from __future__ import annotations

import pytest

from windlass.agents.engines import support

QUOTE = "Aspirin reduced all-cause mortality in older adults (hazard ratio 0.82, 95% CI 0.70 to 0.94)."
DENIED = "There was no difference in bleeding between the groups."


@pytest.mark.parametrize(
    ("sentence", "quotes"),
    [
        ("In older adults aspirin reduced mortality (hazard ratio 0.82).", [QUOTE]),
        ("Mortality in older adults was reduced by aspirin, by a hazard ratio of 0.82.", [QUOTE]),
        ("All-cause mortality was reduced; in bleeding there was no difference between the groups.", [QUOTE, DENIED]),
        ("Between the groups, bleeding showed no difference.", [DENIED]),
    ],
)
def test_a_sentence_in_its_quotes_words_may_stand(sentence, quotes):
    assert support.faults(sentence, quotes) == []


@pytest.mark.parametrize(
    ("sentence", "quotes", "because"),
    [
        ("Warfarin cures gout in teenagers.", [QUOTE], "do not speak of"),
        ("Aspirin reduced all-cause mortality in older adults and cured diabetes completely.", [QUOTE], "do not speak of"),
        (f"{QUOTE[:-1]} {DENIED[:-1]}, and walking prevents depression entirely.", [QUOTE, DENIED], "do not speak of"),
        ("Aspirin increased all-cause mortality in older adults.", [QUOTE], "direction"),
        ("Aspirin did not reduce all-cause mortality in older adults.", [QUOTE], "denies"),
        ("There was a difference in bleeding between the groups.", [DENIED], "denies"),
        ("In older adults aspirin reduced mortality in Denmark.", [QUOTE], "names 'Denmark'"),
        ("In older adults aspirin reduced all-cause mortality in the ASPREE trial.", [QUOTE], "names 'ASPREE'"),
        ("Aspirin reduced mortality.", [], "do not speak of"),
    ],
)
def test_a_sentence_with_something_of_its_own_may_not(sentence, quotes, because):
    assert any(because in fault for fault in support.faults(sentence, quotes))


@pytest.mark.parametrize(
    "sentence", ["It fell [3].", "It fell (Roe et al., 2021).", "[@roe2021] It fell.", "It <b>fell</b>.", "<script>", "It fell ]"]
)
def test_a_citation_or_markup_of_the_models_own_is_found(sentence):
    assert support.citation_of_its_own(sentence, [QUOTE])


def test_brackets_of_a_quote_and_plain_signs_are_no_citation():
    assert support.citation_of_its_own("It fell [0.62, 0.91] with p<0.05.", ["HR 0.75 [0.62, 0.91]"]) is None
    assert support.citation_of_its_own("It fell [0.62, 0.91].", ["HR 0.75 (0.62, 0.91)"])


def test_a_quote_is_placed_letter_by_letter_or_not_at_all():
    assert support.place(QUOTE, "hazard ratio 0.82") == (QUOTE.index("hazard"), QUOTE.index("hazard") + 17)
    assert support.place(QUOTE, "hazard ratio 0.28") is None
    assert support.place(QUOTE, "Hazard ratio") is None
    assert support.place(QUOTE, " ") is None
