"""`windlass window cycle`: open, look, measure, sweep if asked, close, verify, report; it closes whatever happens."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from windlass.cli import window_power
from windlass.cli.paths import GivenPath

if TYPE_CHECKING:
    from windlass.cli.windows import Place
    from windlass.windows.cycle.cycle import Cycle, Sweep


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
@click.option("--out", type=GivenPath(), help="Directory of the report; below the state directory without it.")
@window_power.CONFIG
@window_power.AS_JSON
def command(config: Path, out: Path | None, fleet: Path | None, as_json: bool, **typed: Any) -> int:
    """Open services, look at each, measure them and the host, sweep if asked, close, verify the core, and report.

    It closes on error and on Ctrl-C too. Exit code 0 PASS, 1 FAIL, 2 not allowed, 130 interrupted. The report is test_results.json,
    report.md and report.html.
    """
    import orjson

    from windlass.cli import loop, windows
    from windlass.errors import GivenUp, Refused
    from windlass.infra import instants
    from windlass.windows.cycle import report
    from windlass.windows.cycle.cycle import Asked, Cycle
    from windlass.windows.cycle.rules import Limits

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
    interrupted = False
    try:
        loop.run(_run(config, place, cycle, _sweep(fleet, directory) if fleet else None))
    except KeyboardInterrupt:
        interrupted = True
    cycle.finished_at = instants.stamp(instants.now())
    if cycle.opened.get("code") not in {None, "START_FAILED", "CLOSED_MEANWHILE", "NOT_CONFIRMED"} and not interrupted:
        unfit = cycle.opened["code"] not in {"UNAVAILABLE", "WINDOW_OPEN", "BUDGET"}
        raise Refused(str(cycle.opened["message"])) if unfit else GivenUp(str(cycle.opened["message"]))
    try:
        report.write(cycle, directory)
    except OSError as failure:
        raise GivenUp(
            f"the window is {(cycle.closed or {}).get('state')}, but the report in {directory} can't be written: {failure.strerror}"
        ) from failure
    if as_json:
        click.echo(orjson.dumps(cycle.as_json(), option=orjson.OPT_INDENT_2))
    else:
        _show(cycle, directory)
    if interrupted:
        raise KeyboardInterrupt
    return 0 if cycle.verdict == "PASS" else 1


async def _run(config: Path, place: Place, cycle: Cycle, sweep: Sweep | None) -> None:
    from windlass.windows.cycle import cycle as conductor
    from windlass.windows.power.controller import controlling

    known = place.configured
    async with (
        known.backend(place.directory) as backend,
        controlling(known.policy, backend, place.directory, audit_dir=known.audit_dir) as controller,
    ):
        guard = window_power.Guard(config, place, controller)
        async with window_power.acting(controller):
            await conductor.run(controller, backend, cycle, sweep, _tell, actor=window_power.actor(), before=guard.stand_by)
            if not await controller.ledger.live():
                guard.dismiss()


def _sweep(fleet: Path, directory: Path) -> Sweep:
    """A sweep of its own process, so that nothing of it outlives a cycle that is cut short."""

    async def swept(at_once: int) -> Mapping[str, Any]:
        import orjson

        argv = [
            sys.executable,
            "-m",
            "windlass",
            "sweep",
            "--fleet",
            str(fleet),
            "--concurrency",
            str(at_once),
            "--out",
            str(directory / "sweep"),
            "--json",
        ]
        process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        try:
            said, trouble = await process.communicate()
        except BaseException:
            process.kill()
            await process.wait()
            raise
        try:
            told = orjson.loads(said)
        except orjson.JSONDecodeError:
            last = trouble.decode("utf-8", "replace").strip().splitlines()
            return {"verdict": "FAIL", "trouble": last[-1][:500] if last else f"exit code {process.returncode}"}
        verdict = "PASS" if process.returncode == 0 else "FAIL"
        return {"verdict": verdict, "summary": f"{told.get('summary', verdict)}", "evidence": "sweep", "at_once": at_once}

    return swept


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
    click.echo(f"report  {runs.near(directory / 'report.html')}")
    click.echo(f"{cycle.cycle_id} {cycle.verdict}")
