"""`fresh`: an audit is void when what it audited is no longer what it audited."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from tests.unit.records.checks import gates
from windlass.errors import Refused

AUDIT, SPEC = "docs/AUDIT.md", "docs/SPEC.md"
CHECK = {"type": "fresh", "target": AUDIT, "audited": SPEC}
OLD, NEW = "what was audited\n", "what came after\n"


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def row(tmp_path: Path, files: dict[str, str], **known: Any) -> dict[str, Any]:
    found = gates.result(tmp_path, CHECK, files, **known)
    (one,) = found["audited"]
    assert found["pass"] == one["pass"]
    assert found["pass"] or "the audit is void" in found["reason"]
    return dict(one)


def written_in_order(tmp_path: Path, *names: str) -> None:
    for second, name in enumerate(names):
        os.utime(tmp_path / name, (1_700_000_000 + second, 1_700_000_000 + second))


@pytest.mark.parametrize(
    "text", [f"Audited {SPEC}: sha256 {sha(OLD)}\n", f"sha256:{sha(OLD).upper()}", f"{sha(NEW)} SPEC.md was\n{sha(OLD)} SPEC.md is\n"]
)
def test_an_audit_that_names_the_file_s_hash_is_fresh(tmp_path: Path, text: str) -> None:
    assert row(tmp_path, {SPEC: OLD, AUDIT: text}) | {"resolved_path": None} == {
        "path": SPEC, "resolved_path": None, "sha256": sha(OLD), "by": "sha256", "pass": True,
    }  # fmt: skip


def test_an_audit_that_names_another_hash_beside_the_file_is_void_whatever_the_times_say(tmp_path: Path) -> None:
    files = {SPEC: NEW, AUDIT: f"| SPEC.md | {sha(OLD)} |\n"}
    found = row(tmp_path, files, recorded=[{SPEC: sha(NEW), AUDIT: sha(files[AUDIT])}])
    assert (found["by"], found["pass"]) == ("sha256", False)
    assert sha(OLD)[:12] in found["reason"]


def test_half_a_hash_names_nothing(tmp_path: Path) -> None:
    found = row(tmp_path, {SPEC: OLD, AUDIT: f"SPEC.md {sha(OLD)}0 {sha(OLD)[:63]}\n"})
    assert found["by"] == "mtime"


def test_by_the_record_an_audit_is_void_when_the_file_changed_after_the_attempt_that_first_recorded_it(tmp_path: Path) -> None:
    """Recorded again beside the new file, the audit is no newer than it was."""
    files = {SPEC: NEW, AUDIT: "all is well\n"}
    history = [{SPEC: sha(OLD)}, {AUDIT: sha(files[AUDIT])}, {SPEC: sha(NEW)}, {SPEC: sha(NEW), AUDIT: sha(files[AUDIT])}]
    found = row(tmp_path, files, recorded=history)
    assert (found["by"], found["pass"]) == ("record", False)


def test_by_the_record_an_audit_of_the_file_as_it_is_is_fresh_whatever_the_times_say(tmp_path: Path) -> None:
    files = {SPEC: NEW, AUDIT: "all is well\n"}
    gates.judged(tmp_path, CHECK, files)
    written_in_order(tmp_path, AUDIT, SPEC)
    found = gates.result(tmp_path, CHECK, recorded=[{SPEC: sha(OLD), AUDIT: "0" * 64}, {SPEC: sha(NEW), AUDIT: sha(files[AUDIT])}])
    assert found["audited"][0]["by"] == "record"
    assert found["pass"]


@pytest.mark.parametrize(("order", "fresh"), [((SPEC, AUDIT), True), ((AUDIT, SPEC), False)])
def test_where_nobody_recorded_anything_the_times_decide_and_the_result_says_so(tmp_path: Path, order: tuple[str, str], fresh: bool) -> None:
    gates.judged(tmp_path, CHECK, {SPEC: NEW, AUDIT: "all is well\n"})
    written_in_order(tmp_path, *order)
    (found,) = gates.result(tmp_path, CHECK)["audited"]
    assert (found["by"], found["pass"]) == ("mtime", fresh)


def test_each_of_several_files_must_be_as_it_was_audited(tmp_path: Path) -> None:
    found = gates.result(
        tmp_path, {**CHECK, "audited": [SPEC, "docs/B.md"]}, {SPEC: OLD, "docs/B.md": NEW, AUDIT: f"SPEC.md {sha(OLD)}\nB.md {sha(OLD)}\n"}
    )
    assert [one["pass"] for one in found["audited"]] == [True, False]
    assert "docs/B.md is not what was audited" in found["reason"]


def test_a_missing_audit_and_a_missing_file_fail(tmp_path: Path) -> None:
    assert gates.result(tmp_path, CHECK, {SPEC: OLD})["code"] == "MISSING_ARTIFACT"
    (tmp_path / SPEC).unlink()
    assert row(tmp_path, {AUDIT: "all is well\n"})["reason"] == "is missing"


def test_an_audited_file_of_any_size_costs_little_memory_and_the_audit_is_bounded(tmp_path: Path) -> None:
    gates.judged(tmp_path, CHECK, {AUDIT: "x"})
    with (tmp_path / SPEC).open("wb") as sparse:
        sparse.truncate(64 * 1024 * 1024)
    assert gates.result(tmp_path, CHECK)["audited"][0]["by"] == "mtime"
    with (tmp_path / AUDIT).open("wb") as sparse:
        sparse.truncate(17 * 1024 * 1024)
    assert gates.result(tmp_path, CHECK)["code"] == "TOO_LARGE"


@pytest.mark.parametrize("audited", [[], "", None, 3, "../x", [AUDIT], ["*"]])
def test_a_contract_must_name_what_was_audited(audited: Any) -> None:
    with pytest.raises(Refused, match="audited"):
        gates.read({key: value for key, value in {**CHECK, "audited": audited}.items() if value is not None})
