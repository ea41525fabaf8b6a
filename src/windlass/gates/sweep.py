"""A sweep does the work of a gate: every task type of a fleet is asked, and the evidence lies in the record, for the contract to judge."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from windlass.errors import InvalidFleet, Refused, WindlassError
from windlass.fleet import gaps
from windlass.gates.work import Did, Ground, Means, Work
from windlass.infra import instants
from windlass.records.artifacts import IN_RECORD
from windlass.sweep import conduct, plan, probes
from windlass.sweep.run import Access

CONCURRENCY = 16


def do(work: Work, means: Means, ground: Ground, target: str) -> Did:
    """Sweep the fleet into `target`, a template in the record's evidence. The sweep's own verdict is no reason: the contract judges it."""
    options = work.gate.executor.options
    directory = work.record.record_directory / target.removeprefix(IN_RECORD)
    try:
        planned = _planned(work, means, ground)
        access = Access(
            orchestrator_url=ground.url, token=ground.token, agent_tokens=ground.agent_tokens, concurrency=CONCURRENCY, timeout_s=means.timeout_s
        )
        sweep = means.run(conduct.conduct(planned, access, _place(work, directory), lambda _: None))
    except WindlassError as failure:
        reason = str(failure).replace(f"{work.record.directory}/", "")
        return Did(reason=reason, evidence=work.record.evidence(directory.name))
    said = [conduct.summary_line(sweep), *(f"{name} {gate['verdict']}" for name, gate in sweep["gates"].items() if gate["asked"])]
    return Did(said=[f"fleet {options['fleet']}: {'   '.join(said)}"], evidence=work.record.evidence(directory.name))


def _planned(work: Work, means: Means, ground: Ground) -> plan.Plan:
    options = work.gate.executor.options
    if options["fleet"] not in (ground.fleet.name, ground.fleet.sha256):
        raise Refused(f"the gate sweeps the fleet {options['fleet']!r}, and the one at hand is {ground.fleet.name!r}; give its file with --fleet")
    if missing := gaps(ground.fleet):
        raise InvalidFleet(f"fleet {ground.fleet.name}", missing)
    terms = plan.Terms(gate=options["rung"], mode=means.mode, risk_tier=means.risk_tier)
    sweep_id = f"sweep_{instants.compact_ms(instants.now())}_{secrets.token_hex(8)}"
    return plan.plan(ground.fleet, terms, sweep_id=sweep_id, nonce=os.urandom(16).hex(), probe_for=probes.finder(allow_code=means.allow_probe_code))


def _place(work: Work, directory: Path) -> conduct.Place:
    bodies = work.logs / "bodies"
    shown = work.record.run_id if directory.name == "sweep" else os.path.relpath(directory, work.project.root)
    return conduct.Place(
        directory=directory,
        bodies=bodies,
        bodies_from_directory=os.path.relpath(bodies, directory),
        show=f"windlass sweep show {shown}",
        git_commit=work.record.run.started.git_commit,
    )
