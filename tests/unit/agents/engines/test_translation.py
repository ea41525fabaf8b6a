from __future__ import annotations

from typing import Any

import pytest

from windlass.agents.reference.multilingual_literature import AGENT

from . import scripted

GERMAN = "Die Studie NCT01234567 umfasste 1.204 Patienten; die Sterblichkeit sank um 3,2 % und der HbA1c um 0,82 (95 % KI 0,70 bis 0,94)."
ENGLISH = "The study NCT01234567 included 1,204 patients; mortality fell by 3.2 % and HbA1c by 0.82 (95 % CI 0.70 to 0.94)."
INPUTS = {
    "texts": [{"id": "de-1", "text": GERMAN}, {"id": "en-1", "text": "We enrolled 88 patients and followed them for a year."}],
    "translate_to": "en",
}


def drafted(text: str = ENGLISH, name: str = "de-1") -> dict[str, Any]:
    return {"translations": [{"id": name, "text": text}]}


def test_a_translation_that_keeps_every_number_is_taken_and_the_rest_is_computed_as_before(tmp_path):
    answer = scripted.accepted(AGENT, INPUTS, tmp_path, drafted())
    translation = answer["outputs"]["translation"]
    assert (translation["done"], translation["code"], translation["requested"]) == (True, None, "en")
    assert translation["texts"] == [{"id": "de-1", "language": "de", "text": ENGLISH}]
    assert [one["language"] for one in answer["outputs"]["texts"]] == ["de", "en"]
    assert not any("MODEL_REQUIRED" in warning for warning in answer["warnings"])
    assert any("the wording was not" in warning for warning in answer["warnings"])


@pytest.mark.parametrize(
    ("draft", "because"),
    [
        (drafted(ENGLISH.replace("3.2 %", "2.3 %")), "numbers differ"),
        (drafted(ENGLISH.replace("1,204", "1,240")), "numbers differ"),
        (drafted(ENGLISH.replace(" by 3.2 %", " slightly")), "numbers differ"),
        (drafted(ENGLISH + " About 40 improved."), "numbers differ"),
        (drafted(ENGLISH.replace("3.2 %", "3.2")), "a percent sign was added or lost"),
        (drafted(ENGLISH.replace("NCT01234567", "NCT01234576")), "codes and names with digits differ"),
        (drafted(GERMAN), "stands there untranslated"),
        (drafted(GERMAN.replace("Die Studie", "Diese Studie")), "it reads as 'de', not as 'en'"),
        (drafted("1,204 3.2 % 0.82 95 % 0.70 0.94 NCT01234567 HbA1c " + "and so on and on " * 80), "far shorter or longer"),
        (drafted(name="fr-9"), "there is no text 'fr-9'"),
        ({"translations": []}, "the text 'de-1' is not translated"),
        ({"translations": [drafted()["translations"][0]] * 2}, "translated twice"),
    ],
)
def test_a_translation_that_changes_what_translation_leaves_alone_is_refused(tmp_path, draft, because):
    answer = scripted.refused(AGENT, INPUTS, tmp_path, draft, because)
    assert answer["outputs"]["translation"]["code"] == "MODEL_REQUIRED"


@pytest.mark.parametrize(
    "inputs", [{"texts": ["We enrolled 88 patients."]}, {"texts": ["We enrolled 88 patients and followed them."], "translate_to": "en"}]
)
def test_nothing_is_sent_where_nothing_is_to_be_translated(tmp_path, inputs):
    chat = scripted.Scripted(answers=[drafted()])
    assert scripted.answer(AGENT, inputs, tmp_path, chat)["status"] == "ok"
    assert chat.asked == []


def test_the_probe_takes_a_faithful_translation_and_no_careless_one(tmp_path):
    """A configured model must not fail the proof, and a bad one must."""
    seed = next(seed for seed in range(50) if AGENT.probe.make(seed).get("translate_to") == "en")
    inputs = AGENT.probe.make(seed)
    plain = scripted.answer(AGENT, inputs, tmp_path, scripted.Scripted(answers=[None]))["outputs"]
    foreign = {item["id"]: item["text"] for item, one in zip(inputs["texts"], plain["texts"], strict=True) if one["language"] != "en"}
    texts = [{"id": name, "language": "de", "text": f"Translated: {wording}"} for name, wording in foreign.items()]
    done = plain | {"translation": {"requested": "en", "done": True, "code": None, "message": "", "texts": texts}}
    assert AGENT.probe.check(seed, inputs, done) is None
    careless = [one | {"text": "Translated."} for one in texts]
    assert AGENT.probe.check(seed, inputs, done | {"translation": done["translation"] | {"texts": careless}}) is not None
    assert AGENT.probe.check(seed, inputs, done | {"translation": done["translation"] | {"texts": texts[1:]}}) is not None
