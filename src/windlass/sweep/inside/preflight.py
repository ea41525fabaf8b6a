"""Looks, before anything is called, whether a sweep can be made inside a Compose network, and says in one line each what is missing."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from windlass import model
from windlass.errors import Refused, Unavailable
from windlass.sweep.inside.docker import Docker, Said
from windlass.sweep.inside.running import Start

Way = Literal["exec", "one-off"]
OLDEST = (3, 8)
ENDPOINTS = ("AGENT_ENDPOINTS_JSON", "WINDLASS_AGENTS_URL")
"""What an orchestrator's own environment may say about where its agents answer. Nothing else is read of it."""
_PYTHONS = ("python3", "python")
_LOOK = f"import json,os,sys;print(json.dumps([list(sys.version_info[:2]),{{k:os.environ.get(k,'') for k in {ENDPOINTS!r}}}]))"
_MOST_LISTED = 20


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the person said about where to sweep from. Lives as long as the sweep."""

    docker: Docker
    service: str
    approve_one_off: bool
    network: str | None
    image: str | None


@dataclass(frozen=True, kw_only=True)
class Inside:
    """Where the calls are made: found, and ready to be used. Lives as long as the sweep."""

    asked: Asked
    way: Way
    python: str
    version: str
    network: str | None = None
    endpoints: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def where(self) -> str:
        """In words."""
        return f"service {self.asked.service}" if self.way == "exec" else f"a one-off container on {self.network}"

    @property
    def orchestrator_url(self) -> str:
        """Where the orchestrator answers whoever asks from there."""
        return "http://127.0.0.1:3001" if self.way == "exec" else f"http://{self.asked.service}:3001"

    def start(self, variables: Mapping[str, str], largest: int) -> Start:
        """How the caller is started there, with these tokens in its environment."""
        docker, names = self.asked.docker, sorted(variables)

        def argv(program: str) -> Sequence[str]:
            if self.way == "exec":
                return docker.exec(self.asked.service, names, self.python, "-c", program)
            return docker.one_off(self.network or "", self.asked.image or "", names, "-c", program)

        return Start(
            argv=argv,
            environment={**docker.environment, **variables},
            variables=variables,
            where=self.where,
            largest=largest,
            next_command=self._next_command,
        )

    def _next_command(self, command: str) -> str:
        """The same look at an agent from inside; a slim image has no curl, but we know that this one has a Python."""
        words = shlex.split(command)
        if self.way != "exec" or words[0] not in {"curl", "getent"}:
            return command
        program = (
            f"import socket;print(socket.getaddrinfo({words[-1]!r},None)[0][4][0])"
            if words[0] == "getent"
            else f"import urllib.request as u;print(u.urlopen({words[-1]!r},timeout=10).read().decode())"
        )
        return shlex.join(self.asked.docker.exec(self.asked.service, (), self.python, "-c", program))


async def look(asked: Asked) -> Inside:
    """Where the sweep can be made from; raises Refused that lists everything that is missing, one line each."""
    try:
        container = await _container(asked)
        found = await _python(asked)
        return found if isinstance(found, Inside) else await _one_off(asked, container, found)
    except Unavailable as failure:
        raise Refused(f"--inside compose: {failure}") from failure


async def _container(asked: Asked) -> str:
    """The id of the service's running container."""
    said = await asked.docker.ask(asked.docker.compose("ps", "--all", "--format", "json"))
    if said.code:
        raise Unavailable(_why_not(said))
    services: dict[str, list[dict[str, Any]]] = {}
    for one in _containers(said.out):
        services.setdefault(str(one.get("Service", "")), []).append(one)
    mine = services.get(asked.service)
    if not mine:
        running = sorted(name for name, all_of in services.items() if any(one.get("State") == "running" for one in all_of))
        raise Unavailable(
            f"the project has no container of a service {asked.service!r}; "
            + (f"running are {', '.join(running[:_MOST_LISTED])}: name one with --service" if running else "no service of it is running")
        )
    running_ones = [one for one in mine if one.get("State") == "running"]
    if not running_ones:
        raise Unavailable(f"service {asked.service} is not running: {mine[0].get('Status') or mine[0].get('State') or 'its state is unknown'}")
    return str(running_ones[0].get("ID", ""))


