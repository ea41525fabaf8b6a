"""The rules of a cycle, pure: when the host is over its limits, how much may be done at once then, and what a cycle came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

MOST_AT_ONCE = 16
Verdict = Literal["PASS", "FAIL"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the host may be loaded with before work is held back: percent of CPU and memory, percent of time that something waits (PSI)."""

    cpu: float = 90.0
    memory: float = 90.0
    psi: float = 60.0


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One measurement. None is what the system does not say, which is not zero. Lives as long as its cycle.

    `services`: name → `state`, `health`, `restarts`, `cpu_sec` so far, `memory_bytes`.
    """

    at_s: float
    cpu: float | None
    memory: float | None
    psi: Mapping[str, float] = field(default_factory=dict)
    services: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def over(sample: Sample, limits: Limits) -> tuple[str, ...]:
    """What of the host is over its limit, in words."""
    found = []
    if sample.cpu is not None and sample.cpu > limits.cpu:
        found.append(f"CPU {sample.cpu:.0f} % > {limits.cpu:g} %")
    if sample.memory is not None and sample.memory > limits.memory:
        found.append(f"memory {sample.memory:.0f} % > {limits.memory:g} %")
    found += [f"PSI {name} {value:.0f} % > {limits.psi:g} %" for name, value in sample.psi.items() if value > limits.psi]
    return tuple(found)


def at_once(before: int, sample: Sample, limits: Limits) -> int:
    """How much may be done at once now: half of what it was while the host is over a limit, one more otherwise."""
    return max(1, before // 2) if over(sample, limits) else min(MOST_AT_ONCE, before + 1)


def failures(
    opened: Mapping[str, Any], samples: Sequence[Sample], closed: Mapping[str, Any] | None, sweep: Mapping[str, Any] | None, trouble: str
) -> tuple[str, ...]:
    """Everything that keeps a cycle from passing, one line each."""
    found = [trouble] if trouble else []
    if opened.get("status") != "ok":
        not_up = [str(one["service"]) for one in opened.get("results", ()) if not one.get("up")]
        found.append(f"not up: {', '.join(not_up)}" if not_up else f"not opened: {opened.get('message', opened.get('state'))}")
    for name in opened.get("services_started", ()):
        states = {str(sample.services[name]["state"]) for sample in samples if name in sample.services}
        ill = {str(sample.services[name]["health"]) for sample in samples if name in sample.services} & {"unhealthy"}
        if states - {"running"} or ill:
            found.append(f"{name} did not stay well: {', '.join(sorted((states - {'running'}) | ill))}")
    if sweep is not None and sweep.get("verdict") != "PASS":
        found.append(f"sweep: {sweep.get('summary') or sweep.get('trouble')}")
    if closed is None:
        found.append("the window was not confirmed closed")
    else:
        if closed.get("state") != "closed":
            found.append(f"the window is {closed.get('state')}: {closed.get('trouble', '')}")
        if closed.get("core_changed"):
            found.append(f"the core changed: {', '.join(closed['core_changed'])}")
    return tuple(found)


def points(values: Sequence[float | None], width: float, height: float, most: float) -> str:
    """A line of a chart: its corners as SVG has them. What was not measured is left out."""
    step = width / max(1, len(values) - 1)
    known = [(at * step, height - min(value, most) / most * height) for at, value in enumerate(values) if value is not None]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in known)
