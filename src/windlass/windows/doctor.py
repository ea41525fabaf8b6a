"""What an existing Compose project must change before its services can be windowed, each with the line to add. Pure, but for `examined`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from windlass.windows.backend import Backend, Closure, Facts, Observation
from windlass.windows.power.policy import Policy, ServicePolicy

Severity = Literal["must", "should"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing to change: `must` where opening will be refused, `should` where it works less well. Lives as long as its report."""

    severity: Severity
    service: str
    problem: str
    line: str
    """What to write, and where."""


async def examined(backend: Backend, policy: Policy, file: str) -> tuple[Finding, ...]:
    """Everything that stands in the way of this project's windows; raises what the backend raises where it can't be looked at."""
    await backend.preflight()
    closure = await backend.closure(sorted(policy.services))
    return tuple(findings(closure, await backend.observe(), policy, file))


def findings(closure: Closure, seen: Observation, policy: Policy, file: str) -> Iterator[Finding]:
    """The findings, by service, what must change first. `file`: the Compose file that the lines are for."""
    core, allowlist = policy.core, frozenset(policy.services)
    found = [*_names(closure, core, allowlist), *_outside(closure, core, allowlist)]
    for name in sorted(allowlist & set(closure.facts)):
        found += _service(closure.facts[name], policy.services[name], file)
    found += _running(seen, policy)
    yield from sorted(found, key=lambda one: (one.severity != "must", one.service, one.problem))


def _names(closure: Closure, core: frozenset[str], allowlist: frozenset[str]) -> Iterator[Finding]:
    for name in sorted((core | allowlist) - set(closure.facts)):
        place = "core" if name in core else "allowlist"
        yield Finding(
            severity="must", service=name, problem=f"is in `{place}`, but the Compose project has no such service", line=_toml(place, "-", name)
        )
    for name in sorted(core & allowlist):
        problem = "is core and on the allowlist: the core is never opened and never stopped"
        yield Finding(severity="must", service=name, problem=problem, line=_toml("allowlist", "-", name))


def _outside(closure: Closure, core: frozenset[str], allowlist: frozenset[str]) -> Iterator[Finding]:
    """What the allowlisted services would start although nobody allowed it."""
    for name, why in sorted(closure.reached.items()):
        if name not in core | allowlist:
            problem = f"would have to be started too ({why}), but is neither core nor allowed"
            yield Finding(severity="must", service=name, problem=problem, line=_toml("allowlist", "+", name))


def _service(facts: Facts, own: ServicePolicy, file: str) -> Iterator[Finding]:
    name = facts.service
    if own.takes_restart:
        pass
    elif facts.restart.name == "always":
        problem = "restart: always brings it back when the engine restarts, window or not"
        yield Finding(severity="must", service=name, problem=problem, line=f'{file}: services.{name}.restart: "no"   or {_take(name)}')
    elif facts.restart.returns:
        problem = f"restart: {facts.restart.name} may bring it back after a crash, during its window and after it"
        yield Finding(severity="should", service=name, problem=problem, line=f'{file}: services.{name}.restart: "no"   or {_take(name)}')
    if facts.powers and not own.powers_ok:
        line = f"windlass.toml: [windows.services.{name}] privileged_ok = true   if that is meant"
        yield Finding(severity="must", service=name, problem=f"could leave its container: {'; '.join(facts.powers)}", line=line)
    if not facts.has_healthcheck:
        line = f'{file}: services.{name}.healthcheck: {{test: ["CMD", …], interval: 2s, start_period: 10s}}'
        yield Finding(severity="should", service=name, problem="has no health check: it counts as ready once it runs and stays up for 2 s", line=line)
    if facts.image is None:
        yield Finding(severity="must", service=name, problem="has neither image nor build", line=f"{file}: services.{name}.image: …")


def _running(seen: Observation, policy: Policy) -> Iterator[Finding]:
    core, allowlist, compose = policy.core, frozenset(policy.services), f"docker compose --project-name {policy.project}"
    held = {name for lease in seen.leases for name in lease.services}
    for name, one in seen.services.items():
        if one.is_alive and name in allowlist - held:
            line = f"{compose} stop {name}"
            yield Finding(severity="should", service=name, problem="runs, but no window holds it: closing will leave it running", line=line)
        elif name in core and not one.is_alive:
            yield Finding(severity="must", service=name, problem="is core, but does not run", line=f"{compose} up -d {name}")
        elif name in allowlist and one.restart_policy.outlives_engine and not one.is_alive:
            line = f"docker update --restart=no {one.id[:12]}"
            yield Finding(severity="must", service=name, problem="does not run, but its container comes back with the engine", line=line)
    for damaged in seen.damaged:
        line = f"docker volume inspect {damaged.name}; then docker volume rm {damaged.name}"
        yield Finding(severity="must", service="", problem=f"the lease {damaged.name} can't be read: {damaged.problem}", line=line)


def _toml(field: str, sign: str, name: str) -> str:
    return f'windlass.toml: [windows] {field}: {"add" if sign == "+" else "remove"} "{name}"'


def _take(name: str) -> str:
    return f'windlass.toml: [windows.services.{name}] restart_policy = "take_and_return"'
