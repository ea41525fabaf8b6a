"""`json_schema` holds a JSON document against a schema, in bounded work and without asking anybody."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.unit.records.checks import gates
from windlass.errors import Refused

TARGET = "docs/result.json"
SCHEMA = {"type": "object", "required": ["score"], "properties": {"score": {"type": "integer", "minimum": 1}, "name": {"pattern": "^[a-z]+$"}}}


def fits(tmp_path: Path, schema: Any, content: str | bytes, **files: bytes) -> dict[str, Any]:
    return gates.result(tmp_path, {"type": "json_schema", "target": TARGET, "schema": schema}, {TARGET: content, **files})


def test_a_document_that_fits_passes(tmp_path: Path) -> None:
    assert fits(tmp_path, SCHEMA, '\ufeff{"score": 3, "name": "abc"}')["pass"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"score": 0}', "$.score: 0 is less than the minimum of 1"),
        ('{"score": 1, "name": "A"}', "does not match"),
        ("{}", "'score' is a required property"),
        ("[]", "is not of type 'object'"),
        ("{", "is not JSON"),
        ("score: 1", "is not JSON"),
        ('{"score": NaN}', "is not JSON"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_any_other_document_fails_and_says_where(tmp_path: Path, content: str, reason: str) -> None:
    found = fits(tmp_path, SCHEMA, content)
    assert (found["pass"], found["code"]) == (False, "VALIDATION_FAILED")
    assert reason in found["reason"]


def test_a_schema_may_lie_beneath_the_root_and_is_recorded_by_its_hash(tmp_path: Path) -> None:
    found = gates.judged(
        tmp_path,
        {"type": "json_schema", "target": TARGET, "schema": "schemas/a.json"},
        {TARGET: '{"score": 3}', "schemas/a.json": json.dumps(SCHEMA)},
    )
    assert found.status == "PASS"
    assert {artifact.path for artifact in found.artifacts} == {TARGET, "schemas/a.json"}
    schema = next(artifact for artifact in found.artifacts if artifact.path == "schemas/a.json")
    assert found.validations[0]["schema"] == {"path": "schemas/a.json", "sha256": schema.sha256}


@pytest.mark.parametrize(
    ("schema", "code"),
    [(None, "MISSING_ARTIFACT"), ("{", "CONTRACT_INVALID"), ("true", "CONTRACT_INVALID"), ('{"type": "text"}', "CONTRACT_INVALID"),
     ('{"$ref": "http://127.0.0.1:9/x"}', "CONTRACT_INVALID"), ('{"description": "' + "x" * 300_000 + '"}', "TOO_LARGE")],
)  # fmt: skip
def test_a_schema_file_that_can_not_be_used_fails_the_gate(tmp_path: Path, schema: str | None, code: str) -> None:
    files = {TARGET: "{}"} | ({"s.json": schema} if schema is not None else {})
    found = gates.result(tmp_path, {"type": "json_schema", "target": TARGET, "schema": "s.json"}, files)
    assert (found["pass"], found["code"]) == (False, code)
    assert "s.json" in found["reason"]


@pytest.mark.parametrize(
    "schema", [True, 3, "../s.json", "/etc/passwd", {"type": "text"}, {"pattern": "(?=a)"}, {"$ref": "http://127.0.0.1:9/x"}, {"$ref": "#/nowhere"}]
)
def test_a_contract_with_a_schema_that_can_not_be_used_is_refused(schema: Any) -> None:
    with pytest.raises(Refused, match="/validations/0/schema"):
        gates.read({"type": "json_schema", "target": TARGET, "schema": schema})


NUMBERS = json.dumps(list(range(1_000_000))).encode()
PATTERNS = {"patternProperties": {f"(a|b)*c{n}$": {} for n in range(2_000)}, "additionalProperties": False}
DOUBLING = {"$defs": {**{f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(30)}, "a30": {}}, "$ref": "#/$defs/a0"}
HOSTILE: dict[str, tuple[Any, bytes]] = {
    "a pattern that runs away elsewhere": ({"items": {"pattern": "(x+x+)+y"}}, json.dumps(["x" * 5_000_000]).encode()),
    "a million numbers": ({"items": {"type": "string"}}, NUMBERS),
    "many choices for many values": ({"items": {"enum": list(range(10_000))}}, b"[" + b"-1," * 10_000 + b"-1]"),
    "each choice repeats the value": ({"anyOf": [{"type": "object"}] * 5_000}, NUMBERS),
    "many patterns for many keys": (PATTERNS, json.dumps(dict.fromkeys(map(str, range(3_000)), 1)).encode()),
    "references that double": (DOUBLING, b"1"),
    "nesting": ({"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}}, b"[" * 900 + b"]" * 900),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pair_of_schema_and_document_costs_seconds_at_most(tmp_path: Path, name: str) -> None:
    begun = time.perf_counter()
    found = fits(tmp_path, *HOSTILE[name])
    assert not found["pass"]
    assert len(found["reason"]) < 3_000
    assert time.perf_counter() - begun < 10


def test_a_large_document_is_not_read(tmp_path: Path) -> None:
    assert fits(tmp_path, {}, b" " * (16 * 1024 * 1024) + b"1 ")["code"] == "TOO_LARGE"
