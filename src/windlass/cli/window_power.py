"""`windlass window open|close|extend|status|apply-core|audit`: the windows of a project from the command line, with a service or without.

Each command writes what it wants into the ledger and waits for it. Where nobody acts for the windows it does so itself, and leaves a
watcher behind when something stays open: `open` before it starts anything, so that it may be killed at any moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from windlass.cli.paths import GivenPath
from windlass.errors import Refused

if TYPE_CHECKING:
    import subprocess

    from windlass.cli.windows import Place
    from windlass.windows.power.controller import Answer, Controller

CONFIG = click.option("--config", type=GivenPath(dir_okay=False), default=Path("windlass.toml"), show_default=True, help="The file with [windows].")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON, as the service would give it.")
BAD_INPUT = frozenset({404, 422})
_LOOK_S = 5.0
"""How long `status` waits for the engine, and a command for the watcher that it has left."""
Act = Callable[["Controller", "Guard"], Awaitable["Answer"]]


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
    return _ended(config, lambda controller, guard: controller.open(body, actor=actor(), before=guard.stand_by), _opened, as_json=as_json)


def close(window_id: str | None, config: Path, *, as_json: bool) -> int:
    """Close the window of that id, or the one that is open; returns the exit code."""
    body = {"window_id": window_id} if window_id else {}
    return _ended(config, lambda controller, _: controller.close(body, actor=actor()), _closed, as_json=as_json)


@click.command()
@click.argument("window_id")
@click.option("--ttl", "ttl_sec", type=int, required=True, help="Seconds that it has from now on.")
@CONFIG
@AS_JSON
def extend(window_id: str, ttl_sec: int, config: Path, as_json: bool) -> int:
    """Give an open window more time, within its maximum; affirm one that is held."""
    body = {"window_id": window_id, "ttl_sec": ttl_sec}
    return _ended(config, lambda controller, _: controller.extend(body, actor=actor()), _extended, as_json=as_json)


def status(config: Path, *, as_json: bool) -> int:
    """Say what is open and what runs; returns the exit code."""
    return _ended(config, lambda controller, _: controller.state(patience_s=_LOOK_S), _state, as_json=as_json, acts=False)


@click.command("apply-core")
@CONFIG
@AS_JSON
def apply_core(config: Path, as_json: bool) -> int:
    """Close every window and stop every allowed service, so that only the core runs; verified by looking."""
    return _ended(config, lambda controller, _: controller.apply(actor=actor()), _applied, as_json=as_json)


@click.group(invoke_without_command=True)
@click.option("--since", help="Only entries later than this instant, such as 2026-01-19T14:30:12Z, or behind the one of this seq.")
@CONFIG
@AS_JSON
@click.pass_context
def audit(context: click.Context, since: str | None, config: Path, as_json: bool) -> int | None:
    """Who asked for what, and what came of it. `audit verify` checks its chain."""
    context.obj = (config, as_json)
    if context.invoked_subcommand:
        return None
    return _ended(config, lambda controller, _: controller.audit(since, actor=actor()), _entries, as_json=as_json, acts=False)


@audit.command("verify")
@click.option("--config", type=GivenPath(dir_okay=False), help="The file with [windows]; the one of `audit` without it.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_obj
def audit_verify(given: tuple[Path, bool], config: Path | None, as_json: bool) -> int:
    """Check the audit's chain: exit code 0 intact, 1 damaged, 2 none there."""
    import orjson

    from windlass.cli import windows
    from windlass.infra import escapes
    from windlass.records import verify

    report = verify.verify(windows.place(config or given[0]).audit)
    if as_json or given[1]:
        click.echo(orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2))
        return 1 if report.problems else 0
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
        _raise_for(done)
    if done.answer.is_done:
        return 1 if done.answer.body.get("state") == "stuck" or done.answer.body.get("status") == "fail" else 0
    return 2 if done.answer.http in BAD_INPUT else 1


def _raise_for(done: Done) -> None:
    from windlass.errors import GivenUp

    in_the_way = f"; closed by {done.closer}" if done.closer and done.answer.body.get("code") == "WINDOW_OPEN" else ""
    message = f"{done.answer.body.get('message')}{in_the_way}"
    raise Refused(message) if done.answer.http in BAD_INPUT else GivenUp(message)


