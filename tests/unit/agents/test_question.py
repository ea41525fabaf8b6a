"""Questions taken apart: slots, headings and keywords."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents import question, thesaurus


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (
            "In adults with type 2 diabetes, does metformin compared with placebo reduce cardiovascular mortality within 5 years?",
            {"population": ["adults with type 2 diabetes"], "intervention": ["metformin"], "comparison": ["placebo"],
             "outcome": ["cardiovascular mortality"], "time": ["5 years"]},
        ),
        (
            "What is the effect of statins on mortality in older adults?",
            {"population": ["older adults"], "intervention": ["statins"], "outcome": ["mortality"]},
        ),
        ("Is aspirin effective for preventing stroke in women?", {"population": ["women"], "intervention": ["aspirin"], "outcome": ["stroke"]}),
        (
            "Is there an association between smoking and stroke among men?",
            {"population": ["men"], "intervention": ["smoking"], "outcome": ["stroke"]},
        ),
        (
            "Efficacy of valoxin versus placebo for heart failure with reduced ejection fraction: effects on hospital readmission",
            {"population": ["heart failure with reduced ejection fraction"], "intervention": ["valoxin"], "comparison": ["placebo"],
             "outcome": ["hospital readmission"]},
        ),
        ("exercise fatigue breast cancer", {}),
        ("in in does, does the a?", {}),
    ],
)  # fmt: skip
def test_cue_words_open_the_slots(asked, expected):
    assert {slot: pieces for slot, pieces in question.slots(asked).items() if pieces} == expected


@settings(max_examples=30, deadline=None)
@given(st.text(alphabet="ab ,.?;:", max_size=60).map(lambda odd: f"In {odd} does b {odd} reduce {odd}? vs {odd}"))
def test_what_stands_in_a_slot_stands_in_the_question(asked):
    assert all(piece and piece in asked for pieces in question.slots(asked).values() for piece in pieces)


def test_headings_take_the_longest_phrase_and_know_synonyms():
    found = question.headings("Heart attacks and type 2 diabetes in elderly people", thesaurus.HEADINGS)
    assert [heading.heading for heading in found] == ["Myocardial Infarction", "Diabetes Mellitus, Type 2", "Aged"]
    assert "myocardial infarction" in found[0].synonyms


def test_no_phrase_of_the_thesaurus_means_two_headings():
    phrases = [phrase for _heading, phrases in thesaurus.HEADINGS for phrase in phrases]
    assert len(phrases) == len(set(phrases))
    for heading, known in thesaurus.HEADINGS:
        assert all([found.heading for found in question.headings(phrase, thesaurus.HEADINGS)] == [heading] for phrase in known)


def test_keywords_carry_the_question_and_nothing_of_its_asking():
    assert question.keywords("What is the effect of statins, compared with a statin, on mortality?") == ["statins", "mortality"]


def test_the_boolean_query_joins_words_and_headings():
    asked = "Do statins reduce mortality in adults?"
    query = question.boolean(question.slots(asked), question.keywords(asked), thesaurus.HEADINGS)
    assert query == (
        '((adults) OR ("Adult"[MeSH Terms])) AND ((statins) OR ("Hydroxymethylglutaryl-CoA Reductase Inhibitors"[MeSH Terms])) '
        'AND ((mortality) OR ("Mortality"[MeSH Terms]))'
    )


def test_a_question_can_not_write_operators_into_the_boolean_query():
    asked = 'Does x"[tiab]) OR (all[sb] reduce )) NOT (y?'
    query = question.boolean(question.slots(asked), question.keywords(asked), thesaurus.HEADINGS)
    assert query.count("(") == query.count(")")
    assert "[" not in query
    assert '"' not in query


def test_a_long_question_is_taken_apart_in_time():
    began = time.monotonic()
    question.slots("does in a reduce b? " * 500)
    question.headings("low back " * 1200, thesaurus.HEADINGS)
    assert time.monotonic() - began < 2
