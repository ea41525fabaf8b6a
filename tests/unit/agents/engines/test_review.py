from __future__ import annotations

from typing import Any

import pytest

from windlass.agents.reference.peer_review import AGENT

from . import scripted

LINE = "Walking rescues nearly all of the tired adults that we met in 2019."
MANUSCRIPT = f"# On walking\n\n## Abstract\n\nWe walked.\n\n## Results\n\n{LINE}\n\n## Discussion\n\nWalking may help. A limitation is our size.\n"
INPUTS = {"manuscript": MANUSCRIPT, "study_type": "cohort"}


def drafted(
    rule: str = "overclaim", quote: str = "rescues nearly all of the tired adults", message: str = "Can a study of this kind show a rescue?"
) -> dict[str, Any]:
    return {"remarks": [{"rule": rule, "quote": quote, "message": message}]}


def remarks(outputs: dict[str, Any]) -> list[dict[str, Any]]:
    return [remark for reviewer in outputs["reviewers"] for remark in reviewer["remarks"]]


def test_a_remark_on_quoted_words_is_added_with_its_line_to_those_of_the_rules(tmp_path):
    plain = scripted.answer(AGENT, INPUTS, tmp_path, scripted.Scripted(answers=[None]))["outputs"]
    answer = scripted.accepted(AGENT, INPUTS, tmp_path, drafted())
    (added,) = [remark for remark in remarks(answer["outputs"]) if remark not in remarks(plain)]
    assert (added["persona"], added["severity"], added["line"]) == ("reader", "minor", MANUSCRIPT[: MANUSCRIPT.index(LINE)].count("\n") + 1)
    assert MANUSCRIPT[added["start"] : added["end"]] == added["quote"] == "rescues nearly all of the tired adults"
    assert answer["outputs"]["minor"] == plain["minor"] + 1
    fired = {rule["rule"]: rule["fired"] for rule in answer["outputs"]["rules"]}
    assert fired["overclaim"] == {rule["rule"]: rule["fired"] for rule in plain["rules"]}["overclaim"] + 1


def test_no_remark_to_add_is_an_answer_and_a_repeated_one_stands_once(tmp_path):
    scripted.accepted(AGENT, INPUTS, tmp_path, {"remarks": []})
    twice = {"remarks": drafted()["remarks"] + drafted(quote="nearly all of the tired adults that we met")["remarks"]}
    outputs = scripted.accepted(AGENT, INPUTS, tmp_path, twice)["outputs"]
    assert len([remark for remark in remarks(outputs) if remark["rule"] == "overclaim"]) == 1


@pytest.mark.parametrize(
    ("draft", "because"),
    [
        (drafted(quote="heals nearly all of the tired adults"), "does not stand in the manuscript"),
        (drafted(message="Were there really 312 of them?"), "the quote does not hold the number 312"),
        (drafted(message="An excellent finding, is it not?"), "a remark is no praise"),
        (drafted(message="This is an overclaim."), "ends with a question mark"),
        (drafted(message="Is this not what Smith et al found?"), "leave citations, brackets and markup out"),
        (drafted(rule="percent_mismatch"), "rule"),
    ],
)
def test_a_remark_that_no_words_carry_is_refused(tmp_path, draft, because):
    scripted.refused(AGENT, INPUTS, tmp_path, draft, because)


def test_causal_words_are_remarked_in_observational_studies_only(tmp_path):
    scripted.accepted(AGENT, INPUTS, tmp_path, drafted(rule="causal_word"))
    scripted.refused(AGENT, INPUTS | {"study_type": "randomized_trial"}, tmp_path, drafted(rule="causal_word"), "observational studies only")
