"""P-12, the part of Compose files: whatever a file says, what a request would start is known before anything starts, and nothing else does.

Each generated project has services that need each other by every field that Compose knows (depends_on, links, shared namespaces,
volumes_from), some of them behind profiles, in included files, or inherited by extends; some have powers over the host. What the
generator meant is compared with what Windlass read; then every fourth project is opened on the real engine. The seed can be set.
"""

import asyncio
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import pytest

from tests.engines import real
from tests.promises import budget
from windlass.windows import moments
from windlass.windows.backend import Lease
from windlass.windows.compose.compose import Compose, Place

pytestmark = pytest.mark.docker
FILES = budget.of(small=5, full=200)
SEED = budget.seed(SystemRandom().randrange(1, 10**9))
OPENED_EVERY = 4
NEEDS = ("depends_on", "depends_on_long", "links", "network_mode", "ipc", "pid", "volumes_from", "extends")
POWERS: Mapping[str, Mapping[str, Any]] = {
    "privileged": {"privileged": True},
    "network": {"network_mode": "host"},
    "pid": {"pid": "host"},
    "ipc": {"ipc": "host"},
    "uts": {"uts": "host"},
    "userns": {"userns_mode": "host"},
    "socket": {"volumes": ["/var/run/docker.sock:/engine.sock"]},
    "socket directory": {"volumes": [{"type": "bind", "source": "/run", "target": "/host"}]},
    "the whole host": {"volumes": ["/:/host:ro"]},
    "a way round": {"volumes": ["/var/../run/./docker.sock:/x"]},
    "capability": {"cap_add": ["SYS_ADMIN"]},
    "device": {"devices": ["/dev/null:/dev/x"]},
    "unconfined": {"security_opt": ["seccomp:unconfined"]},
}


@dataclass(frozen=True, kw_only=True)
class Meant:
    """What the generator meant. Lives as long as its file."""

    file: Path
    needs: Mapping[str, frozenset[str]]
    powerful: frozenset[str]
    """Services with a power of their own."""

    def reached(self, requested: set[str]) -> set[str]:
        """The requested services and all that they need."""
        found = set(requested)
        while more := {needed for name in found for needed in self.needs[name]} - found:
            found |= more
        return found


def generated(directory: Path, chance: Random) -> Meant:
    """A project of a main file and, perhaps, an included one and one that is extended from."""
    directory.mkdir()
    names = [f"s{number}" for number in range(chance.randint(3, 9))]
    needs: dict[str, set[str]] = {name: set() for name in names}
    services: dict[str, dict[str, Any]] = {name: {"image": real.IMAGE, "command": ["sleep", "300"], "init": True} for name in names}
    powerful: set[str] = set()
    base: dict[str, dict[str, Any]] = {}
    for number, name in enumerate(names):
        for needed in chance.sample(names[:number], min(number, chance.choice((0, 1, 1, 2)))):
            _need(name, needed, chance.choice(NEEDS), services, base)
            needs[name].add(needed)
        if chance.random() < 0.2:
            powerful.add(name)
            power = POWERS[chance.choice(sorted(POWERS))]
            if set(power) & set(services[name]):
                power = POWERS["privileged"]
            if chance.random() < 0.3:  # from a file that it extends
                base.setdefault(name, {"image": real.IMAGE}).update(power)
                services[name]["extends"] = {"file": "base.json", "service": name}
            else:
                services[name].update(power)
        if chance.random() < 0.3:
            services[name]["profiles"] = [chance.choice(("debug", "gpu"))]
    included = {name for name in names if chance.random() < 0.3}
    included = set().union(*(_reached(name, needs) for name in included)) if included else set()  # an included project must be whole
    _write(directory / "base.json", {"services": base or {"unused": {"image": real.IMAGE}}})
    main: dict[str, Any] = {"services": {name: one for name, one in services.items() if name not in included}}
    if included:
        _write(directory / "included.json", {"services": {name: services[name] for name in sorted(included)}})
        main["include"] = ["included.json"]
    if not main["services"]:
        main["services"] = {"lonely": {"image": real.IMAGE, "command": ["sleep", "300"]}}
        needs["lonely"] = set()
    _write(directory / "compose.json", main)
    return Meant(file=directory / "compose.json", needs={name: frozenset(found) for name, found in needs.items()}, powerful=frozenset(powerful))


