"""A gate with one check in a project of a few files, judged by the public judge, for tests of single types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from windlass.records.artifacts import Places
from windlass.records.checks.judge import Given, Judgement, judge
from windlass.records.contracts import contract

DOCUMENT = "docs/report.md"


def given(root: Path, **known: Any) -> Given:
    """What a judgement knows in a project at `root`."""
    record = root / "orchestration" / "runs" / "run_1" / "record"
    record.mkdir(parents=True, exist_ok=True)
    places = Places(root=root, record=record, slug="the-word-robot", artifact_path="docs")
    return Given(**{"places": places, "depth": "standard", "seed": "1", "agent": "auditor", **known})


def read(check: Mapping[str, Any]) -> contract.Contract:
    """A contract of that one check; raises InvalidContract."""
    return contract.read(json.dumps({"schema_version": 1, "gate": "G1", "validations": [check]}).encode(), "G1.contract.json")


def judged(root: Path, check: Mapping[str, Any], files: Mapping[str, str | bytes] | None = None, **known: Any) -> Judgement:
    """The judgement of a gate with that one check over those files."""
    for name, content in (files or {}).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return judge(read(check), given(root, **known))


def result(root: Path, check: Mapping[str, Any], files: Mapping[str, str | bytes] | None = None, **known: Any) -> dict[str, Any]:
    """The result of that one check, which decides the gate."""
    judgement = judged(root, check, files, **known)
    (found,) = judgement.validations
    assert judgement.status == ("PASS" if found["pass"] else "FAIL")
    assert bool(judgement.failure_reason) is not found["pass"]
    json.dumps(found)  # it is recorded
    return found
