"""`windlass run <workflow>` and `windlass run resume`: the loop over the gates, with a person at those that nothing else does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from windlass.cli import project

if TYPE_CHECKING:
    from windlass.gates.loop import Moment, Outcome
    from windlass.records.projects import Project
    from windlass.records.run import RunRecord
    from windlass.records.workflows import WorkflowGate

_EXITS = {"PASSED": 0, "FAILED": 1, "STOPPED": 1, "PAUSED": 75}


@click.command("workflow", short_help="Run a workflow, gate by gate.")
@click.argument("workflow")
@project.root_option
@click.option("--slug", required=True, help="What the run is about, as one word: a to z, 0 to 9 and -.")
@click.option("--artifact-path", required=True, help="Where the outputs lie, relative to the project's root.")
@click.option("--depth", type=click.Choice(["quick", "standard", "deep"]), default="standard", show_default=True, help="How much is asked for.")
@click.option("--prompt-file", type=click.Path(path_type=Path), help="The topic, bound to the run.")
@click.option("--allow-commands", is_flag=True, help="Let gates and checks run commands where CI is set.")
@project.json_option
def run(
    workflow: str, root: Path | None, slug: str, artifact_path: str, depth: str, prompt_file: Path | None, allow_commands: bool, as_json: bool
) -> int:
    """Run a workflow from its first gate to its last; a person at a gate presses Enter when the outputs are there.

    Without a terminal the run stops at the first person's gate with exit code 75, and `windlass run resume` goes on.
    """
    from windlass.gates import loop, starting
    from windlass.records import workflows

    found = project.project(root)
    loop.check(workflows.load(found, workflow))
    with starting.start(
        found, workflow=workflow, slug=slug, artifact_path=artifact_path, depth=depth, prompt_file=prompt_file, strict=True
    ) as started:
        for warning in started.warnings:
            _say(f"warning: {warning}", err=True)
        _say(f"{started.record.run_id}  {workflow}  {len(started.workflow.gates)} gates", err=as_json)
        return _go(started.record, found, None, allow_commands=allow_commands, as_json=as_json)


@click.command("resume")
@project.root_option
@project.run_option
@click.option("--from", "start_at", metavar="G", help="Do this gate and all after it again; by default what has passed is passed.")
@click.option("--allow-commands", is_flag=True, help="Let gates and checks run commands where CI is set.")
@project.json_option
def resume(root: Path | None, run: str, start_at: str | None, allow_commands: bool, as_json: bool) -> int:
    """Go on with a run: a person's attempt that waits is finished, a failed or interrupted one is done again, in the same run."""
    from windlass.errors import Refused

    found = project.project(root)
    with project.opened(root, run) as record:
        if record.run.completed:
            raise Refused(f"{record.run_id}: is {record.run.status} and complete; nothing can follow, start a new run")
        names = list(record.run.gates)
        if start_at is not None and start_at not in names:
            raise Refused(f"--from {start_at!r}: is not a gate of the run: {', '.join(names)}")
        first = start_at or next((name for name in names if record.run.gates[name].status != "PASS"), names[-1] if names else None)
        if first is not None:
            record.resumed(first, f"gate {first} was {record.run.gates[first].status}")
        _say(f"{record.run_id}  resumed at {first}", err=as_json)
        return _go(record, found, start_at, allow_commands=allow_commands, as_json=as_json)


def _go(record: RunRecord, found: Project, start_at: str | None, *, allow_commands: bool, as_json: bool) -> int:
    from windlass.gates import loop

    watcher = _Watcher(record.run_id, err=as_json)
    try:
        outcome = loop.run(record, found, ask=watcher.ask, tell=watcher.tell, start_at=start_at, allow_commands=allow_commands)
    except (KeyboardInterrupt, click.Abort):
        _say(f"interrupted; go on with: {_resume(record)}", err=True)
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
        _end(record, outcome)
    return _EXITS[outcome.status]


def _end(record: RunRecord, outcome: Outcome) -> None:
    verdicts = "   ".join(f"{gate.gate} {gate.status}" for gate in record.run.gates.values())
    _say(f"gates   {verdicts}")
    if outcome.status in {"PAUSED", "STOPPED"}:
        word = "paused" if outcome.status == "PAUSED" else "stopped"
        _say(f"{word}: {outcome.reason}")
        _say(f"next    {_resume(record)}")
    else:
        _say(f"{record.run_id} {record.run.status}")
        _say(f"check   windlass verify {record.run_id} --head {record.head}")


def _resume(record: RunRecord) -> str:
    return f"windlass run resume --run {record.run_id}"


class _Watcher:
    """Tells a person how the loop goes, and waits for them; lives as long as the loop."""

    def __init__(self, run_id: str, *, err: bool) -> None:
        self._run_id = run_id
        self._err = err

    def tell(self, moment: Moment) -> None:
        """Print what happened."""
        from windlass.cli import runs
        from windlass.cli.gate import checks

        gate = moment.gate
        if moment.kind == "began":
            _say("", err=self._err)
            _say(f"{gate.gate}  {gate.name}  attempt {moment.attempt}  {gate.executor.kind} {gate.agent}", err=self._err)
            for warning in moment.begun.warnings if moment.begun else ():
                _say(f"  warning: {warning}", err=True)
        elif moment.kind == "waits" and moment.packet:
            _say(f"  packet  {runs.near(moment.packet)}", err=self._err)
        elif moment.kind == "ran":
            for line in moment.said[-10:]:
                _say(f"  | {line}", err=self._err)
        elif moment.finished:
            for warning in moment.finished.warnings:
                _say(f"  warning: {warning}", err=True)
            for line in checks(moment.finished.judgement.validations):
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


def _say(line: str, *, err: bool = False) -> None:
    from windlass.infra import escapes

    click.echo(escapes.terminal(line), err=err)
