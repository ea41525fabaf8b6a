"""Schemas of strangers, checked against values of strangers: right, bounded, and never leaving the schema."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from windlass.infra import schemas

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, 1.0, 2.5]) | st.sampled_from(["", "a", "ab", "b1"]),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "ab"]), children, max_size=3),
    max_leaves=8,
)
SCHEMAS = st.recursive(
    st.sampled_from(
        [{}, {"type": "integer"}, {"type": "string", "pattern": "^a"}, {"const": 1}, {"uniqueItems": True}, {"uniqueItems": False}, {"minItems": 2}]
    ),
    lambda children: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(st.sampled_from(["a", "b"]), children, max_size=2),
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "b$", "."]), children, max_size=2),
            "additionalProperties": st.booleans() | children,
            "items": children,
            "anyOf": st.lists(children, min_size=1, max_size=2),
            "not": children,
        },
    ),
    max_leaves=5,
)


@given(SCHEMAS, VALUES)
@settings(max_examples=400, deadline=None)
def test_our_keywords_say_what_the_librarys_say(schema: dict[str, Any], value: Any):
    assert (schemas.compiled(schema)(value) is None) == Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "strng"}, "$.type"),
        ({"properties": 3}, "$.properties"),
        ({"$ref": 3}, "$['$ref']"),
        ({"pattern": "(?=a)"}, "is not RE2"),
        ({"pattern": "("}, "is not RE2"),
        ({"properties": {"const": {"pattern": "("}}}, "is not RE2"),
        ({"patternProperties": {"(?<!a)b": {}}}, "is not RE2"),
        ({"pattern": "((a{1000}){1000}){1000}"}, "is not RE2"),
        ({"$ref": "http://127.0.0.1:9/schema"}, "not inside it"),
        ({"$ref": "file:///etc/passwd"}, "not inside it"),
        ({"items": {"$ref": "#/$defs/missing"}}, "not inside it"),
        ({"$dynamicRef": "#missing"}, "not inside it"),
        ({"unevaluatedProperties": False, "patternProperties": {"^(a+)+$": {}}}, "not taken in one schema"),
        ({"const": 10**30}, "is not JSON"),
    ],
)
def test_a_schema_that_is_wrong_in_itself_is_refused_in_one_line(schema: dict[str, Any], why: str, capfd: pytest.CaptureFixture[str]):
    with pytest.raises(ValueError, match=r"is|refers|not") as refused:
        schemas.compiled(schema)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)
    assert capfd.readouterr() == ("", "")


def test_a_schema_that_is_nested_too_deeply_is_refused():
    schema: dict[str, Any] = {}
    for _ in range(240):
        schema = {"not": schema}
    with pytest.raises(ValueError, match="nested too deeply"):
        schemas.compiled(schema)


@pytest.mark.parametrize(
    "schema", [{"const": {"pattern": "("}}, {"properties": {"pattern": {"type": "string"}, "$ref": {}}}, {"enum": [{"$ref": "http://x"}]}]
)
def test_what_looks_like_a_keyword_and_is_a_value_or_a_name_is_none(schema: dict[str, Any]):
    schemas.compiled(schema)


def test_patterns_are_re2_with_its_classes():
    check = schemas.compiled({"pattern": r"^\pL+$"})
    assert check("Ärger") is None
    assert check("a1") == r"$: 'a1' does not match '^\\pL+$'"


def test_references_inside_the_schema_are_followed():
    tree = {"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "object", "additionalProperties": {"$ref": "#/$defs/tree"}}}}
    assert schemas.compiled(tree)({"a": {"b": {}}}) is None
    assert schemas.compiled(tree)({"a": {"b": 3}}) == "$.a.b: 3 is not of type 'object'"
    named = {"$id": "http://a.invalid/b", "$ref": "c", "$defs": {"c": {"$id": "c", "type": "string"}}}
    assert schemas.compiled(named)(3) == "$: 3 is not of type 'string'"
    assert schemas.compiled({"$id": "http://a.invalid/b", "$ref": "elsewhere"})(3) == "the schema refers to 'elsewhere', which is not inside it"


def _doubling(levels: int) -> dict[str, Any]:
    """A schema of a few lines that asks for 2^levels references."""
    defs: dict[str, Any] = {f"d{level}": {"allOf": [{"$ref": f"#/$defs/d{level + 1}"}] * 2} for level in range(levels)}
    return {"$ref": "#/$defs/d0", "$defs": {**defs, f"d{levels}": {}}}


@pytest.mark.parametrize(
    ("schema", "value", "reason"),
    [
        (_doubling(40), {}, "more than 200000 references"),
        ({"$ref": "#"}, {}, "nested too deeply"),
        ({"patternProperties": {"^(a+)+$": {}}, "additionalProperties": False}, {"a" * 60 + "!": 1}, "not allowed"),
        ({"pattern": "^(a+)+$"}, "a" * 100_000 + "!", "does not match"),
        ({"uniqueItems": True}, [{"a": number} for number in range(100_000)] + [{"a": 1.0}], "equal"),
        ({"items": {"type": "string"}}, [1] * 500_000, "is not of type 'string'"),
        ({"type": "string"}, {"a" * 1_000_000: "b" * 1_000_000}, "is not of type"),
    ],
    ids=["doubling references", "a circle", "backtracking key", "backtracking text", "equal items", "errors without end", "a large value"],
)
def test_no_schema_with_no_value_costs_more_than_a_few_seconds_or_says_more_than_a_line(schema: dict[str, Any], value: Any, reason: str):
    began = time.monotonic()
    said = schemas.compiled(schema)(value)
    assert time.monotonic() - began < 10
    assert reason in (said or "")
    assert len(said or "") <= 1000


def test_a_check_counts_its_references_anew_each_time():
    check = schemas.compiled({"items": {"$ref": "#/$defs/n"}, "$defs": {"n": {"type": "integer"}}})
    assert [check([1] * 110_000) for _ in range(2)] == [None] * 2


def test_equal_schemas_share_one_check():
    assert schemas.compiled({"type": "string", "minLength": 1}) is schemas.compiled({"minLength": 1, "type": "string"})


@pytest.mark.parametrize(
    ("items", "unique"),
    [
        ([1, True], True),
        ([1, 1.0], False),
        ([{"a": 1, "b": 2}, {"b": 2, "a": 1.0}], False),
        ([[1], [True]], True),
        ([0, False], True),
        (["1", 1], True),
    ],
)
def test_items_are_equal_as_json_values(items: list[Any], unique: bool):
    assert (schemas.compiled({"uniqueItems": True})(items) is None) is unique
