"""`windlass window open|close|extend|status|apply-core|audit`: the windows of a project from the command line, with a service or without.

Each command writes what it wants into the ledger and waits for it. Where nobody acts for the windows it does so itself, and leaves a
watcher behind when something stays open.
"""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from windlass.cli.paths import GivenPath
from windlass.errors import Refused

if TYPE_CHECKING:
    from windlass.cli.windows import Place
    from windlass.windows.power.controller import Answer, Controller

CONFIG = click.option("--config", type=GivenPath(dir_okay=False), default=Path("windlass.toml"), show_default=True, help="The file with [windows].")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON, as the service would give it.")
_BAD_INPUT = frozenset({404, 422})
Act = Callable[["Controller", str], Awaitable["Answer"]]


@dataclass(frozen=True, kw_only=True)
class Done:
    """What came of a command. `closer`: who closes what is open now, None where nothing is. Lives as long as the command."""

    answer: Answer
    closer: str | None


@click.command("open")
@click.argument("names", nargs=-1, metavar="SERVICE...")
@click.option("--services", help="The same, with commas between them.")
@click.option("--ttl", "ttl_sec", type=int, help="Seconds until it is closed, whatever happens; the configured default without it.")
@click.option("--mode", type=click.Choice(["ttl", "hold"]), default="ttl", show_default=True, help="hold: must be affirmed again, by extend.")
@click.option("--reason", default="", help="Why, for the audit.")
@click.option("--on-partial", type=click.Choice(["degraded", "rollback"]), default="degraded", show_default=True, help="When not all come up.")
@CONFIG
@AS_JSON
def open_(names: tuple[str, ...], services: str | None, ttl_sec: int | None, config: Path, as_json: bool, **said: str) -> int:
    """Open services for a bounded time. Exit code 0 when something came up, 1 when nothing did, 2 for what is not allowed."""
    wanted = [name for given in (*names, *((services or "").split(","))) if (name := given.strip())]
    body: dict[str, Any] = {"services": wanted, "mode": said["mode"], "reason": said["reason"], "on_partial": said["on_partial"]}
    if ttl_sec is not None:
        body["ttl_sec"] = ttl_sec
    return _ended(config, lambda controller, who: controller.open(body, actor=who), _opened, as_json=as_json)


def close(window_id: str | None, config: Path, *, as_json: bool) -> int:
    """Close the window of that id, or the one that is open; returns the exit code."""
    body = {"window_id": window_id} if window_id else {}
    return _ended(config, lambda controller, who: controller.close(body, actor=who), _closed, as_json=as_json)


@click.command()
@click.argument("window_id")
@click.option("--ttl", "ttl_sec", type=int, required=True, help="Seconds that it has from now on.")
@CONFIG
@AS_JSON
def extend(window_id: str, ttl_sec: int, config: Path, as_json: bool) -> int:
    """Give an open window more time, within its maximum; affirm one that is held."""
    body = {"window_id": window_id, "ttl_sec": ttl_sec}
    return _ended(config, lambda controller, who: controller.extend(body, actor=who), _extended, as_json=as_json)


def status(config: Path, *, as_json: bool) -> int:
    """Say what is open and what runs; returns the exit code."""
    return _ended(config, lambda controller, _who: controller.state(), _state, as_json=as_json, acts=False)


@click.command("apply-core")
@CONFIG
@AS_JSON
def apply_core(config: Path, as_json: bool) -> int:
    """Close every window and stop every allowed service, so that only the core runs; verified by looking."""
    return _ended(config, lambda controller, who: controller.apply(actor=who), _applied, as_json=as_json)


@click.group(invoke_without_command=True)
@click.option("--since", help="Only entries later than this instant, such as 2026-01-19T14:30:12Z, or behind the one of this seq.")
@CONFIG
@AS_JSON
@click.pass_context
def audit(context: click.Context, since: str | None, config: Path, as_json: bool) -> int | None:
    """Who asked for what, and what came of it. `audit verify` checks its chain."""
    context.obj = config
    if context.invoked_subcommand:
        return None
    return _ended(config, lambda controller, who: controller.audit(since, actor=who), _entries, as_json=as_json, acts=False)


@audit.command("verify")
@click.pass_obj
def audit_verify(config: Path) -> int:
    """Check the audit's chain: exit code 0 intact, 1 damaged, 2 none there."""
    from windlass.cli import windows
    from windlass.infra import escapes
    from windlass.records import verify
    from windlass.windows.power import log

    place = windows.place(config)
    path = (place.configured.audit_dir or place.directory) / log.FILE_NAME
    report = verify.verify(path)
    for problem in report.problems:
        click.echo(escapes.terminal(f"damaged  {problem}"))
    for warning in report.warnings:
        click.echo(escapes.terminal(f"warning  {warning}"))
    click.echo(f"{report.verdict}: {report.entries} entries, head {report.head}")
    return 1 if report.problems else 0


def _ended(config: Path, act: Act, show: Callable[[Done], None], *, as_json: bool, acts: bool = True) -> int:
    import orjson

    from windlass.cli import loop, windows

    place = windows.place(config)
    done = loop.run(_done(place, config, act, acts=acts))
    if as_json:
        click.echo(orjson.dumps({**done.answer.body, **({"closed_by": done.closer} if done.closer else {})}, option=orjson.OPT_INDENT_2))
    elif done.answer.is_done or "results" in done.answer.body:
        show(done)
    else:
        raise_for(done.answer)
    if done.answer.is_done:
        return 1 if done.answer.body.get("state") == "stuck" else 0
    return 2 if done.answer.http in _BAD_INPUT else 1


