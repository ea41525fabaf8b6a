"""The judge on real files: the shipped gates as the original recorded them, and everything that can lie where a file should."""

from __future__ import annotations

import hashlib
import os
import socket
from importlib import resources
from pathlib import Path

import orjson
import pytest

from tests.unit.records.checks.gates import given
from windlass.records.checks import reading
from windlass.records.checks.judge import Judgement, judge
from windlass.records.contracts import contract

ESSAY = "docs/research"


def shipped(gate: str) -> contract.Contract:
    """A contract that ships with Windlass."""
    file = resources.files("windlass.records") / "shipped/contracts" / f"{gate}.contract.json"
    return contract.read(file.read_bytes(), file.name)


def of(root: Path, *outputs: object, checks: list[dict[str, object]] | None = None, depth: str = "standard") -> Judgement:
    """The judgement of a gate with these outputs, each a path or a whole output."""
    listed = [output if isinstance(output, dict) else {"path": output} for output in outputs]
    content = orjson.dumps({"gate": "G", "required_outputs": {"all_of": listed}, "validations": checks or []})
    return judge(contract.read(content, "G.contract.json"), given(root, depth=depth))


def write(root: Path, name: str, content: str = "text\n") -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(content)


def test_the_intake_gate_fails_in_the_words_of_the_original(tmp_path: Path) -> None:
    judgement = judge(shipped("G1"), given(tmp_path))
    assert judgement.status == "FAIL"
    assert judgement.failure_reason == (
        "None of required files exist: orchestration/projects/{slug}/INTAKE-APPROVAL.md, {artifact_path}/research/INTAKE.md"
    )
    write(tmp_path, f"{ESSAY}/INTAKE.md")
    assert judge(shipped("G1"), given(tmp_path)).status == "PASS"


def test_the_research_gate_counts_ten_sources_where_eight_are_needed(tmp_path: Path) -> None:
    write(
        tmp_path, f"{ESSAY}/CITATIONS.md", "".join(f"### Source {number}: book {number}\n\nhttps://example.org/{number}\n\n" for number in range(10))
    )
    judgement = judge(shipped("G2"), given(tmp_path))
    missing = [f"Missing: {{artifact_path}}/research/{name}.md" for name in ("SYNTHESIS", "FIGURES", "QUOTES", "TIMELINE", "VISUALS")]
    assert judgement.failure_reason == "; ".join(missing)
    counted = judgement.validations[-1]
    assert (counted["count"], counted["threshold"], counted["depth"], counted["pass"]) == (10, 8, "standard", True)
    for name in ("FIGURES", "QUOTES", "TIMELINE", "VISUALS"):
        write(tmp_path, f"{ESSAY}/{name}.md")
    assert judge(shipped("G2"), given(tmp_path, depth="quick")).status == "PASS"
    assert judge(shipped("G2"), given(tmp_path)).failure_reason == missing[0]
    write(tmp_path, f"{ESSAY}/SYNTHESIS.md")
    assert judge(shipped("G2"), given(tmp_path)).status == "PASS"
    assert judge(shipped("G2"), given(tmp_path, depth="deep")).status == "FAIL"


def test_the_specification_gate_warns_of_a_draft(tmp_path: Path) -> None:
    spec = "".join(f"## Layer {number}: x\n\ntext\n\n" for number in range(1, 7))
    write(tmp_path, "orchestration/skills/visual-essay-invocation/specs/the-word-robot.md", spec + "[DRAFT]\n")
    judgement = judge(shipped("G3"), given(tmp_path))
    assert judgement.status == "PASS"
    draft = judgement.validations[-1]
    assert (draft["type"], draft["found"], draft["severity"], draft["warning"]) == ("not_contains", True, "warning", True)


