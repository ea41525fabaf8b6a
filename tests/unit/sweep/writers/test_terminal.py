"""Lines for a terminal fit it, show what failed, and carry nothing that acts."""

from tests.unit.sweep import samples
from windlass.infra.escapes import columns
from windlass.sweep.writers import terminal


def test_a_failure_is_two_lines_the_second_a_command_to_copy():
    assert terminal.failures(samples.failing())[:2] == [
        "FAIL  CLAIM_VERIFY  agent-verify  PROBE_FAILED  a claim whose number differs from its quote was passed",
        "      next: windlass sweep show sweep_20261120T221404512Z_k3f9x2m8qa1c7 CLAIM_VERIFY",
    ]
    assert len(terminal.failures(samples.failing())) == 10


def test_a_passing_sweep_has_no_failures():
    assert terminal.failures(samples.sweep()) == []


def test_what_never_ran_is_a_failure():
    assert terminal.failures(samples.interrupted())[0] == "FAIL  STAGE2_SYNTHESIZE  NOT_RUN  the sweep holds no row for this task type"


def test_rows_stand_in_columns():
    rows = [terminal.row(row, 200) for row in samples.failing()["rows"]]
    assert rows[0].startswith("PASS  ●●●●  ARTIFACT_AUDIT ")
    assert rows[1].startswith("FAIL  ●●●○  CLAIM_VERIFY ")
    assert rows[11].count("– ms") == 1
    assert len({row.index(" ms") for row in rows}) == 1


def test_gates_and_door_are_one_line_each():
    assert terminal.gates(samples.sweep(gate="execution")) == "dispatch PASS   execution PASS   proof not asked"
    assert terminal.gates(samples.failing()) == "dispatch PASS   execution FAIL: 2 failed   proof FAIL: 5 failed"
    assert terminal.door(samples.sweep()) == "no token 401   wrong token 401   unknown task 400"
    assert terminal.door(samples.sweep(door=samples.door(locked=False))).startswith("no token 200 (expected 401)")
    assert terminal.door(samples.sweep(gate="execution")) == "door not tried"


def test_every_line_fits_its_width():
    sweep = samples.hostile(["漢字" * 200, "x" * 1000, "a\u0301" * 300, "\x1b[2J" * 50])
    for width in (20, 40, 80, 120):
        lines = [terminal.row(row, width) for row in sweep["rows"]] + [terminal.gates(sweep, width)]
        assert all(columns(line) <= width for line in lines)
        assert all(columns(line) <= (terminal.LONGEST_COMMAND if "next:" in line else width) for line in terminal.failures(sweep, width))


def test_two_pieces_side_by_side_make_no_command():
    lines = terminal.failures(samples.hostile(["::add-mask::x", "##[group]x", "\x1b]0;title\x07", "\r::error::x", ":", "#"]))
    assert not any("::" in line or "##[" in line or "\x1b" in line or "\r" in line for line in lines)