class Guard:
    """Whoever closes the windows when this command can't: who acts already, else a watcher that it leaves. Lives as long as the command."""

    def __init__(self, config: Path, place: Place, controller: Controller) -> None:
        self._config = config
        self._directory = place.directory
        self._controller = controller
        self._left: subprocess.Popen[bytes] | None = None

    def stand_by(self) -> None:
        """Where no service acts, leave a watcher that takes over as soon as this command ends, however it does. Raises Unavailable.

        An earlier window's watcher is none for this one: it may be about to end.
        """
        from windlass.errors import Unavailable
        from windlass.windows.power import reconcile, watcher

        serves = not self._controller.reconciler.take() and (reconcile.holder(self._directory) or "").startswith("service")
        if self._left is None and not serves:
            try:
                self._left = watcher.leave(self._config, self._directory)
            except OSError as failure:
                raise Unavailable(f"no watcher can be left behind, so nothing is opened: {failure}") from failure

    def dismiss(self) -> None:
        """Nothing is open. Only while this command has the loop's lock: a watcher that acts is never ended."""
        if self._left is not None and self._controller.reconciler.holds:
            self._left.kill()
            self._left.communicate()
            self._left = None

    async def closer(self) -> str:
        """Who closes what is open, now that this command does not act any more."""
        from windlass.windows.power import reconcile, watcher

        end_s = time.monotonic() + _LOOK_S
        while (holding := reconcile.holder(self._directory)) is None and time.monotonic() < end_s:
            if self._left is None:
                self._left = watcher.leave(self._config, self._directory)
            if self._left.stdin:
                self._left.stdin.close()
            if self._left.poll() is not None:
                return f"nobody here: the watcher ended at once, {self._directory / watcher.LOG_NAME} says why"
            await asyncio.sleep(0.05)
        return holding or f"watcher, pid {self._left.pid if self._left else 0}"


async def _done(place: Place, config: Path, act: Act, *, acts: bool) -> Done:
    from windlass.windows.power.controller import controlling

    known = place.configured
    async with (
        known.backend(place.directory) as backend,
        controlling(known.policy, backend, place.directory, audit_dir=known.audit_dir) as controller,
    ):
        guard = Guard(config, place, controller)
        async with acting(controller) if acts else contextlib.nullcontext():
            try:
                answer = await act(controller, guard)
                await controller.reconciler.see_through()
                live = await controller.ledger.live()
            except asyncio.CancelledError:
                await _take_back(controller, actor())
                raise
            if not live:
                guard.dismiss()
        if not live or not acts:
            return Done(answer=answer, closer=_seen(place) if live else None)
        try:
            return Done(answer=answer, closer=await guard.closer())
        except asyncio.CancelledError:
            async with acting(controller):
                await _take_back(controller, actor())
            raise


@contextlib.asynccontextmanager
async def acting(controller: Controller) -> AsyncIterator[None]:
    """Act for the windows where nobody else does, until the block ends."""
    loop = asyncio.create_task(controller.reconciler.run())
    try:
        yield
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)


def _seen(place: Place) -> str:
    """Who closes what is open, as somebody sees it who only looks."""
    from windlass.windows.power import reconcile

    return reconcile.holder(place.directory) or "nobody here: by the next command, the services' own keepers, or a reaper"


async def _take_back(controller: Controller, actor: str) -> None:
    """Close what this command opened, or was about to: whoever is interrupted expects nothing to stay."""
    from windlass.infra.completion import see_through

    async def closed() -> None:
        for window in await controller.ledger.live():
            if window.actor == actor:
                await controller.close({"window_id": window.window_id}, actor=actor)

    await see_through(closed())


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
        if down := [one["service"] for one in body["results"] if not one["up"]]:
            _say(f"  warning: {len(down)} of {len(body['results'])} did not come up: {', '.join(down)}; the others are open")
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
    held = {name for window in body["windows"] if window["state"] in {"open", "degraded"} for name in window["services"]}
    down = sorted(held.difference(body["active_services"])) if body["observed_at"] else []
    for word, names in (("runs", body["active_services"]), ("down", down), ("drift", body["drift"])):
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
        times, services = f"{entry['times']} more" if "times" in entry else "", entry.get("services")
        of = ", ".join(map(str, services)) if isinstance(services, list) else entry.get("service")
        told = times or entry.get("trouble") or entry.get("reason") or of
        action, actor, about = (str(entry.get(name) or "-") for name in ("action", "actor", "window_id" if entry.get("window_id") else "intent_id"))
        _say(f"{entry['at']}  {action:<20} {actor:<24} {about:<40} {told or ''}")


def _say(line: str) -> None:
    from windlass.infra import escapes

    click.echo(escapes.terminal(line, 1000))


def _mib(size: int | None) -> float | None:
    return None if size is None else size / 1_048_576


def _shown(number: float | None, unit: str) -> str:
    return "unknown" if number is None else f"{number:.1f} {unit}"


COMMANDS: Mapping[str, click.Command] = {"open": open_, "extend": extend, "apply-core": apply_core, "audit": audit}
