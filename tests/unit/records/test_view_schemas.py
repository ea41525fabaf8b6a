"""The published schemas of RUN.json and of attempts hold for every record that was ever written by schema 2, and for nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.unit.records import worlds
from windlass.records import layout, view_schemas

ROOT = Path(__file__).parents[3]
RECORDS = sorted((ROOT / "tests/golden/records/v2").iterdir())
OLDER = sorted((ROOT / "tests/golden/records/v1").iterdir())


@cache
def schema(name: str) -> Draft202012Validator:
    """A schema as it is published."""
    return Draft202012Validator(json.loads((ROOT / f"docs/reference/schemas/{name}.schema.json").read_text()))


def wrong(name: str, content: Any) -> list[str]:
    """What a schema has against a document."""
    return [f"{error.json_path}: {error.message[:200]}" for error in schema(name).iter_errors(content)]


def run(directory: Path) -> dict[str, Any]:
    """The RUN.json of a run."""
    found: dict[str, Any] = json.loads((directory / layout.RECORD / layout.RUN).read_text())
    return found


def attempts(directory: Path) -> list[Path]:
    """Its attempts' files."""
    return sorted((directory / layout.RECORD).glob("gates/*/attempt-*.json"))


@pytest.mark.parametrize("name", sorted(view_schemas.documents()))
def test_the_published_schema_is_the_one_that_the_source_makes(name: str) -> None:
    Draft202012Validator.check_schema(view_schemas.documents()[name])
    assert schema(name.removesuffix(".schema.json")).schema == view_schemas.documents()[name]


@pytest.mark.parametrize("directory", RECORDS, ids=lambda directory: directory.name)
def test_every_golden_record_fits(directory: Path) -> None:
    assert wrong("run", run(directory)) == []
    assert {str(path): wrong("attempt", json.loads(path.read_text())) for path in attempts(directory)} == {
        str(path): [] for path in attempts(directory)
    }


def test_there_are_golden_records() -> None:
    assert len(RECORDS) >= 3
    assert sum(len(attempts(directory)) for directory in RECORDS) >= 8


def test_a_record_of_every_kind_of_event_fits(tmp_path: Path) -> None:
    directory = worlds.passed(tmp_path)
    with worlds.new(tmp_path, gates="G1", seed=2, prompt="a topic", git_commit="a" * 40) as record:
        record.event("RETRY", "a note of the writer's own", details={"any": ["thing"]})
        record.gate_started("G1", "someone")
        record.invocation_recorded("G1", "writer", cost_usd=0.5)
        record.gate_finished("G1", "FAIL", validations=worlds.CHECKED, failure_reason="no")
        record.resumed("G1", "once more")
        record.window_opened("win-1", ["fleet"], worlds.DEADLINE)
        other = record.directory
    for found in (directory, other):
        assert wrong("run", run(found)) == []


@pytest.mark.parametrize("directory", OLDER, ids=lambda directory: directory.name)
def test_a_record_of_schema_1_says_so_and_does_not_fit(directory: Path) -> None:
    assert any("schema_version" in problem for problem in wrong("run", run(directory)))


def _without(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda view: view.pop(key)


def _first(view: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = view["gates"][0]["attempts"][0]
    return found


SPOILT: dict[str, Callable[[dict[str, Any]], object]] = {
    **{f"without {key}": _without(key) for key in ("run_id", "gates", "events", "windlass")},
    "a key of somebody's": lambda view: view.update(note="x"),
    "another status": lambda view: view.update(status="DONE"),
    "a time of another form": lambda view: view.update(started_at="2026-01-19T14:30:12Z"),
    "a verdict that is none": lambda view: view["gates"][0].update(status="PASSED"),
    "a check without a verdict": lambda view: _first(view)["validations"][0].pop("pass"),
    "a check that nearly passed": lambda view: _first(view)["validations"][0].update({"pass": "true"}),
    "a file without its hash": lambda view: _first(view)["artifacts"][0].update(sha256=None),
    "a file that is not there with a hash": lambda view: _first(view)["artifacts"][0].update(exists=False),
    "an event of no kind": lambda view: view["events"][0].update(type="run_started"),
    "an event without what it is of": lambda view: view["events"][1].pop("gate"),
    "a newer schema": lambda view: view["windlass"].update(schema_version=3),
}


@pytest.mark.parametrize("name", SPOILT)
def test_what_is_no_such_record_does_not_fit(name: str) -> None:
    view = run(next(directory for directory in RECORDS if "the-word-robot" in directory.name))
    spoilt = copy.deepcopy(view)
    SPOILT[name](spoilt)
    assert (wrong("run", view), bool(wrong("run", spoilt))) == ([], True)
