"""A run as SARIF has the structure that the standard gives it; the schema is ours, see `sarif_schema.py` for what it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from tests.unit.records.attest import sarif_schema, stories
from windlass.infra import instants
from windlass.records.attest import sarif
from windlass.records.attest.told import Story

CHECKER = FormatChecker(formats=())
VALIDATOR = Draft202012Validator(sarif_schema.LOG, format_checker=CHECKER)


@CHECKER.checks("date-time", raises=ValueError)
def _is_instant(value: object) -> bool:
    return not isinstance(value, str) or bool(instants.parse(value))


@CHECKER.checks("uri", raises=ValueError)
def _is_uri(value: object) -> bool:
    return not isinstance(value, str) or bool(urlsplit(value).scheme)


@CHECKER.checks("uri-reference", raises=ValueError)
def _is_reference(value: object) -> bool:
    """Relative here, always: an absolute address would name this machine."""
    return not isinstance(value, str) or (value.isascii() and not any(one in value for one in ' <>"{}|\\^`') and not urlsplit(value).scheme)


def problems(log: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(log)]


@pytest.mark.parametrize("make", [stories.failed, stories.passed, stories.running])
@pytest.mark.parametrize("record", [None, "orchestration/runs/a b/record"])
def test_a_run_has_the_structure_of_the_standard(tmp_path: Path, make: Callable[[Path], Story], record: str | None) -> None:
    log = json.loads(sarif.render(make(tmp_path), record))
    assert problems(log) == []
    (run,) = log["runs"]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]  # 3.27.6
        for location in result["locations"]:
            assert location["physicalLocation"]["artifactLocation"]["uriBaseId"] in run["originalUriBaseIds"]  # 3.4.4
    for base in run["originalUriBaseIds"].values():
        assert base.get("uri", "/").endswith("/")  # 3.14.14


def without(log: Any) -> None:
    del log["runs"][0]["tool"]


def stranger(log: Any) -> None:
    log["runs"][0]["results"][0]["gate"] = "G1"


def level(log: Any) -> None:
    log["runs"][0]["results"][0]["level"] = "fatal"


def line(log: Any) -> None:
    log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0


def address(log: Any) -> None:
    log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] = "a b"


def time(log: Any) -> None:
    log["runs"][0]["invocations"][0]["startTimeUtc"] = "yesterday"


def version(log: Any) -> None:
    log["version"] = "2.0.0"


@pytest.mark.parametrize("spoil", [without, stranger, level, line, address, time, version])
def test_the_schema_finds_what_is_wrong(tmp_path: Path, spoil: Callable[[Any], None]) -> None:
    log = json.loads(sarif.render(stories.failed(tmp_path)))
    spoil(log)
    assert problems(log)
