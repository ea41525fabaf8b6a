from __future__ import annotations

from windlass.agents.reference.section_methods import AGENT

from . import packs, runs


def test_the_methods_are_written_part_by_part_and_nothing_else(tmp_path):
    evidence = packs.pack(
        a="Data on valoxin were analysed with Cox regression. Valoxin fell by 12% (P=0.01). Adults with fatigue were eligible for valoxin.",
        b="This randomised controlled trial compared valoxin with placebo. The primary outcome was fatigue at week 12.",
    )
    answered = runs.answer(AGENT, {"topic": "Valoxin for fatigue", "groundingPack": evidence}, tmp_path)
    assert packs.paragraphs(answered["outputs"]) == [
        ("design", ["This randomised controlled trial compared valoxin with placebo."]),
        ("participants", ["Adults with fatigue were eligible for valoxin."]),
        ("measures", ["The primary outcome was fatigue at week 12."]),
        ("statistics", ["Data on valoxin were analysed with Cox regression."]),
    ]
    assert answered["outputs"]["missing_moves"] == ["interventions", "ethics"]
    assert answered["warnings"] == []


def test_parts_without_which_methods_can_not_be_judged_are_warned_of(tmp_path):
    answered = runs.answer(AGENT, {"topic": "valoxin", "groundingPack": packs.pack(a="Adults were eligible for valoxin.")}, tmp_path)
    assert [warning.split(":")[0] for warning in answered["warnings"]] == [
        "the evidence describes no design",
        "the evidence describes no measures",
        "the evidence describes no statistics",
    ]


def test_an_outline_of_headings_alone_takes_all_methods_of_the_evidence(tmp_path):
    evidence = packs.pack(a="Adults were eligible. Blood samples were collected daily.")
    found = runs.outputs(AGENT, {"outline": ["Outcomes", "Participants"], "groundingPack": evidence}, tmp_path)
    assert [(line["move"], line["point"]) for line in packs.sentences(found)] == [("measures", 0)]
    longer = packs.pack(a="Adults over sixty were eligible. Blood samples were collected daily.")
    found = runs.outputs(AGENT, {"outline": ["Outcomes", "Participants"], "groundingPack": longer}, tmp_path)
    assert [(line["move"], line["point"]) for line in packs.sentences(found)] == [("participants", 1), ("measures", 0)]


def test_it_keeps_the_rules_of_every_writer(tmp_path):
    packs.lives_up_to_its_rules(AGENT, "Patients received 10 mg of valoxin daily.", "valoxin", tmp_path)


def test_huge_and_hostile_evidence_is_survived(tmp_path):
    packs.survives(AGENT, "Patients received 10 mg of valoxin daily.", "valoxin", tmp_path)


def test_it_is_proved(tmp_path):
    packs.is_proved(AGENT, tmp_path)
