"""The TSV holds the seed's columns, one line per row, and gives every text back."""

from tests.unit.sweep import samples
from windlass.infra.escapes import tsv_text
from windlass.sweep.writers import tsv

HEADER = "task_type\tdispatch_http\tagent_name\tagent_url\trun_http\tlatency_ms\tpass_fail\terror_preview"


def test_its_name_tells_when_the_sweep_started():
    assert tsv.name(samples.sweep()) == "execution_sweep_v2_20261120T221404Z.tsv"


def test_it_begins_with_the_seeds_columns_and_has_a_line_per_row():
    lines = tsv.render(samples.sweep()).split("\n")
    assert lines[0] == HEADER
    assert lines[-1] == ""
    assert len(lines) == 1 + 31 + 1
    assert all(len(line.split("\t")) == 8 for line in lines[:-1])


def test_a_passing_row_reads_as_in_the_seed():
    row = samples.row("ARTIFACT_AUDIT", agent_url="http://a:8000", latency_ms=245.4)
    assert tsv.render(samples.sweep([row])).split("\n")[1] == "ARTIFACT_AUDIT\t200\tagent-artifact-auditor-proxy\thttp://a:8000\t200\t245\tPASS\t"


def test_a_failed_row_tells_its_class():
    lines = tsv.render(samples.failing()).split("\n")
    assert "PROBE_FAILED: a claim whose number differs from its quote was passed" in lines[2].split("\t")


def test_a_row_that_never_ran_stands_there_as_a_failure():
    lines = tsv.render(samples.interrupted()).split("\n")[1:-1]
    assert len(lines) == 31
    assert lines[-1] == "STATISTICAL_ANALYSIS\t0\t\t\t0\t\tFAIL\tNOT_RUN: the sweep holds no row for this task type"


def test_a_forged_row_stays_inside_its_cell():
    forged = "boom\nCLAIM_VERIFY\t200\tagent-verify\thttp://x\t200\t12\tPASS\t"
    lines = tsv.render(samples.hostile([forged])).split("\n")
    assert len(lines) == 3
    assert [tsv_text(cell) for cell in lines[1].split("\t")] == [
        forged,
        "200",
        forged,
        f"http://{forged}",
        "200",
        lines[1].split("\t")[5],
        "FAIL",
        f"BUSINESS_ERROR: {forged}",
    ]
