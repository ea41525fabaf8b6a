"""`windlass run <workflow>` and `windlass run resume`: the loop over the gates, with a person at those that nothing else does."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from windlass.cli import project
from windlass.cli.paths import GivenPath

if TYPE_CHECKING:
    from windlass.gates.loop import Moment, Outcome
    from windlass.gates.work import Means
    from windlass.records.projects import Project
    from windlass.records.run import RunRecord
    from windlass.records.workflows import WorkflowFile, WorkflowGate

_EXITS = {"PASSED": 0, "FAILED": 1, "STOPPED": 1, "PAUSED": 75}
_TERMS = "TERMS"
"""Name of the note that says under which terms the run's agents work."""
_OF_WINDOWS = frozenset(("service_ready", "service_stopped", "port_closed"))
"""Checks of services: told as they happen, and listed only where one does not pass."""
_SPARE_S = 60
"""Seconds by which a window outlasts the work that it was opened for."""


@dataclass(frozen=True, kw_only=True)
class _Options:
    """What executors may use, as it was typed. Lives as long as the command."""

    fleet: Path | None
    orchestrator_url: str | None
    mode: str | None
    risk_tier: str | None
    ttl: int
    allow_commands: bool
    allow_probe_code: bool

    def again(self) -> str:
        """The options that whoever goes on must give again."""
        given = [("--fleet", self.fleet), ("--orchestrator-url", self.orchestrator_url)]
        words = [word for name, value in given if value is not None for word in (name, str(value))]
        words += ["--allow-commands"] * self.allow_commands + ["--allow-probe-code"] * self.allow_probe_code
        return "".join(f" {shlex.quote(word)}" for word in words)


