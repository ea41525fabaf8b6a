"""What opens and closes services: the protocol that every backend keeps, and the values that pass through it.

A backend acts and observes; it decides nothing. Rules (pure) say what may start, one loop says when something stops. What a backend
reports was observed at the engine or in the process table, never concluded from having asked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args

from windlass.errors import Refused

ServiceState = Literal["absent", "created", "running", "restarting", "paused", "exited", "dead", "removing"]
"""The engine's own words, and `absent` where nothing of the service exists."""
Health = Literal["none", "starting", "healthy", "unhealthy"]
"""`none` where the service has no health check."""
RestartName = Literal["no", "always", "on-failure", "unless-stopped"]

ALIVE: frozenset[ServiceState] = frozenset({"running", "restarting", "paused", "removing"})
"""States in which processes of the service exist, or may exist the next moment."""
OUTPUT_CHARACTERS = 500
"""The most that an outcome repeats of a command's stdout and of its stderr."""


class Fenced(Refused):
    """Another, later claim on the same window stands; whoever holds the older one does nothing any more."""


@dataclass(frozen=True, kw_only=True)
class RestartPolicy:
    """What the engine does when a container ends by itself, and at the engine's own start. Lives as long as its reader."""

    name: RestartName = "no"
    max_retries: int = 0

    @property
    def outlives_engine(self) -> bool:
        """Whether a container that was stopped comes back when the engine restarts."""
        return self.name == "always"

    @property
    def returns(self) -> bool:
        """Whether the engine ever starts such a container without being asked to."""
        return self.name != "no"


NO_RESTART = RestartPolicy()
_RESTART_NAMES: Mapping[str, RestartName] = {name: name for name in get_args(RestartName)}


def restart_policy(name: str, max_retries: int = 0) -> RestartPolicy:
    """The policy that an engine or a configuration names; an unknown or empty name is none, as the engine takes it."""
    return RestartPolicy(name=_RESTART_NAMES.get(name, "no"), max_retries=max_retries)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the configuration says of one service, as far as a rule may want to know it. Lives as long as its closure."""

    service: str
    needs: Mapping[str, str]
    """Services that it can't run without -> the field that says so (`depends_on`, `network_mode`, `volumes_from`, …)."""
    privileged: bool = False
    host_namespaces: tuple[str, ...] = ()
    """Of `network`, `pid`, `ipc`, `uts`, `userns`, `cgroup`: those of the host, or of a container that is none of the project's."""
    engine_mounts: tuple[str, ...] = ()
    """Host paths that it mounts and that hold the engine's socket, or a directory with the socket in it."""
    cap_add: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    """Options that take a protection away (`seccomp:unconfined`, …)."""
    other_powers: tuple[str, ...] = ()
    """What else gives it the host, in words: a privileged hook, a provider that is a program of the host, …"""
    restart: RestartPolicy = NO_RESTART
    has_healthcheck: bool = False
    image: str | None = None
    """What must be there before it can start: nothing is built or pulled by opening a window."""
    replicas: int = 1

    @property
    def is_powerful(self) -> bool:
        """Whether it could get out of its box, and so be no bounded service at all unless the policy says that it may."""
        return bool(self.powers)

    @property
    def powers(self) -> tuple[str, ...]:
        """The reasons, each naming its field."""
        found = ["privileged"] if self.privileged else []
        found += [f"{name} namespace of the host" for name in self.host_namespaces]
        found += [f"mounts {path}, which leads to the engine's socket" for path in self.engine_mounts]
        found += [f"cap_add {name}" for name in self.cap_add]
        found += [f"device {name}" for name in self.devices]
        found += [f"security_opt {name}" for name in self.security_opt]
        return (*found, *self.other_powers)


