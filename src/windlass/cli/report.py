"""`windlass report`: a run for people, in the terminal or as a page."""

from __future__ import annotations

from pathlib import Path

import click

from windlass.cli.paths import GivenPath
from windlass.errors import Refused


@click.command()
@click.argument("where", metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--html", type=GivenPath(dir_okay=False), help="Write the page with the timeline to this file too.")
def command(where: str, as_json: bool, html: Path | None) -> int:
    """Tell a run: its gates, attempts, checks, approvals, windows and costs. RUN is a run id or a directory.

    The record is verified first; of a damaged one nothing is told (exit code 1).
    """
    import orjson

    from windlass.cli import runs
    from windlass.infra import files
    from windlass.records.attest import reading, summary, terminal

    reading.check_outside(reading.record_of(runs.found(where)), html, "--html")
    story = reading.read(runs.found(where))
    if html:
        from windlass.records.attest import timeline

        try:
            files.replace(html, timeline.render(story).encode())
        except OSError as failure:
            raise Refused(f"--html {html}: can't be written: {failure.strerror}") from failure
    if as_json:
        click.echo(orjson.dumps(summary.summary(story), option=orjson.OPT_INDENT_2))
    else:
        click.echo("\n".join(terminal.lines(story)))
    return 0