def _executors(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that are for gates which no person does."""
    for option in (
        click.option("--allow-probe-code", is_flag=True, help="Import the probes that the fleet file names: somebody's code runs here."),
        click.option("--allow-commands", is_flag=True, help="Let gates and checks run commands where CI is set."),
        click.option("--ttl", type=click.IntRange(1, 3600), default=300, show_default=True, help="Seconds that services stay open, at least."),
        click.option("--risk-tier", type=click.Choice(["PHI", "SENSITIVE", "NON_SENSITIVE"]), help="Of the agents' work [RISK_TIER, NON_SENSITIVE]"),
        click.option("--mode", type=click.Choice(["DEMO", "LIVE"]), help="Of the agents' work [MODE, DEMO]"),
        click.option("--orchestrator-url", help="An orchestrator that stands already, for gates without `needs`; with WORKER_SERVICE_TOKEN."),
        click.option("--fleet", type=GivenPath(), help="A stranger's fleet; the reference fleet without it."),
    ):
        command = option(command)
    return command


@click.command("workflow", short_help="Run a workflow, gate by gate.")
@click.argument("workflow")
@project.root_option
@click.option("--slug", required=True, help="What the run is about, as one word: a to z, 0 to 9 and -.")
@click.option("--artifact-path", required=True, help="Where the outputs lie, relative to the project's root.")
@click.option("--depth", type=click.Choice(["quick", "standard", "deep"]), default="standard", show_default=True, help="How much is asked for.")
@click.option("--prompt-file", type=click.Path(path_type=Path), help="The topic, bound to the run.")
@_executors
@project.json_option
def run(workflow: str, root: Path | None, slug: str, artifact_path: str, depth: str, prompt_file: Path | None, as_json: bool, **typed: Any) -> int:
    """Run a workflow from its first gate to its last; a person at a gate presses Enter when the outputs are there.

    Without a terminal the run stops at the first person's gate with exit code 75, and `windlass run resume` goes on.
    """
    from windlass.gates import loop, starting
    from windlass.records import workflows

    found = project.project(root)
    options = _Options(**typed)
    read = workflows.load(found, workflow)
    means = _means(found, read, options, {})
    loop.check(read, means)
    with starting.start(
        found, workflow=workflow, slug=slug, artifact_path=artifact_path, depth=depth, prompt_file=prompt_file, strict=True
    ) as started:
        if loop.needs_means(read):
            terms = {"mode": means.mode, "risk_tier": means.risk_tier, "fleet": means.fleet}
            started.record.event(_TERMS, "what the run's agents work under", details=terms)
        for warning in started.warnings:
            _say(f"warning: {warning}", err=True)
        _say(f"{started.record.run_id}  {workflow}  {len(started.workflow.gates)} gates", err=as_json)
        return _go(started.record, found, means, options, as_json=as_json)


@click.command("resume")
@project.root_option
@project.run_option
@click.option("--from", "start_at", metavar="G", help="Do this gate and all after it again; by default what has passed is passed.")
@_executors
@project.json_option
def resume(root: Path | None, run: str, start_at: str | None, as_json: bool, **typed: Any) -> int:
    """Go on with a run: a person's attempt that waits is finished, a failed or interrupted one is done again, in the same run."""
    from windlass.errors import Refused
    from windlass.gates import acts, loop

    found = project.project(root)
    options = _Options(**typed)
    with project.opened(root, run) as record:
        if record.run.completed:
            raise Refused(f"{record.run_id}: is {record.run.status} and complete; nothing can follow, start a new run")
        names = list(record.run.gates)
        if start_at is not None and start_at not in names:
            raise Refused(f"--from {start_at!r}: is not a gate of the run: {', '.join(names)}")
        workflow = acts.workflow_of(record)
        if workflow is None:
            raise Refused(f"{record.run_id}: was started without a workflow file; go on by `windlass gate start`")
        means = _means(found, workflow, options, _terms(record))
        loop.check(workflow, means)
        for line in loop.settle(record, means):
            _say(f"settled {line}", err=as_json)
        first = start_at or next((name for name in names if record.run.gates[name].status != "PASS"), names[-1])
        record.resumed(first, f"gate {first} was {record.run.gates[first].status}")
        _say(f"{record.run_id}  resumed at {first}", err=as_json)
        return _go(record, found, means, options, start_at=start_at, as_json=as_json)


def _terms(record: RunRecord) -> dict[str, Any]:
    """What the run's agents have worked under so far."""
    from windlass.records.events import Note

    notes = [event for event in record.run.happened if isinstance(event, Note) and event.name == _TERMS]
    return notes[-1].details if notes else {}


def _means(found: Project, workflow: WorkflowFile, options: _Options, terms: dict[str, Any]) -> Means:
    """What the workflow's executors may use; raises Refused for what does not fit, or is not what the run was begun with."""
    from windlass.gates import loop
    from windlass.gates.work import Means

    if not loop.needs_means(workflow):
        return Means(allow_commands=options.allow_commands)
    import os

    from windlass import fleet as fleets
    from windlass import settings
    from windlass.cli import fleets as resolving
    from windlass.cli import loop as events
    from windlass.gates.work import Ground
    from windlass.premises import Needs, Premises

    known = settings.Settings.load(found.root)
    fleet = fleets.read(options.fleet) if options.fleet else fleets.reference()
    endpoints = known.text(settings.AGENT_ENDPOINTS_JSON)

    def premises(seconds: int) -> Premises:
        tokens = resolving.tokens(known, fleet) if options.fleet else {}
        ttl = min(3600, max(options.ttl, seconds + _SPARE_S))
        return Premises(Needs(fleet_file=options.fleet, endpoints_json=endpoints, agent_tokens=tokens, ttl_sec=ttl, environment=dict(os.environ)))

    def ground() -> Ground:
        url, token = _orchestrator(known, options)
        resolved = resolving.resolved(known, options.fleet, None)
        return Ground(url=url, token=token, fleet=resolved, agent_tokens=resolving.tokens(known, resolved))

    stands = options.orchestrator_url is not None or known.text(settings.SERVICE_TOKEN) is not None
    if stands:
        _orchestrator(known, options)
    events.allow_many_files()
    return Means(
        ground=ground if stands else None,
        premises=premises,
        fleet=_same("--fleet", fleet.name, terms.get("fleet"), given=options.fleet is not None),
        run=events.run,
        mode=_same("--mode", known.choice(settings.MODE, ("DEMO", "LIVE"), options.mode), terms.get("mode"), given=options.mode is not None),
        risk_tier=_same(
            "--risk-tier",
            known.choice(settings.RISK_TIER, ("PHI", "SENSITIVE", "NON_SENSITIVE"), options.risk_tier),
            terms.get("risk_tier"),
            given=options.risk_tier is not None,
        ),
        timeout_s=known.seconds(settings.TIMEOUT_SECS, None),
        allow_commands=options.allow_commands,
        allow_probe_code=options.allow_probe_code,
    )


def _orchestrator(known: Any, options: _Options) -> tuple[str, str]:
    from windlass import settings
    from windlass.errors import Refused
    from windlass.infra import addresses, bearer

    token = bearer.usable(settings.SERVICE_TOKEN.variable, known.required(settings.SERVICE_TOKEN))
    try:
        return addresses.base_url(known.required(settings.ORCHESTRATOR_URL, options.orchestrator_url)), token
    except ValueError as failure:
        raise Refused(f"--orchestrator-url: {failure}") from failure


def _same(name: str, now: str, before: str | None, *, given: bool) -> Any:
    """A term as the run was begun with it; raises Refused where another one is asked for now."""
    from windlass.errors import Refused

    if before is None or now == before:
        return now
    if given or name == "--fleet":
        raise Refused(f"{name}: is {now!r}, and the run was begun with {before!r}")
    return before


def _go(record: RunRecord, found: Project, means: Means, options: _Options, *, start_at: str | None = None, as_json: bool) -> int:
    from windlass.gates import loop

    watcher = _Watcher(err=as_json)
    again = f"windlass run resume --run {record.run_id}{options.again()}"
    try:
        outcome = loop.run(record, found, ask=watcher.ask, tell=watcher.tell, means=means, start_at=start_at)
    except (KeyboardInterrupt, click.Abort):
        _say(f"interrupted; go on with: {again}", err=True)
        raise
    if as_json:
        gates = [{"gate": gate.gate, "status": gate.status, "attempts": len(gate.attempts)} for gate in record.run.gates.values()]
        facts = {
            "run_id": record.run_id,
            "status": record.run.status,
            "outcome": outcome.status,
            "stopped_at": outcome.gate,
            "reason": outcome.reason,
        }
        project.as_json(facts | {"gates": gates, "journal_head": record.head})
    else:
        _end(record, outcome, again)
    return _EXITS[outcome.status]


def _end(record: RunRecord, outcome: Outcome, again: str) -> None:
    verdicts = "   ".join(f"{gate.gate} {gate.status}" for gate in record.run.gates.values())
    _say(f"gates   {verdicts}")
    if outcome.status in {"PAUSED", "STOPPED"}:
        word = "paused" if outcome.status == "PAUSED" else "stopped"
        _say(f"{word}: {outcome.reason}")
        if outcome.for_person:
            _say(f"next    windlass gate finish --run {record.run_id} --gate {outcome.gate}    when the outputs are there; then")
        _say(f"next    {again}")
    else:
        _say(f"{record.run_id} {record.run.status}")
        _say(f"check   windlass verify {record.run_id} --head {record.head}")


class _Watcher:
    """Tells a person how the loop goes, and waits for them; lives as long as the loop."""

    def __init__(self, *, err: bool) -> None:
        self._err = err

    def tell(self, moment: Moment) -> None:
        """Print what happened."""
        from windlass.cli import runs
        from windlass.cli.gate import checks
        from windlass.gates import acts

        gate = moment.gate
        if moment.kind == "began":
            _say("", err=self._err)
            _say(f"{gate.gate}  {gate.name}  attempt {moment.attempt}  {gate.executor.kind} {acts.worker(gate)}", err=self._err)
            for warning in moment.begun.warnings if moment.begun else ():
                _say(f"  warning: {warning}", err=True)
        elif moment.kind == "waits" and moment.packet:
            _say(f"  packet  {runs.near(moment.packet)}", err=self._err)
        elif moment.kind in {"opening", "opened", "closed"}:
            _say(f"  {moment.kind:<8}{', '.join(moment.said)}", err=self._err)
        elif moment.kind == "working":
            _say(f"  works   {_work(gate)}", err=self._err)
        elif moment.kind == "ran":
            for line in moment.said[-10:]:
                _say(f"  | {line}", err=self._err)
        elif moment.finished:
            for warning in moment.finished.warnings:
                _say(f"  warning: {warning}", err=True)
            told = tuple(check for check in moment.finished.judgement.validations if not (check["pass"] and check["type"] in _OF_WINDOWS))
            for line in checks(told):
                _say(line, err=self._err)
            status = "waits" if moment.finished.waits_for else moment.finished.judgement.status
            _say(f"  {gate.gate} {status}", err=self._err)

    def ask(self, gate: WorkflowGate, attempt: int) -> bool:
        """Wait for Enter; False where there is no terminal, or its input has ended."""
        del attempt
        if not sys.stdin.isatty():
            return False
        click.echo(f"  Do the work of {gate.gate}, then press Enter (Ctrl-C leaves; the run can be resumed) ", nl=False, err=self._err)
        line = sys.stdin.readline()
        if not line:
            click.echo("", err=self._err)
        return bool(line)


def _work(gate: WorkflowGate) -> str:
    """What an executor is about to do, in a few words."""
    options = gate.executor.options
    match gate.executor.kind:
        case "agent":
            return f"agent does {options['task_type']}, {options['timeout_s']} s at most"
        case "command":
            return f"{shlex.join(options['argv'])}, {options['timeout_s']} s at most"
    return f"sweep of fleet {options['fleet']}, gate {options['rung']}"


def _say(line: str, *, err: bool = False) -> None:
    from windlass.infra import escapes

    click.echo(escapes.terminal(line), err=err)
