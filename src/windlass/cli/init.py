"""`windlass init`: what a project needs for its first gated run; what is there already stays as it is."""

from __future__ import annotations

from pathlib import Path

import click

from windlass.cli import project
from windlass.cli.paths import GivenPath


@click.command()
@click.option("--root", type=GivenPath(file_okay=False), help="The project's root; the working directory by default.")
@project.json_option
def command(root: Path | None, as_json: bool) -> int:
    """Write the workflow visual-essay, its three contracts, and the git files that keep logs out and records unchanged.

    Nothing is overwritten.
    """
    from windlass.errors import Refused
    from windlass.infra import escapes
    from windlass.records import initial
    from windlass.records.projects import Project

    place = root or Path.cwd()
    if not place.is_dir():
        raise Refused(f"--root {place}: is not a directory")
    done = initial.write(Project(root=place.resolve()))
    if as_json:
        project.as_json({"root": str(place), "written": done.written, "kept": done.kept})
        return 0
    for path in done.written:
        click.echo(escapes.terminal(f"wrote  {path}"))
    for path in done.kept:
        click.echo(escapes.terminal(f"kept   {path}"))
    click.echo("next   windlass run visual-essay --slug my-topic --artifact-path essays/my-topic")
    return 0