def raise_for(answer: Answer) -> None:
    """Raise what a refusal is to a command line."""
    from windlass.errors import GivenUp

    message = str(answer.body.get("message"))
    raise Refused(message) if answer.http in _BAD_INPUT else GivenUp(message)


async def _done(place: Place, config: Path, act: Act, *, acts: bool) -> Done:
    from windlass.windows.power.controller import controlling

    known, who = place.configured, actor()
    async with (
        known.backend(place.directory) as backend,
        controlling(known.policy, backend, place.directory, audit_dir=known.audit_dir) as controller,
    ):
        loop = asyncio.create_task(controller.reconciler.run()) if acts else None
        try:
            try:
                answer = await act(controller, who)
            except asyncio.CancelledError:
                await _take_back(controller, who)
                raise
            live = await controller.ledger.live()
            holds = controller.reconciler.holds
        finally:
            if loop is not None:
                loop.cancel()
                await asyncio.gather(loop, return_exceptions=True)
        if not live:
            return Done(answer=answer, closer=None)
        return Done(answer=answer, closer=_closer(config, place, holds=holds, acts=acts))


async def _take_back(controller: Controller, actor: str) -> None:
    """Close what this command was about to open: whoever is interrupted expects nothing to stay."""
    from windlass.infra.completion import see_through

    async def closed() -> None:
        for window in await controller.ledger.live():
            if window.actor == actor and window.state in {"asked", "opening"}:
                await controller.close({"window_id": window.window_id}, actor=actor)

    await see_through(closed())


def _closer(config: Path, place: Place, *, holds: bool, acts: bool) -> str:
    from windlass.windows.power import reconcile, watcher

    holding = reconcile.holder(place.directory)
    if holding is not None:
        return holding
    if not acts and not holds:
        return "nobody here: by the next command, the services' own keepers, or a reaper"
    return f"watcher, pid {watcher.leave(config, place.directory)}"


def actor() -> str:
    """Who asks, as far as a command line shows it."""
    from windlass.infra import texts

    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"cli {texts.writable(user)} {os.getpid()}"  # as the ledger has it


def _opened(done: Done) -> None:
    body = done.answer.body
    if done.answer.is_done:
        _say(f"{body['window_id']}  {body['state']}  closes by {body['deadline']}, in {body['ttl_remaining_sec']} s, whatever happens")
        _say(f"  closed by {done.closer}")
    else:
        _say(f"{body.get('window_id')}  {body['state']}  {body['message']}")
    for one in body["results"]:
        health = "" if one["health"] == "none" else one["health"]
        _say(f"  {one['service']:<20} {one['state']:<10} {health:<10} {one['elapsed_ms'] / 1000:.2f} s{'' if one['up'] else '   did not come up'}")
        for line in (one["log_tail"] or one["stderr"]).splitlines() if not one["up"] else ():
            _say(f"    | {line}")
    if body.get("core_changed"):
        _say(f"  warning: the core changed meanwhile: {', '.join(body['core_changed'])}")


def _closed(done: Done) -> None:
    body = done.answer.body
    stopped = ", ".join(body["services_stopped"]) or "nothing ran"
    _say(f"{body['window_id']}  {body['state']}  {body['reason']}  {stopped}")
    for name, cost in body["cost"].items():
        _say(f"  {name:<20} cpu {_shown(cost['cpu_sec'], 's')}  peak memory {_shown(_mib(cost['peak_memory_bytes']), 'MiB')}")
    if body["state"] == "stuck":
        _say(f"  still there; it is tried again, harder, by {done.closer}: {body.get('trouble', '')}")
    if body["core_changed"]:
        _say(f"  warning: the core changed meanwhile: {', '.join(body['core_changed'])}")


def _extended(done: Done) -> None:
    body = done.answer.body
    _say(f"{body['window_id']}  {body['state']}  closes by {body['deadline']}, in {body['ttl_remaining_sec']} s, by {done.closer}")


def _state(done: Done) -> None:
    body = done.answer.body
    _say(f"{body['state']}  {body['policy']}  observed {body['observed_at'] or 'never'}")
    for window in body["windows"]:
        until = f"closes by {window['deadline']} ({window['ttl_remaining_sec']} s)"
        _say(f"  {window['window_id']}  {window['state']}  {until}  {', '.join(window['services'])}")
    for word, names in (("runs", body["active_services"]), ("drift", body["drift"])):
        if names:
            _say(f"  {word:<6} {', '.join(names)}")
    if body["core"]:
        _say(f"  core   {', '.join(f'{name} {state}' for name, state in body['core'].items())}")
    if done.closer:
        _say(f"  closed by {done.closer}")
    if body.get("trouble"):
        _say(f"  trouble: {body['trouble']}")


def _applied(done: Done) -> None:
    body = done.answer.body
    _say(f"{body['state']}  stopped {', '.join(body['services_stopped']) or 'nothing'}")
    if body["still_running"]:
        _say(f"  still running: {', '.join(body['still_running'])}")


def _entries(done: Done) -> None:
    for entry in done.answer.body["entries"]:
        times = f"{entry['times']} more" if "times" in entry else ""
        told = times or entry.get("trouble") or entry.get("reason") or ", ".join(entry.get("services") or ()) or entry.get("service") or ""
        _say(f"{entry['at']}  {entry['action']:<20} {entry['actor']:<24} {entry['window_id'] or '-':<40} {told}")


def _say(line: str) -> None:
    from windlass.infra import escapes

    click.echo(escapes.terminal(line, 1000))


def _mib(size: int | None) -> float | None:
    return None if size is None else size / 1_048_576


def _shown(number: float | None, unit: str) -> str:
    return "unknown" if number is None else f"{number:.1f} {unit}"


COMMANDS: Mapping[str, click.Command] = {"open": open_, "extend": extend, "apply-core": apply_core, "audit": audit}