def test_what_lies_in_the_place_of_a_file_is_said(tmp_path: Path) -> None:
    """Each thing that is no file fails for its own reason, and nothing is waited for."""
    (tmp_path / "out").mkdir()
    root = tmp_path / "root"
    (root / "directory").mkdir(parents=True)
    (root / "empty").touch()
    (root / "link").symlink_to(tmp_path / "out")
    (root / "inner").symlink_to("empty")
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as unix:
        held = os.open(root, os.O_RDONLY)
        unix.bind(f"/proc/self/fd/{held}/socket")
        os.close(held)
        found = {result["path"]: (result["code"], result["reason"]) for result in of(root, "missing", *sorted(os.listdir(root))).validations}  # noqa: PTH208  # names
    found.pop("orchestration", None)
    assert found == {
        "missing": ("MISSING_ARTIFACT", "is missing"),
        "directory": ("NOT_A_FILE", "is not a regular file but a directory"),
        "empty": ("EMPTY_FILE", "is empty"),
        "fifo": ("NOT_A_FILE", "is not a regular file but a FIFO"),
        "socket": ("NOT_A_FILE", "is not a regular file but a socket"),
        "link": ("NOT_A_FILE", "link is a symbolic link, and none is followed"),
        "inner": ("NOT_A_FILE", "inner is a symbolic link, and none is followed"),
    }


def test_a_terabyte_of_nothing_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(reading.MAX_SIZE + 1)
    (result,) = of(tmp_path, "sparse").validations
    assert result["code"] == "TOO_LARGE"


@pytest.mark.parametrize("size", [1, 4096, reading._LARGE + 1])
def test_a_file_is_hashed_as_it_is_read(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "a").write_bytes(content)
    judgement = of(tmp_path, "a", checks=[{"type": "not_contains", "target": "a", "pattern": "no such text at all"}])
    assert judgement.status == "PASS"
    assert [(one.sha256, one.size) for one in judgement.artifacts] == [(hashlib.sha256(content).hexdigest(), size)]


def test_every_file_of_a_glob_is_an_artifact_and_one_bad_one_fails_the_gate(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        write(tmp_path, f"docs/figures/{name}.svg")
    judgement = of(tmp_path, "{artifact_path}/figures/*.svg")
    assert judgement.status == "PASS"
    assert [one.resolved_path for one in judgement.artifacts] == [f"docs/figures/{name}.svg" for name in "abc"]
    (tmp_path / "docs/figures/d.svg").symlink_to("/etc/passwd")
    assert of(tmp_path, "{artifact_path}/figures/*.svg").status == "FAIL"


def test_a_glob_does_not_take_the_runs_own_record(tmp_path: Path) -> None:
    place = given(tmp_path).places
    (place.record / "RUN.json").write_text("{}")
    write(tmp_path, "docs/a.json", "{}")
    assert [one.resolved_path for one in of(tmp_path, "**/*.json").artifacts] == ["docs/a.json"]


MINIMAL: dict[str, dict[str, object]] = {
    "min_sources": {"thresholds": {"quick": 1, "standard": 1, "deep": 1}},
    "contains_headings": {"required_headings": ["# A"]},
    "not_contains": {"pattern": "x"},
    "contains_text": {"text": "x"},
    "regex_match": {"pattern": "x"},
    "min_regex_count": {"pattern": "x", "min": 1},
    "file_exists": {},
    "min_file_count": {"min": 1},
    "frontmatter_status": {"checks": {"a": 1}},
    "json_schema": {"schema": {"type": "object"}},
}


@pytest.mark.parametrize("target", ["missing", "a-directory"])
@pytest.mark.parametrize("name", sorted(MINIMAL))
def test_no_type_passes_on_what_is_not_there(tmp_path: Path, name: str, target: str) -> None:
    """Absence is never a pass, whatever the type."""
    (tmp_path / "a-directory").mkdir()
    judgement = of(tmp_path, checks=[{"type": name, "target": target, **MINIMAL[name]}])
    assert judgement.status == "FAIL"
    assert judgement.validations[0]["code"]
