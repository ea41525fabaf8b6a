"""Conducts one sweep from its plan to its evidence: commit the expectation, call, judge, write. Completes a killed one with `resume`."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windlass import __version__
from windlass.errors import Refused, UnusableRecord
from windlass.infra import files, instants
from windlass.infra.redaction import Redactor
from windlass.sweep import calling, evidence, rows, shape
from windlass.sweep.calling import Calling
from windlass.sweep.plan import Plan
from windlass.sweep.run import Access, OnMoment, Sweeper
from windlass.sweep.writers import exports, step_summary

_KEYS = frozenset("sweep_id fleet expectation_sha256 nonce gate orchestrator_url started_at interrupted bodies door gates summary rows".split())
"""What every `sweep.json` has, and whoever reads one relies on."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a sweep's evidence goes, and what it is called there. Lives as long as the sweep."""

    directory: Path
    bodies: Path
    bodies_from_directory: str
    """The relative path from `directory` to `bodies`."""
    show: str
    """The command that explains a row, without the task type."""
    git_commit: str | None


async def conduct(plan: Plan, access: Access, place: Place, on_moment: OnMoment, *, calls: Calling = calling.from_here) -> dict[str, Any]:
    """Run a new sweep and return what `sweep.json` says. Cancelled, it writes what it has, marked interrupted, and is cancelled."""
    redactor = Redactor(access.secrets)
    expectation = plan.expectation() | {"started_at": instants.stamp(instants.now()), "git_commit": place.git_commit}
    snapshot = evidence.document(plan.fleet.model_dump(mode="json"))
    if redactor.bytes(snapshot) != snapshot:
        raise Refused("the fleet file holds a token that is in use; name its variable with token_env and take the token out")
    digest = evidence.begin(place.directory, place.bodies, expectation, snapshot)
    return await _complete(plan, access, place, expectation, digest, {}, on_moment, calls)


async def resume(plan: Plan, access: Access, place: Place, on_moment: OnMoment, *, calls: Calling = calling.from_here) -> dict[str, Any]:
    """Complete a sweep that was cut short: its finished rows stand, the others are swept under the same nonce and ids."""
    path = place.directory / evidence.EXPECTATION
    expectation = evidence.read_json(path)
    for key, value in plan.expectation().items():
        if expectation.get(key) != value:
            raise UnusableRecord(f"{path}: {key} is not what this sweep expects; the fleet or the agents have changed, begin a new sweep")
    finished, whole = evidence.read_rows(place.directory / evidence.ROWS)
    named = [row["task_type"] for row in finished]
    odd = sorted({name for name in named if name not in plan.fleet.tasks or named.count(name) > 1})
    if odd:
        raise UnusableRecord(f"{place.directory / evidence.ROWS}: holds rows that are not expected, or several of one: {', '.join(odd)}")
    with evidence.writing(place.directory):
        place.bodies.mkdir(parents=True, exist_ok=True)
        if (place.directory / evidence.ROWS).exists():
            os.truncate(place.directory / evidence.ROWS, whole)
    digest = evidence.digest_of(path)
    return await _complete(plan, access, place, expectation, digest, {row["task_type"]: row for row in finished}, on_moment, calls)


async def _complete(
    plan: Plan,
    access: Access,
    place: Place,
    expectation: Mapping[str, Any],
    digest: str,
    finished: Mapping[str, dict[str, Any]],
    on_moment: OnMoment,
    calls: Calling,
) -> dict[str, Any]:
    began = time.perf_counter()
    kept = evidence.Evidence(place.directory, place.bodies)
    sweeper = Sweeper(plan, access, kept, show=place.show, on_moment=on_moment, calls=calls)
    interrupted = True
    try:
        await sweeper.run(finished)
        interrupted = False
    finally:
        kept.close()
        swept = {
            "orchestrator_url": access.orchestrator_url,
            "called_from": access.called_from,
            "finished_at": instants.stamp(instants.now()),
            "duration_ms": round((time.perf_counter() - began) * 1000, 3),
            "interrupted": interrupted,
            "bodies": place.bodies_from_directory,
            "expectation_sha256": digest,
        }
        sweep = conclude(expectation, swept, sweeper.rows, sweeper.door)
        write(place.directory, sweep)
    return sweep


