"""A body is read strictly, and what does not fit is named by its field."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.orchestrator import worlds
from windlass.model import DispatchRequest
from windlass.orchestrator import bodies
from windlass.orchestrator.refusal import Refusal


def read(content: bytes) -> DispatchRequest | Refusal:
    document = bodies.parsed(content)
    return document if isinstance(document, Refusal) else bodies.fitted(document)


def errors(content: bytes) -> dict[str, list[str]]:
    refusal = read(content)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.code) == (400, "VALIDATION_ERROR")
    found: dict[str, list[str]] = refusal.details["fieldErrors"]
    return found


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"   ",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"1",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"task_type":"\xff"}',
        b'{"inputs":{"a":NaN}}',
        b'{"inputs":{"a":-Infinity}}',
        b'{"inputs":{"a":1e999}}',
        b'{"inputs":{"a":"\\ud800"}}',
        b'{"task_type":"A",}',
        b"{} {}",
        b"[" * 100_000,
        b'{"inputs":{"a":' + b"[" * 300 + b"]" * 300 + b"}}",
        b'{"inputs":' + b'{"a":' * 1100 + b"1" + b"}" * 1100 + b"}",
    ],
)
def test_what_is_no_usable_json_object_is_an_error_of_the_body(content):
    assert list(errors(content)) == ["body"]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"task_type": ""}, "task_type"),
        ({"task_type": " X"}, "task_type"),
        ({"task_type": 7}, "task_type"),
        ({"task_type": "X" * 513}, "task_type"),
        ({"request_id": None}, "request_id"),
        ({"mode": "demo"}, "mode"),
        ({"risk_tier": "NONE"}, "risk_tier"),
        ({"inputs": []}, "inputs"),
        ({"inputs": "text"}, "inputs"),
        ({"budgets": 5}, "budgets"),
        ({"workflow_id": 5}, "workflow_id"),
        ({"domain_id": "d" * 513}, "domain_id"),
    ],
)
def test_a_field_that_does_not_fit_is_named(changed, field):
    assert list(errors(orjson.dumps(worlds.body(**changed)))) == [field]


def test_every_missing_field_is_named_at_once():
    assert errors(b"{}") == {"task_type": ["is required"], "request_id": ["is required"]}


def test_an_unknown_key_is_answered_with_the_nearest_known_one():
    assert errors(orjson.dumps(worlds.body(risk_teir="PHI"))) == {"risk_teir": ["is not a known key; did you mean 'risk_tier'?"]}


@pytest.mark.parametrize("second", [b'"risk_tier"', b'"risk\\u005ftier"', b'"\\u0072isk_tier"'])
def test_a_key_given_twice_is_refused_however_it_is_written(second):
    content = b'{"task_type":"A","request_id":"r","risk_tier":"PHI",' + second + b':"NON_SENSITIVE"}'
    assert errors(content) == {"risk_tier": ["is given twice"]}


def test_the_same_word_deeper_down_is_no_second_key():
    inputs = {"task_type": "B", "text": 'a "risk_tier" and \u00e9 \\u0041', "request_id": ["request_id"]}
    request = read(orjson.dumps(worlds.body(inputs=inputs)))
    assert isinstance(request, DispatchRequest)
    assert request.inputs == inputs


@pytest.mark.parametrize("number", [str(2**64), str(-(2**63) - 1), "9" * 300])
def test_an_integer_that_would_lose_digits_is_refused(number):
    assert "64 bits" in errors(b'{"task_type":"A","request_id":"r","inputs":{"n":' + number.encode() + b"}}")["body"][0]


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63), 10**18])
def test_an_integer_of_64_bits_keeps_its_digits(number):
    request = read(orjson.dumps(worlds.body(inputs={"n": number})))
    assert isinstance(request, DispatchRequest)
    assert request.inputs == {"n": number}


def test_input_is_an_alias_of_inputs():
    request = read(orjson.dumps(worlds.body(input={"a": 1})))
    assert isinstance(request, DispatchRequest)
    assert request.inputs == {"a": 1}


def test_input_and_inputs_together_must_agree():
    assert isinstance(read(orjson.dumps(worlds.body(input={"a": 1}, inputs={"a": 1}))), DispatchRequest)
    assert list(errors(orjson.dumps(worlds.body(input={"a": 1}, inputs={"a": 2})))) == ["inputs"]


@pytest.mark.parametrize(
    "content",
    [
        orjson.dumps({f"key{number}": 1 for number in range(100_000)}),
        orjson.dumps(worlds.body(**{"k" * 5_000_000: 1})),
        orjson.dumps(worlds.body(inputs={"a": "x" * 9_000_000})),
        b'{"inputs":[' + b"[]," * 500_000 + b"[]]}",
        b'{"inputs":{"a":"\\u00e9","c":[' + b'{"a":1},' * 200_000 + b"1]}}",
    ],
    ids=["many keys", "long key", "long text", "many brackets", "many objects"],
)
def test_a_large_body_is_judged_in_a_moment(content):
    started = time.process_time()
    read(content)
    assert time.process_time() - started < 2


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=20,
    )
)
def test_whatever_json_the_inputs_hold_is_kept_as_it_is(value: Any):
    content = orjson.dumps(worlds.body(inputs={"value": value})) if _encodable(value) else b""
    if content:
        request = read(content)
        assert isinstance(request, DispatchRequest)
        assert request.inputs == {"value": value}


def _encodable(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return False  # lone surrogates are no JSON
    return True


@given(st.binary(max_size=200))
def test_no_bytes_raise(content):
    read(content)


def test_a_request_id_is_found_only_where_it_is_valid():
    assert bodies.request_id({"request_id": "r", "task_type": 5}) == "r"
    for invalid in ({}, {"request_id": ""}, {"request_id": 5}, {"request_id": "x" * 513}):
        assert bodies.request_id(invalid) is None
