"""Checks of files and directories as such: what is there, how many, and what is no output though it lies there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.records.checks.gates import given, judged, result

FIGURES = {"docs/figures/a.svg": "<svg/>", "docs/figures/b.svg": "<svg/>", "docs/figures/empty.svg": "", "docs/figures/deep/c.svg": "<svg/>"}


def test_one_of_several_files_is_enough(tmp_path: Path) -> None:
    check = {"type": "file_exists_any_of", "targets": ["{artifact_path}/a.md", "{artifact_path}/b.md"]}
    found = result(tmp_path, check, {"docs/b.md": "b"})
    assert [(one["path"], one["exists"]) for one in found["checked"]] == [("{artifact_path}/a.md", False), ("{artifact_path}/b.md", True)]


def test_none_of_several_files_is_told_in_the_words_of_the_original(tmp_path: Path) -> None:
    check = {"type": "file_exists_any_of", "targets": ["{artifact_path}/a.md", "{artifact_path}/b.md"]}
    assert judged(tmp_path, check).failure_reason == "None of required files exist: {artifact_path}/a.md, {artifact_path}/b.md"


@pytest.mark.parametrize(("place", "passes"), [("docs/figures", True), ("docs/none", False), ("docs/figures/a.svg", False)])
def test_a_directory_is_a_directory(tmp_path: Path, place: str, passes: bool) -> None:
    assert result(tmp_path, {"type": "dir_exists", "target": place}, FIGURES)["pass"] is passes


def test_a_link_to_a_directory_is_none(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/figures").symlink_to("/tmp")  # any directory outside the root
    found = result(tmp_path, {"type": "dir_exists", "target": "{artifact_path}/figures"})
    assert (found["code"], "symbolic link" in found["reason"]) == ("MISSING_ARTIFACT", True)


@pytest.mark.parametrize(("glob", "count"), [("*", 2), ("**", 3), ("**/*.svg", 3), ("?.svg", 2), ("*.png", 0), ("deep/*", 1)])
def test_files_that_are_not_empty_are_counted(tmp_path: Path, glob: str, count: int) -> None:
    found = result(tmp_path, {"type": "min_file_count", "target": "{artifact_path}/figures", "glob": glob, "min": 2}, FIGURES)
    assert (found["count"], found["threshold"], found["pass"]) == (count, 2, count >= 2)


def test_what_is_recorded_of_work_is_no_output_of_work(tmp_path: Path) -> None:
    files = {"orchestration/runs/run_1/record/RUN.json": "{}", "orchestration/runs/run_0/record/RUN.json": "{}", "orchestration/a.json": "{}"}
    found = result(tmp_path, {"type": "min_file_count", "target": "orchestration", "glob": "**/*.json", "min": 2}, files)
    assert (found["count"], found["pass"]) == (1, False)


RECORDED = {"orchestration/runs/run_1/record/RUN.json": "{}", "orchestration/runs/run_0/logs/prompt.txt": "x", "orchestration/a.json": "{}"}


@pytest.mark.parametrize("target", ["orchestration/runs", "orchestration/runs/run_0", "./orchestration/runs", "orchestration/runs/run_1/record"])
def test_no_artifact_path_makes_records_outputs(tmp_path: Path, target: str) -> None:
    places = replace(given(tmp_path).places, artifact_path=target)
    found = result(tmp_path, {"type": "min_file_count", "target": "{artifact_path}", "glob": "**", "min": 1}, RECORDED, places=places)
    assert (found["count"], found["pass"]) == (0, False)


def test_evidence_that_the_run_gathered_is_counted(tmp_path: Path) -> None:
    files = {"orchestration/runs/run_1/record/evidence/sweep/a.json": "{}", "orchestration/runs/run_1/record/evidence/b.json": "{}"}
    assert result(tmp_path, {"type": "min_file_count", "target": "{record}/evidence", "glob": "**", "min": 2}, files)["count"] == 2


@pytest.mark.parametrize("check", [{"type": "dir_exists"}, {"type": "min_file_count", "glob": "**/*.json", "min": 1}])
def test_an_artifact_path_may_be_the_root_itself(tmp_path: Path, check: dict[str, object]) -> None:
    places = replace(given(tmp_path).places, artifact_path=".")
    assert result(tmp_path, {**check, "target": "{artifact_path}"}, RECORDED, places=places)["pass"]


@pytest.mark.parametrize(
    "check",
    [
        {"type": "dir_exists", "target": "{artifact_path}"},
        {"type": "min_file_count", "target": "{artifact_path}/a", "min": 1},
        {"type": "file_exists_any_of", "targets": ["{artifact_path}/a"]},
        {"type": "min_sources_any_of", "targets": ["{artifact_path}/a"], "thresholds": {"quick": 1, "standard": 1, "deep": 1}},
    ],
)
def test_an_artifact_path_that_leaves_the_root_fails_the_check(tmp_path: Path, check: dict[str, object]) -> None:
    places = replace(given(tmp_path).places, artifact_path="../elsewhere")
    found = result(tmp_path, check, places=places)
    assert (found["pass"], found["code"]) == (False, "OUTSIDE_ROOT")
