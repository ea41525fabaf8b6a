from __future__ import annotations

import json

import pytest

from windlass.records import difference


@pytest.mark.parametrize(
    ("found", "pointer"),
    [
        ({"a": [1, {"b/c~": "y"}]}, "/a/1/b~1c~0"),
        ({"a": [1]}, "/a/1"),
        ({"a": [1, {"b/c~": "x"}], "more": 1}, "/more"),
        ({}, "/a"),
        ([], ""),
        ({"a": [True, {"b/c~": "x"}]}, "/a/0"),
    ],
)
def test_the_first_differing_value_is_pointed_at(found: object, pointer: str):
    expected = json.dumps({"a": [1, {"b/c~": "x"}]}).encode()
    assert difference.between(json.dumps(found).encode(), expected).pointer == pointer


def test_the_bytes_are_those_between_the_common_beginning_and_end():
    found = difference.between(b'{"a":"one","b":2}', b'{"a":"two","b":2}')
    assert (found.start, found.end, found.pointer) == (6, 9, "/a")
    assert found.reason == '/a: is "one", the journal says "two"'


def test_the_same_values_in_other_bytes_differ():
    found = difference.between(b'{"a": 1}', b'{"a":1}')
    assert (found.start, found.pointer) == (5, "")


def test_what_is_not_json_has_bytes_and_no_pointer():
    found = difference.between(b'{"a":', b'{"a":1}')
    assert (found.start, found.end, found.pointer) == (5, 5, None)
