"""A cycle as a value: what was asked, what was seen, what it came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from windlass.windows.cycle import rules
from windlass.windows.cycle.rules import Limits, Sample

SCHEMA_VERSION = 1
Phase = Literal["opening", "measuring", "waiting", "sweeping", "closing"]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a cycle is asked for. Lives as long as its cycle."""

    services: tuple[str, ...]
    ttl_sec: int
    samples: int
    interval_s: float
    wait_s: float
    """How long work waits for a host that is over its limits, before it is done with the least at once."""
    limits: Limits


@dataclass(kw_only=True)
class Cycle:
    """What a cycle came to, as it grows. Lives as long as its report."""

    cycle_id: str
    started_at: str
    asked: Asked
    phase: Phase = "opening"
    opened: Mapping[str, Any] = field(default_factory=dict)
    at_open: Sample | None = None
    samples: list[Sample] = field(default_factory=list)
    throttle: list[dict[str, Any]] = field(default_factory=list)
    """One entry per sample."""
    sweep: Mapping[str, Any] | None = None
    closed: Mapping[str, Any] | None = None
    after: Mapping[str, Any] = field(default_factory=dict)
    """The project after the close: `state`, `core`, `drift`."""
    interrupted: bool = False
    troubles: list[str] = field(default_factory=list)
    finished_at: str = ""

    @property
    def core(self) -> Mapping[str, str]:
        """Service → state after the close, or `unhealthy`."""
        found: Mapping[str, str] = self.after.get("core", {})
        return found

    @property
    def looks(self) -> tuple[Sample, ...]:
        """Every measurement, from the one right after opening."""
        return (self.at_open, *self.samples) if self.at_open else tuple(self.samples)

    def restarts(self, service: str) -> int:
        """How often it was started anew while the window was open."""
        return rules.restarts(service, self.looks)

    @property
    def failures(self) -> tuple[str, ...]:
        """Why it does not pass."""
        return (*self.troubles, *rules.failures(self.opened, self.looks, self.closed, self.core, self.sweep))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader should know, though it may pass."""
        return rules.warnings(self.samples, self.throttle, self.after.get("drift", ()))

    @property
    def verdict(self) -> rules.Verdict:
        """Whether everything was as it should be."""
        return "FAIL" if self.failures else "PASS"

    def as_json(self) -> dict[str, Any]:
        """`test_results.json`."""
        opened, closed = self.opened, self.closed or {}
        return {
            "schema_version": SCHEMA_VERSION,
            "cycle_id": self.cycle_id,
            "timestamp": self.started_at,
            "finished_at": self.finished_at,
            "status": self.verdict,
            "interrupted": self.interrupted,
            "failures": list(self.failures),
            "warnings": list(self.warnings),
            "window_id": opened.get("window_id") or closed.get("window_id"),
            "created_at": opened.get("created_at"),
            "deadline": opened.get("deadline"),
            "ttl_sec": self.asked.ttl_sec,
            "services": list(self.asked.services),
            "services_started": list(opened.get("services_started", ())),
            "services_stopped": list(closed.get("services_stopped", ())),
            "state": closed.get("state"),
            "close_reason": closed.get("reason"),
            "results": list(opened.get("results", ())),
            "cost": dict(closed.get("cost", {})),
            "core": dict(self.core),
            "core_changed": list(closed.get("core_changed", ())),
            "drift": list(self.after.get("drift", ())),
            "limits": asdict(self.asked.limits),
            "at_open": asdict(self.at_open) if self.at_open else None,
            "metrics": [asdict(sample) for sample in self.samples],
            "throttle": self.throttle,
            "sweep": None if self.sweep is None else dict(self.sweep),
        }
