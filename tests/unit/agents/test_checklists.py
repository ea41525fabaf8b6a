from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents import checklists
from windlass.agents.checklists import Checklist

TEXT = """# Valoxin for fatigue: a randomised controlled trial

Abstract
Background: fatigue is common. Methods: we randomised adults. Results: it fell.

Introduction
It remains unclear whether valoxin helps. We aimed to test whether it does.

Methods
This was a parallel-group trial with a 1:1 allocation ratio. Adults aged 18 to 60 were eligible. The allocation was concealed in opaque
envelopes. The primary outcome was fatigue at week 12. Between March 2011 and May 2012 we recruited adults.

Results
Fatigue fell (mean difference -2.1, 95% CI -3.0 to -1.2). Serious adverse events were rare.
"""


def items(text: str, name: str = "consort") -> dict[str, str | None]:
    return {finding.item.id: finding.evidence.text if finding.evidence else None for finding in checklists.found(checklists.load(name), text)}


def test_the_shipped_checklists_have_the_published_items():
    consort, spirit = checklists.load("consort"), checklists.load("SPIRIT")
    assert (len(consort.items), len(spirit.items)) == (37, 51)
    assert [item.id for item in consort.items[:8]] == ["1a", "1b", "2a", "2b", "3a", "3b", "4a", "4b"]
    assert [item.id for item in spirit.items[-5:]] == ["31a", "31b", "31c", "32", "33"]
    assert all(len({item.id for item in checklist.items}) == len(checklist.items) for checklist in (consort, spirit))
    assert all("paraphrased" in checklist.source for checklist in (consort, spirit))


def test_what_a_report_says_is_found_and_what_it_leaves_out_is_missing():
    found = items(TEXT)
    assert {item for item, words in found.items() if words} == {"1a", "1b", "2a", "2b", "3a", "4a", "6a", "9", "14a", "17a", "19"}
    assert found["3a"] == "Methods\nThis was a parallel-group trial with a 1:1 allocation ratio."


def test_the_evidence_stands_verbatim_where_it_says():
    for finding in checklists.found(checklists.load("consort"), TEXT):
        assert finding.found == (finding.evidence is not None)
        if finding.evidence:
            assert TEXT[finding.evidence.start : finding.evidence.end] == finding.evidence.text


def test_a_trial_is_named_randomised_in_its_title_and_not_somewhere_below():
    assert items("Valoxin for fatigue\n\nThis randomised trial was small.")["1a"] is None


def test_an_abstract_needs_its_heading():
    assert items("Title\n\nMethods were sound.")["1b"] is None
    assert items("Title\n\n**Summary:** Methods were sound.")["1b"] == "Methods were sound."


def test_cues_of_one_item_count_only_together():
    assert items("A parallel line was drawn. The ratio of legs was odd.")["3a"] is None
    apart = f"A parallel trial {'and so on ' * 50} had a ratio of one to one"
    assert items(apart)["3a"] is None
    long = f"{'and so on ' * 50} a parallel trial with a ratio of one {'and so on ' * 50}"
    assert items(long)["3a"] == "parallel trial with a ratio"


def test_a_number_of_people_is_no_year():
    assert items("Of 2000 adults 20 hospitals were recruited")["14a"] is None


def test_a_part_of_a_checklist_takes_in_its_subsections():
    spirit = checklists.part(checklists.load("spirit"), "methods")
    assert (spirit.items[0].id, spirit.items[-1].id, len(spirit.items)) == ("9", "23", 25)
    with pytest.raises(ValueError, match="no items for Results"):
        checklists.part(checklists.load("spirit"), "Results")


@pytest.mark.parametrize("name", ["", "nothing", "../papers", "consort/.."])
def test_an_unknown_checklist_is_refused(name):
    with pytest.raises(ValueError, match="there is no checklist"):
        checklists.load(name)


def test_ten_megabytes_without_an_end_of_sentence_are_read():
    assert not any(items("word " * 2_000_000).values())


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.sampled_from(["parallel", "ratio of", "Allocation", ".", "\n\n", "é", "concealed", "Abstract", "randomised trial", "x" * 300]), max_size=30
    )
)
def test_findings_never_lie_about_their_place(pieces):
    text = " ".join(pieces)
    checklist: Checklist = checklists.load("consort")
    findings = checklists.found(checklist, text)
    assert [finding.item for finding in findings] == list(checklist.items)
    for finding in findings:
        if finding.evidence:
            words = finding.evidence.text.lower()
            assert text[finding.evidence.start : finding.evidence.end].lower() == words
            assert all(any(cue.rstrip("*").split("-")[0].split()[0] in words for cue in group) for group in finding.item.cues)


def test_a_heading_is_a_cue_of_what_follows():
    assert items("A title\n\nLimitations\nOur adults were few.")["20"] == "Limitations\nOur adults were few."
