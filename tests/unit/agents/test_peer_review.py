from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents import manuscript, review_remarks, review_whole
from windlass.agents.reference.peer_review import AGENT, MOST_PER_RULE

from . import probing, runs

FRAME = """# Walking and sleep

## Abstract
Of 212 adults, 53 slept badly.

## Methods
Participants gave informed consent. We had funding from nobody and no competing interests.

## Results
{}

## Discussion
One limitation is the size. The data are available on request. There were 212 adults and 53 of them slept badly.

## References
"""


def fired(tmp_path: Path, sentence: str, **inputs: Any) -> set[tuple[str, str]]:
    """Rule → quotes, of the rules on sentences and numbers."""
    outputs = runs.outputs(AGENT, {"manuscript": FRAME.format(sentence), **inputs}, tmp_path)
    remarks = [remark for reviewer in outputs["reviewers"] for remark in reviewer["remarks"]]
    return {(remark["rule"], remark["quote"]) for remark in remarks if remark["quote"] is not None}


@pytest.mark.parametrize(
    ("sentence", "rule", "quote"),
    [
        ("Groups differed (p = 0.03).", "p_without_effect", "p = 0.03"),
        ("Groups differed, P<0.001.", "p_without_effect", "P<0.001"),
        ("The OR was 2.0 (95% CI 1.5 to 2.6; p = 0.000).", "p_zero", "p = 0.000"),
        ("In all 12/48 (20%) relapsed.", "percent_mismatch", "12/48 (20%"),
        ("In all 12 of the 48 patients (20%) relapsed.", "percent_mismatch", "12 of the 48 patients (20%"),
        ("In all 20% (12/48) relapsed.", "percent_mismatch", "20% (12/48)"),
        ("In all 1,240/1,000 (124%) relapsed.", "percent_mismatch", "1,240/1,000 (124%"),
        ("The HR was 0.80 (95% CI 0.85 to 0.95).", "estimate_outside_interval", "HR was 0.80 (95% CI 0.85 to 0.95"),
        ("The odds ratio was 1.20 (95% CI 0.90–1.60; p=0.01).", "p_contradicts_interval", "odds ratio was 1.20 (95% CI 0.90–1.60"),
        ("The RR was 1.80 (95% CI 1.20 to 2.70), p = 0.4.", "p_contradicts_interval", "RR was 1.80 (95% CI 1.20 to 2.70"),
        ("The odds ratio was 2.45.", "estimate_without_interval", "odds ratio was 2.45"),
        ("There was a trend towards benefit.", "trend_language", "trend towards"),
        ("This was marginally significant.", "trend_language", "marginally significant"),
        ("Falls were reduced by 30%.", "relative_only", "reduced by 30%"),
        ("This proves it.", "overclaim", "proves"),
        ("Sleep rose TODO cite.", "left_over", "TODO"),
        ("The ZQX rose and the ZQX fell.", "abbreviation", "ZQX"),
    ],
)
def test_a_rule_fires_on_the_words_that_break_it(tmp_path, sentence, rule, quote):
    assert fired(tmp_path, sentence) == {(rule, quote)}


@pytest.mark.parametrize(
    "sentence",
    [
        "In all 12/48 (25%) relapsed.",
        "In all 1/3 (33.3%) and 2/3 (67%) relapsed.",
        "The HR was 0.90 (95% CI 0.85 to 0.95; p = 0.001).",
        "The OR was 1.20 (95% CI 0.90 to 1.60; p = 0.21).",
        "The mean difference was -1.2 (95% CI -2.0 to -0.4; p = 0.003).",
        "Falls fell from 30% to 20%, p < 0.05.",
        "Falls were reduced by 30%, from 10/100 to 7/100.",
        "Body mass index (BMI) rose; BMI then fell.",
        "The step p was small.",
    ],
)
def test_numbers_that_agree_and_words_that_are_explained_are_left_alone(tmp_path, sentence):
    assert fired(tmp_path, sentence) == set()


def test_a_causal_word_counts_beside_an_observational_design_only(tmp_path):
    sentence = "Walking led to better sleep."
    assert fired(tmp_path, sentence) == set()
    assert fired(tmp_path, sentence, study_type="randomized_trial") == set()
    assert fired(tmp_path, sentence, study_type="cohort") == {("causal_word", "led to")}
    assert ("causal_word", "led to") in fired(tmp_path, f"In this cohort study {sentence.lower()}")


def test_a_number_of_the_abstract_that_the_body_lacks_is_named_with_its_line(tmp_path):
    text = FRAME.format("Fine.").replace("Of 212 adults", "Of 213 adults")
    outputs = runs.outputs(AGENT, {"manuscript": text}, tmp_path)
    editor = next(one for one in outputs["reviewers"] if one["persona"] == "editor")
    remark = next(one for one in editor["remarks"] if one["rule"] == "abstract_number")
    assert (remark["quote"], remark["line"]) == ("213", 4)
    assert text.split("\n")[3][text.split("\n")[3].index("213") :].startswith("213")


