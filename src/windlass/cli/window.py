"""`windlass window`: open services for a bounded time, look at them, close them; and the windows of `windlass prove`, by their directories."""

from __future__ import annotations

from pathlib import Path

import click

from windlass.cli import window_cycle, window_doctor, window_intent, window_power, window_reap


@click.group()
def command() -> None:
    """Open services for a bounded time, look at them, close them."""


@command.command()
@click.argument("directory", required=False)
@window_power.CONFIG
@window_power.AS_JSON
def status(directory: str | None, config: Path, as_json: bool) -> int:
    """What is open and what runs: observed, not declared. With DIRECTORY, the window of `windlass prove` that lies there."""
    if directory is None:
        return window_power.status(config, as_json=as_json)
    _status(_directory(directory), as_json=as_json)
    return 0


def _directory(given: str) -> Path:
    from windlass.errors import Refused

    if not given:
        raise Refused("an empty path can't be read or written")
    if "\0" in given or not Path(given).is_dir():
        raise Refused(f"{given!r}: is no directory of a window")
    return Path(given)


def _status(directory: Path, *, as_json: bool) -> None:
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
@click.argument("window", required=False)
@window_power.CONFIG
@window_power.AS_JSON
def close(window: str | None, config: Path, as_json: bool) -> int:
    """Close a window: the one that is open, or the one of that id; WINDOW may be the directory of a window of `windlass prove`.

    Exit code 1 when the end of something can't be confirmed.
    """
    if window is not None and ("/" in window or Path(window).is_dir()):
        return _close(_directory(window), as_json=as_json)
    return window_power.close(window, config, as_json=as_json)


def _close(directory: Path, *, as_json: bool) -> int:
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


for name, one in window_power.COMMANDS.items():
    command.add_command(one, name)
command.add_command(window_cycle.command, "cycle")
command.add_command(window_reap.command, "reap")
command.add_command(window_doctor.command, "doctor")
command.add_command(window_intent.command, "intent")
