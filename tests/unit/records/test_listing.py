"""Runs are listed from one file each; what can't be read is listed too, and nothing outside is looked at."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from windlass.errors import UnusableRecord
from windlass.records import listing


def run(runs: Path, name: str, content: str) -> None:
    (runs / name / "record").mkdir(parents=True)
    (runs / name / "record/RUN.json").write_text(content)


def test_what_can_not_be_read_is_listed_with_what_is_wrong(tmp_path: Path) -> None:
    run(tmp_path, "run_1", json.dumps({"workflow": {"name": "w", "slug": "s"}, "status": "PASSED", "gates": [{"gate": "G1", "status": "PASS"}]}))
    run(tmp_path, "run_2", '{"torn": ')
    (tmp_path / "run_3").mkdir()
    (tmp_path / "notes").mkdir()
    found = list(listing.listed(tmp_path))
    assert [(one.run_id, one.status, bool(one.problem)) for one in found] == [("run_1", "PASSED", False), ("run_2", "", True), ("run_3", "", True)]
    assert found[0].gates == (("G1", "PASS", 0),)


def test_where_there_are_no_runs_nothing_is_listed(tmp_path: Path) -> None:
    assert list(listing.listed(tmp_path / "none")) == []


def test_a_name_that_is_no_text_is_no_run(tmp_path: Path) -> None:
    os.makedirs(bytes(tmp_path) + b"/run_\xff")  # noqa: PTH103  # pathlib takes no bytes
    assert listing.ids(tmp_path) == []


def test_runs_that_can_not_be_looked_at_are_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UnusableRecord, match="Not a directory"):
        listing.ids(tmp_path / "file")
    with pytest.raises(UnusableRecord, match="No such file"):
        listing.view(tmp_path / "none", "run_1")


@pytest.mark.parametrize("run_id", ["../outside", "..", "", "a/b"])
def test_a_run_id_leads_nowhere_else(tmp_path: Path, run_id: str) -> None:
    run(tmp_path, "outside", "{}")
    (tmp_path / "runs").mkdir()
    with pytest.raises(UnusableRecord, match="is no run id"):
        listing.view(tmp_path / "runs", run_id)


def test_a_record_behind_a_link_is_not_read(tmp_path: Path) -> None:
    run(tmp_path, "elsewhere", '{"status": "PASSED"}')
    (tmp_path / "runs/run_1").mkdir(parents=True)
    (tmp_path / "runs/run_1/record").symlink_to(tmp_path / "elsewhere/record")
    (found,) = listing.listed(tmp_path / "runs")
    assert (found.status, bool(found.problem)) == ("", True)