@dataclass(frozen=True, kw_only=True)
class Closure:
    """Services that were asked for, with all that they need. Nothing outside `services` is started for them. Lives as long as its request."""

    requested: tuple[str, ...]
    services: tuple[str, ...]
    """Sorted; `requested` and everything reached from it. Unknown names are not in it."""
    facts: Mapping[str, Facts]
    """For every service of the configuration, not only for those in `services`."""
    reached: Mapping[str, str]
    """Each service that was not asked for -> how it was reached: `depends_on of switch`."""
    unknown: tuple[str, ...] = ()
    """Names, asked for or needed, that the configuration does not have."""
    digest: str = ""
    """Of the whole configuration as it was judged; handed to `start`, which refuses to start from any other."""


@dataclass(frozen=True, kw_only=True)
class Observed:
    """One service as it is now. Lives as long as its observation.

    With several containers (replicas, one-off runs), `ids` names all, `restart_count` adds all, and the rest is that of the one that is
    worst off of those that live.
    """

    service: str
    state: ServiceState
    health: Health = "none"
    id: str = ""
    ids: tuple[str, ...] = ()
    restart_count: int = 0
    started_at: str = ""
    """As the engine writes it; empty when it never started. Compare for equality only."""
    exit_code: int | None = None
    """None while it runs, and where nothing is known."""
    mounts_hash: str = ""
    config_hash: str = ""
    restart_policy: RestartPolicy = NO_RESTART
    in_configuration: bool = True
    """False for a container of the project whose service the configuration does not have (any more)."""
    trouble: str = ""

    @property
    def is_alive(self) -> bool:
        """Whether processes of it exist, or may exist the next moment."""
        return self.state in ALIVE

    @property
    def fingerprint(self) -> tuple[str, ...]:
        """Equal before and after, when nobody touched the service."""
        return (self.state if self.state in {"running", "paused"} else "down", *self.ids, self.started_at, self.mounts_hash, self.config_hash)


@dataclass(frozen=True, kw_only=True)
class Restore:
    """How a service was before its window, so that closing puts it back. Lives as long as its lease."""

    restart: RestartPolicy = NO_RESTART
    was_running: bool = False


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One instant on both clocks: the wall's in milliseconds since 1970, and seconds since this boot, which nobody can set."""

    epoch_ms: int
    boot_id: str
    uptime_s: float


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The word, kept where the services run, that a window ends by its deadline. Lives until the window was observed closed.

    Whoever finds a lease that is due closes the window, without asking anybody. `boot_id` and `deadline_uptime_s` say the deadline on
    the clock of the machine that opened: a wall clock that is set back does not make a window longer.
    """

    window_id: str
    project: str
    services: tuple[str, ...]
    deadline_ms: int
    fencing: int
    grace_s: float
    restore: Mapping[str, Restore] = field(default_factory=dict)
    boot_id: str = ""
    deadline_uptime_s: float = math.inf

    def is_due(self, now: Moment) -> bool:
        """Whether the window must be closed, by either clock: early is safe, late is not."""
        return now.epoch_ms >= self.deadline_ms or (bool(self.boot_id) and self.boot_id == now.boot_id and now.uptime_s >= self.deadline_uptime_s)

    @property
    def to_stop(self) -> tuple[str, ...]:
        """The services that closing stops; those that already ran before the window go on."""
        return tuple(name for name in self.services if not self.restore.get(name, Restore()).was_running)


@dataclass(frozen=True, kw_only=True)
class Damaged:
    """A lease that can't be read: nobody knows what it asks for, so a person must look. Lives as long as its observation."""

    name: str
    problem: str


