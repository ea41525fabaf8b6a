"""What a sweep will ask is decided, and committed to, before the first call."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.sweep import climbing
from windlass.agents.agent import Probe
from windlass.errors import Refused
from windlass.sweep import plan

COUNTING = Probe(make=lambda seed: {"text": f"w{seed}", "limit": 3}, check=lambda *_: None)


def test_the_questions_of_a_probe_are_two_random_ones_and_one_with_a_typo_in_a_required_key():
    [cell] = climbing.planned(climbing.fleet(input_schema={"required": ["text"]}), probe=COUNTING).cells
    first, second, invalid = (cell.questions[kind].inputs for kind in ("first", "second", "invalid"))
    assert set(cell.questions) == {"first", "second", "invalid"}
    assert first["text"] != second["text"]
    assert "text" not in invalid
    assert sorted(map(str, invalid.values())) == sorted(map(str, first.values()))
    assert (cell.by, cell.unprovable) == ("probe", None)


def test_the_questions_of_examples_are_two_of_them_each_asked_twice_and_the_invalid_one():
    [cell] = climbing.planned(climbing.fleet(examples=[climbing.EXAMPLES[0], *climbing.EXAMPLES])).cells
    first, second = climbing.EXAMPLES[0]["inputs"], climbing.EXAMPLES[1]["inputs"]
    asked = {kind: question.inputs for kind, question in cell.questions.items()}
    assert asked == {"first": first, "again": first, "second": second, "second_again": second, "invalid": {"txet": "x"}}
    assert cell.by == "examples"


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ({"examples": []}, "no examples"),
        ({"examples": climbing.EXAMPLES[:1]}, "no second example"),
        ({"examples": [climbing.EXAMPLES[0]] * 3}, "no second example"),
        ({"invalid_example": None}, "no invalid_example"),
    ],
)
def test_a_cell_that_can_not_be_proved_says_why_and_is_still_asked_its_first_question(task: dict[str, Any], reason: str):
    [cell] = climbing.planned(climbing.fleet(**task)).cells
    assert reason in (cell.unprovable or "")
    assert set(cell.questions) == {"first"}


def test_examples_that_differ_in_type_only_are_different():
    [cell] = climbing.planned(climbing.fleet(examples=[{"inputs": {"n": 1}}, {"inputs": {"n": True}}])).cells
    assert cell.unprovable is None


def test_a_probe_that_always_asks_the_same_proves_nothing():
    [cell] = climbing.planned(probe=Probe(make=lambda _: {"text": "a"}, check=lambda *_: None)).cells
    assert cell.unprovable == "its probe makes the same inputs from 4 seeds"
    made = iter(["a", "a", "b"])
    [cell] = climbing.planned(probe=Probe(make=lambda _: {"text": next(made)}, check=lambda *_: None)).cells
    assert cell.unprovable is None


def _raises(_seed: int) -> dict[str, Any]:
    raise RuntimeError("not today")


@pytest.mark.parametrize("make", [_raises, lambda _: None, lambda _: ["x"], lambda _: {"a": object()}, lambda _: {"a": 10**30}])
def test_a_probe_that_makes_no_inputs_is_refused_by_its_task(make: Any):
    with pytest.raises(Refused, match=r"tasks\.T\.probe: make\(\d+\)"):
        climbing.planned(probe=Probe(make=make, check=lambda *_: None))


def test_a_probe_sees_its_inputs_as_json_carries_them():
    [cell] = climbing.planned(probe=Probe(make=lambda seed: {"pair": (seed, 1.0)}, check=lambda *_: None)).cells
    assert isinstance(cell.questions["first"].inputs["pair"], list)


def test_seeds_and_request_ids_follow_from_the_nonce_and_tell_nothing_of_it_or_of_the_question():
    one, same = climbing.planned(probe=COUNTING), climbing.planned(probe=COUNTING)
    assert one.expectation() == same.expectation()
    other = plan.plan(climbing.fleet(), plan.Terms(), sweep_id=climbing.SWEEP_ID, nonce="0" * 32, probe_for=lambda *_: COUNTING)
    assert other.cells[0].questions["first"].seed != one.cells[0].questions["first"].seed
    kinds: tuple[plan.Kind, ...] = ("dispatch", "first", "second", "again", "second_again", "invalid")
    ids = [one.request_id(one.cells[0], kind) for kind in kinds]
    assert len(set(ids)) == len(kinds)
    for kind, request_id in zip(kinds, ids, strict=True):
        assert request_id.startswith(f"{climbing.SWEEP_ID}-T-")
        assert kind not in request_id
        assert climbing.NONCE not in request_id


def test_the_expectation_holds_the_digest_of_everything_that_will_be_asked():
    made = climbing.planned(climbing.fleet(["B", "A"]))
    expectation = made.expectation()
    assert expectation["fleet"]["expected"] == ["A", "B"]
    assert [cell["task_type"] for cell in expectation["cells"]] == ["A", "B"]
    text = orjson.dumps(climbing.EXAMPLES[0]["inputs"], option=orjson.OPT_SORT_KEYS)
    assert expectation["cells"][0]["inputs_sha256"]["first"] == hashlib.sha256(text).hexdigest()
    assert set(expectation["cells"][0]["inputs_sha256"]) == {"first", "second", "again", "second_again", "invalid"}
    assert orjson.loads(orjson.dumps(expectation)) == expectation


@example(inputs={"": 0, "_": 0}, number=1, all_required=False)
@given(st.dictionaries(st.text(max_size=6), st.integers(), max_size=5), st.integers(0, 2**48), st.booleans())
def test_a_typo_changes_exactly_one_key_into_one_that_was_not_there(inputs: dict[str, int], number: int, all_required: bool):
    wrong = plan.misspelt(inputs, list(inputs) if all_required else (), number)
    assert wrong != inputs
    if inputs:
        assert len(wrong) == len(inputs)
        assert len(set(inputs) - set(wrong)) == len(set(wrong) - set(inputs)) == 1
        assert list(wrong.values()) == list(inputs.values())


def test_the_typo_is_in_a_required_key_where_there_is_one():
    for number in range(50):
        assert "optional" in plan.misspelt({"claims": 1, "optional": 2}, ["claims"], number)
