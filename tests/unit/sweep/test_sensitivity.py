"""Which answers depend on their inputs, and which only look as if they did."""

from __future__ import annotations

import json
import random
import time
import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.sweep.sensitivity import Asked, echoes, insensitive, same

A: dict[str, Any]
B: dict[str, Any]
A, B = {"text": "the quick brown fox", "limit": 3}, {"text": "five dozen liquor jugs", "limit": 4}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=4), children, max_size=4),
    max_leaves=12,
)


def verdict(a: Any, b: Any, b_again: Any = None, a_again: Any = None, *, inputs: tuple[Any, Any] = (A, B)) -> str | None:
    """The verdict on answers in the order in which they are asked for."""
    one = Asked(inputs=inputs[0], outputs=a, again=a_again if a_again is not None else a)
    return insensitive(one, Asked(inputs=inputs[1], outputs=b, again=b_again if b_again is not None else b))


def test_one_and_one_point_zero_and_true_are_three_things():
    values: list[Any] = [1, 1.0, True, "1", [1], [1.0], {"a": 1}, {"a": True}, None, "", [], {}]
    assert [[same(one, other) for other in values] for one in values] == [[one is other for other in values] for one in values]


@given(JSON)
@settings(max_examples=50, deadline=None)
def test_every_value_is_the_same_as_itself(value: Any):
    assert same(value, value)


def test_the_inputs_alone_however_deeply_wrapped_are_an_echo():
    wrapped: Any = A
    for _ in range(90):
        assert echoes(wrapped, A)
        wrapped = {"result": wrapped}
    assert not echoes({"result": A, "more": 1}, A)
    assert not echoes({}, {})
    assert not echoes({"text": "the quick brown fox", "limit": 3.0}, A)


@pytest.mark.parametrize(
    "answer",
    [
        lambda inputs: {"result": inputs},
        lambda inputs: {**inputs, "status": "done"},
        lambda inputs: {"first": inputs["text"], "limit": inputs["limit"], "note": "well done " * 30},
        lambda inputs: {"items": [inputs, inputs], "count": 2},
        lambda inputs: {"result": json.dumps(inputs, sort_keys=True), "ok": True},
        lambda inputs: {"deep": [{"er": {"text": inputs["text"], "limit": inputs["limit"]}}]},
    ],
    ids=["wrapped", "merged", "renamed", "twice", "as JSON text", "deep"],
)
def test_what_is_sent_back_whole_is_no_answer_with_whatever_padding(answer: Any):
    assert verdict(answer(A), answer(B))
    stamped = [{**answer(inputs), "at": time.time_ns(), "id": str(uuid.uuid4())} for inputs in (A, B, B, A)]
    assert verdict(*stamped)


@pytest.mark.parametrize(
    "answer",
    [
        lambda inputs: {**inputs, "words": len(inputs["text"].split()) * inputs["limit"]},
        lambda inputs: {"text": inputs["text"]},
        lambda inputs: {"summary": inputs["text"].split()[0]},
        lambda inputs: {"upper": inputs["text"].upper(), "limit": inputs["limit"]},
        lambda inputs: {"greeting": f"Hello {inputs['text']}!"},
        lambda inputs: {str(inputs["limit"]): True},
    ],
    ids=["annotated", "a part of it", "a word of it", "changed", "in a sentence", "in a key"],
)
def test_what_is_made_of_the_inputs_is_an_answer(answer: Any):
    assert verdict(answer(A), answer(B)) is None


def test_a_short_value_under_another_key_may_be_an_answer():
    one, other = {"one": 2, "other": 3}, {"one": 7, "other": 4}
    assert verdict({"least": 2, "most": 3}, {"least": 4, "most": 7}, inputs=(one, other)) is None
    assert verdict({"sorted": [1, 2, 3]}, {"sorted": [4, 5]}, inputs=({"numbers": [3, 1, 2]}, {"numbers": [5, 4]})) is None


