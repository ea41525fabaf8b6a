"""The page on contracts shows every type, and every example on it can be read as it stands."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.records.checks import gates
from windlass.records.checks.types import table
from windlass.records.contracts import contract

PAGE = (Path(__file__).resolve().parents[4] / "docs" / "reference" / "contracts.md").read_text("utf-8")
EXAMPLES: list[dict[str, Any]] = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]
CODES = (
    "MISSING_ARTIFACT EMPTY_FILE NOT_A_FILE OUTSIDE_ROOT UNREADABLE HEADING_MISMATCH VALIDATION_FAILED TOO_LARGE LINE_TOO_LONG TIMEOUT NOT_ALLOWED"
)


def test_every_type_has_its_heading() -> None:
    headed = {name for heading in re.findall(r"^### (.*)$", PAGE, re.MULTILINE) for name in re.findall(r"`(\w+)`", heading)}
    assert headed == set(table())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example.get("type") or example.get("gate")))
def test_every_example_is_a_contract_s(example: dict[str, Any]) -> None:
    if "type" not in example:
        assert contract.read(json.dumps(example).encode(), "page").warnings == ()
        return
    (check,) = gates.read({**example, "severity": "error"}).validations
    assert set(example) - {"type", "severity", "description"} <= set(check.fields)
    target = example.get("target", "")
    assert len(table()[check.type].words(check.fields, target)) > 20


def test_every_code_is_explained() -> None:
    assert [code for code in CODES.split() if f"`{code}`" not in PAGE] == []
