"""The rules of a cycle, pure: when the host is over its limits, how much may be done at once then, and what a cycle came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
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

    `services`: name → `state`, `health`, `restarts`, `started_at`, `cpu_sec` so far, `cpu_percent` of one CPU since the last look,
    `memory_bytes`. `trouble`: why the services could not be seen.
    """

    at_s: float
    cpu: float | None
    memory: float | None
    psi: Mapping[str, float] = field(default_factory=dict)
    services: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    trouble: str = ""


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


def cpu_percent(before_s: float | None, now_s: float | None, passed_s: float) -> float | None:
    """Percent of one CPU between two looks; None where it is not told, or was counted from zero again."""
    if before_s is None or now_s is None or passed_s <= 0 or now_s < before_s:
        return None
    return round(100 * (now_s - before_s) / passed_s, 1)


def restarts(name: str, samples: Sequence[Sample]) -> int:
    """How often a service was started anew between the first look and the last: by the engine, which counts, or by somebody's hand."""
    looks = [sample.services[name] for sample in samples if name in sample.services]
    seen = [(int(one["restarts"]), str(one["started_at"])) for one in looks if one["started_at"]]
    return sum(max(after[0] - before[0], int(after[1] != before[1])) for before, after in pairwise(seen))


def failures(
    opened: Mapping[str, Any],
    samples: Sequence[Sample],
    closed: Mapping[str, Any] | None,
    core: Mapping[str, str],
    sweep: Mapping[str, Any] | None,
) -> tuple[str, ...]:
    """What keeps a cycle from passing of what was observed, one line each. `samples` begin with the look right after opening."""
    found = []
    if opened.get("status") != "ok":
        not_up = [str(one["service"]) for one in opened.get("results", ()) if not one.get("up")]
        found.append(f"not up: {', '.join(not_up)}" if not_up else f"not opened: {opened.get('message', 'it was never answered')}")
    for name in opened.get("services_started", ()):
        found += _of_service(name, samples)
    if samples and not any(sample.services for sample in samples):
        found.append(f"no service could be looked at: {samples[-1].trouble}")
    if sweep is not None and sweep.get("verdict") != "PASS":
        found.append(f"sweep: {sweep.get('summary')}")
    return (*found, *_of_close(closed, core))


def warnings(samples: Sequence[Sample], throttle: Sequence[Mapping[str, Any]], drift: Sequence[str]) -> tuple[str, ...]:
    """What a reader should know of a cycle, though it may pass."""
    found = []
    if held := [one for one in throttle if one["because"]]:
        least = min(one["at_once"] for one in held)
        found.append(
            f"the host was over its limits in {len(held)} of {len(throttle)} measurements ({held[0]['because'][0]}): down to {least} at once"
        )
    unseen = [sample for sample in samples if sample.trouble]
    if unseen:
        found.append(f"the services could not be looked at in {len(unseen)} of {len(samples)} measurements: {unseen[-1].trouble}")
    if drift:
        found.append(f"runs after it, and no window holds it: {', '.join(drift)}")
    return tuple(found)


def _of_service(name: str, samples: Sequence[Sample]) -> list[str]:
    seen = [sample.services[name] for sample in samples if name in sample.services]
    ill = {str(one["state"]) for one in seen} - {"running"} | {str(one["health"]) for one in seen} & {"unhealthy"}
    found = [f"{name} did not stay well: {', '.join(sorted(ill))}"] if ill else []
    if times := restarts(name, samples):
        found.append(f"{name} restarted while the window was open: {times} {'time' if times == 1 else 'times'}")
    return found


def _of_close(closed: Mapping[str, Any] | None, core: Mapping[str, str]) -> list[str]:
    found = []
    if closed is None:
        found.append("the window was not confirmed closed")
    elif closed.get("state") != "closed":
        found.append(f"the window is {closed.get('state')}: {closed.get('trouble', '')}")
    if closed and closed.get("core_changed"):
        found.append(f"the core changed: {', '.join(closed['core_changed'])}")
    if down := [f"{name} {state}" for name, state in core.items() if state != "running"]:
        found.append(f"the core is not up: {', '.join(down)}")
    return found
