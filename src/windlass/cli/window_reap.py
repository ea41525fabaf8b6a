"""`windlass window reap`: close what is overdue, from the engine's leases alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from windlass.windows.reap import Reaped


@click.command()
@click.option("--once", is_flag=True, help="Look once and leave: for cron and timers. The default is to look every second, for ever.")
@click.option("--every", "every_s", type=click.FloatRange(0.1, 3600), default=1.0, show_default=True, help="Seconds between two looks.")
@click.option("--project", help="Only the windows of this Compose project; all without it.")
@click.option("--host", envvar="DOCKER_HOST", help="The engine's address. Default: $DOCKER_HOST, else the socket at its usual place.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def command(once: bool, every_s: float, project: str | None, host: str | None, as_json: bool) -> int:
    """Close every window that is past its deadline, whoever opened it.

    Works from what the Docker engine itself keeps: no database, no controller, no configuration. Run it beside a controller, or without
    one: as a service, a container or from cron (deploy/ has all three). Exit code 1 with --once when something could not be closed.
    """
    from windlass.cli import loop
    from windlass.windows import reap
    from windlass.windows.compose.engine import DEFAULT_HOST, Engine

    engine = Engine(host or DEFAULT_HOST)
    try:
        if not once:
            loop.run(reap.Reaper(engine, project, every_s, lambda one: _tell(one, as_json=as_json)).run())
            return 0
        found = loop.run(reap.once(engine, project))
    finally:
        engine.close()
    for one in found:
        _tell(one, as_json=as_json)
    return 0 if all(one.result == "closed" for one in found) else 1


def _tell(one: Reaped, *, as_json: bool) -> None:
    from dataclasses import asdict
    from datetime import UTC, datetime

    import orjson

    from windlass.infra import escapes, instants

    at = instants.stamp(datetime.now(UTC))
    if as_json:
        click.echo(orjson.dumps({"at": at, **asdict(one)}))
        return
    what = {
        "closed": f"closed {', '.join(one.services) or 'nothing'}, {one.late_ms} ms after its deadline",
        "stuck": f"STUCK: {', '.join(one.services)} still runs: {one.trouble}",
        "unavailable": one.trouble,
        "damaged": f"this volume should be a lease and can't be read: {one.trouble}",
    }[one.result]
    click.echo(escapes.terminal(" ".join(word for word in (at, one.project, one.window_id, what) if word), 2000))
