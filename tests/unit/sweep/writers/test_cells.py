"""Nothing that a sweep lacks can look like a pass."""

import pytest

from tests.unit.sweep import samples
from windlass.sweep.writers import cells


def test_an_expected_task_type_without_a_row_reads_not_run():
    rows = cells.every(samples.interrupted())
    assert [row["task_type"] for row in rows] == sorted(samples.FLEET)
    assert [row["failure_class"] for row in rows[27:]] == ["NOT_RUN"] * 4
    assert not any(map(cells.passed, rows[27:]))


def test_the_rows_of_a_whole_sweep_are_its_own():
    sweep = samples.sweep()
    assert cells.every(sweep) == sweep["rows"]


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (("PASS", "PASS", "PASS"), "PASS"),
        (("PASS", "PASS", "FAIL"), "FAIL"),
        (("PASS", "PASS", "INCOMPLETE"), "FAIL (incomplete)"),
        (("INCOMPLETE", "FAIL", "INCOMPLETE"), "FAIL"),
        (("PASS", "PASS", "pass"), "FAIL"),
        ((None, None, None), "FAIL (incomplete)"),
        (("PASS", "PASS", None), "PASS"),
    ],
)
def test_the_verdict_is_that_of_the_worst_gate_asked_for(verdicts, said):
    gates = {
        name: {"verdict": verdict or "INCOMPLETE", "passed": 0, "total": 1, "asked": verdict is not None, "reason": None}
        for name, verdict in zip(("dispatch", "execution", "proof"), verdicts, strict=True)
    }
    assert cells.verdict(samples.sweep(gates=gates)) == said


def test_a_row_passes_by_one_word_only():
    for word in ("pass", "PASSED", "", "FAIL", None, True):
        assert not cells.passed(samples.row("A", pass_fail=word))


def test_a_failed_row_without_a_class_says_so():
    assert cells.failure_class(samples.row("A", pass_fail="FAIL")) == "UNCLASSIFIED"
