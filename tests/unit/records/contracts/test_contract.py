"""What a contract says is read to the letter, and everything that is wrong with it is said at once, each with its place."""

from __future__ import annotations

from time import process_time
from typing import Any

import orjson
import pytest

from windlass.records.contracts import contract
from windlass.records.contracts.contract import Contract, InvalidContract

OUTPUT = {"required_outputs": {"all_of": [{"path": "{artifact_path}/a.md"}]}}


def read(**fields: Any) -> Contract:
    return contract.read(orjson.dumps({"schema_version": 1, "gate": "G1", **OUTPUT, **fields}), "G1.contract.json")


def refused(content: bytes) -> tuple[str, ...]:
    with pytest.raises(InvalidContract) as caught:
        contract.read(content, "G1.contract.json")
    return caught.value.problems


def problems(**fields: Any) -> tuple[str, ...]:
    return refused(orjson.dumps({"schema_version": 1, "gate": "G1", **OUTPUT, **fields}))


def test_what_is_not_said_has_the_default_that_is_safe() -> None:
    found = read()
    assert (found.blocking, found.version, found.approvals, found.validations) == (True, "1", None, ())


@pytest.mark.parametrize("version", [True, 1.0, None, "1", 2, [1]])
def test_a_schema_version_is_the_whole_number_that_this_program_reads(version: object) -> None:
    assert any("/schema_version" in problem for problem in problems(schema_version=version))


def test_a_contract_of_the_original_has_no_schema_version_and_its_unknown_keys_warn() -> None:
    found = contract.read(orjson.dumps({"gate": "G1", **OUTPUT, "owner": "me"}), "G1.contract.json")
    assert found.schema_version is None
    assert any("/owner" in str(warning) for warning in found.warnings)


def test_everything_that_is_wrong_is_said_at_once_with_its_place() -> None:
    said = problems(blocking="yes", owner="me", validations=[{"type": "regexp_match"}, {"type": "regex_match", "target": "a", "pattern": "("}])
    for place in ("/blocking", "/owner", "/validations/0/type", "/validations/1/pattern"):
        assert any(place in problem for problem in said), (place, said)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b'{"gate": "G1", "gate": "G2"}', b"\xff", b"{" * 100_000])
def test_what_is_no_object_of_single_keys_is_refused(content: bytes) -> None:
    assert refused(content)


@pytest.mark.parametrize("path", ["/etc/passwd", "../a", "a/../../b", "{home}/a", "a\0b", "{artifact_path}/../../a", ""])
def test_a_path_that_could_leave_the_root_is_refused(path: str) -> None:
    assert any("/required_outputs/all_of/0/path" in problem for problem in problems(required_outputs={"all_of": [{"path": path}]}))


@pytest.mark.parametrize(
    "fields",
    [
        {"required_outputs": {}},
        {"required_outputs": {"all_of": [{"path": "a", "required": False}]}},
        {"required_outputs": {}, "validations": [{"type": "contains_text", "target": "a", "text": "x", "severity": "warning"}]},
    ],
)
def test_a_contract_that_can_not_fail_is_none(fields: dict[str, Any]) -> None:
    assert any("can fail" in problem for problem in problems(**fields))


def test_a_check_of_what_is_no_output_is_warned_of_and_a_glob_covers_its_files() -> None:
    outputs = {"all_of": [{"path": "{artifact_path}/figures/*.svg"}, {"path": "{artifact_path}/a.md"}]}
    checks = [{"type": "contains_text", "target": f"{{artifact_path}}/{name}", "text": "x"} for name in ("a.md", "figures/1.svg", "b.md")]
    warned = [str(warning) for warning in read(required_outputs=outputs, validations=checks).warnings]
    assert len(warned) == 1
    assert "b.md" in warned[0]


@pytest.mark.parametrize(
    ("pattern", "warned"), [("TODO|TBD", True), (r"\bTODO\b", True), ("a.*b", True), ("[DRAFT]", False), ("a | b", False), ("1.5", False)]
)
def test_a_text_that_looks_like_a_pattern_is_warned_of_where_it_is_none(pattern: str, warned: bool) -> None:
    check = {"type": "not_contains", "target": "{artifact_path}/a.md", "pattern": pattern}
    assert any('"regex": true' in str(warning) for warning in read(validations=[check]).warnings) is warned
    assert not read(validations=[{**check, "regex": True}]).warnings


def test_thousands_of_outputs_and_checks_are_held_against_each_other_in_no_time() -> None:
    outputs = [{"path": f"{{artifact_path}}/x{number}/**/*.md"} for number in range(2000)]
    checks = [{"type": "contains_text", "target": f"q{number}", "text": "x"} for number in range(2000)]
    began = process_time()
    assert len(read(required_outputs={"all_of": outputs}, validations=checks).warnings) == 2000
    assert process_time() - began < 20, "it took minutes when each output was asked about each check"
