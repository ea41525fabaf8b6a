from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents import csl, edits
from windlass.agents.csl import Reference
from windlass.agents.reference.dissemination_formatting import AGENT

from . import probing, runs

ROE = {
    "id": "roe2020",
    "type": "article-journal",
    "title": "Does sleep matter?",
    "author": [{"family": "Roe", "given": "Jane K."}, {"family": "van der Berg", "given": "Mary-Ann"}, {"literal": "The Sleep Group"}],
    "container-title": "J Examples",
    "issued": {"date-parts": [[2020, 5]]},
    "volume": 12,
    "issue": "3",
    "page": "101-110",
    "DOI": "10.5555/abc",
}
DOE = {
    "id": "doe",
    "type": "book",
    "title": "Walking",
    "author": [{"family": "Doe", "given": "A"}],
    "publisher": "Press",
    "publisher-place": "Nowhere",
}
TEXT = """# Walking and sleep

## Abstract
Five words are right here.

Keywords: sleep; walking

## Introduction
Sleep matters [@roe2020; @doe]. Others disagree [@nobody].

## Methods
We walked.

Figure 1. Steps per day.
| a | b |
"""
JOURNAL = "Invented Journal of Clinical Trials"


def formatted(tmp_path: Path, **inputs: Any) -> dict[str, Any]:
    return runs.outputs(AGENT, {"manuscript_text": TEXT, "target_journal": JOURNAL, "references": [ROE, DOE], **inputs}, tmp_path)


def test_the_journals_rules_are_held_against_what_the_manuscript_has(tmp_path):
    outputs = formatted(tmp_path)
    measured = {name: outputs["measured"][name] for name in ("words", "abstract_words", "references", "figures", "tables", "keywords")}
    assert measured == {"words": 9, "abstract_words": 5, "references": 2, "figures": 1, "tables": 0, "keywords": 2}
    rows = {row["field"]: row for row in outputs["rows"]}
    assert rows["word_limit"]["verdict"] == "within"
    assert rows["sections"]["missing"] == ["Background", "Results", "Discussion", "Conclusions"]
    assert outputs["fits"] is False


@pytest.mark.parametrize(
    ("style", "cited", "entry"),
    [
        (
            "vancouver",
            "(1,2)",
            "1. Roe JK, van der Berg M-A, The Sleep Group. Does sleep matter? J Examples. 2020;12(3):101–110. doi:10.5555/abc",
        ),
        ("ama", "[1,2]", "1. Roe JK, van der Berg M-A, The Sleep Group. Does sleep matter? J Examples. 2020;12(3):101–110. doi:10.5555/abc"),
        (
            "apa",
            "(Doe, n.d.; Roe et al., 2020)",
            "Roe, J. K., van der Berg, M.-A., & The Sleep Group (2020). Does sleep matter? J Examples, 12(3), 101–110. https://doi.org/10.5555/abc",
        ),
        (
            "harvard",
            "(Doe, n.d.; Roe, van der Berg and The Sleep Group, 2020)",
            "Roe, J. K., van der Berg, M.-A. and The Sleep Group (2020) Does sleep matter? J Examples, 12(3), pp. 101–110. doi:10.5555/abc",
        ),
    ],
)
def test_references_and_citations_are_written_as_the_style_does(tmp_path, style, cited, entry):
    outputs = formatted(tmp_path, citation_style=style)
    assert entry in [one["text"] for one in outputs["bibliography"]]
    assert f"Sleep matters {cited}." in outputs["formatted_text"]


def test_every_change_is_listed_and_can_be_taken_back(tmp_path):
    outputs = formatted(tmp_path)
    assert [edit["rule"] for edit in outputs["edits"]] == ["citation", "reference_list"]
    made = [edits.Edit.model_validate(edit) for edit in outputs["edits"]]
    assert edits.undone(outputs["formatted_text"], made) == TEXT
    with pytest.raises(ValueError, match="is not what the edit put there"):
        edits.undone(outputs["formatted_text"].replace("(1,2)", "(2,1)"), made)


def test_a_key_without_a_reference_stays_and_is_named(tmp_path):
    outputs = formatted(tmp_path)
    unknown = next(one for one in outputs["findings"] if one["rule"] == "unknown_key")
    assert (unknown["quote"], unknown["line"]) == ("[@nobody]", 9)
    assert "[@nobody]" in outputs["formatted_text"]


def test_a_list_that_stands_there_is_left_and_checked(tmp_path):
    text = (
        "## Introduction\nFirst [2], then [1,4]. As Roe (2020) said.\n\n## References\n1. Roe J. A. 2020.\n2. Doe J. B. 2021.\n3. Poe J. C. 2022.\n"
    )
    answer = runs.answer(AGENT, {"manuscript_text": text, "target_journal": JOURNAL, "references": [ROE]}, tmp_path)
    outputs = answer["outputs"]
    assert outputs["formatted_text"] == text
    assert any("left as it is" in warning for warning in answer["warnings"])
    found = {(one["rule"], one["line"], one["quote"]) for one in outputs["findings"]}
    assert ("order_of_first_citation", 2, "[1,4]") in found
    assert ("cited_without_entry", 2, "[1,4]") in found
    assert ("entry_not_cited", 7, "Poe J. C. 2022.") in found
    assert ("citation_kind", 2, "Roe (2020)") in found
    assert all(text[one["start"] : one["end"]] == one["quote"] for one in outputs["findings"] if one["quote"])


