from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from windlass.agents import guidelines
from windlass.agents.reference.journal_guidelines_cache import AGENT

from . import probing, runs

OURS = {"name": "Our Letters", "word_limit": 2000, "max_figures": 2, "reference_style": "Vancouver", "sections": ["Methods", "Results"]}


def ask(store: Path, action: str, **inputs: Any) -> dict[str, Any]:
    return runs.outputs(AGENT, {"action": action, **inputs}, store)


def row(found: dict[str, Any], field: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = found["comparison"]
    return next(one for one in rows if one["field"] == field)


def test_every_shipped_journal_says_that_it_is_invented(tmp_path):
    assert len(guidelines.shipped()) == 12
    assert all(entry.guideline.synthetic and entry.guideline.note for entry in guidelines.shipped().values())
    answer = runs.answer(AGENT, {"action": "get", "journal_name": "fictional  HEART letters"}, tmp_path)
    assert (answer["outputs"]["journal"]["origin"], answer["outputs"]["journal"]["guideline"]["word_limit"]) == ("shipped", 2500)
    assert "invented journal" in answer["warnings"][0]


def test_what_was_put_is_got_again_and_listed(tmp_path):
    (change,) = ask(tmp_path, "put", guidelines=[OURS])["changes"]
    assert (change["status"], change["entry"]["version"]) == ("added", 1)
    assert ask(tmp_path, "get", journal_name="our letters")["journal"] == change["entry"]
    listed = {one["name"]: one for one in ask(tmp_path, "list")["journals"]}
    assert listed["Our Letters"] == {"name": "Our Letters", "origin": "stored", "version": 1, "synthetic": False}
    assert len(listed) == 13


def test_a_changed_record_is_a_new_version_and_the_old_one_is_kept(tmp_path):
    ask(tmp_path, "put", guidelines=[OURS])
    assert ask(tmp_path, "put", guidelines=[OURS])["changes"][0]["status"] == "unchanged"
    (change,) = ask(tmp_path, "put", guidelines=[{**OURS, "word_limit": 2500}])["changes"]
    assert (change["status"], change["entry"]["version"]) == ("updated", 2)
    assert change["changed"] == [{"field": "word_limit", "before": 2000, "after": 2500}]
    assert ask(tmp_path, "get", journal_name="Our Letters")["journal"]["guideline"]["word_limit"] == 2500
    assert ask(tmp_path, "get", journal_name="Our Letters", version=1)["journal"]["guideline"]["word_limit"] == 2000
    error = runs.refusal(AGENT, {"action": "get", "journal_name": "Our Letters", "version": 3}, tmp_path)
    assert (error["code"], error["details"]) == ("VERSION_NOT_FOUND", {"versions": [1, 2]})


def test_only_the_newest_versions_are_kept(tmp_path):
    for limit in range(guidelines.VERSIONS + 3):
        ask(tmp_path, "put", guidelines=[{**OURS, "word_limit": limit}])
    error = runs.refusal(AGENT, {"action": "get", "journal_name": "Our Letters", "version": 3}, tmp_path)
    assert error["details"] == {"versions": list(range(4, guidelines.VERSIONS + 4))}


def test_an_ephemeral_put_leaves_nothing(tmp_path):
    ask(tmp_path, "put", guidelines=[OURS], ephemeral=True)
    assert runs.refusal(AGENT, {"action": "get", "journal_name": "Our Letters"}, tmp_path)["code"] == "JOURNAL_NOT_FOUND"
    with closing(sqlite3.connect(tmp_path / "journals" / "guidelines.sqlite3")) as connection:
        assert connection.execute("SELECT count(*) FROM guideline").fetchone() == (0,)


def test_records_given_with_a_question_come_first_and_are_not_kept(tmp_path):
    ask(tmp_path, "put", guidelines=[OURS])
    found = ask(tmp_path, "get", journal_name="Our Letters", guidelines=[{**OURS, "word_limit": 1}])["journal"]
    assert (found["origin"], found["guideline"]["word_limit"]) == ("given", 1)
    assert ask(tmp_path, "get", journal_name="Our Letters")["journal"]["guideline"]["word_limit"] == 2000


def test_a_refresh_takes_its_records_from_the_caller_and_says_what_changed(tmp_path):
    record = {"name": "Simulated Case Reports", "word_limit": 1800}
    (change,) = ask(tmp_path, "refresh", journal_name="simulated case reports", guidelines=[record, OURS])["changes"]
    assert {"field": "word_limit", "before": 1500, "after": 1800} in change["changed"]
    assert ask(tmp_path, "get", journal_name="Simulated Case Reports")["journal"]["origin"] == "stored"


def test_a_refresh_without_a_source_is_refused(tmp_path):
    error = runs.refusal(AGENT, {"action": "refresh", "journal_name": "Simulated Case Reports"}, tmp_path)
    assert error["code"] == "SOURCE_REQUIRED"


def test_a_refresh_of_a_journal_that_nobody_knows_is_refused(tmp_path):
    assert runs.refusal(AGENT, {"action": "refresh", "guidelines": [OURS]}, tmp_path)["code"] == "JOURNAL_NOT_FOUND"


def test_an_unknown_journal_is_refused_with_the_nearest_names(tmp_path):
    error = runs.refusal(AGENT, {"action": "get", "journal_name": "Fictional Hart Leters"}, tmp_path)
    assert (error["code"], error["details"]["nearest"][0]) == ("JOURNAL_NOT_FOUND", "Fictional Heart Letters")
    assert "did you mean 'Fictional Heart Letters'" in error["message"]


def test_two_journals_are_compared_field_by_field(tmp_path):
    other = {"name": "Theirs", "word_limit": 2500, "reference_style": "vancouver", "sections": ["results", "Discussion"]}
    found = ask(tmp_path, "compare", journal_name="Our Letters", other_journal="Theirs", guidelines=[OURS, other])
    assert (row(found, "word_limit")["verdict"], row(found, "word_limit")["difference"]) == ("different", 500)
    assert [row(found, field)["verdict"] for field in ("max_figures", "max_tables", "reference_style", "sections")] == [
        "different",
        "not_stated",
        "same",
        "different",
    ]
    assert row(found, "sections")["missing"] == ["Methods"]
    assert found["fits"] is None


@pytest.mark.parametrize(
    ("change", "fits", "field", "verdict"),
    [
        ({}, True, "word_limit", "within"),
        ({"words": 2001}, False, "word_limit", "over"),
        ({"words": None}, None, "word_limit", "not_given"),
        ({"reference_style": "apa"}, False, "reference_style", "different"),
        ({"sections": ["Methods"]}, False, "sections", "missing"),
        ({"tables": 9}, True, "max_tables", "not_stated"),
    ],
)
def test_a_manuscript_fits_only_when_it_was_held_against_every_rule(tmp_path, change, fits, field, verdict):
    manuscript = {"words": 2000, "figures": 2, "reference_style": "vancouver", "sections": ["Introduction", "METHODS", "Results"], **change}
    found = ask(tmp_path, "compare", journal_name="Our Letters", manuscript=manuscript, guidelines=[OURS])
    assert (found["fits"], row(found, field)["verdict"]) == (fits, verdict)


def test_a_journal_without_rules_is_fitted_by_nothing(tmp_path):
    assert ask(tmp_path, "compare", journal_name="N", manuscript={"words": 1}, guidelines=[{"name": "N"}])["fits"] is None


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "action: is required"),
        ({"action": "fetch"}, "action"),
        ({"action": "get"}, "journal_name is required"),
        ({"action": "put"}, "guidelines are required"),
        ({"action": "put", "guidelines": []}, "guidelines"),
        ({"action": "put", "guidelines": [OURS, {"name": "OUR  letters"}]}, "two records have the same name"),
        ({"action": "put", "guidelines": [{"name": "N", "wordlimit": 3}]}, "guidelines.0.wordlimit"),
        ({"action": "compare", "journal_name": "N"}, "exactly one of other_journal and manuscript"),
        ({"action": "get", "journal_name": "N", "ephemeral": True}, "ephemeral does not go with the action 'get'"),
        ({"action": "refresh", "journal_name": "N", "guidelines": [OURS]}, "hold no record of 'N'"),
        ({"acton": "list"}, "did you mean 'action'"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_by_name(tmp_path, inputs, said):
    error = runs.refusal(AGENT, inputs, tmp_path)
    assert error["code"] == "VALIDATION_ERROR"
    assert said in error["message"]


def test_puts_in_many_threads_at_once_each_become_a_version(tmp_path):
    start = threading.Barrier(6)
    versions: list[int] = []

    def one(limit: int) -> None:
        start.wait()
        versions.append(ask(tmp_path, "put", guidelines=[{**OURS, "word_limit": limit}])["changes"][0]["entry"]["version"])

    threads = [threading.Thread(target=one, args=(limit,)) for limit in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(versions) == [1, 2, 3, 4, 5, 6]


def test_the_probe_passes_for_real_work_and_leaves_nothing(tmp_path):
    probing.passes(AGENT, tmp_path)
    assert len(ask(tmp_path, "list")["journals"]) == 12


def test_the_probe_rejects_canned_answers(tmp_path):
    probing.rejects_canned_answers(AGENT, tmp_path)


def test_the_probe_needs_every_step(tmp_path):
    probing.needs_every_step(AGENT, tmp_path, seeds=8)


def test_the_probe_notices_a_comparison_that_says_the_same_of_all(tmp_path):
    def alike(result):
        rows = [{**one, "verdict": "within", "missing": []} for one in result["comparison"]]
        return {**result, "comparison": rows}

    compared = [seed for seed in range(12) if AGENT.probe.make(seed)["action"] == "compare"]
    assert sum(probing.fails(AGENT, "act", alike, seed, AGENT.probe.make(seed), tmp_path) for seed in compared) == len(compared)