@pytest.mark.parametrize(("less", "more"), [(["x"], ["x", "y"]), ({"a": 1}, {"a": 1, "b": 2}), ([], ["x"]), ("", "x"), (None, 0)])
@pytest.mark.parametrize("stamped", [False, True])
def test_an_answer_may_say_less_than_the_other(less: Any, more: Any, stamped: bool):
    answers = [{"found": found, **({"id": uuid.uuid4().hex} if stamped else {})} for found in (less, more, more, less)]
    assert verdict(*answers) is None
    assert verdict(*[{"found": answer["found"]} for answer in reversed(answers)]) is None


def test_a_model_that_never_says_the_same_twice_may_talk_about_its_input():
    rng = random.Random(1)
    for _ in range(200):
        answers = [
            {"answer": f"{rng.choice(['Well', 'So', 'Hm'])}, {rng.choice(['it is', 'this seems'])} {' '.join(rng.sample(inputs['text'].split(), 3))}"}
            for inputs in (A, B, B, A)
        ]
        assert verdict(*answers) is None, answers


def test_words_about_one_input_only_must_be_words_of_that_input():
    common = ["alpha beta one", "alpha beta gamma two", "gamma beta alpha three", "beta alpha four"]
    about = ({"text": "alpha beta"}, {"text": "alpha beta gamma"})
    assert verdict(*[{"answer": text} for text in common], inputs=about) is None
    canned = [{"answer": text.replace("gamma", "delta")} for text in common]
    assert verdict(*canned, inputs=about)


@pytest.mark.parametrize("count", range(2, 9))
def test_canned_answers_in_turn_are_seen_through_however_many_there_are(count: int):
    answers = [
        {"text": text, "n": number} for number, text in enumerate("all is well|nothing to do|fine work|so be it|no more|as it was|yes|no".split("|"))
    ]
    for start in range(count):
        told = [answers[(start + number) % count] for number in range(4)]
        assert verdict(told[0], told[1], told[2], told[3])


def test_the_answer_to_the_question_before_is_no_answer():
    of_a, of_b = {"words": 4, "longest": "quick"}, {"words": 5, "longest": "dozen"}
    for before in ({"words": 0, "longest": ""}, of_a, of_b):
        assert verdict(before, of_a, of_b, of_b)


def test_clocks_and_counters_at_any_speed_are_no_answer():
    for step in (0.0001, 0.01, 0.3, 0.7, 1.0, 7.3, 60.0):
        for start in range(40):
            at = [start / 7 + step * number for number in range(4)]
            assert verdict(*[{"summary": "fine", "at": int(now), "time": f"2026-11-20T22:{int(now) // 60 % 60:02}:{now % 60:06.3f}Z"} for now in at])
            assert verdict(*[{"summary": f"run {int(now * 10)} was fine"} for now in at])


def test_how_often_a_canned_answer_with_a_random_choice_in_it_gets_through():
    """Known limit: four calls can't tell a coin from an answer. One of k values gets through in about 1/k² of the sweeps."""
    rng = random.Random(2)
    for choices, most in ((2, 0.16), (3, 0.11), (10, 0.02), (100, 0.002)):
        told = [[{"summary": "all is well", "grade": rng.randrange(choices)} for _ in range(4)] for _ in range(3000)]
        assert sum(verdict(*answers) is None for answers in told) / 3000 <= most


@given(JSON, JSON)
@settings(max_examples=100, deadline=None)
def test_any_outputs_get_a_verdict_and_equal_ones_the_right_one(one: Any, other: Any):
    assert verdict({"a": one}, {"a": one})
    verdict({"a": one}, {"a": other}, {"b": one}, {"a": [other]})
    assert verdict({"a": one}, {"b": other}) is None or same(one, other) or _is_sent_back(one, other)


def _is_sent_back(*values: Any) -> bool:
    return any(value in list(A.values()) + list(B.values()) for value in values)


def test_four_large_answers_are_compared_in_time():
    began = time.monotonic()
    large = [{"rows": list(range(number, 150_000 + number))} for number in (0, 1, 1, 0)]
    assert verdict(*large) is None
    noise = [{"rows": [random.random() for _ in range(100_000)]} for _ in range(4)]
    assert verdict(*noise)
    assert time.monotonic() - began < 10
