"""`windlass window cycle`: open, look, measure, sweep if asked, close, verify, report; it closes whatever happens."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from windlass.cli import window_power
from windlass.cli.paths import GivenPath

if TYPE_CHECKING:
    from windlass.cli.windows import Place
    from windlass.windows.cycle.conduct import Sweep
    from windlass.windows.cycle.cycle import Cycle


@click.command("cycle")
@click.option("--services", required=True, help="Which, with commas between them.")
@click.option("--ttl", "ttl_sec", type=int, default=60, show_default=True, help="Seconds after which the window is closed in any case.")
@click.option("--samples", type=click.IntRange(1, 1000), default=5, show_default=True, help="How often services and host are measured.")
@click.option("--interval", "interval_s", type=click.FloatRange(0.1, 60), default=1.0, show_default=True, help="Seconds between measurements.")
@click.option("--limit-cpu", type=click.FloatRange(1, 100), default=90.0, show_default=True, help="Percent of CPU above which work is held back.")
@click.option("--limit-memory", type=click.FloatRange(1, 100), default=90.0, show_default=True, help="Percent of memory, likewise.")
@click.option("--limit-psi", type=click.FloatRange(1, 100), default=60.0, show_default=True, help="Percent of time that something waits, likewise.")
@click.option("--wait", "wait_s", type=click.FloatRange(0, 600), default=10.0, show_default=True, help="Seconds that a sweep waits for the host.")
@click.option("--sweep", "fleet", type=GivenPath(dir_okay=False), help="Sweep this fleet while the window is open (see `windlass sweep`).")
@click.option("--orchestrator-url", help="With --sweep: base URL of the orchestrator [ORCHESTRATOR_URL, http://127.0.0.1:3001].")
@click.option("--out", type=GivenPath(), help="Directory of the report; below the state directory without it.")
@window_power.CONFIG
@window_power.AS_JSON
def command(config: Path, out: Path | None, fleet: Path | None, orchestrator_url: str | None, as_json: bool, **typed: Any) -> int:
    """Open services, look at each, measure them and the host, sweep if asked, close, verify the core, and report.

    It closes on error and on Ctrl-C too. While it sweeps, it does less at once when the host is over its limits, and more when it is not.
    Exit code 0 PASS, 1 FAIL, 2 not allowed, 130 interrupted. The report is test_results.json, report.md and report.html.
    """
    from windlass.cli import cycle_sweep, windows
    from windlass.errors import Refused
    from windlass.infra import instants
    from windlass.windows.cycle.cycle import Asked, Cycle
    from windlass.windows.cycle.rules import MOST_AT_ONCE, Limits

    if orchestrator_url and fleet is None:
        raise Refused("--orchestrator-url is for a sweep: add --sweep FLEET")
    place = windows.place(config)
    now = instants.now()
    cycle = Cycle(
        cycle_id=f"cycle_{instants.compact_ms(now)}_{secrets.token_hex(4)}",
        started_at=instants.stamp(now),
        asked=Asked(
            services=tuple(name for part in typed["services"].split(",") if (name := part.strip())),
            ttl_sec=typed["ttl_sec"],
            samples=typed["samples"],
            interval_s=typed["interval_s"],
            wait_s=typed["wait_s"],
            limits=Limits(cpu=typed["limit_cpu"], memory=typed["limit_memory"], psi=typed["limit_psi"]),
        ),
    )
    directory = out or place.directory / "cycles" / cycle.cycle_id
    sweep = cycle_sweep.prepared(fleet, orchestrator_url, directory, MOST_AT_ONCE) if fleet else None
    _conducted(cycle, config, place, sweep)
    cycle.finished_at = instants.stamp(instants.now())
    if not cycle.interrupted:
        _raise_for_a_refusal(cycle)
    return _reported(cycle, directory, as_json=as_json)


def _conducted(cycle: Cycle, config: Path, place: Place, sweep: Sweep | None) -> None:
    """Run it to its end; whatever ends it after something was opened is told in it."""
    from windlass.cli import loop
    from windlass.errors import WindlassError

    try:
        loop.run(_run(config, place, cycle, sweep))
    except KeyboardInterrupt:
        cycle.interrupted = True
    except WindlassError as failure:
        if not cycle.opened:
            raise
        cycle.troubles.append(str(failure))


def _raise_for_a_refusal(cycle: Cycle) -> None:
    """A cycle whose opening was refused opened nothing, and has nothing to report."""
    from windlass.errors import GivenUp, Refused

    if cycle.opened.get("code") in {None, "START_FAILED", "CLOSED_MEANWHILE", "NOT_CONFIRMED"}:
        return
    unfit = cycle.opened["code"] not in {"UNAVAILABLE", "WINDOW_OPEN", "BUDGET"}
    raise Refused(str(cycle.opened["message"])) if unfit else GivenUp(str(cycle.opened["message"]))


def _reported(cycle: Cycle, directory: Path, *, as_json: bool) -> int:
    import orjson

    from windlass.errors import GivenUp
    from windlass.windows.cycle import report

    try:
        report.write(cycle, directory)
    except OSError as failure:
        state = (cycle.closed or {}).get("state")
        raise GivenUp(f"the window is {state}, but the report in {directory} can't be written: {failure.strerror}") from failure
    try:
        if as_json:
            click.echo(orjson.dumps(cycle.as_json(), option=orjson.OPT_INDENT_2))
        else:
            _show(cycle, directory)
    except OSError:
        if not cycle.interrupted:
            raise
    if cycle.interrupted:  # also where the terminal went, and took the output with it
        raise KeyboardInterrupt
    return 0 if cycle.verdict == "PASS" else 1


async def _run(config: Path, place: Place, cycle: Cycle, sweep: Sweep | None) -> None:
    from windlass.windows.cycle import conduct
    from windlass.windows.power.controller import controlling

    known = place.configured
    async with (
        known.backend(place.directory) as backend,
        controlling(known.policy, backend, place.directory, audit_dir=known.audit_dir) as controller,
    ):
        guard = window_power.Guard(config, place, controller)
        means = conduct.Means(
            controller=controller, backend=backend, actor=window_power.actor(), tell=_tell, sweep=sweep, before_claim=guard.stand_by
        )
        async with window_power.acting(controller):
            await conduct.run(cycle, means)
            if not await controller.ledger.live():
                guard.dismiss()


def _tell(line: str) -> None:
    import contextlib

    from windlass.infra import escapes

    with contextlib.suppress(OSError):  # a terminal that is gone must not keep a window open
        click.echo(escapes.terminal(line, 300), err=True)


def _show(cycle: Cycle, directory: Path) -> None:
    from windlass.cli import runs
    from windlass.infra import escapes

    for failure in cycle.failures:
        click.echo(escapes.terminal(f"FAIL  {failure}", 500))
    for warning in cycle.warnings:
        click.echo(escapes.terminal(f"WARN  {warning}", 500))
    click.echo(f"report  {runs.near(directory / 'report.html')}")
    click.echo(f"{cycle.cycle_id} {cycle.verdict}")
