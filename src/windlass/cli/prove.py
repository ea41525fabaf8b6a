"""`windlass prove`: the main job, told as it happens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from windlass import settings
from windlass.cli.paths import GivenPath

if TYPE_CHECKING:
    from windlass.cli.progress import SweepProgress
    from windlass.prove import Chapter, Outcome

_TIMEOUT_S = 30.0
"""The reference agents answer in milliseconds; a sweep of strangers waits longer."""


@click.command()
@click.option("--fleet", "file", type=GivenPath(), help="Prove a stranger's fleet: its agents are called, never started or stopped.")
@click.option("--out", type=GivenPath(file_okay=False), help="Directory of runs; <state dir>/prove without it.")
@click.option("--ttl", type=int, default=300, show_default=True, help="Seconds after which everything closes by itself, whatever happens.")
@click.option("--mode", type=click.Choice(["DEMO", "LIVE"]), help="[MODE, DEMO]")
@click.option("--risk-tier", type=click.Choice(["PHI", "SENSITIVE", "NON_SENSITIVE"]), help="[RISK_TIER, NON_SENSITIVE]")
@click.option("--timeout", type=float, help="Seconds that one request may take [TIMEOUT_SECS, 30].")
@click.option("--concurrency", type=click.IntRange(1, 4096), default=16, show_default=True, help="Requests in flight.")
@click.option("--keep-open", is_flag=True, help="Leave the services to their deadline instead of closing them.")
@click.option("--keep-bodies", is_flag=True, help="Put response bodies into the record; they stay in its ignored logs otherwise.")
@click.option("--allow-probe-code", is_flag=True, help="Import the probes that the fleet file names: somebody's code runs here.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, nothing else.")
def command(
    file: Path | None,
    out: Path | None,
    ttl: int,
    mode: str | None,
    risk_tier: str | None,
    timeout: float | None,
    concurrency: int,
    keep_open: bool,
    keep_bodies: bool,
    allow_probe_code: bool,
    as_json: bool,
) -> int:
    """Open a fleet, dispatch, execute and prove every task type, record it, close it, verify the record.

    Exit code 0 PASS, 1 FAIL or INCOMPLETE, 2 usage or configuration, 130 interrupted.
    """
    import os

    import orjson

    from windlass import fleet as fleets
    from windlass import prove
    from windlass.cli import fleets as tokens
    from windlass.cli import loop
    from windlass.cli.progress import SweepProgress
    from windlass.infra import bearer
    from windlass.premises import Needs
    from windlass.sweep import conduct, plan

    found = settings.Settings.load(Path.cwd())
    endpoints = found.text(settings.AGENT_ENDPOINTS_JSON)
    named = fleets.with_endpoints(fleets.read(file), endpoints) if file else None
    service_token = found.text(settings.SERVICE_TOKEN) if keep_open else None
    if service_token:
        bearer.usable(settings.SERVICE_TOKEN.variable, service_token)
    request = prove.Request(
        needs=Needs(
            fleet_file=file,
            endpoints_json=endpoints,
            agent_tokens=tokens.tokens(found, named) if named else {},
            service_token=service_token,
            ttl_sec=ttl,
            environment=dict(os.environ),
        ),
        out=out or Path(found.required(settings.STATE_DIR)) / "prove",
        run_ids_lead_here=out is None,
        terms=plan.Terms(
            mode=found.choice(settings.MODE, ("DEMO", "LIVE"), mode),  # type: ignore[arg-type]  # a choice of these words
            risk_tier=found.choice(settings.RISK_TIER, ("PHI", "SENSITIVE", "NON_SENSITIVE"), risk_tier),  # type: ignore[arg-type]  # as above
        ),
        timeout_s=found.seconds(settings.TIMEOUT_SECS, _TIMEOUT_S if timeout is None and not found.variable("TIMEOUT_SECS") else timeout),
        concurrency=concurrency,
        keep_open=keep_open,
        keep_bodies=keep_bodies,
        allow_probe_code=allow_probe_code,
    )
    loop.allow_many_files()
    with SweepProgress(stages=3) as progress:
        teller = _Teller(progress, silent=as_json)
        outcome = loop.run(prove.prove(request, teller, progress))
    for line in [orjson.dumps(_document(outcome), option=orjson.OPT_INDENT_2).decode()] if as_json else _ending(outcome):
        progress.print(line)
    step_summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if step_summary and outcome.sweep:
        conduct.append_step_summary(Path(step_summary), outcome.sweep)
    if progress.unheard is not None:
        raise progress.unheard
    return 0 if outcome.passed else 1


class _Teller:
    """Tells each chapter in a line, as it ends. Lives as long as the run."""

    def __init__(self, progress: SweepProgress, *, silent: bool) -> None:
        self._progress = progress
        self._silent = silent

    def __call__(self, chapter: Chapter) -> None:
        """One chapter has ended."""
        if chapter.name == "begin":
            self._progress.expect(chapter.facts["task_types"])
        if self._silent:
            return
        for line in _told(chapter):
            self._progress.print(line)


def _told(chapter: Chapter) -> list[str]:
    facts, seconds = chapter.facts, f"{chapter.elapsed_s:.1f} s"
    match chapter.name:
        case "begin":
            return _beginning(facts)
        case "core":
            return [_line("core", "orchestrator", seconds)]
        case "open":
            return [_line("open", f"fleet ({facts['agents']} agents)", f"{seconds}   closes by {facts['deadline']} whatever happens")]
        case "sweep":
            return _swept(facts, seconds)
        case "close":
            return [_line("close", "; ".join(facts["left"]) or f"{', '.join(facts['services'])}: observed stopped", seconds)]
        case "kept open":
            return _kept_open(facts)
        case _:
            head = f"{facts['entries']} entries, head {facts['head'][:12]}…"
            return [_line("verify", f"record {facts['verdict']}", f"{seconds}   {head}"), *(f"    {problem}" for problem in facts["problems"])]


def _line(word: str, what: str, rest: str) -> str:
    return f"  {word:<9} {what:<42} {rest}".rstrip()


def _beginning(facts: Any) -> list[str]:
    from windlass import __version__
    from windlass.agents import catalogue
    from windlass.infra.escapes import terminal

    lines = [
        f"Windlass {__version__}   fleet {terminal(facts['fleet'])}: {facts['agents']} agents, {facts['task_types']} task types   {facts['run_id']}"
    ]
    if facts["reference"] and facts["task_types"] < catalogue.REFERENCE_TASK_TYPES:
        lines.append(f"  {facts['task_types']} of {catalogue.REFERENCE_TASK_TYPES} reference task types so far")
    return lines


def _swept(facts: Any, seconds: str) -> list[str]:
    from windlass.infra.escapes import terminal
    from windlass.sweep.writers import terminal as lines

    sweep = facts["sweep"]
    gates = sweep["gates"]
    counted = {name: f"{gate['passed']}/{gate['total']}" for name, gate in gates.items()}
    slowest = max((row for row in sweep["rows"] if row["latency_ms"] is not None), key=lambda row: row["latency_ms"], default=None)
    note = terminal(f"slowest {slowest['task_type']} {slowest['latency_ms']:.0f} ms") if slowest else ""
    return [
        _line("dispatch", counted["dispatch"], ""),
        _line("execute", f"{counted['execution']:<9} {_bar(gates['execution'])}", note),
        _line("prove", f"{counted['proof']:<9} {_ASKED[tuple(facts['by'])]}, nonce {sweep['nonce'][:6]}…", f"{seconds}   {lines.door(sweep)}"),
    ]


_ASKED = {("probe",): "random probes", ("examples",): "examples", ("examples", "probe"): "probes and examples"}


def _bar(gate: Any, width: int = 31) -> str:
    filled = round(width * gate["passed"] / gate["total"]) if gate["total"] else 0
    return "█" * filled + "░" * (width - filled)


def _kept_open(facts: Any) -> list[str]:
    told = [_line("open", "stays open until its deadline", f"closes by {facts['deadline']}")]
    told += [f"    {name:<13} {url}" for name, url in facts["urls"].items() if url]
    return [*told, *(f"    close earlier: windlass window close {directory}" for directory in facts["directories"])]


def _ending(outcome: Outcome) -> list[str]:
    from windlass.cli import summary
    from windlass.cli.runs import near
    from windlass.infra.escapes import terminal
    from windlass.sweep import conduct
    from windlass.sweep.writers import terminal as lines

    told = [terminal(f"  FAIL      {outcome.failure}")] if outcome.failure else []
    if outcome.sweep is None:
        return [*told, f"record      {near(outcome.directory) / 'record'}"]
    told += summary.failures(outcome.sweep)
    told.append(f"evidence    {near(outcome.directory) / 'record/evidence/sweep/report.html'}")
    told.append(f"gates       {lines.gates(outcome.sweep)}")
    return [*told, conduct.summary_line(outcome.sweep)]


def _document(outcome: Outcome) -> dict[str, Any]:
    sweep = outcome.sweep or {}
    return {
        "schema_version": 1,
        "run_id": outcome.run_id,
        "verdict": "PASS" if outcome.passed else "FAIL",
        "failure": outcome.failure,
        "gates": sweep.get("gates"),
        "summary": sweep.get("summary"),
        "door": sweep.get("door"),
        "duration_ms": sweep.get("duration_ms"),
        "failures": [row for row in sweep.get("rows", ()) if row["failure_class"]],
        "record": {
            "directory": str(outcome.directory / "record"),
            "verdict": outcome.report.verdict,
            "entries": outcome.report.entries,
            "head": outcome.report.head,
        },
        "evidence": str(outcome.directory / "record/evidence/sweep") if sweep else None,
    }
