"""What the options of `windlass sweep --inside` mean: where the calls are made, with which token, and where the agents answer there."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from windlass import fleet as fleets
from windlass import settings
from windlass.errors import Refused
from windlass.fleet import Fleet
from windlass.infra.escapes import terminal
from windlass.sweep.calling import Calling
from windlass.sweep.inside import preflight, running, tokens
from windlass.sweep.inside.docker import Docker
from windlass.sweep.inside.preflight import Asked, Inside
from windlass.sweep.run import MAX_BODY, Access

SERVICE = "orchestrator"


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A network that can be swept from inside, and the token of its orchestrator. Lives as long as the sweep."""

    inside: Inside
    token: str = field(repr=False)


def asked(
    inside: str | None,
    *,
    service: str | None,
    files: tuple[Path, ...],
    project: str | None,
    approve_one_off: bool,
    network: str | None,
    image: str | None,
) -> Asked | None:
    """What the options ask for, None without `--inside`; raises Refused for an option that means nothing then."""
    given = {
        "--service": service,
        "--file": files,
        "--project": project,
        "--approve-one-off": approve_one_off,
        "--network": network,
        "--image": image,
    }
    for option, value in given.items():
        if value and inside is None:
            raise Refused(f"{option} is for a sweep inside a network: add --inside compose")
        if isinstance(value, str) and (value.startswith("-") or not value.isprintable()):
            raise Refused(f"{option}: {value!r} is no name")
    if (network or image) and not approve_one_off:
        raise Refused(f"{'--network' if network else '--image'} is for a one-off container: add --approve-one-off if one may be made")
    if inside is None:
        return None
    docker = Docker(files=tuple(map(str, files)), project=project, environment=dict(os.environ))
    return Asked(docker=docker, service=service or SERVICE, approve_one_off=approve_one_off, network=network, image=image)


def ready(wanted: Asked) -> Ready:
    """The network and the token; raises Refused that lists everything that is missing."""
    from windlass.cli import loop

    missing: list[str] = []
    directory = Path(wanted.docker.files[0]).parent if wanted.docker.files else Path.cwd()
    token, inside = "", None
    try:
        inside = loop.run(preflight.look(wanted))
    except Refused as refusal:
        missing.append(str(refusal))
    try:
        token = tokens.found(settings.SERVICE_TOKEN.variable, os.environ, directory)
    except Refused as refusal:
        missing.append(str(refusal))
    if inside is None or missing:
        raise Refused(missing[0] if len(missing) == 1 else "".join(f"\n  - {line}" for line in missing))
    return Ready(inside=inside, token=token)


def with_endpoints(fleet: Fleet, inside: Inside, *, reference: bool) -> Fleet:
    """The fleet with the endpoints that the orchestrator's own environment names, where nobody here has named any."""
    if not fleets.gaps(fleet):
        return fleet
    base = inside.endpoints.get(settings.AGENTS_URL.variable)
    if reference and base:
        fleet = fleets.reference(base)
    return fleets.with_endpoints(fleet, _of_this_fleet(fleet, inside.endpoints.get(settings.AGENT_ENDPOINTS_JSON.variable)))


def _of_this_fleet(fleet: Fleet, endpoints_json: str | None) -> str | None:
    """The endpoints that are this fleet's; a deployment may have others. What is no object is told as such by whoever reads it."""
    import orjson

    try:
        pairs = orjson.loads(endpoints_json or "null")
    except orjson.JSONDecodeError:
        return endpoints_json
    if not isinstance(pairs, dict):
        return endpoints_json
    return orjson.dumps({name: url for name, url in pairs.items() if name in fleet.agents}).decode()


def calls(ready: Ready, access: Access) -> Calling:
    """The caller inside. Tokens are in its environment, by the names that they have here."""
    variables = {**access.agent_tokens, settings.SERVICE_TOKEN.variable: access.token}
    return running.through(ready.inside.start(variables, MAX_BODY))


def described(inside: Inside) -> str:
    """Where the calls are made, for a person."""
    return terminal(f"{inside.where}, by its Python {inside.version}; judged here")
