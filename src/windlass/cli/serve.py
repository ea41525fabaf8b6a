"""`windlass serve orchestrator|executor|windows`: the services, in the foreground, until Ctrl-C or SIGTERM."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from windlass import settings
from windlass.cli.paths import GivenPath
from windlass.errors import Refused

if TYPE_CHECKING:
    from windlass.executor.model_turn import Allowed

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@click.group()
def command() -> None:
    """Serve the orchestrator, the agents or the windows, in the foreground."""


Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def _shared(port: int) -> Callable[[Decorated], Decorated]:
    """The options that both services have."""

    def add(function: Decorated) -> Decorated:
        function = click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")(function)
        function = click.option(
            "--port", type=click.IntRange(0, 65535), default=port, show_default=True, help="Port to listen on; 0 takes a free one."
        )(function)
        function = click.option("--fd", type=click.IntRange(3), hidden=True, help="Inherited listening socket, in place of host and port.")(function)
        return click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="warning", show_default=True)(function)

    return add


@command.command()
@click.option("--fleet", "file", type=GivenPath(), help="Fleet file; the built-in reference fleet without it.")
@click.option("--agents-url", help="The reference fleet answers at BASE/<agent name>.")
@click.option("--allow-gaps", is_flag=True, help="Start although agents lack an endpoint; readiness says so, dispatch to them is refused.")
@click.option("--state-dir", type=GivenPath(), help="Directory of the dispatch audit.")
@_shared(3001)
def orchestrator(
    file: Path | None, agents_url: str | None, allow_gaps: bool, state_dir: Path | None, host: str, port: int, fd: int | None, log_level: str
) -> None:
    """Serve dispatch, execute and task types. Needs WORKER_SERVICE_TOKEN."""
    from windlass import telemetry
    from windlass.cli import fleets
    from windlass.infra import server
    from windlass.orchestrator import app, audit

    telemetry.configure(log_level)
    found = settings.Settings.load(Path.cwd())
    fleet = fleets.resolved(found, file, agents_url)
    if not allow_gaps:
        fleets.with_every_endpoint(fleet)
    directory = state_dir or Path(found.required(settings.STATE_DIR))
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise Refused(f"{'--state-dir' if state_dir else settings.STATE_DIR.variable} {directory}: can't be made: {failure.strerror}") from failure
    held = fleets.tokens(found, fleet)
    service = app.create(
        fleet,
        token=found.required(settings.SERVICE_TOKEN),
        read_token=found.text(settings.READ_TOKEN),
        audit_path=directory / audit.NAME,
        agent_tokens={name: held[entry.token_env] for name, entry in fleet.agents.items() if entry.token_env in held},
        execute_timeout_s=found.seconds(settings.TIMEOUT_SECS),
        allow_gaps=allow_gaps,
    )
    server.serve(service, host=host, port=port, fd=fd, log_level=log_level, ready=_announce(f"orchestrator: {len(fleet.tasks)} task types"))


@command.command()
@click.option("--agents", "names", multiple=True, metavar="NAME...", help="Agents to host; all without it. May be given several times.")
@click.argument("more", nargs=-1, metavar="")
@click.option("--store", type=GivenPath(), help="Directory of what agents keep; <state dir>/agents without it.")
@click.option("--fleet", "file", type=GivenPath(), help="Fleet file; its phi_to_model says whose PHI a chat model may see, none without it.")
@click.option("--anonymous-agents", is_flag=True, help="Off loopback: serve without WINDLASS_AGENT_TOKEN all the same.")
@_shared(8080)
def executor(
    names: tuple[str, ...],
    more: tuple[str, ...],
    store: Path | None,
    file: Path | None,
    anonymous_agents: bool,
    host: str,
    port: int,
    fd: int | None,
    log_level: str,
) -> None:
    """Serve agents, each under /<agent name>/. Asks for WINDLASS_AGENT_TOKEN where it is set.

    With LLM_MODEL_NAME set, agents that have a use for a chat model ask it and hold its answer to their own checks.
    """
    from windlass import telemetry
    from windlass.agents import catalogue
    from windlass.agents.sources import Source
    from windlass.executor import app, live
    from windlass.infra import server

    if more and not names:
        raise click.UsageError(f"unexpected argument {more[0]!r}; name agents with --agents")
    telemetry.configure(log_level)
    found = settings.Settings.load(Path.cwd())
    token = found.text(settings.AGENT_TOKEN)
    address = _address(host, fd)
    if token is None and address not in _LOOPBACK and not anonymous_agents:
        raise Refused(
            f"--host {address}: WINDLASS_AGENT_TOKEN is not set, and this address can be reached from outside; set it, or say --anonymous-agents"
        )
    known = catalogue.agents()
    wanted = [name for given in (*names, *more) for name in given.split(",") if name] if names else list(known)
    if not wanted:
        raise Refused("--agents names no agent")
    for name in wanted:
        if name not in known:
            from windlass.model import unknown_key

            raise Refused(f"--agents {name}: {unknown_key(name, known).replace('key', 'agent')}")
    directory = store or Path(found.required(settings.STATE_DIR)) / "agents"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise Refused(f"{'--store' if store else settings.STATE_DIR.variable} {directory}: can't be made: {failure.strerror}") from failure
    bases: dict[Source, str | None] = {"pubmed": found.text(settings.PUBMED_URL), "openalex": found.text(settings.OPENALEX_URL)}
    sources = live.allowed(found.text(settings.LIVE_SOURCES), bases)
    service = app.create(
        {name: known[name] for name in wanted},
        token=token,
        store=directory,
        sources=sources,
        allowed=_allowed(found, file),
        docs=address in _LOOPBACK,
    )
    server.serve(service, host=host, port=port, fd=fd, log_level=log_level, ready=_announce(f"executor: {len(wanted)} agents"))


def _allowed(found: settings.Settings, file: Path | None) -> Allowed | None:
    """The chat model that the settings name, with what the fleet file lets it see; None where no model is named."""
    from windlass import fleet

    phi = fleet.read(file).phi_to_model if file else frozenset()
    name = found.text(settings.LLM_MODEL_NAME)
    if name is None:
        return None
    import os

    from windlass.executor import chat, model_turn

    for setting in settings.FOR_PROVIDERS:
        if value := found.text(setting):
            os.environ[setting.variable] = value  # a provider reads the environment, and knows nothing of .env and windlass.toml
    return model_turn.Allowed(chat=chat.opened(name), phi=phi)


def _address(host: str, fd: int | None) -> str:
    """The address that will be listened on."""
    if fd is None:
        return host
    import os
    import socket

    from windlass.infra import server

    copy: socket.socket = server.inherited(os.dup(fd))
    with copy:
        return str(copy.getsockname()[0])


def _announce(what: str) -> Callable[[str], None]:
    return lambda url: click.echo(f"{what} at {url}", err=True)


@command.command()
@click.option("--config", type=GivenPath(dir_okay=False), default=Path("windlass.toml"), show_default=True, help="The file with [windows].")
@click.option("--secure-cookie", is_flag=True, help="The page is reached by https only: its cookie says so.")
@_shared(8001)
def windows(config: Path, secure_cookie: bool, host: str, port: int, fd: int | None, log_level: str) -> None:
    """Serve the windows of a project: the API, the page at /, and the loop that closes. Needs WINDLASS_WINDOWS_TOKEN."""
    from windlass import telemetry
    from windlass.cli import windows as places
    from windlass.infra import server
    from windlass.windows import app

    telemetry.configure(log_level)
    place = places.place(config)
    service = app.create(place.configured, place.directory, token=place.settings.required(settings.WINDOWS_TOKEN), secure_cookie=secure_cookie)
    policy = place.configured.policy
    server.serve(
        service, host=host, port=port, fd=fd, log_level=log_level, ready=_announce(f"windows: {policy.project}, {len(policy.services)} services")
    )
