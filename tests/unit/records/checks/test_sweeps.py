"""`sweep`: a sweep's evidence carries a gate only by its rows, its committed expectation and, where it can be judged again, its bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.records.checks import gates
from tests.unit.sweep import climbing
from windlass.errors import Refused
from windlass.sweep import again

EVIDENCE = "docs/sweep"
TASKS = ["ALPHA", "BETA", "GAMMA"]
Documents = dict[str, Any]


def again_from(directory: Path) -> tuple[dict[str, Any], list[str]]:
    return again.judged(directory, None, lambda *_: None, show="windlass sweep show x")


def swept(root: Path, gate: Any = "proof", **agents: Any) -> Path:
    directory = root / EVIDENCE
    climbing.write(directory, climbing.planned(climbing.fleet(TASKS), gate=gate), dict.fromkeys(TASKS, climbing.honest) | agents)
    return directory


def check(rung: str = "proof", **more: Any) -> dict[str, Any]:
    return {"type": "sweep", "target": EVIDENCE, "fleet": "tiny", "rung": rung, **more}


def rewrite(directory: Path, change: Callable[[Documents, Documents], object], *, commit: bool = True) -> None:
    """Change the documents as a forger would, who also mends the hash that binds them."""
    sweep, expectation = (json.loads((directory / name).read_bytes()) for name in ("sweep.json", "expectation.json"))
    change(sweep, expectation)
    content = json.dumps(expectation).encode()
    (directory / "expectation.json").write_bytes(content)
    if commit:
        sweep["expectation_sha256"] = hashlib.sha256(content).hexdigest()
    (directory / "sweep.json").write_text(json.dumps(sweep))


@pytest.mark.parametrize("target", [EVIDENCE, f"{EVIDENCE}/sweep.json"])
@pytest.mark.parametrize("rung", ["proof", "executed", "conformed", "execution", "dispatch"])
def test_a_sweep_that_reached_the_rung_passes(tmp_path: Path, rung: str, target: str) -> None:
    swept(tmp_path)
    found = gates.result(tmp_path, check(rung, target=target), sweep=again_from)
    assert found["pass"]
    assert (found["passed"], found["total"], found["rejudged"], found["bodies_not_carried"]) == (3, 3, True, 0)


def test_the_fleet_may_be_named_by_its_hash(tmp_path: Path) -> None:
    swept(tmp_path)
    assert gates.result(tmp_path, check(fleet=climbing.fleet(TASKS).sha256))["pass"]


def test_both_documents_are_artifacts_of_the_gate(tmp_path: Path) -> None:
    swept(tmp_path)
    found = gates.judged(tmp_path, check())
    assert {artifact.path for artifact in found.artifacts} == {f"{EVIDENCE}/sweep.json", f"{EVIDENCE}/expectation.json"}


def test_evidence_in_the_record_is_found_without_a_target(tmp_path: Path) -> None:
    record = gates.given(tmp_path).places.record
    climbing.write(record / "evidence" / "sweep", climbing.planned(climbing.fleet(TASKS)), dict.fromkeys(TASKS, climbing.honest))
    assert gates.result(tmp_path, {"type": "sweep", "fleet": "tiny", "rung": "proof"})["pass"]


def test_an_agent_that_fell_short_is_named(tmp_path: Path) -> None:
    swept(tmp_path, BETA=lambda request: climbing.envelope(request, {"a": "always the same"}))
    found = gates.result(tmp_path, check(), sweep=again_from)
    assert (found["passed"], found["total"]) == (2, 3)
    assert found["reason"] == "1 did not reach executed: BETA: reached conformed (NOT_INPUT_SENSITIVE)"


def test_a_sweep_that_asked_for_less_proves_no_more(tmp_path: Path) -> None:
    swept(tmp_path, gate="execution")
    assert gates.result(tmp_path, check("execution"))["pass"]
    assert "asked for the gate execution only" in gates.result(tmp_path, check("proof"))["reason"]


def test_another_fleet_is_refused(tmp_path: Path) -> None:
    swept(tmp_path)
    assert "is of fleet 'tiny'" in gates.result(tmp_path, check(fleet="research"))["reason"]


FORGERIES: dict[str, tuple[Callable[[Documents, Documents], object], str]] = {
    "a row is left out": (lambda sweep, _: sweep["rows"].pop(), "was never run"),
    "a row is of another task": (lambda sweep, _: sweep["rows"][0].update(task_type="OTHER"), "was never run"),
    "no rows": (lambda sweep, _: sweep.update(rows=[]), "was never run"),
    "rows that are none": (lambda sweep, _: sweep.update(rows=["PASS"]), "no list of rows"),
    "a rung that is none": (lambda sweep, _: sweep["rows"][0].update(rung="best"), "reached best"),
    "a failure beside the rung": (lambda sweep, _: sweep["rows"][0].update(failure_class="TIMEOUT"), "TIMEOUT"),
    "a second, failing row": (lambda sweep, _: sweep["rows"].append({**sweep["rows"][0], "rung": "none"}), "reached none"),
    "no calls": (lambda sweep, _: sweep["rows"][0].update(calls=[]), "names no answered call"),
    "calls that are none": (lambda sweep, _: sweep["rows"][0].update(calls=[[], {"kind": []}]), "names no answered call"),
    "no wrong question": (lambda sweep, _: sweep["rows"][0]["calls"].pop(), "names no answered call invalid"),
    "an open door": (lambda sweep, _: sweep["door"]["no_token"].update(http=200), "door was not found locked"),
    "an untried door": (lambda sweep, _: sweep.update(door=None), "door was not found locked"),
    "a door that is none": (lambda sweep, _: sweep.update(door={"no_token": "401"}), "door was not found locked"),
    "interrupted": (lambda sweep, _: sweep.update(interrupted=True), "was interrupted"),
    "another sweep's rows": (lambda sweep, _: sweep.update(sweep_id="sweep_x"), "differ in sweep_id"),
    "a smaller fleet in the rows": (lambda sweep, _: sweep["fleet"]["expected"].pop(), "differ in fleet"),
    "nothing expected": (lambda *both: [one["fleet"].update(expected=[]) for one in both], "expects nothing"),
    "a task type twice": (lambda _, expectation: expectation["fleet"]["expected"].append("BETA"), "twice"),
    "cells of another fleet": (lambda _, expectation: expectation["cells"].pop(), "cells are not its task types"),
    "another schema": (lambda sweep, _: sweep.update(schema_version=2), "not of schema 1"),
    "another gate": (lambda sweep, expectation: (expectation.update(gate="best"), sweep.update(gate="best")), "asked for the gate best only"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_what_is_not_there_was_not_proved(tmp_path: Path, name: str) -> None:
    change, reason = FORGERIES[name]
    rewrite(swept(tmp_path), change)
    found = gates.result(tmp_path, check())
    assert (found["pass"], found["code"]) == (False, "VALIDATION_FAILED")
    assert reason in found["reason"]


def test_what_the_evidence_says_of_its_own_gates_is_not_believed(tmp_path: Path) -> None:
    directory = swept(tmp_path, BETA=lambda _: (500, b"no"))
    rewrite(directory, lambda sweep, _: sweep.update(gates={gate: {"verdict": "PASS"} for gate in sweep["gates"]}, summary={"passed": 3, "total": 3}))
    assert not gates.result(tmp_path, check())["pass"]


def test_a_changed_expectation_is_not_the_committed_one(tmp_path: Path) -> None:
    rewrite(swept(tmp_path), lambda _, expectation: expectation.update(started_at="2030-01-01T00:00:00.000Z"), commit=False)
    assert "not the expectation that this sweep committed to" in gates.result(tmp_path, check())["reason"]


def test_a_verdict_that_was_written_by_hand_does_not_survive_the_bytes(tmp_path: Path) -> None:
    """Without the bytes nobody can tell; with them, the row is judged again and says what it said."""
    directory = swept(tmp_path, BETA=lambda request: climbing.envelope(request, {"a": "always the same"}))

    def forge(sweep: Documents, _: Documents) -> None:
        row = next(row for row in sweep["rows"] if row["task_type"] == "BETA")
        honest = next(row for row in sweep["rows"] if row["task_type"] == "ALPHA")
        row.update(rung="executed", failure_class=None, pass_fail="PASS", calls=row["calls"] + [honest["calls"][-1]] * 2)

    rewrite(directory, forge)
    found = gates.result(tmp_path, check(), sweep=again_from)
    assert not found["pass"]
    assert "judged again" in found["reason"]


def test_bodies_that_are_not_carried_are_counted(tmp_path: Path) -> None:
    directory = swept(tmp_path)
    for body in (directory / "bodies").iterdir():
        body.unlink()
    found = gates.result(tmp_path, check(), sweep=again_from)
    assert found["pass"]
    assert found["bodies_not_carried"] > 3


@pytest.mark.parametrize(("name", "content", "code"), [("sweep.json", None, "MISSING_ARTIFACT"), ("expectation.json", None, "MISSING_ARTIFACT"),
    ("sweep.json", b"", "EMPTY_FILE"), ("sweep.json", b"[]", "UNREADABLE"),
    ("expectation.json", b"{", "UNREADABLE"), ("sweep.json", b"[" * 100_000, "UNREADABLE")])  # fmt: skip
def test_evidence_that_can_not_be_read_fails_with_the_file_s_name(tmp_path: Path, name: str, content: bytes | None, code: str) -> None:
    path = swept(tmp_path) / name
    path.unlink() if content is None else path.write_bytes(content)
    found = gates.result(tmp_path, check())
    assert (found["pass"], found["code"]) == (False, code)
    assert name in found["reason"]


@pytest.mark.parametrize("changed", [{"rung": "best"}, {"rung": None}, {"fleet": ""}, {"fleet": None}, {"target": "../x"}, {"target": "*"}])
def test_a_contract_must_name_fleet_and_rung(changed: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="/validations/0/"):
        gates.read({key: value for key, value in {**check(), **changed}.items() if value is not None})
