"""`docs/promises.md` says of each promise what is true: which has a test, and with which budget."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.promises import run
from tests.promises.run import Promise

PROMISES = run.promises()


def _budgets(path: Path) -> list[tuple[int, int]]:
    """The `small` and `full` of every `budget.of(…)` in a test file."""
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    asked = [{word.arg: ast.literal_eval(word.value) for word in call.keywords} for call in calls if ast.unparse(call.func) == "budget.of"]
    return [(words["small"], words["full"]) for words in asked]


def _first_number(cell: str) -> int:
    return int(cell.split(maxsplit=1)[0].replace(",", ""))


def test_the_table_lists_every_promise_once_in_order():
    assert [promise.id for promise in PROMISES] == [f"P-{number:02}" for number in range(1, 26)]


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.id)
def test_a_promise_is_called_tested_exactly_when_it_has_tests(promise: Promise):
    word = promise.state.partition(":")[0]
    assert word in ({"tested", "in part"} if promise.tests else {"not built yet"})
    assert word == "tested" or len(promise.state) > len(word) + 2, "what is missing is not said"


@pytest.mark.parametrize("promise", [promise for promise in PROMISES if promise.tests], ids=lambda promise: promise.id)
def test_the_budgets_are_those_of_the_test(promise: Promise):
    budgets = [pair for path in promise.tests for pair in _budgets(path)]
    assert (_first_number(promise.ci), _first_number(promise.full)) in budgets


def test_every_test_file_belongs_to_a_promise():
    known = {path for promise in PROMISES for path in promise.tests}
    assert set(run.TESTS.glob("test_*.py")) == known


def test_asking_for_a_promise_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]):
    assert run.main(["P-99"]) == 2
    assert capsys.readouterr().err.startswith("error: no promise is called P-99")


def test_a_promise_without_a_test_is_never_called_kept(capsys: pytest.CaptureFixture[str]):
    unbuilt = next(promise for promise in PROMISES if not promise.tests)
    assert run.main([unbuilt.id]) == 1
    printed = capsys.readouterr().out
    assert "not built yet" in printed
    assert "kept" not in printed
