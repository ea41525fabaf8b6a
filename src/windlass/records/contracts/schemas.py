"""Contracts and workflows as JSON Schema 2020-12, for editors; made from the table of types that reads them.

A schema can't say everything that `contract.read` finds: whether a pattern compiles, a path leaves the root, or nothing can fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass.records import layout, workflows
from windlass.records.checks import types
from windlass.records.contracts import contract
from windlass.records.events import DEPTHS

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEXT: Mapping[str, Any] = {"type": "string", "minLength": 1}
_TEXTS: Mapping[str, Any] = {"type": "array", "items": _TEXT}
_LINES: Mapping[str, Any] = {"anyOf": [{"type": ["string", "null"]}, {"type": "array", "items": {"type": "string"}}]}
_NAME: Mapping[str, Any] = {"type": "string", "pattern": f"^{layout.NAME.pattern}$"}
_DEPTHS: Mapping[str, Any] = {"type": "array", "items": {"enum": list(DEPTHS)}}
_MAYBE_TEXT: Mapping[str, Any] = {"anyOf": [_TEXT, {"type": "null"}]}


def documents() -> dict[str, dict[str, Any]]:
    """Each schema by the name of its file in docs/reference/schemas."""
    return {"contract.schema.json": of_contract(), "workflow.schema.json": of_workflow()}


def of_contract() -> dict[str, Any]:
    """A contract that has a `schema_version`: no unknown key."""
    output = _object(
        {"path": _TEXT, "description": _MAYBE_TEXT, "required": {"type": "boolean"}, "required_for_depth": _DEPTHS, "optional_for_depth": _DEPTHS},
        ["path"],
    )
    outputs = {"type": "array", "items": output}
    approvals = _object(
        {
            "quorum": {"type": "integer", "minimum": 1, "maximum": 100, "default": 1},
            "roles": {**_TEXTS, "minItems": 1, "default": ["approver"]},
            "expires_in_s": {"type": "integer", "minimum": 1, "maximum": 31_536_000, "default": 86_400},
        }
    )
    return {
        "$schema": _DIALECT,
        "title": "Windlass gate contract",
        **_object(
            {
                "schema_version": {"const": contract.SCHEMA_VERSION},
                "gate": _NAME,
                "name": _TEXT,
                "version": {"type": ["string", "integer"]},
                "blocking": {"type": "boolean", "default": True},
                "description": _MAYBE_TEXT,
                "required_outputs": _object({"any_of": outputs, "all_of": outputs}),
                "validations": {"type": "array", "items": {"oneOf": [_check(name, kind) for name, kind in types.table().items()]}},
                "approvals": approvals,
                "notes": _LINES,
            },
            ["schema_version", "gate"],
        ),
    }


def of_workflow() -> dict[str, Any]:
    """A workflow that has a `schema_version`: no unknown key. The options of an executor depend on its kind."""
    gate = _object(
        {
            "gate": _NAME,
            "name": _TEXT,
            "agent": _TEXT,
            "description": _MAYBE_TEXT,
            "instructions": _LINES,
            "executor": {
                "anyOf": [
                    {"enum": list(workflows.EXECUTORS)},
                    {"type": "object", "properties": {"kind": {"enum": list(workflows.EXECUTORS)}}, "required": ["kind"]},
                ]
            },
            "needs": _TEXTS,
            "inputs": _TEXTS,
        },
        ["gate"],
    )
    name = {**_NAME, "not": {"enum": sorted(workflows.RESERVED)}}
    return {
        "$schema": _DIALECT,
        "title": "Windlass workflow",
        **_object(
            {
                "schema_version": {"const": workflows.SCHEMA_VERSION},
                "name": name,
                "version": _TEXT,
                "description": _MAYBE_TEXT,
                "network": {"type": "boolean", "default": False},
                "private_network": {"type": "boolean", "default": False},
                "gates": {"type": "array", "items": gate, "minItems": 1},
            },
            ["schema_version", "name", "gates"],
        ),
    }


def _check(name: str, kind: types.Type) -> dict[str, Any]:
    """One type of validation. `path` is an older spelling of `target`."""
    fields = {field: dict(found.schema) for field, found in kind.fields.items()}
    required = [field for field, found in kind.fields.items() if found.required and field != "target"]
    shared = {"type": {"const": name}, "severity": {"enum": ["error", "warning"], "default": "error"}, "description": _MAYBE_TEXT}
    if "target" not in fields:
        return _object({**shared, **fields}, ["type", *required])
    either = {"oneOf": [{"required": ["target"]}, {"required": ["path"]}]} if kind.fields["target"].required else {}
    return {**_object({**shared, **fields, "path": fields["target"]}, ["type", *required]), **either}


def _object(properties: Mapping[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "required": required or [], "additionalProperties": False}
