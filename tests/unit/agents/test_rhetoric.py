from __future__ import annotations

import pytest

from windlass.agents import rhetoric


@pytest.mark.parametrize(
    ("sentence", "move"),
    [
        ("Atrial fibrillation is a major cause of stroke worldwide.", "background"),
        ("However, it remains unclear whether statins help.", "gap"),
        ("We aimed to test whether statins reduce stroke.", "aim"),
        ("In this double-blind trial patients were randomly assigned to two groups.", "design"),
        ("Adults aged 40 to 60 were eligible.", "participants"),
        ("Patients received 10 mg daily.", "interventions"),
        ("The primary outcome was death at 12 months.", "measures"),
        ("Data were analysed using Cox regression.", "statistics"),
        ("A sample size of 200 gave a power of 80%.", "statistics"),
        ("The ethics committee agreed.", "ethics"),
        ("Of 240 patients, 12 withdrew.", "flow"),
        ("Mortality was lower in the statin group (HR 0.8, 95% CI 0.7 to 0.9; p=0.01).", "finding"),
        ("Serious adverse events occurred in 18 patients.", "harm"),
        ("In summary, statins spared many.", "principal"),
        ("This may reflect a slower decay.", "interpretation"),
        ("This is consistent with previous trials.", "comparison"),
        ("A limitation is the small sample.", "limitation"),
        ("Further research is needed.", "implication"),
    ],
)
def test_a_sentence_is_read_by_its_cues(sentence, move):
    reading = rhetoric.read(sentence)
    assert reading is not None
    assert reading.move.name == move


@pytest.mark.parametrize("sentence", ["Statins reduce death.", "Mortality was lower in the statin group.", "", "他汀类药物降低死亡率。"])
def test_without_cues_or_without_the_number_of_a_result_there_is_no_move(sentence):
    assert rhetoric.read(sentence) is None


def test_headings_name_moves():
    assert rhetoric.named("Study design and participants", "methods") == ("design", "participants")
    assert rhetoric.named("Valoxin and death", "results") == ()


def test_every_move_has_cues_labels_and_a_rank_of_its_own():
    assert len({move.rank for move in rhetoric.MOVES}) == len({move.name for move in rhetoric.MOVES}) == len(rhetoric.MOVES)
    assert all(move.cues and move.labels for move in rhetoric.MOVES)
