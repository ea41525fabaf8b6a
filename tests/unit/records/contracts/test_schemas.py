"""The published schemas say what the reader says, as far as a schema can."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from windlass.records import workflows
from windlass.records.checks import types
from windlass.records.contracts import contract, schemas

PUBLISHED = Path(__file__).parents[4] / "docs/reference/schemas"
SHIPPED = resources.files("windlass.records") / "shipped"


def fits(name: str, content: Any) -> bool:
    """Whether a document fits a schema."""
    return Draft202012Validator(schemas.documents()[name]).is_valid(content)


@pytest.mark.parametrize("name", sorted(schemas.documents()))
def test_the_published_schema_is_the_one_that_the_source_makes(name: str) -> None:
    Draft202012Validator.check_schema(schemas.documents()[name])
    assert json.loads((PUBLISHED / name).read_text()) == schemas.documents()[name]


@pytest.mark.parametrize("kind", ["contract", "workflow"])
def test_everything_that_ships_fits_its_schema_and_is_read(kind: str) -> None:
    found = [file for file in (SHIPPED / f"{kind}s").iterdir() if file.name.endswith(".json")]
    assert found
    for file in found:
        content = file.read_bytes()
        assert fits(f"{kind}.schema.json", json.loads(content)), file.name
        (contract.read if kind == "contract" else workflows.read)(content, file.name)


def test_every_type_of_validation_is_in_the_schema() -> None:
    items = schemas.of_contract()["properties"]["validations"]["items"]["oneOf"]
    assert {one["properties"]["type"]["const"] for one in items} == set(types.table())


@pytest.mark.parametrize(
    "validation",
    [
        {"type": "vibes", "target": "a"},
        {"type": "file_exists", "target": "a", "sevrity": "warning"},
        {"type": "file_exists"},
        {"type": "min_file_count", "target": "a", "min": 0},
        {"type": "not_contains", "target": "a"},
        {"type": "min_sources", "target": "a", "thresholds": {"quick": 1}},
    ],
)
def test_what_the_schema_refuses_the_reader_refuses(validation: dict[str, object]) -> None:
    written = {"schema_version": 1, "gate": "G", "validations": [validation]}
    assert not fits("contract.schema.json", written)
    with pytest.raises(contract.InvalidContract):
        contract.read(json.dumps(written).encode(), "c")
