"""gate.md is the seed's final table, filled in, and ends with the summary line alone."""

import pytest
from markdown_it import MarkdownIt

from tests.unit.sweep import samples
from windlass.sweep.writers import gate_table


def tables(page: str) -> list[list[list[str]]]:
    """The tables of a page as CommonMark reads it: lists of rows of cell texts."""
    found: list[list[list[str]]] = []
    row: list[str] = []
    for token in MarkdownIt("commonmark").enable("table").parse(page):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            row = []
            found[-1].append(row)
        elif token.type == "table_close":
            row = []
        elif token.type == "inline" and found:
            row.append("".join(child.content for child in token.children or [] if child.type in {"text", "text_special", "code_inline"}))
    return found


def test_the_last_line_is_the_summary_alone():
    assert gate_table.render(samples.sweep()).endswith("\n\nSUMMARY: 31/31 PASS\n")
    assert gate_table.render(samples.failing()).splitlines()[-1] == "SUMMARY: 26/31 PASS"


def test_the_final_gate_table_is_the_seeds():
    gates = tables(gate_table.render(samples.sweep()))[0]
    assert gates[0] == ["Gate", "Condition", "Result", "Evidence"]
    assert gates[1][:3] == ["Dispatch", "31/31 dispatch return agent_url", "PASS"]
    assert gates[2][:3] == ["Execution", "31/31 run/sync HTTP 200, response > 50 chars", "PASS"]
    assert (gates[3][0], gates[3][2]) == ("Proof", "PASS")
    assert "summary line: SUMMARY: 31/31 PASS" in gates[3][3]


def test_a_sweep_for_the_seeds_gates_does_not_speak_of_a_proof():
    gates = tables(gate_table.render(samples.sweep(gate="execution")))[0]
    assert [row[2] for row in gates[1:]] == ["PASS", "PASS", "not asked"]
    assert "pass_fail; summary line: SUMMARY: 31/31 PASS" in gates[2][3]


def test_failures_are_set_out_with_class_and_next_command():
    gates, failures, *_ = tables(gate_table.render(samples.failing()))
    assert [row[2] for row in gates[1:]] == ["PASS", "FAIL", "FAIL"]
    assert {row[0]: row[3] for row in failures[1:]} == {task: failure for task, (_, failure, _) in samples.FAILURES.items()}
    assert all(row[5].startswith("windlass sweep show ") for row in failures[1:])


def test_what_never_ran_is_a_failure_everywhere():
    gates, failures, _door, rows = tables(gate_table.render(samples.interrupted()))
    assert [row[2] for row in gates[1:]] == ["FAIL (incomplete)"] * 3
    assert [row[3] for row in failures[1:]] == ["NOT_RUN"] * 4
    assert len(rows) == 32
    assert [row[5] for row in rows[-4:]] == ["FAIL"] * 4


def test_an_open_door_is_told():
    sweep = samples.sweep(door=samples.door(locked=False))
    sweep["gates"]["proof"] |= {"verdict": "FAIL", "reason": "AUTH_NOT_ENFORCED: no token answered 200"}
    page = gate_table.render(sweep)
    assert tables(page)[0][3][2] == "FAIL"
    assert "AUTH_NOT_ENFORCED: no token answered 200" in tables(page)[0][3][3]
    assert [row[2:] for row in tables(page)[1][1:]] == [["200", "FAIL"]] * 3
    assert page.startswith("# Gates of research: FAIL\n")


def test_a_try_at_the_door_that_is_missing_is_no_pass():
    door = samples.door()
    del door["wrong_token"]
    assert tables(gate_table.render(samples.sweep(door=door)))[1][2][3] == "FAIL (incomplete)"


def test_the_row_table_has_the_seeds_seven_columns():
    rows = tables(gate_table.render(samples.sweep()))[-1]
    assert rows[0] == ["task_type", "dispatch_http", "agent_name", "run_http", "latency_ms", "pass_fail", "error_preview"]
    assert len(rows) == 32


@pytest.mark.parametrize(
    "text", ["| a | b |", "\n# x", "![i](http://x/y.png)", "<img src=x>", "[a](b)", "`", "\\", "a\\|b", "```\n", "&lt;b&gt;", "<!--"]
)
def test_hostile_text_is_shown_as_it_is(text):
    page = gate_table.render(samples.hostile([text]))
    _gates, failures, _door, rows = tables(page)
    assert len(rows) == len(failures) == 2
    assert failures[1][1].replace("\u2060", "") == text.replace("\n", "\\n")
    assert "<img" not in MarkdownIt("commonmark").enable("table").render(page)