def test_author_and_year_are_checked_against_the_list(tmp_path):
    text = "## Introduction\nSo it is (Roe, 2020; Loe et al., 2019).\n\n## References\nRoe, J. (2020). A.\nPoe, J. (2022). C.\n"
    outputs = runs.outputs(AGENT, {"manuscript_text": text, "target_journal": JOURNAL, "citation_style": "apa"}, tmp_path)
    assert [(one["rule"], one["line"]) for one in outputs["findings"]] == [("cited_without_entry", 2), ("entry_not_cited", 6)]


def test_a_journal_nobody_knows_is_refused_with_the_nearest_and_a_given_guideline_is_used(tmp_path):
    error = runs.refusal(AGENT, {"manuscript_text": "x", "target_journal": "Invented Journal of Clinical Trails"}, tmp_path)
    assert error["code"] == "JOURNAL_NOT_FOUND"
    assert error["details"]["nearest"][0] == JOURNAL
    own = {"name": "My Journal", "word_limit": 1, "reference_style": "apa"}
    outputs = formatted(tmp_path, target_journal="my journal", guideline=own)
    assert (outputs["journal"]["origin"], outputs["style"]) == ("given", "apa")
    assert {row["field"]: row["verdict"] for row in outputs["rows"]}["word_limit"] == "over"


def test_a_journals_style_that_is_not_offered_is_said_and_nothing_is_formatted(tmp_path):
    own = {"name": "My Journal", "reference_style": "chicago"}
    answer = runs.answer(AGENT, {"manuscript_text": TEXT, "target_journal": "My Journal", "guideline": own, "references": [ROE]}, tmp_path)
    assert (answer["outputs"]["style"], answer["outputs"]["bibliography"], answer["outputs"]["formatted_text"]) == (None, [], TEXT)
    assert any("'chicago' is not offered" in warning for warning in answer["warnings"])


def test_two_references_that_are_cited_alike_are_named(tmp_path):
    answer = runs.answer(
        AGENT,
        {"manuscript_text": "x", "target_journal": JOURNAL, "citation_style": "apa", "references": [ROE, {**ROE, "id": "roe2020b", "title": "More"}]},
        tmp_path,
    )
    assert answer["outputs"]["ambiguous"] == [["roe2020", "roe2020b"]]
    assert any("no year suffixes" in warning for warning in answer["warnings"])


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "manuscript_text: is required"),
        ({"manuscript": "x", "target_journal": JOURNAL}, "did you mean 'manuscript_text'"),
        ({"manuscript_text": "x", "target_jornal": JOURNAL}, "did you mean 'target_journal'"),
        ({"manuscript_text": "x", "target_journal": JOURNAL, "citation_style": "chicago"}, "'vancouver', 'ama', 'apa' or 'harvard'"),
        ({"manuscript_text": "x", "target_journal": JOURNAL, "references": [ROE, ROE]}, "same id"),
        ({"manuscript_text": "x", "target_journal": JOURNAL, "references": [{**ROE, "journal": "J"}]}, "journal"),
        ({"manuscript_text": "x", "target_journal": JOURNAL, "references": [{**ROE, "id": "a b"}]}, "references"),
        ({"manuscript_text": "x", "target_journal": JOURNAL, "guideline": {"name": "Else"}}, "another journal"),
        ({"manuscript_text": "x" * 10_000_000, "target_journal": JOURNAL}, "at most 1000000"),
        ({"manuscript_text": "[@a] " * 21_000, "target_journal": JOURNAL}, "more than 20000 citations"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_by_name(tmp_path, inputs, said):
    error = runs.refusal(AGENT, inputs, tmp_path)
    assert error["code"] == "VALIDATION_ERROR"
    assert said in error["message"]


@pytest.mark.parametrize("piece", ["x", "# a\n", "[1-99,1-99] ", "(Roe, 2020) ", "References\n1. a\n", "[@a;", "(((", "Figure 1. A\n"])
def test_the_longest_text_is_answered_in_time(tmp_path, piece):
    inputs = {"manuscript_text": piece * (1_000_000 // len(piece)), "target_journal": JOURNAL}
    runs.outputs(AGENT, inputs, tmp_path, budgets={"timeout_ms": 20_000})


_NAMES = st.text(alphabet="Ab é-'<&.水", min_size=1, max_size=8).filter(lambda name: any(one.isalpha() for one in name))


@settings(max_examples=30, deadline=None)
@given(
    style=st.sampled_from(csl.STYLES),
    title=_NAMES,
    family=_NAMES,
    given_name=_NAMES,
    year=st.integers(1000, 2100),
    kind=st.sampled_from(["book", "chapter", "webpage"]),
)
def test_no_formatted_reference_has_a_word_or_number_that_is_not_its_own(style, title, family, given_name, year, kind):
    reference = Reference.model_validate(
        {"id": "a", "type": kind, "title": title, "author": [{"family": family, "given": given_name}], "issued": {"date-parts": [[year]]}}
    )
    entries = csl.rendered(style, [reference], []).entries
    assert csl.foreign_words(entries[0][1], reference) == []
    assert csl.foreign_words(f"{entries[0][1]} Nature 1999b", reference) == ["Nature", "1999b"]


def test_the_probe_passes_for_real_work(tmp_path):
    probing.passes(AGENT, tmp_path)


def test_the_probe_rejects_canned_answers(tmp_path):
    probing.rejects_canned_answers(AGENT, tmp_path)


def test_the_probe_needs_every_step(tmp_path):
    probing.needs_every_step(AGENT, tmp_path)