def _containers(text: str) -> list[dict[str, Any]]:
    """The containers that `ps` lists: one object per line, or all in one array, depending on Compose's version."""
    try:
        parsed = orjson.loads(text) if text.lstrip().startswith("[") else [orjson.loads(line) for line in text.splitlines() if line.strip()]
    except orjson.JSONDecodeError as failure:
        raise Unavailable(f"docker compose ps did not print JSON ({failure}); Compose v2 does") from failure
    return [one for one in parsed if isinstance(one, dict)]


def _why_not(said: Said) -> str:
    """Why Compose did not answer, in the words of what is to be done."""
    text = said.err.lower()
    if "is not a docker command" in text or "unknown shorthand flag" in text or "unknown flag" in text:
        return "this Docker has no Compose v2 (docker compose); install its plugin"
    if "cannot connect to the docker daemon" in text or "error during connect" in text or "permission denied" in text:
        return f"the Docker Engine does not answer: {said.reason}"
    if "no configuration file provided" in text:
        return "there is no Compose file here; go to the project's directory, or name it with --file or --project"
    return f"docker compose ps: {said.reason}"


async def _python(asked: Asked) -> Inside | str:
    """The Python of the service, or why it can't be used."""
    reason = ""
    for python in _PYTHONS:
        said = await asked.docker.ask(asked.docker.exec(asked.service, (), python, "-c", _LOOK))
        try:
            version, endpoints = orjson.loads(said.out.strip().splitlines()[-1]) if said.code == 0 else (None, None)
        except (orjson.JSONDecodeError, IndexError, ValueError, TypeError):
            version = endpoints = None
        if isinstance(version, list) and len(version) == 2 and all(isinstance(part, int) for part in version) and isinstance(endpoints, dict):
            if tuple(version) < OLDEST:
                reason = f"its {python} is {version[0]}.{version[1]}; the oldest that is usable is {OLDEST[0]}.{OLDEST[1]}"
                continue
            kept = {name: value for name, value in endpoints.items() if name in ENDPOINTS and isinstance(value, str) and value.strip()}
            return Inside(asked=asked, way="exec", python=python, version=f"{version[0]}.{version[1]}", endpoints=kept)
        reason = reason or f"no {python} can be run in it: {model.clip(said.reason, 200)}"
    return reason


async def _one_off(asked: Asked, container: str, reason: str) -> Inside:
    missing = [f"service {asked.service}: {reason}"]
    if not asked.approve_one_off:
        missing.append("a one-off container on its network can make the calls instead; it needs your --approve-one-off, and --image")
    elif not asked.image:
        missing.append("--image: name an image with Python 3.8 or newer that this engine has; none is pulled")
    if len(missing) > 1:
        raise Unavailable("".join(f"\n  - {line}" for line in missing))
    network = await _network(asked, container)
    said = await asked.docker.ask(
        [
            *asked.docker.one_off(
                "none", asked.image or "", (), "-c", "import sys;print('%d.%d'%sys.version_info[:2]);sys.exit(sys.version_info<(3,8))"
            )
        ]
    )
    if said.code:
        raise Unavailable(f"--image {asked.image}: no Python 3.8 or newer can be run in it: {said.reason}")
    return Inside(asked=asked, way="one-off", python="python3", version=said.out.strip()[:20], network=network)


async def _network(asked: Asked, container: str) -> str:
    """The network of the container; the person's choice where it has several."""
    said = await asked.docker.ask(asked.docker.engine("inspect", "--format", "{{json .NetworkSettings.Networks}}", container))
    try:
        joined = sorted(orjson.loads(said.out)) if said.code == 0 else []
    except (orjson.JSONDecodeError, TypeError):
        joined = []
    if asked.network:
        listed = await asked.docker.ask(asked.docker.engine("network ls", "--format", "{{.Name}}"))
        if asked.network not in listed.out.splitlines():
            raise Unavailable(f"--network {asked.network}: there is none of this name; the service is on {', '.join(joined) or 'none'}")
        return asked.network
    if len(joined) == 1:
        return str(joined[0])
    raise Unavailable(f"service {asked.service} is on {len(joined)} networks ({', '.join(joined) or 'none'}); name one with --network")
