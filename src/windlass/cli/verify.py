"""`windlass verify`: does a record, an audit or any chained log still say what was written? Offline, by anybody."""

from __future__ import annotations

from pathlib import Path

import click

_MOST_SHOWN = 50


@click.command()
@click.argument("where", metavar="RECORD")
@click.option("--head", help="The hash of the last journal entry, kept elsewhere: finds truncation, rollback and rewriting too.")
@click.option("--keys", type=click.Path(path_type=Path), help="A keys file from outside, which the record's approvals must hold against too.")
@click.option(
    "--witness", "witnesses", multiple=True, type=click.Path(path_type=Path), help="A witness's file of signed heads; repeatable, with --keys."
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(where: str, head: str | None, keys: Path | None, witnesses: tuple[Path, ...], as_json: bool) -> int:
    """Check a run's record offline. RECORD is a run id, a run directory, its record directory, a bundle, or a chained log file.

    Exit code 0 intact, 1 damaged, 2 not a record.
    """
    import orjson

    from windlass.cli import runs
    from windlass.infra import escapes
    from windlass.records import verify

    report = verify.verify(runs.found(where), head, keys, witnesses)
    if as_json:
        click.echo(orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2))
        return 1 if report.problems else 0
    for problem in report.problems[:_MOST_SHOWN]:
        click.echo(escapes.terminal(f"damaged  {problem}"))
    if len(report.problems) > _MOST_SHOWN:
        click.echo(f"damaged  … and {len(report.problems) - _MOST_SHOWN} more; --json lists them all")
    for warning in report.warnings:
        click.echo(escapes.terminal(f"warning  {warning}"))
    if report.signed_by:
        click.echo(escapes.terminal(f"signed   by {', '.join(report.signed_by)}"))
    for anchor in report.anchored_by:
        click.echo(escapes.terminal(f"anchored by {anchor}"))
    counted = [f"{report.entries} entries", f"{report.artifacts_checked} artifacts checked"]
    if report.bodies_checked:
        counted.append(f"{report.bodies_checked} bodies checked")
    if report.bodies_not_carried:
        counted.append(f"{report.bodies_not_carried} bodies not carried")
    if report.artifacts_outside:
        counted.append(f"{report.artifacts_outside} artifacts outside the record")
    click.echo(f"{report.verdict}: {', '.join(counted)}, head {report.head}")
    return 1 if report.problems else 0
