from __future__ import annotations

from windlass.agents.reference.section_discussion import AGENT

from . import packs, runs


def test_a_discussion_finds_means_compares_limits_and_concludes(tmp_path):
    evidence = packs.pack(
        a="Further research on valoxin is needed. A limitation is that valoxin was tested in a single centre.",
        b="This is consistent with earlier trials of valoxin. Valoxin may reflect better sleep. Adults received valoxin daily.",
    )
    answered = runs.answer(AGENT, {"topic": "valoxin", "groundingPack": evidence}, tmp_path)
    assert [heading for heading, _ in packs.paragraphs(answered["outputs"])] == ["interpretation", "comparison", "limitation", "implication"]
    assert answered["outputs"]["compared_documents"] == ["doc-b"]
    assert answered["outputs"]["missing_moves"] == ["principal"]
    assert answered["warnings"] == []


def test_a_discussion_without_limitations_is_warned_of(tmp_path):
    evidence = packs.pack(a="These findings suggest that valoxin works.")
    answered = runs.answer(AGENT, {"topic": "valoxin", "groundingPack": evidence}, tmp_path)
    assert "no limitation" in answered["warnings"][0]


def test_it_keeps_the_rules_of_every_writer(tmp_path):
    packs.lives_up_to_its_rules(AGENT, "These findings suggest that valoxin spared 12 adults.", "valoxin", tmp_path)


def test_huge_and_hostile_evidence_is_survived(tmp_path):
    packs.survives(AGENT, "These findings suggest that valoxin spared 12 adults.", "valoxin", tmp_path)


def test_it_is_proved(tmp_path):
    packs.is_proved(AGENT, tmp_path)
