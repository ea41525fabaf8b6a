"""P-24: old records stay readable.

The corpus holds records of every schema, as the Windlass of their time wrote them; none of them is ever rewritten.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.promises import budget
from windlass.infra import chain
from windlass.records import artifacts, layout, state, views
from windlass.records.journal import SCHEMA_VERSION
from windlass.records.run import RunRecord
from windlass.records.verify import verify

CORPUS = Path(__file__).parents[1] / "golden" / "records"
RECORDS = sorted(path.parent.parent for path in CORPUS.glob("v*/*/record/journal.jsonl"))


def test_the_corpus_holds_every_schema() -> None:
    assert {path.parent.name for path in RECORDS} == {f"v{version}" for version in range(1, SCHEMA_VERSION + 1)}


@pytest.mark.parametrize("directory", RECORDS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_record_of_the_corpus_is_intact_and_its_views_are_its_fold(directory: Path) -> None:
    report = verify(directory)
    assert (report.problems, report.warnings) == ((), ())
    record = directory / layout.RECORD
    run = state.fold(chain.scan((record / layout.JOURNAL).read_bytes()).entries)
    assert run is not None
    assert f"v{run.version}" == directory.parent.name
    for path, content in views.files(run).items():
        assert artifacts.content(record, path) == content


@pytest.mark.parametrize("directory", RECORDS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_record_of_the_corpus_that_has_not_ended_goes_on_in_its_own_schema(directory: Path, tmp_path: Path) -> None:
    copy = tmp_path / "runs" / directory.name
    shutil.copytree(directory, copy)
    with RunRecord.open(copy, root=tmp_path) as record:
        if record.run.completed:
            return
        version = record.run.version
        acts = budget.of(small=20, full=1000)
        for number in range(acts):
            record.event("SEEN", "by a newer Windlass", details={"number": number})
        record.complete("CANCELED")
        assert record.run.version == version
    report = verify(copy)
    assert (report.problems, report.verdict) == ((), "intact, unanchored")
    budget.tell("P-24", 0, f"{len(RECORDS)} records of {SCHEMA_VERSION} schemas; {acts} acts after {directory.name}")
