"""The rules of power windows, pure: what a closure may hold, when a service is ready, what a window needs done now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from windlass.windows.backend import Closure, Facts, Lease, Moment, Observation, Observed, RestartPolicy
from windlass.windows.power.asked import Mode, OnPartial, Refusal
from windlass.windows.power.policy import Policy

State = Literal["asked", "opening", "open", "degraded", "closing", "stuck", "closed"]
CloseReason = Literal["manual", "ttl_expired", "start_failed", "policy_applied", "recovered", "shutdown"]
LIVE: frozenset[State] = frozenset({"asked", "opening", "open", "degraded", "closing", "stuck"})
STILL_S = 2.0
"""How long a service's restart count must stand still before it counts as up."""
LOOPS = 3
"""So many restarts while it is being opened are a crash loop: it will not come up."""
_RETRY_S = (0.25, 0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True, kw_only=True)
class Window:
    """One window as the ledger has it. Lives as long as its reader; every change is a new one.

    Times in `_ms` are the wall's, milliseconds since 1970; `deadline_uptime_s` is the deadline on the clock of the boot `boot_id`.
    """

    window_id: str
    fencing: int
    services: tuple[str, ...]
    """Everything that the window holds: what was asked for, and what of the allowlist that needs."""
    requested: tuple[str, ...]
    state: State
    mode: Mode
    on_partial: OnPartial
    reason: str
    actor: str
    asked_ms: int
    ttl_sec: int
    grace_s: float
    deadline_ms: int
    boot_id: str
    deadline_uptime_s: float
    digest: str = ""
    begun_by: str = ""
    """Who brings it up; an opening that nobody alive began is closed, since nobody waits for it."""
    running_ms: int | None = None
    """When all of it was first seen running; that it stays so, or is healthy, takes until `ready_ms`."""
    ready_ms: int | None = None
    ready_uptime_s: float = 0.0
    leased_ms: int | None = None
    """The deadline that the engine's lease says."""
    close_asked: CloseReason | None = None
    close_actor: str = ""
    closed_ms: int | None = None
    attempts: int = 0
    """Rounds of stopping so far that did not end in an observed close."""
    retry_uptime_s: float = 0.0
    trouble: str = ""
    ran_before: tuple[str, ...] = ()
    """Services of it that ran already: closing leaves them running."""
    results: tuple[Mapping[str, Any], ...] = ()
    """How each service was found when the opening ended."""
    close_results: tuple[Mapping[str, Any], ...] = ()
    stopped: tuple[str, ...] = ()
    core: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Fingerprints of the core from before the opening."""
    core_changed: tuple[str, ...] = ()
    cost: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_live(self) -> bool:
        """Whether something of it may still run."""
        return self.state in LIVE

    @property
    def lease(self) -> Lease:
        """The word that the engine keeps of it. How things were before, the backend knows."""
        return Lease(
            window_id=self.window_id,
            project="",
            services=self.services,
            deadline_ms=self.deadline_ms,
            fencing=self.fencing,
            grace_s=self.grace_s,
            boot_id=self.boot_id,
            deadline_uptime_s=self.deadline_uptime_s,
        )

    def is_due(self, now: Moment) -> bool:
        """Whether it must end, by either clock; a wall clock of another boot that stands before the request was set back, and counts for nothing."""
        if self.boot_id != now.boot_id and now.epoch_ms < self.asked_ms:
            return True
        return self.lease.is_due(now)

    def remaining_s(self, now: Moment) -> float:
        """Seconds until it must end, by the clock that says fewer; never negative."""
        by_wall = (self.deadline_ms - now.epoch_ms) / 1000
        by_boot = self.deadline_uptime_s - now.uptime_s if self.boot_id == now.boot_id else by_wall
        return max(0.0, 0.0 if self.is_due(now) else min(by_wall, by_boot))


def admitted(closure: Closure, policy: Policy, seen: Observation) -> tuple[str, ...]:
    """The services that are started for a closure; raises Refusal naming everything that is outside the allowlist and the running core.

    The core is observed, never started. What could leave its container, and what the engine would bring back, needs the policy's word.
    """
    problems = list(_outside(closure, policy, seen))
    if problems:
        raise Refusal(422, "OUTSIDE", "; ".join(problems), field="services")
    services = tuple(name for name in closure.services if name not in policy.core)
    problems = [problem for name in services for problem in _powers(closure.facts[name], policy)]
    if problems:
        raise Refusal(422, "NOT_BOUNDED", "; ".join(problems), field="services")
    return services


def _outside(closure: Closure, policy: Policy, seen: Observation) -> Iterator[str]:
    for name in closure.unknown:
        yield f"{name}: the configuration has no such service{_how(closure, name)}"
    for name in closure.services:
        if name in policy.core:
            if not (name in seen.services and seen.services[name].is_alive):
                yield f"{name} is core, is needed{_how(closure, name)}, and does not run"
        elif name not in policy.services:
            yield f"{name} is outside the allowlist{_how(closure, name)}"


def _how(closure: Closure, name: str) -> str:
    return f" ({closure.reached[name]})" if name in closure.reached else ""


def _powers(facts: Facts, policy: Policy) -> Iterator[str]:
    own = policy.services[facts.service]
    if facts.powers and not own.powers_ok:
        yield f"{facts.service} could leave its container: {', '.join(facts.powers)}; the policy may say privileged_ok"
    if facts.restart.outlives_engine and not own.takes_restart:
        yield f'{facts.service} has restart: always, and would come back with the engine; the policy may say restart_policy = "take_and_return"'


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """A service as it was when its state or restart count last moved. Lives as long as its opening."""

    state: str
    restart_count: int
    started_at: str
    since_s: float


def sighting(seen: Observed, before: Sighting | None, now_s: float) -> Sighting:
    """The sighting after a look: the same one while nothing moved."""
    if before is not None and (before.state, before.restart_count, before.started_at) == (seen.state, seen.restart_count, seen.started_at):
        return before
    return Sighting(state=seen.state, restart_count=seen.restart_count, started_at=seen.started_at, since_s=now_s)


def readiness(seen: Observed, facts: Facts, still_s: float, restarts: int) -> Literal["ready", "waiting", "failed"]:
    """Whether a service that is being opened is up. `still_s`: seconds since its restart count moved; `restarts`: since its opening began.

    Without a health check, or where something restarts it, it has to stand still for a while: a crash loop is never up.
    """
    if seen.state in {"exited", "dead"} and not _returns(seen.restart_policy, facts.restart):
        return "failed"
    if restarts >= LOOPS:
        return "failed"
    if seen.state != "running":
        return "waiting"
    checked = facts.has_healthcheck or seen.health != "none"  # an image may bring a health check that no configuration names
    watched = not checked or _returns(seen.restart_policy, facts.restart)
    if watched and still_s < STILL_S:
        return "waiting"
    return "ready" if not checked or seen.health == "healthy" else "waiting"


def _returns(*policies: RestartPolicy) -> bool:
    return any(policy.returns for policy in policies)


def is_well(seen: Observed | None) -> bool:
    """Whether an opened service is still as it should be."""
    return seen is not None and seen.state == "running" and seen.health != "unhealthy"


Act = Literal["nothing", "begin", "give_up", "close", "stop", "lease"]


def act(window: Window, now: Moment, me: str) -> Act:
    """What a window needs from whoever holds the loop. `me` is the holder's name; openings of earlier holders are closed."""
    if not window.is_live:
        return "nothing"
    if window.state in {"closing", "stuck"}:
        return "stop" if window.attempts == 0 or now.uptime_s >= window.retry_uptime_s or now.boot_id != window.boot_id else "nothing"
    if window.close_asked or window.is_due(now):
        return "give_up" if window.state == "asked" else "close"
    if window.state == "asked":
        return "begin"
    if window.state == "opening":
        return "nothing" if window.begun_by == me else "close"
    return "lease" if window.leased_ms != window.deadline_ms else "nothing"


def close_reason(window: Window, now: Moment) -> CloseReason:
    """Why a window that is to be closed is closed."""
    if window.close_asked:
        return window.close_asked
    if window.state in {"asked", "opening"}:
        return "start_failed" if window.is_due(now) else "recovered"
    return "ttl_expired"


def retry_after_s(attempts: int) -> float:
    """How long after the n-th round that failed the next one begins."""
    return _RETRY_S[min(max(attempts, 1), len(_RETRY_S)) - 1]


def opened_state(results: Mapping[str, bool]) -> Literal["open", "degraded", "failed"]:
    """What came of an opening, by whether each service is up."""
    if all(results.values()):
        return "open"
    return "degraded" if any(results.values()) else "failed"