def _need(name: str, needed: str, field: str, services: dict[str, dict[str, Any]], base: dict[str, dict[str, Any]]) -> None:
    own = services[name]
    if field == "depends_on_long":
        depends = own.setdefault("depends_on", {})
        depends[needed] = {"condition": "service_started", "restart": True}
    elif field == "ipc" and field not in own and services[needed].get("ipc", "shareable") == "shareable":
        services[needed]["ipc"] = "shareable"  # else the engine lets nobody in
        own["ipc"] = f"service:{needed}"
    elif field in {"network_mode", "pid"} and field not in own and "links" not in own:
        own[field] = f"service:{needed}"
    elif field == "links" and "network_mode" not in own:
        own.setdefault("links", []).append(f"{needed}:alias")
    elif field == "volumes_from":
        own.setdefault("volumes_from", []).append(f"{needed}:ro")
    elif field == "extends":
        base.setdefault(name, {"image": real.IMAGE}).setdefault("depends_on", {})[needed] = {"condition": "service_started"}
        own["extends"] = {"file": "base.json", "service": name}
    else:
        own.setdefault("depends_on", {})[needed] = {"condition": "service_started"}


def _reached(name: str, needs: Mapping[str, set[str]]) -> set[str]:
    return {name}.union(*(_reached(needed, needs) for needed in needs[name]))


def _write(place: Path, document: Mapping[str, Any]) -> None:
    place.write_text(json.dumps(document))


async def judged(meant: Meant, project: str, chance: Random, *, opened: bool) -> str:
    """Compare one file with what was read of it, and open it when asked to; the empty string, or what is wrong."""
    place = Place(project=project, files=(str(meant.file),), directory=meant.file.parent)
    requested = chance.sample(sorted(meant.needs), chance.randint(1, 2))
    async with Compose(place) as backend:
        closure = await backend.closure(requested)
        if set(closure.services) != meant.reached(set(requested)) or closure.unknown:
            return f"{requested}: {closure.services} was read, {sorted(meant.reached(set(requested)))} was meant"
        found = {name for name, facts in closure.facts.items() if facts.is_powerful}
        if found != meant.powerful:
            return f"powers: {sorted(found)} were read, {sorted(meant.powerful)} was meant"
        if opened and not meant.powerful & set(closure.services):
            return await _opened(backend, closure.services, project)
    return ""


async def _opened(backend: Compose, services: tuple[str, ...], project: str) -> str:
    now = moments.now()
    lease = Lease(window_id="win_1", project=project, services=services, deadline_ms=now.epoch_ms + 60_000, fencing=1, grace_s=1.0)
    outcomes = await backend.start(services, lease, timeout_s=30)
    if not all(one.is_done for one in outcomes):
        return f"could not be opened: {[one.stderr for one in outcomes if not one.is_done]}"
    if (ran := real.running(project)) != set(services):
        return f"{sorted(services)} was to be opened, {sorted(ran)} runs"
    await backend.stop(services, 1.0, kill=True)
    return ""


def test_p12_what_a_compose_file_would_start_is_known_and_nothing_else_starts(tmp_path):
    real.needed()
    chance, wrong, opened, powerful, reached = Random(SEED), [], 0, 0, 0
    for number in range(FILES):
        meant = generated(tmp_path / str(number), chance)
        powerful += bool(meant.powerful)
        reached += any(meant.needs.values())
        if number % OPENED_EVERY == 0:
            opened += 1
            with real.project() as project:
                trouble = asyncio.run(judged(meant, project, chance, opened=True))
        else:
            trouble = asyncio.run(judged(meant, f"wl{secrets.token_hex(5)}", chance, opened=False))
        if trouble:
            wrong.append((number, trouble))
    figures = f"{FILES} compose files, {reached} with needs, {powerful} with powers, {opened} opened on the real engine"
    budget.tell("P-12", SEED, figures)
    assert not wrong, (figures, wrong)
