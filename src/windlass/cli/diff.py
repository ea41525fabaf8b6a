"""`windlass diff`: what differs between two runs."""

from __future__ import annotations

import click


@click.command()
@click.argument("one", metavar="RUN1")
@click.argument("other", metavar="RUN2")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def command(one: str, other: str, as_json: bool) -> int:
    """Compare two runs: workflow, contracts, verdicts, attempts, checks, and files by hash. Exit code 0 same, 1 different.

    How long they took and what they cost is told beside, and makes no two runs different.
    """
    import orjson

    from windlass.cli import runs
    from windlass.records.attest import comparison, reading

    compared = comparison.compare(reading.read(runs.found(one)), reading.read(runs.found(other)))
    if as_json:
        click.echo(orjson.dumps(compared.as_json(), option=orjson.OPT_INDENT_2))
    else:
        click.echo("\n".join(comparison.lines(compared)))
    return 0 if compared.same else 1
