from __future__ import annotations

from windlass.agents.reference.section_results import AGENT

from . import packs, runs

EVIDENCE = packs.pack(
    a="Sleep was higher in the valoxin group (mean difference 1.2 hours, 95% CI 0.4 to 2.0). Adverse events of sleep numbered 4.",
    b="Fatigue did not differ (P=0.41). Sleep was better with valoxin. Patients received 10 mg. Of 90 adults asked on sleep 3 withdrew.",
)


def test_results_follow_the_outline_and_within_a_point_flow_finding_harm(tmp_path):
    answered = runs.answer(AGENT, {"outline": ["Fatigue", "Sleep", "Pain"], "groundingPack": EVIDENCE}, tmp_path)
    assert packs.paragraphs(answered["outputs"]) == [
        ("Fatigue", ["Fatigue did not differ (P=0.41)."]),
        (
            "Sleep",
            [
                "Of 90 adults asked on sleep 3 withdrew.",
                "Sleep was higher in the valoxin group (mean difference 1.2 hours, 95% CI 0.4 to 2.0).",
                "Adverse events of sleep numbered 4.",
            ],
        ),
    ]
    assert answered["warnings"] == ["the evidence reports no number for the point 'Pain'"]


def test_a_finding_without_a_number_and_a_number_that_is_no_finding_stay_out(tmp_path):
    found = runs.outputs(AGENT, {"topic": "valoxin and sleep", "groundingPack": EVIDENCE}, tmp_path)
    assert "better" not in found["text"]
    assert "10 mg" not in found["text"]


def test_it_keeps_the_rules_of_every_writer(tmp_path):
    packs.lives_up_to_its_rules(AGENT, "Under valoxin deaths fell by 12% (P=0.01).", "valoxin", tmp_path)


def test_huge_and_hostile_evidence_is_survived(tmp_path):
    packs.survives(AGENT, "Under valoxin deaths fell by 12% (P=0.01).", "valoxin", tmp_path)


def test_it_is_proved(tmp_path):
    packs.is_proved(AGENT, tmp_path)
