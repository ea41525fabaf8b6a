"""`windlass run`: a workflow from its first gate to its last, or one act on a run: start, list, show, complete, resume."""

from __future__ import annotations

from pathlib import Path

import click

from windlass.cli import project

_EXIT_UNFINISHED = 1


class RunGroup(click.Group):
    """A group whose unknown first word is a workflow: `windlass run visual-essay …`. Lives as long as the process."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """A subcommand, or the command that runs the workflow of that name."""
        if args and args[0] not in self.list_commands(ctx) and not args[0].startswith("-"):
            from windlass.cli import run_workflow

            return "workflow", run_workflow.run, args
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A subcommand; `resume` is imported when it is asked for, like the loop it belongs to."""
        if cmd_name == "resume":
            from windlass.cli import run_workflow

            return run_workflow.resume
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of a run's life."""
        del ctx
        return ["start", "list", "show", "resume", "complete"]


@click.group(cls=RunGroup, subcommand_metavar="WORKFLOW | COMMAND [ARGS]...")
def command() -> None:
    """Run a workflow, a person or an executor at each gate; or start, list, show, resume or complete a run.

    `windlass run visual-essay --slug S --artifact-path P` runs the whole workflow.
    """


@command.command("start")
@project.root_option
@click.option("--workflow", required=True, help="The workflow: orchestration/workflows/<name>.json, or one that ships.")
@click.option("--slug", required=True, help="What the run is about, as one word: a to z, 0 to 9 and -.")
@click.option("--artifact-path", required=True, help="Where the outputs lie, relative to the project's root.")
@click.option("--depth", type=click.Choice(["quick", "standard", "deep"]), default="standard", show_default=True, help="How much is asked for.")
@click.option("--prompt-file", type=click.Path(path_type=Path), help="The topic, bound to the run.")
@project.json_option
def start(root: Path | None, workflow: str, slug: str, artifact_path: str, depth: str, prompt_file: Path | None, as_json: bool) -> int:
    """Start a run; its gates are then started and finished by hand."""
    from windlass.gates import starting

    found = project.project(root)
    with starting.start(found, workflow=workflow, slug=slug, artifact_path=artifact_path, depth=depth, prompt_file=prompt_file) as started:
        record = started.record
        for warning in started.warnings:
            click.echo(f"warning: {warning}", err=True)
        if as_json:
            project.as_json({"run_id": record.run_id, "record": _shown(record.record_directory), "journal_head": record.head})
            return 0
        click.echo(record.run_id)
        click.echo(f"record  {_shown(record.record_directory)}")
        first = next(iter(record.run.gates.values()), None)
        if first:
            click.echo(f"next    windlass gate start --run {record.run_id} --gate {first.gate}")
    return 0


@command.command("list")
@project.root_option
@project.json_option
def list_runs(root: Path | None, as_json: bool) -> int:
    """List every run of the project, the original runner's too, oldest first."""
    from windlass.infra import escapes
    from windlass.records import listing

    runs = list(listing.listed(project.project(root).runs))
    if as_json:
        project.as_json([run.as_json() for run in runs])
        return 0
    if not runs:
        click.echo("no runs yet; `windlass run start` or `windlass run <workflow>` makes one", err=True)
        return 0
    lines = [
        f"{run.run_id:<{_WIDEST}}  unreadable: {run.problem}"
        if run.problem
        else f"{run.run_id:<{_WIDEST}}  {run.workflow:<16}  {run.status:<8}  " + "  ".join(_gate(*gate) for gate in run.gates)
        for run in runs
    ]
    click.echo("\n".join(line if line.isascii() and line.isprintable() else escapes.terminal(line) for line in lines))
    return 0


_WIDEST = 56


def _gate(gate: str, status: str, attempts: int) -> str:
    word = {"NOT_STARTED": "-"}.get(status, status)
    return f"{gate} {word}" + (f" ({attempts})" if attempts > 1 else "")


@command.command("show")
@project.root_option
@project.run_option
@project.json_option
def show(root: Path | None, run: str, as_json: bool) -> int:
    """Show a run's record, the original runner's too. `--json` prints RUN.json as it is."""
    from windlass.infra import escapes
    from windlass.records import listing, showing

    found = project.project(root)
    view = listing.view(found.runs, project.run_id(found, run))
    if as_json:
        project.as_json(view)
        return 0
    for line in showing.lines(view):
        click.echo(escapes.terminal(line))
    return 0


@command.command("complete")
@project.root_option
@project.run_option
@click.option(
    "--status", type=click.Choice(["PASSED", "FAILED", "CANCELED"]), help="PASSED by default, which is refused while a gate has not passed."
)
@project.json_option
def complete(root: Path | None, run: str, status: str | None, as_json: bool) -> int:
    """Complete a run, for good. Without --status: PASSED if every gate passed, else exit 1 and nothing is changed."""
    from windlass.errors import GivenUp

    with project.opened(root, run) as record:
        state = record.run
        unpassed = [f"{gate.gate} {gate.status}" for gate in state.gates.values() if gate.status != "PASS"]
        if not state.completed and status in (None, "PASSED") and (unpassed or not state.gates):
            reason = ", ".join(unpassed) or "it has no gates"
            raise GivenUp(f"{record.run_id} is not PASSED: {reason}; pass them, or complete it with --status CANCELED or --status FAILED")
        record.complete("FAILED" if status == "FAILED" else "CANCELED" if status == "CANCELED" else "PASSED")
        if as_json:
            project.as_json({"run_id": record.run_id, "status": record.run.status, "journal_head": record.head})
        else:
            click.echo(f"{record.run_id} {record.run.status}")
    return 0


def _shown(path: Path) -> str:
    from windlass.cli import runs

    return str(runs.near(path))
