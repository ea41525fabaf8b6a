"""A town of liars and honest strangers, swept once by the real command through the real orchestrator: each liar is caught, by its name."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.integration.liars import answers, forgers, honest, leaks, services, town, wires
from tests.integration.liars.citizens import Citizen

from windlass.infra import escapes
from windlass.sweep import again

LIARS = [*answers.LIARS, *wires.LIARS, *forgers.FORGERS, *leaks.LIARS]
CITIZENS = [*LIARS, *honest.STRANGERS, *leaks.LEAKERS]
TIMEOUT_S = 3


@dataclass(frozen=True, kw_only=True)
class Swept:
    """The one sweep of this module. Lives as long as the module."""

    directory: Path
    out: Path
    sweep: dict[str, Any]
    rows: dict[str, dict[str, Any]]
    stdout: str
    stderr: str
    code: int
    town: town.Town


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swept]:
    directory = tmp_path_factory.mktemp("town")
    out = directory / "evidence"
    with town.standing(CITIZENS) as standing:
        fleet = standing.fleet_file(directory)
        with services.orchestrator(fleet, directory, **leaks.TOKENS) as url:
            options = ["--out", str(out), "--timeout", str(TIMEOUT_S), "--concurrency", "64"]
            code, stdout, stderr = services.swept(fleet, url, *options, directory=directory, **leaks.TOKENS)
        sweep = json.loads((out / "sweep.json").read_bytes())
        yield Swept(directory=directory, out=out, sweep=sweep, rows=services.by_task(sweep), stdout=stdout, stderr=stderr, code=code, town=standing)


def test_there_are_enough_of_both_kinds():
    assert len({each.name for each in LIARS}) >= 28
    assert len({each.name for each in honest.STRANGERS}) >= 6
    assert len({each.name for each in CITIZENS}) == len(CITIZENS)


@pytest.mark.parametrize("liar", LIARS, ids=lambda each: each.name)
def test_the_liar_is_caught_with_the_right_class(swept: Swept, liar: Citizen):
    [task_type] = liar.task_types
    row = swept.rows[task_type]
    assert (row["rung"], row["failure_class"], row["pass_fail"]) == (liar.rung, liar.failure, "FAIL"), row
    assert row["error_preview"]
    assert row["next_command"]
    assert row["by"] is None


@pytest.mark.parametrize("stranger", honest.STRANGERS, ids=lambda each: each.name)
def test_the_honest_stranger_passes(swept: Swept, stranger: Citizen):
    for task_type in stranger.task_types:
        row = swept.rows[task_type]
        assert (row["rung"], row["failure_class"], row["pass_fail"], row["by"]) == ("executed", None, "PASS", "examples"), row


def test_the_sum_is_that_of_the_town(swept: Swept):
    passing = sum(len(each.task_types) for each in [*honest.STRANGERS, *leaks.LEAKERS])
    assert swept.code == 1
    assert swept.sweep["summary"] == {"passed": passing, "total": len(swept.town.fleet()["tasks"])}
    assert swept.stdout.splitlines()[-1] == f"SUMMARY: {passing}/{len(swept.rows)} PASS"
    assert swept.sweep["gates"]["proof"]["verdict"] == "FAIL"
    assert all(found["pass"] for found in swept.sweep["door"].values())
    assert swept.stderr == ""


def test_one_liar_costs_no_other_agent_its_time(swept: Swept):
    """A gigabyte, a bomb and a million nulls are read beside everything else."""
    honest_ms = [swept.rows[task]["latency_ms"] for each in honest.STRANGERS for task in each.task_types]
    assert max(honest_ms) < TIMEOUT_S * 1000
    assert swept.sweep["duration_ms"] < 20_000


def test_no_more_than_a_capped_part_of_any_answer_is_kept(swept: Swept):
    assert max(path.stat().st_size for path in (swept.out / "bodies").iterdir()) <= 4 * 1024 * 1024
    for name in ("GIGABYTE", "CHUNKED_GIGABYTE"):
        digest = swept.rows[name]["response_sha256"]
        assert (swept.out / "bodies" / digest).stat().st_size <= 64 * 1024


def test_no_redirect_is_followed(swept: Swept):
    """Who is redirected to is an honest citizen, and hears of nobody else's request."""
    heard = swept.town.heard_of("redirected-to")
    assert {each.request_id.split("-")[1] for each in heard} == {"REDIRECTED_TO"}


def test_no_request_id_says_which_question_it_asks(swept: Swept):
    assert all(re.fullmatch(r"sweep_\w+-[A-Z0-9_]+-[0-9a-f]{12}", each.request_id) for each in swept.town.heard)
    assert len({each.request_id for each in swept.town.heard}) == len(swept.town.heard)


def test_no_forger_adds_takes_or_colours_a_line_of_any_export(swept: Swept):
    expected = set(swept.town.fleet()["tasks"])
    [tsv] = swept.out.glob("execution_sweep_v2_*.tsv")
    header, *lines = tsv.read_text().splitlines()
    assert header.split("\t")[0] == "task_type"
    assert [len(line.split("\t")) for line in lines] == [8] * len(expected)
    assert {escapes.tsv_text(line.split("\t")[0]) for line in lines} == expected
    assert not any(cell[:1] in "=+-@" for line in lines for cell in line.split("\t") if cell)
    cases = list(ET.parse(swept.out / "junit.xml").iter("testcase"))
    assert len([case for case in cases if case.get("name") in expected]) == len(expected)
    assert "FORGED_TASK" not in {case.get("name") for case in cases}
    gate = (swept.out / "gate.md").read_text()
    assert gate.splitlines()[-1] == swept.stdout.splitlines()[-1]
    assert not any("FORGED_TASK" in line and not line.startswith("| FORGES") for line in gate.splitlines() if line.startswith("| F"))
    page = (swept.out / "report.html").read_text()
    assert "<script>document.title" not in page
    assert "<img src=http" not in page
    assert "](http://127.0.0.1:9/beacon.png)" not in gate


def test_what_a_terminal_and_a_build_log_see_is_plain_text(swept: Swept):
    shown = swept.stdout + swept.stderr
    assert not any(character < " " and character != "\n" for character in shown)
    assert not any(mark in shown for mark in ("\x1b", "\x9b", "\u202e", "##[", "##vso"))
    assert not any(line.lstrip().startswith("::") for line in shown.splitlines())
    assert [line for line in shown.splitlines() if line.startswith("SUMMARY")] == [shown.splitlines()[-1]]


def test_no_token_is_in_any_file_or_output_in_any_form(swept: Swept):
    assert any(each.authorization == f"Bearer {leaks.TOKENS[leaks.TOKEN_ENV]}" for each in swept.town.heard)
    said = {"stdout": swept.stdout.encode(), "stderr": swept.stderr.encode()}
    said |= {str(path): path.read_bytes() for path in swept.directory.rglob("*") if path.is_file()}
    assert len(said) > 100
    for token in (services.TOKEN, *leaks.TOKENS.values()):
        for where, content in said.items():
            form = leaks.found(token, content)
            assert form is None, f"{where} holds a token, {form}"
            assert token[:12].encode() not in content, f"{where} holds the first part of a token"


def test_judged_again_from_the_stored_bytes_every_verdict_is_the_same(swept: Swept):
    sweep, missing = again.judged(swept.out, None, lambda *_: None, show=f"windlass sweep show {swept.out}")
    assert missing == []
    assert services.by_task(sweep) == swept.rows
    assert sweep == swept.sweep
