"""A row explained from what is stored: what was asked, what came back, what it shows, what to try."""

from __future__ import annotations

import typing
from pathlib import Path

import pytest

from tests.unit.sweep import climbing
from tests.unit.sweep.climbing import Agent
from windlass.errors import UnusableRecord
from windlass.sweep import readings, show

AGENTS: dict[str, Agent] = {
    "HONEST": climbing.honest,
    "ERROR": lambda request: climbing.envelope(request, {}, status="error", error={"code": "X", "message": "no luck"}),
    "HANGS": lambda _: "TIMEOUT",
    "HTML": lambda _: (200, b"<html>\xff" + b"x" * 5000),
    "NEVER": lambda _: "DNS",
}


@pytest.fixture
def explained(tmp_path: Path):
    sweep = climbing.write(tmp_path, climbing.planned(climbing.fleet(list(AGENTS))), AGENTS)
    rows = {row["task_type"]: row for row in sweep["rows"]}
    return lambda task_type: list(show.explain(rows[task_type], tmp_path / "bodies"))


def test_every_failure_class_has_a_meaning():
    assert set(show.MEANINGS) == set(typing.get_args(readings.FailureClass))


def test_a_passing_row_shows_every_question_and_answer(explained):
    told = "\n".join(explained("HONEST"))
    assert "PASS   rung: executed (by examples)" in told
    for words in ("dispatch: HTTP 200", "first question: HTTP 200", "second question, other inputs", "second question again", "must be rejected"):
        assert words in told
    assert '"text": "the quick brown fox"' in told
    assert '"longest": "quick"' in told
    assert "next:" not in told


def test_a_failed_row_says_its_class_its_meaning_what_was_seen_and_what_to_try(explained):
    told = explained("ERROR")
    assert f"  BUSINESS_ERROR: {show.MEANINGS['BUSINESS_ERROR']}" in told
    assert "  X: no luck" in told
    assert "  next: windlass sweep show x ERROR" in told


def test_a_call_without_an_answer_shows_what_was_sent_and_why_nothing_came(explained):
    told = "\n".join(explained("HANGS"))
    assert "first question: HTTP 0 in 12 ms  TIMEOUT: it did not answer" in told
    assert told.count("sent:") == 2
    assert told.count("received:") == 1


def test_an_answer_that_is_no_json_is_shown_as_text_and_not_all_of_it(explained):
    told = explained("HTML")
    assert any("<html>\ufffd" in line for line in told)
    assert max(map(len, told)) < show.EXCERPT + 100


def test_a_body_that_is_not_carried_is_said_to_be_so_and_a_changed_one_is_refused(explained, tmp_path: Path):
    for path in (tmp_path / "bodies").iterdir():
        path.unlink()
    told = explained("HONEST")
    assert sum("(body not carried)" in line for line in told) == 12
    digest = next(line for line in told if "not carried" in line).split("sha256 ")[1].split()[0]
    (tmp_path / "bodies" / digest).write_text("forged")
    with pytest.raises(UnusableRecord, match=digest):
        explained("HONEST")
