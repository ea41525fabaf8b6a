"""Contracts are read strictly: every problem at once, each with its pointer, and in time, whatever was written."""

from __future__ import annotations

import time

import orjson
import pytest

from windlass.records.contracts import contract

GOOD = {"schema_version": 1, "gate": "G", "required_outputs": {"all_of": [{"path": "a.md"}]}}


def problems(content: object) -> tuple[str, ...]:
    """What is wrong with a contract; nothing for a good one."""
    try:
        contract.read(content if isinstance(content, bytes) else orjson.dumps(content), "c.json")
    except contract.InvalidContract as invalid:
        return invalid.problems
    return ()


def test_a_good_contract_has_no_problem() -> None:
    assert problems(GOOD) == ()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"blockin": True}, "c.json /blockin: is not a known key; did you mean 'blocking'?"),
        ({"a/b~c": 1}, "c.json /a~1b~0c: is not a known key"),
        ({"gate": "../G"}, "c.json /gate: '../G' does not match"),
        ({"schema_version": 2}, "c.json /schema_version: is 2; this Windlass reads 1"),
        ({"validations": [{"type": "file_exist", "target": "a"}]}, "c.json /validations/0/type: 'file_exist' is not a type of validation"),
        ({"validations": [{"type": "regex_match", "target": "a", "pattern": "("}]}, "c.json /validations/0/pattern: does not compile under RE2"),
        ({"validations": [{"type": "regex_match", "target": "a", "pattern": "a)(b"}]}, "c.json /validations/0/pattern: does not compile under RE2"),
        ({"validations": [{"type": "regex_match", "target": "a", "pattern": "x*"}]}, "c.json /validations/0/pattern: matches the empty text"),
        ({"validations": [{"type": "min_file_count", "target": "a", "min": 0}]}, "c.json /validations/0/min: is not a whole number from 1"),
        (
            {"validations": [{"type": "min_sources", "target": "a", "thresholds": {"quick": 0, "standard": 1, "deep": 1}}]},
            "c.json /validations/0/thresholds/quick: is not a whole number from 1",
        ),
        ({"required_outputs": {"all_of": [{"path": "a"}, {"path": "a"}]}}, "c.json /required_outputs: 'a' stands twice"),
        ({"required_outputs": {"all_of": [{"path": "/etc/passwd"}]}}, "c.json /required_outputs/all_of/0/path: must be relative"),
        ({"required_outputs": {"all_of": [{"path": "a/../../b"}]}}, "c.json /required_outputs/all_of/0/path: must be relative"),
        ({"required_outputs": {"all_of": [{"path": "{slag}.md"}]}}, "c.json /required_outputs/all_of/0/path: {slag} is not a path variable"),
        ({"required_outputs": {"all_of": [{"path": "*" + "a*" * 20}]}}, "c.json /required_outputs/all_of/0/path: has more than 16 wildcards"),
        ({"required_outputs": {}}, "c.json /validations: nothing of this contract can fail"),
        (
            {"required_outputs": {}, "validations": [{"type": "file_exists", "target": "a", "severity": "warning"}]},
            "c.json /validations: nothing of this contract can fail",
        ),
    ],
)
def test_each_problem_is_told_with_file_and_pointer(changed: dict[str, object], told: str) -> None:
    assert any(problem.startswith(told) for problem in problems(GOOD | changed)), problems(GOOD | changed)


def test_without_schema_version_unknown_keys_warn_and_unknown_types_fail() -> None:
    old = {key: value for key, value in GOOD.items() if key != "schema_version"} | {"owner": "x"}
    assert contract.read(orjson.dumps(old), "c.json").warnings == ("c.json /owner: is not a known key",)
    assert problems(old | {"validations": [{"type": "vibes", "target": "a"}]})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"gate":"G",' + b",".join(b'"k%d":1' % (number // 2) for number in range(80_000)) + b"}",
        b'{"gate":"G",' + b",".join(b'"k%d":1' % number for number in range(80_000)) + b"}",
        b'{"gate":"G","notes":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"gate":"G","gate":"H","x":' + b"9" * 5_000 + b"}",
        b'{"gate":"G","gate":"H","notes":' + b"[" * 1_000 + b"]" * 1_000 + b"}",
        b'{"schema_version":1,"gate":"G","' + b"k" * 900_000 + b'":1}',
        b"{" + b" " * 2_000_000 + b"}",
    ],
    ids=[
        "nothing",
        "a list",
        "not UTF-8",
        "twice often",
        "unknown often",
        "deep",
        "twice beside a number",
        "twice beside a deep part",
        "long key",
        "long",
    ],
)
def test_hostile_contracts_are_refused_in_time(content: bytes) -> None:
    """Two keys of one name used to take a minute, and a deep part used to hide them."""
    began = time.perf_counter()
    assert problems(content)
    assert time.perf_counter() - began < 3
    assert all(len(problem) < 1000 for problem in problems(content))
