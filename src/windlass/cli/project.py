"""The project and the run that an option names; the options themselves, the same for every command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from windlass.cli.paths import GivenPath

if TYPE_CHECKING:
    from windlass.records.projects import Project
    from windlass.records.run import RunRecord

root_option = click.option("--root", type=GivenPath(file_okay=False), help="The project's root; found upwards from here by default.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _complete(context: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
    """Run ids that begin as typed, newest first; nothing where there is no project."""
    from windlass.errors import Refused
    from windlass.records import listing, projects

    try:
        runs = projects.find(Path.cwd(), context.params.get("root")).runs
    except (Refused, OSError):
        return []
    return [name for name in reversed(listing.ids(runs)) if name.startswith(typed)]


def _complete_gate(context: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
    """Gates of the run that was named before."""
    from windlass.errors import WindlassError
    from windlass.records import listing

    try:
        found = project(context.params.get("root"))
        gates = listing.view(found.runs, context.params["run"]).get("gates")
    except (WindlassError, OSError, KeyError):
        return []
    names = [gate.get("gate") for gate in gates if isinstance(gate, dict)] if isinstance(gates, list) else []
    return [name for name in names if isinstance(name, str) and name.startswith(typed)]


def run_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--run R`, completed."""
    return click.option("--run", required=True, metavar="R", shell_complete=_complete, help="The run's id, or how it begins if nothing else does.")(
        command
    )


def gate_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--gate G`, completed."""
    return click.option("--gate", required=True, metavar="G", shell_complete=_complete_gate, help="The gate, as the workflow calls it.")(command)


def project(root: Path | None) -> Project:
    """The project that `--root` names or that lies here or above; raises Refused."""
    from windlass.records import projects

    return projects.find(Path.cwd(), root)


def run_id(found: Project, given: str) -> str:
    """The id of the one run that is called `given`, or begins so; raises Refused that says what there is."""
    from windlass.errors import Refused
    from windlass.records import layout, listing

    if layout.RUN_ID.fullmatch(given) and (found.runs / given).is_dir() and not (found.runs / given).is_symlink():
        return given
    names = listing.ids(found.runs)
    near = [name for name in names if given and name.startswith(given)]
    if given in names or len(near) == 1:
        return near[0] if given not in names else given
    if near:
        raise Refused(f"--run {given[:200]!r}: {len(near)} runs begin so, the newest is {near[-1]}")
    newest = f"the newest is {names[-1]}" if names else "there is none yet; `windlass run start` makes one"
    raise Refused(f"--run {given[:200]!r}: there is no such run in {found.runs}; {newest}")


def opened(root: Path | None, given: str) -> RunRecord:
    """The open record of a run of this project; raises Refused, and UnusableRecord for one of the original runner."""
    from windlass.records.run import RunRecord

    found = project(root)
    return RunRecord.open(found.runs / run_id(found, given), root=found.root)


def as_json(value: object) -> None:
    """Print a value as indented JSON."""
    import orjson

    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))
