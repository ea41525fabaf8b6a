"""The sweep of `windlass window cycle`: what it needs is looked for before anything is opened, and it runs within the cycle's limit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windlass import settings
from windlass.cli import fleets, places
from windlass.errors import Refused
from windlass.infra import addresses, bearer, instants
from windlass.sweep import conduct, evidence, plan, probes
from windlass.sweep.run import Access

if TYPE_CHECKING:
    from windlass.infra.limit import Limit
    from windlass.sweep.run import Moment
    from windlass.windows.cycle.conduct import Sweep, Told

DIRECTORY = "sweep"
"""Below the cycle's directory."""


def prepared(file: Path, orchestrator_url: str | None, directory: Path, most_at_once: int) -> Sweep:
    """A sweep of the fleet in `file`; raises Refused for everything that keeps it from being begun and that can be known before."""
    if any((directory / DIRECTORY / name).exists() for name in (evidence.EXPECTATION, evidence.ROWS, evidence.SWEEP)):
        raise Refused(f"{directory / DIRECTORY} holds the sweep of an earlier cycle; give another --out")
    found = settings.Settings.load(Path.cwd())
    fleet = fleets.with_every_endpoint(fleets.resolved(found, file, None))
    try:
        url = addresses.base_url(found.required(settings.ORCHESTRATOR_URL, orchestrator_url))
    except ValueError as failure:
        raise Refused(f"ORCHESTRATOR_URL: {failure}") from failure
    access = Access(
        orchestrator_url=url,
        token=bearer.usable(settings.SERVICE_TOKEN.variable, found.required(settings.SERVICE_TOKEN)),
        agent_tokens=fleets.tokens(found, fleet),
        concurrency=most_at_once,
        timeout_s=found.seconds(settings.TIMEOUT_SECS, None),
    )
    terms = plan.Terms(
        gate="proof",
        mode=found.choice(settings.MODE, ("DEMO", "LIVE"), None),  # type: ignore[arg-type]  # it allows only these words
        risk_tier=found.choice(settings.RISK_TIER, ("PHI", "SENSITIVE", "NON_SENSITIVE"), None),  # type: ignore[arg-type]  # as above
    )
    planned = plan.plan(fleet, terms, sweep_id=places.new_id(instants.now()), nonce=os.urandom(16).hex(), probe_for=probes.finder(allow_code=False))

    async def swept(limit: Limit, told: Told) -> None:
        place = places.standalone(directory / DIRECTORY, keep_bodies=False)
        progress = _Progress(len(planned.cells), told)
        told(_ended(await conduct.conduct(planned, replace(access, limit=limit), place, progress)))

    return swept


class _Progress:
    """Tells how far a sweep has come, so that one that is cut short says that much. Lives as long as its sweep."""

    def __init__(self, total: int, told: Told) -> None:
        self._total = total
        self._told = told
        self._done = self._passed = 0
        self._tell()

    def __call__(self, moment: Moment) -> None:
        if moment.stage == "prove":
            self._done += 1
            self._passed += moment.passed
            self._tell()

    def _tell(self) -> None:
        summary = f"cut short after {self._done} of {self._total} task types, {self._passed} passed"
        counted = {"passed": self._passed, "done": self._done, "total": self._total}
        self._told({"verdict": "INCOMPLETE", "summary": summary, **counted, "evidence": DIRECTORY})


def _ended(sweep: Mapping[str, Any]) -> dict[str, Any]:
    verdict, counted = "PASS" if conduct.passed(sweep) else "FAIL", sweep["summary"]
    asked = {name: gate for name, gate in sweep["gates"].items() if gate["asked"]}
    gates = ", ".join(f"{name} {gate['verdict']}{f' ({why})' if (why := gate['reason']) else ''}" for name, gate in asked.items())
    summary = f"{counted['passed']}/{counted['total']} passed; {gates}"
    return {"verdict": verdict, "summary": summary, **counted, "done": len(sweep["rows"]), "evidence": DIRECTORY}
