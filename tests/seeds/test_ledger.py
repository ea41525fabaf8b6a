"""Nothing that the seeds say is forgotten: every entry is covered by a test that exists, comes later, or differs for a reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.seeds import ledger
from tests.seeds.extraction import Entry, entries

DOCUMENT = """# Title
Set `API_KEY` (optional): `API_KEY` (default: `none`)
- worker
| a | bc |
|---|---|
```bash
# a comment
tool run \\
  --fast FILE_NAME=x
```
```
tree/
├── one/
│   └── two.txt
POST /api/open
```
"""


@pytest.fixture(scope="module")
def standings() -> list[ledger.Standing]:
    return ledger.read()


def test_every_entry_has_a_state_that_holds(standings: list[ledger.Standing]) -> None:
    assert [f"{one.document}: {one.entry.kind} {one.entry.text}: {one.problem}" for one in standings if one.problem] == []


@pytest.mark.skipif(not ledger.SEEDS.is_dir(), reason="the seeds are not on this machine")
@pytest.mark.parametrize("document", ledger.DOCUMENTS)
def test_everything_that_a_seed_says_is_in_the_table(standings: list[ledger.Standing], document: str) -> None:
    known = {one.entry for one in standings if one.document == document}
    assert sorted(ledger.said(ledger.SEEDS)[document] ^ known) == [], "run: python -m tests.seeds.ledger"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (None, "has no state"),
        ("done", "has no state"),
        ("covered: tests/seeds/test_ledger.py", "path::function"),
        ("covered: tests/seeds/test_nothing.py::test_x", "there is no"),
        ("covered: tests/seeds/test_ledger.py::test_x", "has no test_x"),
        ("later: some day", "is no topic"),
        ("differs: so", "too short"),
    ],
)
def test_a_state_that_says_nothing_is_a_problem(standings: list[ledger.Standing], state: str | None, said: str) -> None:
    problem = replace(standings[0], state=state).problem
    assert problem is not None
    assert said in problem


def test_a_new_entry_enters_the_table_without_a_state_and_known_states_are_kept() -> None:
    old = ledger.Standing(document="power-windows", entry=Entry(kind="route", text="GET /a"), state="later: gated workflows")
    table = ledger.updated([old], {"power-windows": {old.entry, Entry(kind="route", text="GET /b")}})
    assert table == {"power-windows": {"route": {"GET /a": "later: gated workflows", "GET /b": None}}}


def test_what_a_document_says_is_found() -> None:
    assert {(one.kind, one.text) for one in entries(DOCUMENT)} == {
        ("variable", "API_KEY"),
        ("variable", "FILE_NAME"),
        ("default", "API_KEY = none"),
        ("service", "worker"),
        ("row", "a | bc"),
        ("command", "tool run --fast FILE_NAME=x"),
        ("path", "tree/one/"),
        ("path", "tree/one/two.txt"),
        ("route", "POST /api/open"),
    }


def test_the_table_names_no_place_on_somebodys_machine() -> None:
    assert "/opt/" not in ledger.LEDGER.read_text("utf-8")
    assert "/root/" not in Path(ledger.LEDGER).read_text("utf-8")
