from __future__ import annotations

from typing import Any

import pytest

from windlass.agents.reference.hypothesis_refinement import AGENT

from . import scripted

INPUTS = {"hypothesis": "We hypothesise that daily walking reduces fatigue in adults with breast cancer compared with usual care."}
GOOD = (
    "In adults with breast cancer, daily walking reduces fatigue by [size of the change] compared with usual care within [number and unit of time]."
)


def drafted(*wordings: str) -> dict[str, Any]:
    return {"refinements": [{"text": wording} for wording in wordings]}


def test_a_rewording_in_the_users_words_is_taken_with_its_repairs_and_gain_computed(tmp_path):
    answer = scripted.accepted(AGENT, INPUTS, tmp_path, drafted(GOOD))
    (refinement,) = answer["outputs"]["refinements"]
    assert refinement["text"] == GOOD
    assert refinement["repairs"] == ["size_stated", "time_named", "time_measured"]
    assert refinement["placeholders"] == ["[number and unit of time]", "[size of the change]"]
    assert refinement["total_when_filled"] == round(answer["outputs"]["total"] + refinement["gain"], 1)
    assert answer["usage"]["model_input_tokens"] == 10


@pytest.mark.parametrize(
    ("wording", "because"),
    [
        (GOOD.replace("[size of the change]", "12%"), "these words are not the user's: 12"),
        (GOOD.replace("daily walking", "daily yoga"), "not the user's: yoga"),
        (GOOD.replace("reduces", "increases"), "not the user's: increases"),
        (
            "In adults with breast cancer, usual care reduces fatigue compared with daily walking within [number and unit of time].",
            "which is not what the user",
        ),
        ("Daily walking reduces fatigue.", "no longer met"),
        (INPUTS["hypothesis"], "repairs none"),
    ],
)
def test_a_rewording_that_adds_turns_or_loses_something_is_refused(tmp_path, wording, because):
    scripted.refused(AGENT, INPUTS, tmp_path, drafted(wording), because)


def test_more_than_was_asked_for_and_repetitions_are_refused(tmp_path):
    scripted.refused(AGENT, INPUTS | {"max_refinements": 1}, tmp_path, drafted(GOOD, GOOD), "1 are wanted")
    scripted.refused(AGENT, INPUTS, tmp_path, drafted(GOOD, GOOD), "stands there twice")


def test_a_hypothesis_with_nothing_to_repair_is_not_sent(tmp_path):
    whole = "We hypothesise that metformin reduces HbA1c by 0.5% in adults with type 2 diabetes compared with placebo within 12 weeks."
    chat = scripted.Scripted(answers=[drafted(GOOD)])
    answer = scripted.answer(AGENT, {"hypothesis": whole}, tmp_path, chat)
    assert (answer["status"], answer["provenance"]["engine"], chat.asked) == ("ok", "deterministic", [])
