"""`windlass window`: look at a window of local processes, or close it, from its directory alone."""

from __future__ import annotations

from pathlib import Path

import click

from windlass.cli import window_doctor, window_reap
from windlass.cli.paths import GivenPath


@click.group()
def command() -> None:
    """Look at a window, or close it before its deadline does."""


@command.command()
@click.argument("directory", type=GivenPath(exists=True, file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print the status as JSON.")
def status(directory: Path, as_json: bool) -> None:
    """The window in DIRECTORY as it is now: observed, not declared."""
    import orjson

    from windlass.cli import loop
    from windlass.infra import instants
    from windlass.windows import window

    seen = loop.run(window.status_directory(directory))
    services = [{"service": one.service, "state": one.state, "trouble": one.trouble} for one in seen.services]
    if as_json:
        fields = {
            "window_id": seen.window_id,
            "state": seen.state,
            "deadline": instants.stamp(seen.deadline),
            "ttl_remaining_sec": seen.ttl_remaining_s,
        }
        click.echo(orjson.dumps(fields | {"services": services}, option=orjson.OPT_INDENT_2))
        return
    click.echo(f"{seen.window_id}  {seen.state}  closes by {instants.stamp(seen.deadline)} ({seen.ttl_remaining_s:.0f} s left)")
    for one in services:
        click.echo(f"  {one['service']:<20} {one['state']:<10} {one['trouble'] or ''}")


@command.command()
@click.argument("directory", type=GivenPath(exists=True, file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def close(directory: Path, as_json: bool) -> int:
    """Close the window in DIRECTORY, and say how it was found afterwards. Exit code 1 when the end of something can't be confirmed."""
    import orjson

    from windlass.cli import loop
    from windlass.infra import instants
    from windlass.windows import window

    closed = loop.run(window.close_directory(directory, "manual"))
    results = [{"service": one.service, "state": one.state, "rc": one.rc, "elapsed_ms": one.elapsed_ms} for one in closed.results]
    if as_json:
        fields = {"window_id": closed.window_id, "state": closed.state, "closed_at": instants.stamp(closed.closed_at), "reason": closed.reason}
        click.echo(orjson.dumps(fields | {"results": results}, option=orjson.OPT_INDENT_2))
    else:
        click.echo(f"{closed.window_id}  {closed.state}  {closed.reason}")
        for one in results:
            click.echo(f"  {one['service']:<20} {one['state']:<10} {one['elapsed_ms']} ms")
    return 0 if closed.state == "closed" else 1


command.add_command(window_reap.command, "reap")
command.add_command(window_doctor.command, "doctor")
