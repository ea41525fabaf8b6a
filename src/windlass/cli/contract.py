"""`windlass contract lint`: contracts and workflows are checked before anything is judged by them."""

from __future__ import annotations

from pathlib import Path

import click

from windlass.cli import project


@click.group()
def command() -> None:
    """Check contracts and workflows."""


@command.command("lint")
@project.root_option
@click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path(path_type=Path))
@project.json_option
def lint(root: Path | None, files: tuple[Path, ...], as_json: bool) -> int:
    """Check contracts and workflows: unknown keys and types, nothing that can fail, patterns and thresholds that can't be used.

    Without FILE, all of the project's: a workflow also for the contracts of its gates. Exit code 0 clean or warnings only, 1 problems.
    """
    from windlass.infra import escapes
    from windlass.records.contracts import linting

    linted = [linting.file(path) for path in files] if files else linting.project(project.project(root))
    if as_json:
        project.as_json([{"path": one.path, "problems": list(one.problems), "warnings": list(one.warnings)} for one in linted])
    else:
        for one in linted:
            for problem in one.problems:
                click.echo(escapes.terminal(f"problem  {problem}"))
            for warning in one.warnings:
                click.echo(escapes.terminal(f"warning  {warning}"))
        problems = sum(len(one.problems) for one in linted)
        click.echo(f"{len(linted)} files, {problems} problems, {sum(len(one.warnings) for one in linted)} warnings")
    return 1 if any(one.problems for one in linted) else 0
