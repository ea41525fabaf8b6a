"""The contract of one attempt whose work is a sweep: it names where that attempt's own sweep lies, so that no attempt overwrites another's.

The first sweep of a run lies in `{record}/evidence/sweep`, the next in `{record}/evidence/sweep-2`, and so on. An author writes the first
name, or nothing: a gate that sweeps is always judged by its sweep.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import orjson

from windlass.records.contracts import contract as contracts
from windlass.records.contracts.contract import Contract
from windlass.records.workflows import WorkflowGate

TARGET = "{record}/evidence/sweep"
RUNGS = {"dispatch": "dispatched", "execution": "responded", "proof": "executed"}
"""What a workflow asks a sweep for → the rung that every task type must reach for it."""
_OWN = re.compile(re.escape(TARGET) + r"(?:-\d+)?")


def free(evidence: Path) -> str:
    """The target of the next sweep: the first one that nothing lies at in the record's evidence."""
    names = ("sweep" if number == 1 else f"sweep-{number}" for number in count(1))
    return TARGET.removesuffix("sweep") + next(name for name in names if not (evidence / name).exists())


def rendered(content: bytes | None, path: str, gate: WorkflowGate, target: str) -> bytes:
    """The contract that an attempt is bound to: the author's, its sweep checks on `TARGET` being on `target`, and one more where none could fail.

    `content`: None where there is no contract of the author's. One that can't be used is returned as it is.
    """
    fields: dict[str, Any] = {"schema_version": 1, "gate": gate.gate, "name": gate.name}
    if content is not None:
        try:
            contracts.read(content, path)
        except contracts.InvalidContract:
            return content
        fields = orjson.loads(content)
    checks = [{**check, "target": target} if _is_own(check) else check for check in fields.get("validations", ())]
    if not any(check.get("type") == "sweep" and check.get("severity") != "warning" for check in checks):
        options = gate.executor.options
        checks.append({"type": "sweep", "target": target, "fleet": options["fleet"], "rung": RUNGS[options["rung"]]})
    return orjson.dumps({**fields, "validations": checks}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _is_own(check: Mapping[str, Any]) -> bool:
    return check.get("type") == "sweep" and check.get("target", TARGET) == TARGET


def targets(contract: Contract) -> list[str]:
    """Where the contract looks for sweeps that this run made, as templates."""
    return [target for check in contract.validations if check.type == "sweep" and _OWN.fullmatch(target := str(check.fields["target"]))]
