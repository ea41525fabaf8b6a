"""Judges a gate by its contract: each file is read once, each check is held against what was read, and the verdict is their fold.

The verdict is a function of the contract, the bytes and the answers that are handed in: no clock, no order of a file system, no chance.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from windlass.errors import Refused
from windlass.records.artifacts import IN_RECORD, Artifact, Places
from windlass.records.checks import reading, types
from windlass.records.checks.files import Exists, any_of
from windlass.records.checks.permission import Commands
from windlass.records.checks.reading import Read, Watcher
from windlass.records.contracts import paths
from windlass.records.contracts.contract import Check, Contract, Output
from windlass.records.events import Depth

Result = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a judgement may know beside the contract; lives as long as it.

    `seed`: of samples, the same for the same attempt. `network`: whether the workflow lets checks ask for URLs. `producers`: gate → the
    agent of its newest passing attempt. `recorded`: what each finished attempt of the run recorded, oldest first, each as resolved path →
    SHA-256. `private_network`: whether URLs may lead to loopback and private addresses too. `sweep`: judges a sweep's rows again.
    """

    places: Places
    depth: Depth
    seed: str
    agent: str
    network: bool = False
    commands: Commands | None = None
    producers: Mapping[str, str] = field(default_factory=dict)
    recorded: Sequence[Mapping[str, str]] = ()
    private_network: bool = False
    sweep: Callable[..., Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A gate's verdict, with what it stands on."""

    status: Literal["PASS", "FAIL"]
    artifacts: tuple[Artifact, ...]
    validations: tuple[dict[str, Any], ...]
    failure_reason: str | None


@dataclass(kw_only=True)
class _Plan:
    """Which file is read for whom; lives as long as one judgement."""

    watchers: dict[str, list[Watcher]] = field(default_factory=dict)
    templates: dict[str, str] = field(default_factory=dict)
    reads: dict[str, Read] = field(default_factory=dict)

    def want(self, resolved: str, template: str, watcher: Watcher | None = None) -> None:
        self.templates.setdefault(resolved, template)
        self.watchers.setdefault(resolved, []).extend([] if watcher is None else [watcher])

    def read(self, places: Places) -> None:
        for resolved, template in self.templates.items():
            self.reads[resolved] = reading.read(places, template, self.watchers[resolved], resolved)


def judge(contract: Contract, given: Given) -> Judgement:
    """The verdict on a gate. Raises nothing for what the files are: what can't be judged fails, with its reason."""
    plan = _Plan()
    outputs = _Outputs(contract, given, plan)
    checks = [_Planned(check, given, plan) for check in contract.validations]
    plan.read(given.places)
    validations = [*outputs.results(), *(planned.result() for planned in checks)]
    told = {artifact.path: artifact for artifact in _artifacts(plan)}
    reasons = [reason for result in validations if (reason := _reason(result))]
    passed = not reasons and any(result.get("severity") != "warning" for result in validations)
    if not passed and not reasons:
        reasons = ["nothing but warnings was checked"]
    return Judgement(
        status="PASS" if passed else "FAIL",
        artifacts=tuple(told.values()),
        validations=tuple(validations),
        failure_reason=None if passed else "; ".join(reasons)[:10_000],
    )


def invalid(reason: str) -> Judgement:
    """The verdict on a gate whose contract can't be used."""
    result = {"type": "contract", "pass": False, "code": "CONTRACT_INVALID", "reason": reason}
    return Judgement(status="FAIL", artifacts=(), validations=(result,), failure_reason=f"CONTRACT_INVALID: {reason}"[:10_000])


def _artifacts(plan: _Plan) -> list[Artifact]:
    return [read.artifact for read in plan.reads.values() if not read.artifact.resolved_path.startswith(IN_RECORD) or _is_evidence(read.artifact)]


def _is_evidence(artifact: Artifact) -> bool:
    return artifact.resolved_path.startswith(f"{IN_RECORD}evidence/")


def _reason(result: Result) -> str | None:
    if result["pass"] or result.get("severity") == "warning":
        return None
    if result["type"] == "file_exists" and result.get("code") == "MISSING_ARTIFACT":
        return f"Missing: {result['path']}"
    if result["type"] == "file_exists_any_of" and "checked" in result:
        return "None of required files exist: " + ", ".join(one["path"] for one in result["checked"])
    return f"{' '.join(filter(None, (result['type'], result.get('path'))))}: {result.get('reason') or result.get('code') or 'failed'}"


class _Outputs:
    """The required outputs of a contract; lives as long as one judgement."""

    def __init__(self, contract: Contract, given: Given, plan: _Plan) -> None:
        self._given, self._plan = given, plan
        self._any_of = [(output, self._places(output)) for output in contract.any_of]
        self._all_of = [(output, self._places(output)) for output in contract.all_of]

    def _places(self, output: Output) -> tuple[tuple[str, ...], tuple[str, str] | None]:
        """Where an output lies: one place, or all that a glob means; and what is wrong with asking."""
        try:
            resolved = self._given.places.resolve(output.path)
            if paths.is_glob(output.path):
                found = _expanded(self._given.places, output.path, resolved)
                for path in found:
                    self._plan.want(path, path)
                return found, None if found else ("MISSING_ARTIFACT", "no file matches")
        except paths.NotExpanded as refusal:
            return (), (refusal.code, str(refusal))
        except Refused as refusal:
            return (), ("OUTSIDE_ROOT", str(refusal))
        self._plan.want(resolved, output.path)
        return (resolved,), None

    def results(self) -> list[dict[str, Any]]:
        found = []
        if self._any_of:
            results = [self._one(output, places, problem) for output, (places, problem) in self._any_of]
            best = any_of([(self._read(output, places), result) for (output, (places, _)), result in zip(self._any_of, results, strict=True)])
            found.append({"type": "file_exists_any_of", **best, "description": "At least one of the files must exist"})
        for output, (places, problem) in self._all_of:
            result = self._one(output, places, problem)
            if output.is_required(self._given.depth) or result["pass"] or result.get("code") != "MISSING_ARTIFACT":
                found.append(result if output.is_required(self._given.depth) else {**result, "severity": "warning", "warning": not result["pass"]})
        return found

    def _read(self, output: Output, places: Sequence[str]) -> Read:
        if places:
            return self._plan.reads[places[0]]
        nothing = Artifact(path=output.path, resolved_path=output.path, sha256=None, size=None, exists=False)
        return Read(artifact=nothing, problem=("MISSING_ARTIFACT", "no file matches"))

    def _one(self, output: Output, places: Sequence[str], problem: tuple[str, str] | None) -> dict[str, Any]:
        told: dict[str, Any] = {"type": "file_exists", "path": output.path}
        if len(places) == 1:
            told["resolved_path"] = places[0]
        elif places:
            told["count"] = len(places)
        wrong = problem or next((read.problem for place in places if (read := self._plan.reads[place]).problem), None)
        told |= {"pass": wrong is None} | ({} if wrong is None else {"code": wrong[0], "reason": wrong[1]})
        return told | ({"description": output.description} if output.description else {})


def _expanded(places: Places, template: str, resolved: str) -> tuple[str, ...]:
    """All that a glob means, as resolved paths. The run's own record is no output of it, unless the glob names its evidence."""
    inside = resolved.startswith(IN_RECORD)
    parts = paths.segments(template, slug=places.slug, artifact_path=places.artifact_path)
    if inside:  # also by a path from the root, whose first parts lead to the record
        parts = parts[-len(resolved.removeprefix(IN_RECORD).split("/")) :]
    held = os.open(places.record if inside else places.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = paths.expanded(held, parts)
    finally:
        os.close(held)
    if inside:
        return tuple(IN_RECORD + path for path in found)
    own = os.path.relpath(os.path.abspath(places.record), os.path.abspath(places.root)) + "/"  # noqa: PTH100  # links are not followed
    return tuple(path for path in found if not path.startswith(own))


class _Planned:
    """One check and its watchers; lives as long as one judgement."""

    def __init__(self, check: Check, given: Given, plan: _Plan) -> None:
        self._check, self._given, self._plan = check, given, plan
        self._type = types.table()[check.type]
        self._watched: list[tuple[str, str, Watcher]] = []
        self._refused: str | None = None
        try:
            for template in self._type.targets(check.fields):
                resolved = given.places.resolve(template)
                watcher = self._type.watch(check, given) if self._type.watch else Exists()
                plan.want(resolved, template, watcher)
                self._watched.append((resolved, template, watcher))
        except Refused as refusal:
            self._refused = str(refusal)

    def result(self) -> dict[str, Any]:
        told = {"type": self._check.type, **self._place(), **self._found()}
        if self._check.severity == "warning":
            told |= {"severity": "warning", "warning": not told["pass"]}
        return told | ({"description": self._check.description} if self._check.description else {})

    def _place(self) -> dict[str, Any]:
        if len(self._watched) == 1:
            return {"path": self._watched[0][1], "resolved_path": self._watched[0][0]}
        target = self._check.fields.get("target")
        return {"path": target} if isinstance(target, str) else {}

    def _found(self) -> Result:
        if self._refused:
            return {"pass": False, "code": "OUTSIDE_ROOT", "reason": self._refused}
        if self._type.judge:
            return self._type.judge(self._check, self._given, {template: self._plan.reads[resolved] for resolved, template, _ in self._watched})
        results = [(self._plan.reads[resolved], self._one(self._plan.reads[resolved], watcher)) for resolved, _, watcher in self._watched]
        return self._type.combine(results) if self._type.combine else results[0][1]

    def _one(self, read: Read, watcher: Watcher) -> Result:
        if read.problem is None or (read.problem[0] == "EMPTY_FILE" and isinstance(watcher, Exists)):
            return watcher.end(read)
        code, reason = read.problem
        if code == "MISSING_ARTIFACT" and self._check.fields.get("missing_ok"):
            return {**watcher.end(read), "missing": True}
        return {"pass": False, "code": code, "reason": reason}