def conclude(
    expectation: Mapping[str, Any], swept: Mapping[str, Any], written: list[dict[str, Any]], door: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What `sweep.json` says: rows, door and gates under the committed expectation. Pure."""
    gate = expectation["gate"]
    reason = rows.door_reason(door) if gate == "proof" else None
    judged = sorted(
        (rows.behind_open_door(row, reason, swept["orchestrator_url"]) if reason else row for row in written), key=lambda row: row["task_type"]
    )
    expected = expectation["fleet"]["expected"]
    gates = rows.gates(judged, expected, gate, door)
    if swept["interrupted"]:
        gates = {name: rows.cut_short(found) for name, found in gates.items()}
    return {
        "schema_version": 1,
        "windlass_version": __version__,
        "sweep_id": expectation["sweep_id"],
        "fleet": expectation["fleet"],
        "expectation_sha256": swept["expectation_sha256"],
        "git_commit": expectation.get("git_commit"),
        "nonce": expectation["nonce"],
        "gate": gate,
        "mode": expectation["mode"],
        "risk_tier": expectation["risk_tier"],
        "orchestrator_url": swept["orchestrator_url"],
        "called_from": swept.get("called_from", "here"),
        "started_at": expectation["started_at"],
        "finished_at": swept["finished_at"],
        "duration_ms": swept["duration_ms"],
        "interrupted": swept["interrupted"],
        "bodies": swept["bodies"],
        "door": door,
        "gates": gates,
        "summary": rows.summary(judged, expected),
        "rows": judged,
    }


def write(directory: Path, sweep: Mapping[str, Any]) -> None:
    """Write `sweep.json`, and beside it every form that people and CI read; `sweep.json` comes last: it is what says the rest is whole."""
    with evidence.writing(directory):
        for name, content in exports.render(sweep).items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            files.replace(path, content, durable=False)
        files.replace(directory / evidence.SWEEP, evidence.document(sweep))


def append_step_summary(path: Path, sweep: Mapping[str, Any]) -> None:
    """Append the gate table to the file that `$GITHUB_STEP_SUMMARY` names; raises UnusableRecord where that can't be."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(step_summary.render(sweep))
    except OSError as failure:
        raise UnusableRecord(f"GITHUB_STEP_SUMMARY: {path}: {failure.strerror}") from failure


def passed(sweep: Mapping[str, Any]) -> bool:
    """Whether the strictest gate that was asked for, and every gate before it, passed."""
    return all(gate["verdict"] == "PASS" for gate in sweep["gates"].values() if gate["asked"])


def summary_line(sweep: Mapping[str, Any]) -> str:
    """The seed's last line."""
    return f"SUMMARY: {sweep['summary']['passed']}/{sweep['summary']['total']} PASS"


def load(directory: Path) -> dict[str, Any]:
    """The `sweep.json` of an evidence directory; raises UnusableRecord that names what is wrong with it."""
    path = directory / evidence.SWEEP
    sweep = evidence.read_json(path)
    if not isinstance(sweep, dict) or sweep.get("schema_version") != 1:
        raise UnusableRecord(f"{path}: schema_version is not 1")
    missing = sorted(_KEYS - sweep.keys())
    if missing:
        raise UnusableRecord(f"{path}: has no {', '.join(missing)}")
    if not isinstance(sweep["fleet"], dict) or not isinstance(sweep["fleet"].get("expected"), list):
        raise UnusableRecord(f"{path}: fleet.expected is not a list")
    if not isinstance(sweep["rows"], list) or not all(isinstance(row, dict) and row.keys() >= rows.KEYS for row in sweep["rows"]):
        raise UnusableRecord(f"{path}: rows is not a list of rows")
    if reason := shape.misfit(sweep):
        raise UnusableRecord(f"{path}: {reason}")
    return sweep
