"""Judging a kept sweep again: the same verdicts from the same bytes, and nothing else is believed."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sweep import climbing
from tests.unit.sweep.climbing import Answer, Request
from windlass.agents.agent import Probe
from windlass.errors import UnusableRecord
from windlass.sweep import again

SHOW = "windlass sweep show x"


def _error(request: Request) -> Answer:
    return climbing.envelope(request, {"a": 1}, error={"code": "X", "message": "no"})


AGENTS = {
    "CANNED": lambda request: climbing.envelope(request, {"a": "always the same"}),
    "ERROR": _error,
    "FAILS": lambda _: (500, b"Internal Server Error"),
    "HANGS": lambda _: "TIMEOUT",
    "HONEST": climbing.honest,
    "UNCRITICAL": lambda request: climbing.envelope(request, {"n": len(str(request["inputs"]))}),
    "UTTER": lambda _: (200, b"\xff\xfe" * 40),
}


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    climbing.write(tmp_path, climbing.planned(climbing.fleet(list(AGENTS))), AGENTS)
    return tmp_path


def judged(directory: Path, probe: Probe | None = None, bodies: Path | None = None) -> tuple[dict[str, Any], list[str]]:
    return again.judged(directory, bodies, lambda *_: probe, show=SHOW)


def row(sweep: dict[str, Any], task_type: str) -> dict[str, Any]:
    return next(row for row in sweep["rows"] if row["task_type"] == task_type)


def rewrite(path: Path, change: Any) -> None:
    document = json.loads(path.read_bytes())
    change(document)
    path.write_text(json.dumps(document))


def test_the_same_verdicts_come_from_the_stored_bytes(kept: Path):
    before = json.loads((kept / "sweep.json").read_bytes())
    sweep, missing = judged(kept)
    assert missing == []
    assert sweep == before
    assert {row["failure_class"] for row in sweep["rows"]} == {
        None,
        "NOT_INPUT_SENSITIVE",
        "BUSINESS_ERROR",
        "HTTP_5XX",
        "TIMEOUT",
        "ACCEPTS_INVALID_INPUT",
        "NOT_JSON",
    }


def test_bodies_may_lie_elsewhere(kept: Path, tmp_path: Path):
    (kept / "bodies").rename(tmp_path / "elsewhere")
    assert judged(kept, bodies=tmp_path / "elsewhere") == (json.loads((kept / "sweep.json").read_bytes()), [])


def test_a_sweep_that_was_killed_is_judged_from_its_rows_and_is_incomplete(kept: Path):
    (kept / "sweep.json").unlink()
    sweep, _ = judged(kept)
    assert sweep["interrupted"] is True
    assert sweep["gates"]["proof"]["verdict"] == "FAIL"
    only = json.dumps(next(row for row in map(json.loads, (kept / "rows.jsonl").read_text().splitlines()) if row["task_type"] == "HONEST"))
    (kept / "rows.jsonl").write_text(only + "\n" + only[:50])
    sweep, _ = judged(kept)
    assert [gate["verdict"] for gate in sweep["gates"].values()] == ["INCOMPLETE"] * 3
    assert sweep["summary"] == {"passed": 1, "total": len(AGENTS)}


@pytest.mark.parametrize("seed", range(5))
def test_a_body_that_was_changed_is_refused_by_its_name(kept: Path, seed: int):
    rng = random.Random(seed)
    path = rng.choice([path for path in sorted((kept / "bodies").iterdir()) if path.stat().st_size])
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
    with pytest.raises(UnusableRecord, match=path.name):
        judged(kept)


def test_a_body_that_is_not_carried_is_named_and_its_row_keeps_its_verdict(kept: Path):
    before = json.loads((kept / "sweep.json").read_bytes())
    lost = row(before, "HONEST")["calls"][-1]["response_sha256"]
    (kept / "bodies" / lost).unlink()
    sweep, missing = judged(kept)
    assert missing == [lost]
    assert sweep == before


def test_another_fleet_than_the_one_that_was_swept_is_refused(kept: Path):
    rewrite(kept / "fleet.json", lambda fleet: fleet["tasks"]["HONEST"].update(output_schema={"required": ["more"]}))
    with pytest.raises(UnusableRecord, match=r"fleet\.json: is not the fleet that was swept"):
        judged(kept)


@pytest.mark.parametrize(
    "change",
    [
        lambda expectation: expectation["fleet"]["expected"].remove("ERROR"),
        lambda expectation: expectation.update(gate="dispatch"),
        lambda expectation: expectation.update(nonce="0" * 32),
        lambda expectation: expectation["cells"].pop(),
    ],
    ids=["fewer expected", "a lower gate", "another nonce", "fewer cells"],
)
def test_another_expectation_than_was_committed_to_is_refused(kept: Path, change: Any):
    rewrite(kept / "expectation.json", change)
    with pytest.raises(UnusableRecord, match=r"expectation\.json"):
        judged(kept)


def test_nor_is_one_believed_that_was_committed_to_after_the_fact(kept: Path):
    """Whoever shortens the expectation and its digest still contradicts the fleet."""
    rewrite(kept / "expectation.json", lambda expectation: expectation["fleet"]["expected"].remove("ERROR"))
    digest = hashlib.sha256((kept / "expectation.json").read_bytes()).hexdigest()
    rewrite(kept / "sweep.json", lambda sweep: sweep.update(expectation_sha256=digest))
    with pytest.raises(UnusableRecord, match="does not expect what the fleet has"):
        judged(kept)


def test_a_verdict_that_was_written_into_a_row_is_not_believed(kept: Path):
    def forge(sweep: dict[str, Any]) -> None:
        for each in sweep["rows"]:
            each.update(pass_fail="PASS", rung="executed", failure_class=None)
        for gate in sweep["gates"].values():
            gate.update(verdict="PASS", passed=7)

    before = json.loads((kept / "sweep.json").read_bytes())
    rewrite(kept / "sweep.json", forge)
    assert judged(kept)[0] == before


def test_nor_is_an_answer_that_belongs_to_another_call(kept: Path):
    """A failing cell that is given the bodies of a passing one."""

    def forge(sweep: dict[str, Any]) -> None:
        row(sweep, "ERROR")["calls"] = row(sweep, "HONEST")["calls"]

    rewrite(kept / "sweep.json", forge)
    found = row(judged(kept)[0], "ERROR")
    assert (found["failure_class"], found["pass_fail"]) == ("CONTRACT", "FAIL")


def test_nor_is_a_question_that_was_not_committed_to(kept: Path):
    request = {"request_id": "x", "task_type": "ERROR", "inputs": {"text": "an easier one"}}
    content = json.dumps(request).encode()
    digest = hashlib.sha256(content).hexdigest()
    (kept / "bodies" / digest).write_bytes(content)
    rewrite(kept / "sweep.json", lambda sweep: row(sweep, "ERROR")["calls"][1].update(request_sha256=digest))
    with pytest.raises(UnusableRecord, match="'first' does not ask what was committed to"):
        judged(kept)


@pytest.mark.parametrize(
    "change",
    [
        lambda sweep: row(sweep, "ERROR").pop("calls"),
        lambda sweep: row(sweep, "ERROR")["calls"][0].pop("http"),
        lambda sweep: row(sweep, "ERROR").update(calls=[3]),
        lambda sweep: row(sweep, "ERROR").update(task_type="OTHER"),
        lambda sweep: sweep["rows"].append("x"),
    ],
)
def test_rows_that_are_none_are_refused_in_one_line(kept: Path, change: Any):
    rewrite(kept / "sweep.json", change)
    with pytest.raises(UnusableRecord) as refused:
        judged(kept)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["expectation.json", "fleet.json"])
@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'{"fleet": 3}', b"null"])
def test_files_that_are_broken_are_refused_in_one_line(kept: Path, name: str, content: bytes):
    (kept / "sweep.json").unlink()
    (kept / name).write_bytes(content)
    with pytest.raises(UnusableRecord) as refused:
        judged(kept)
    assert "\n" not in str(refused.value)


def test_a_probe_of_today_judges_the_questions_that_were_asked_then(tmp_path: Path):
    """Its `make` has changed since; what was asked is in the stored requests."""
    plain = Probe(make=lambda seed: {"text": f"word{seed} and more"}, check=lambda _seed, inputs, outputs: _count(inputs, outputs))
    climbing.write(tmp_path, climbing.planned(probe=plain), {"T": climbing.honest})
    assert judged(tmp_path, plain)[0]["rows"][0]["by"] == "probe"
    changed = Probe(make=lambda seed: {"text": f"quite another {seed} form"}, check=plain.check)
    assert judged(tmp_path, changed)[0]["gates"]["proof"]["verdict"] == "PASS"
    stricter = Probe(make=plain.make, check=lambda *_: "not good enough any more")
    found = judged(tmp_path, stricter)[0]
    assert (found["rows"][0]["failure_class"], found["gates"]["proof"]["verdict"]) == ("PROBE_FAILED", "FAIL")


def _count(inputs: Any, outputs: Any) -> str | None:
    return None if outputs["words"] == len(inputs["text"].split()) else "miscounted"
