"""What may be opened, for how long, and by which rules: the policy of one project. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["single", "shared"]
OnShutdown = Literal["close", "leave"]

DEFAULT_TTL_SEC = 300
MAX_TTL_SEC = 3600
HOLD_MAX_SEC = 14_400
START_TIMEOUT_SEC = 30.0
STOP_GRACE_SEC = 5.0
HEALTH_INTERVAL_SEC = 5.0
CONTROLLER_X_SEC = 3.0
"""A window is closed by its deadline + the grace of its services + this, while a controller or a reaper looks each second."""


@dataclass(frozen=True, kw_only=True)
class ServicePolicy:
    """What holds for one service. Lives as long as its policy."""

    max_ttl_sec: int = MAX_TTL_SEC
    start_timeout_sec: float = START_TIMEOUT_SEC
    stop_grace_sec: float = STOP_GRACE_SEC
    daily_budget_sec: int | None = None
    """Seconds of a UTC day that windows may hold the service; None is without bound."""
    takes_restart: bool = False
    """`restart_policy = "take_and_return"`: a policy of the engine's that would bring it back is taken at close and returned at open."""
    powers_ok: bool = False
    """`privileged_ok = true`: it may be able to leave its container."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The policy of one project. Lives as long as its controller."""

    project: str
    core: frozenset[str]
    services: Mapping[str, ServicePolicy]
    """The allowlist, each service with its own bounds."""
    kind: Kind = "single"
    default_ttl_sec: int = DEFAULT_TTL_SEC
    hold_max_sec: int = HOLD_MAX_SEC
    health_interval_sec: float = HEALTH_INTERVAL_SEC
    on_shutdown: OnShutdown = "close"
    """What an orderly end of the service does with its windows."""
    namespaces_enabled: bool = False
    intents_enabled: bool = False

    def max_ttl_sec(self, services: Collection[str]) -> int:
        """The longest that a window of these services may be open: the least of theirs."""
        return min(self.services[name].max_ttl_sec for name in services)

    def start_timeout_sec(self, services: Collection[str]) -> float:
        """How long opening these may take, readiness included; they start at once."""
        return max(self.services[name].start_timeout_sec for name in services)

    def grace_sec(self, services: Collection[str]) -> float:
        """How long stopping these may take before KILL; they stop at once."""
        return max((self.services[name].stop_grace_sec for name in services), default=0.0)