def test_what_is_missing_is_named_by_what_was_looked_for(tmp_path):
    outputs = runs.outputs(AGENT, {"manuscript": "# A trial\n\n## Results\nNothing.", "study_type": "randomized_trial"}, tmp_path)
    missing = {one["missing"] for reviewer in outputs["reviewers"] for one in reviewer["remarks"] if one["missing"]}
    assert {"section:abstract", "section:methods", "statement:ethics", "statement:registration", "statement:limitations", "CONSORT:8a"} <= missing
    assert outputs["standard"] == "CONSORT"
    assert outputs["recommendation"] == "major_revision"


def test_a_manuscript_without_a_design_says_that_no_checklist_was_applied(tmp_path):
    answer = runs.answer(AGENT, {"manuscript": FRAME.format("Fine.")}, tmp_path)
    assert answer["outputs"]["standard"] is None
    assert any("no checklist was applied" in warning for warning in answer["warnings"])


def test_nothing_fired_is_not_called_good(tmp_path):
    answer = runs.answer(AGENT, {"manuscript": FRAME.format("Fine.")}, tmp_path)
    assert (answer["outputs"]["major"], answer["outputs"]["minor"], answer["outputs"]["recommendation"]) == (0, 0, "no_rule_fired")
    assert any("no praise" in warning for warning in answer["warnings"])


def test_a_rule_that_fires_without_end_is_counted_and_cut(tmp_path):
    answer = runs.answer(AGENT, {"manuscript": FRAME.format("This proves it. " * 50)}, tmp_path)
    rule = next(one for one in answer["outputs"]["rules"] if one["rule"] == "overclaim")
    reader = next(one for one in answer["outputs"]["reviewers"] if one["persona"] == "reader")
    assert (rule["fired"], len(reader["remarks"])) == (50, MOST_PER_RULE)
    assert any("overclaim fired 50 times" in warning for warning in answer["warnings"])


def test_a_remark_that_no_line_and_no_missing_item_carries_is_told_so():
    read = manuscript.read("# T\n\n## Methods\nWe walked.\n")
    lacking = set(review_whole.lacks(read, None, lambda: None))
    good = review_remarks.on("overclaim", read, read.text.index("walked"), read.text.index("walked") + 6, "x")
    assert review_remarks.unsupported(good, read, lacking) is None
    assert review_remarks.unsupported(review_remarks.lacking("section_missing", "section:results", "x"), read, lacking) is None
    assert "not among" in str(review_remarks.unsupported(review_remarks.lacking("section_missing", "section:methods", "x"), read, lacking))
    assert "another line" in str(review_remarks.unsupported(good.model_copy(update={"line": 1}), read, lacking))
    assert "does not stand" in str(review_remarks.unsupported(good.model_copy(update={"quote": "ran on"}), read, lacking))
    assert "no rule" in str(review_remarks.unsupported(good.model_copy(update={"rule": "style"}), read, lacking))


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "manuscript: is required"),
        ({"manuscripts": "x"}, "did you mean 'manuscript'"),
        ({"manuscript": "x", "studytype": "cohort"}, "did you mean 'study_type'"),
        ({"manuscript": "x", "study_type": "poem"}, "'randomized_trial'"),
        ({"manuscript": " "}, "manuscript"),
        ({"manuscript": "x" * 10_000_000}, "at most 1000000"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_by_name(tmp_path, inputs, said):
    error = runs.refusal(AGENT, inputs, tmp_path)
    assert error["code"] == "VALIDATION_ERROR"
    assert said in error["message"]


@pytest.mark.parametrize("piece", ["x", "# a\n", "p = 0.03. ", "12/48 (20%) ", "1 1 ", "ABC ", "the effect of ", "(ABC ", "1,000", "水。"])
def test_the_longest_text_is_answered_in_time(tmp_path, piece):
    half = piece * (490_000 // len(piece))
    text = f"Abstract\n{half}\n\nMethods\n{half}"
    runs.outputs(AGENT, {"manuscript": text, "study_type": "cohort"}, tmp_path, budgets={"timeout_ms": 20_000})


_SENTENCES = st.sampled_from(
    [
        "Groups differed (p = 0.03).",
        "12/48 (20%) fell.",
        "This proves it.",
        "",
        "## Results",
        "## Discussion",
        "Walking led to it [3].",
        "水 (ABC) ABC.",
        "Of 99 X.",
    ]
)


@settings(max_examples=30, deadline=None)
@given(lines=st.lists(_SENTENCES, min_size=1, max_size=12))
def test_every_quote_stands_in_its_line(tmp_path_factory, lines):
    text = "\n".join(["Abstract", *lines, "References", "1. Roe."])
    outputs = runs.outputs(AGENT, {"manuscript": text, "study_type": "cohort"}, tmp_path_factory.getbasetemp())
    for reviewer in outputs["reviewers"]:
        for remark in reviewer["remarks"]:
            assert (remark["quote"] is None) is not (remark["missing"] is None)
            if remark["quote"]:
                assert text[remark["start"] : remark["end"]] == remark["quote"]
                assert text.count("\n", 0, remark["start"]) + 1 == remark["line"]


def test_the_probe_passes_for_real_work(tmp_path):
    probing.passes(AGENT, tmp_path)


def test_the_probe_rejects_canned_answers(tmp_path):
    probing.rejects_canned_answers(AGENT, tmp_path)


def test_the_probe_needs_every_step(tmp_path):
    probing.needs_every_step(AGENT, tmp_path)