@dataclass(frozen=True, kw_only=True)
class Observation:
    """Everything of the project at one moment. Lives as long as its reader."""

    services: Mapping[str, Observed]
    """Every service of the configuration, `absent` ones included, and every other that a container of the project belongs to."""
    leases: tuple[Lease, ...]
    damaged: tuple[Damaged, ...] = ()

    def alive(self) -> frozenset[str]:
        """The services that run, by observation."""
        return frozenset(name for name, one in self.services.items() if one.is_alive)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one act on one service. Lives as long as its reader.

    `returncode` is the command's, or 0 and 1 for an engine call; 124 when the command was killed at its timeout. What several services
    share (one `up` for all) stands in each of them.
    """

    service: str
    returncode: int
    elapsed_ms: int
    argv: tuple[str, ...] = ()
    stdout: str = ""
    stderr: str = ""

    @property
    def is_done(self) -> bool:
        """Whether the act itself succeeded; whether the service is as wanted, only an observation tells."""
        return self.returncode == 0


TIMED_OUT = 124


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a service has used since it started; None where the backend can't know. Lives as long as its reader."""

    cpu_s: float | None = None
    peak_memory_bytes: int | None = None
    memory_bytes: int | None = None


def restore_of(observation: Observation, services: Sequence[str]) -> Mapping[str, Restore]:
    """How these services are before a window opens; one that runs because another window holds it was not running by itself. Pure."""
    held = {name for lease in observation.leases for name in lease.to_stop}
    return {
        name: Restore(restart=one.restart_policy, was_running=one.is_alive and name not in held)
        for name, one in ((name, observation.services.get(name, Observed(service=name, state="absent"))) for name in services)
    }


def to_stop(lease: Lease, leases: Sequence[Lease], now: Moment) -> tuple[str, ...]:
    """What the end of this window stops: not what another window of the project, which is not due, still holds. Pure."""
    others = [one for one in leases if one.project == lease.project and one.window_id != lease.window_id and not one.is_due(now)]
    held = {name for other in others for name in other.to_stop}
    return tuple(name for name in lease.to_stop if name not in held)


class Backend(Protocol):
    """Opens and closes services, and observes them. Lives as long as its owner's `async with`, or longer: it holds nothing that a crash could lose.

    Every method raises Unavailable when the engine does not answer; nothing blocks the event loop.
    """

    async def preflight(self) -> None:
        """Return when the backend can work; raises Unavailable that says what is missing, or Refused for a configuration that can't be used."""

    async def closure(self, services: Sequence[str], *, digest: str = "") -> Closure:
        """What these services need, as the configuration is now; starts nothing. Raises Refused for a configuration that can't be read.

        With `digest`, a configuration that was read before and is that one will do.
        """

    async def observe(self) -> Observation:
        """Every service of the project and every lease, now."""

    async def start(self, services: Sequence[str], lease: Lease, *, timeout_s: float, digest: str = "") -> tuple[Outcome, ...]:
        """Make (or replace) the lease, then start exactly these services, all at once, and return when the command has ended.

        At most `timeout_s`: then the command is killed, with its whole group, and also when this process dies. A service that runs
        already is left as it is, a restart policy that a close took away is given back. Raises Fenced for an overtaken lease, Refused for
        a lease that is due or does not hold them all, and for a configuration that is no longer the one with this `digest`: nothing was
        started then.
        Whether a service is ready, observations tell.
        """

    async def stop(self, services: Sequence[str], grace_s: float, *, kill: bool) -> tuple[Outcome, ...]:
        """Stop these services, all at once: restart policies first, then TERM and after `grace_s` KILL; with `kill`, KILL at once.

        A service that does not run is stopped: that is no failure. Returns when the engine has answered for each.
        """

    async def put_lease(self, lease: Lease) -> None:
        """Keep this lease in place of any earlier one of the window; at no moment is there none. Raises Fenced for an overtaken one.

        What the earlier one says in `restore`, and this one does not, is kept. Raises Refused for a lease that is due.
        """

    async def drop_lease(self, window_id: str) -> None:
        """Forget the window's lease; only for a window that was observed closed. A lease that is gone already is no failure."""

    async def log_tail(self, service: str, characters: int) -> str:
        """The last characters that the service logged; empty where there is no log. The configuration's secrets are redacted."""

    async def cost(self, services: Sequence[str]) -> Mapping[str, Cost]:
        """What each has used so far; asked for before a stop, since the engine forgets with it."""
