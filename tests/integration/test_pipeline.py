"""`windlass pipeline stage2`: four tasks in a row over somebody's papers, with a check at every hand-over and a record of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from windlass import pipeline
from windlass.records import verify

QUESTION = "Does valoxin reduce hospital readmission in adults with chronic heart failure?"


def run(tmp_path: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if key in {"PATH", "HOME", "LANG"} or key.startswith("COVERAGE_")}
    command = [sys.executable, "-m", "windlass", "pipeline", "stage2", "--out", str(tmp_path / "out"), *options]
    return subprocess.run(command, env=kept | environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    path = tmp_path / "papers.jsonl"
    content = resources.files("windlass.agents").joinpath("data", "papers.jsonl").read_text("utf-8")
    first = content.splitlines()[0]
    path.write_text(content.rstrip("\n") + "\n" + json.dumps({**json.loads(first), "id": "again"}) + "\n")
    return path


def test_papers_become_a_section_with_counts_that_add_up(tmp_path: Path, papers: Path) -> None:
    done = run(tmp_path, "--input", str(papers), "--question", QUESTION, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    prisma = document["prisma"]
    assert prisma["duplicates"] + prisma["included"] + prisma["excluded"] == prisma["identified"] > 0
    assert "[@" in document["section"]
    (directory,) = (tmp_path / "out").glob("run_*")
    record = json.loads((directory / "record/RUN.json").read_text())
    assert [(gate["gate"], gate["status"]) for gate in record["gates"]] == [
        (gate, "PASS") for gate in ("WINDOW", "REVIEW", "SCREEN", "EXTRACT", "SYNTHESIZE", "CLOSED")
    ]
    assert verify.verify(directory).problems == ()


def test_a_screen_that_includes_nothing_is_a_clean_end(tmp_path: Path, papers: Path) -> None:
    criteria = tmp_path / "criteria.json"
    criteria.write_text('{"include_keywords": ["unicorn"]}')
    done = run(tmp_path, "--input", str(papers), "--question", QUESTION, "--criteria", str(criteria), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert document["prisma"]["included"] == 0
    assert document["section"] is None


def test_a_refusal_of_an_agent_stops_the_pipeline_and_is_named(tmp_path: Path, papers: Path) -> None:
    criteria = tmp_path / "criteria.json"
    criteria.write_text('{"include_keyword": ["valoxin"]}')
    done = run(tmp_path, "--input", str(papers), "--question", QUESTION, "--criteria", str(criteria))
    assert done.returncode == 1
    assert "VALIDATION_ERROR" in done.stdout
    assert "include_keywords" in done.stdout, "the nearest key is named"
    (directory,) = (tmp_path / "out").glob("run_*")
    record = json.loads((directory / "record/RUN.json").read_text())
    assert {gate["gate"]: gate["status"] for gate in record["gates"]} == {
        "WINDOW": "PASS",
        "REVIEW": "PASS",
        "SCREEN": "FAIL",
        "EXTRACT": "NOT_STARTED",
        "SYNTHESIZE": "NOT_STARTED",
        "CLOSED": "PASS",
    }


def test_answers_about_protected_papers_stay_out_of_the_record_which_keeps_their_hashes(tmp_path: Path, papers: Path) -> None:
    done = run(tmp_path, "--input", str(papers), "--question", QUESTION, "--risk-tier", "PHI", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    (directory,) = (tmp_path / "out").glob("run_*")
    assert sorted(path.name for path in (directory / "logs/answers").iterdir()) == ["extract.json", "review.json", "screen.json", "synthesize.json"]
    title = json.loads(papers.read_text().splitlines()[0])["title"]
    assert [path for path in (directory / "record").rglob("*") if path.is_file() and title in path.read_text()] == []
    gates = json.loads((directory / "record/RUN.json").read_text())["gates"]
    assert all(gate["attempts"][0]["artifacts"][0]["sha256"] for gate in gates if gate["gate"] in {"REVIEW", "SCREEN", "EXTRACT", "SYNTHESIZE"})
    assert verify.verify(directory).problems == ()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ((), "--input"),
        (("--input", "missing.jsonl"), "missing.jsonl"),
        (("--input", "papers.txt"), "papers.txt"),
        (("--input", "broken.jsonl"), "line 1"),
        (("--input", "papers.jsonl", "--criteria", "missing.json"), "missing.json"),
        (("--input", "papers.jsonl", "--criteria", "broken.jsonl"), "broken.jsonl"),
        (("--input", "papers.jsonl", "--orchestrator-url", "ftp://x"), "--orchestrator-url"),
        (("--input", "papers.jsonl", "--orchestrator-url", "http://127.0.0.1:9"), "WORKER_SERVICE_TOKEN"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tmp_path: Path, papers: Path, options: tuple[str, ...], named: str) -> None:
    (tmp_path / "broken.jsonl").write_text("{")
    (tmp_path / "papers.txt").write_text("x")
    assert papers.exists()
    done = run(tmp_path, *options)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.startswith("error: ")
    assert named in done.stderr


def test_an_orchestrator_that_does_not_answer_is_a_failure_with_a_record(tmp_path: Path, papers: Path) -> None:
    done = run(tmp_path, "--input", str(papers), "--orchestrator-url", "http://127.0.0.1:9", WORKER_SERVICE_TOKEN="some-token-1")
    assert done.returncode == 1
    assert "did not answer" in done.stdout
    (directory,) = (tmp_path / "out").glob("run_*")
    assert verify.verify(directory).problems == ()


def test_the_default_question_is_the_words_that_titles_share() -> None:
    titles = [{"title": "Exercise against fatigue"}, {"title": "Fatigue and exercise in 2019"}, {"title": "Sleep"}]
    assert pipeline.asked_by(titles) == "exercise fatigue against sleep"
