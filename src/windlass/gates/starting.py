"""Starts a run: the workflow and every contract of it are read first, so that what can't be judged is known before work begins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from windlass.errors import Refused
from windlass.infra import files, git
from windlass.records import artifacts, workflows
from windlass.records.contracts import contract as contracts
from windlass.records.contracts import finding
from windlass.records.contracts.contract import InvalidContract
from windlass.records.events import DEPTHS, Depth, GateName
from windlass.records.projects import Project
from windlass.records.run import RunRecord
from windlass.records.workflows import WorkflowFile

MAX_TOPIC = 4 * 1024 * 1024
"""Bytes of a prompt file."""


@dataclass(frozen=True, kw_only=True)
class Started:
    """A run that has just begun; lives as long as its open record."""

    record: RunRecord
    workflow: WorkflowFile
    warnings: tuple[str, ...]


def contract_problems(project: Project, workflow: WorkflowFile) -> tuple[list[str], list[str]]:
    """The problems and the warnings of a workflow's contracts, a missing contract among the problems."""
    problems: list[str] = []
    warnings: list[str] = []
    for gate in workflow.gates:
        try:
            found = finding.contract(project, workflow.name, gate.gate)
            if found is None and gate.executor.kind != "sweep":  # a gate that sweeps is judged by its sweep
                problems.append(f"gate {gate.gate}: has no contract ({project.contracts.relative_to(project.root)}/{gate.gate}.contract.json)")
            elif found is not None:
                warnings.extend(contracts.read(*found).warnings)
        except InvalidContract as invalid:
            problems.extend(invalid.problems)
        except Refused as refusal:
            problems.append(str(refusal))
    return problems, warnings


@contextmanager
def start(
    project: Project, *, workflow: str, slug: str, artifact_path: str, depth: str = "standard", prompt_file: Path | None = None, strict: bool = False
) -> Iterator[Started]:
    """Start a run of a workflow and hold its record open.

    Problems of contracts are warnings here, because the gates are started by hand and fail by themselves; with `strict` they refuse the
    run. Raises Refused for a bad workflow, slug, path, depth or prompt file, and nothing is written then.
    """
    found = workflows.load(project, workflow)
    problems, warnings = contract_problems(project, found)
    if problems and strict:
        raise Refused(f"workflow {found.name}: its contracts can't be used\n  - " + "\n  - ".join(problems))
    topic = None if prompt_file is None else _topic(prompt_file)
    record = RunRecord.create(
        project.runs,
        root=project.root,
        workflow=found.name,
        version=found.version,
        slug=slug,
        artifact_path=_artifact_path(project, slug, artifact_path),
        depth=_depth(depth),
        gates=[GateName(gate=gate.gate, name=gate.name) for gate in found.gates],
        prompt=None if topic is None else topic.decode("utf-8", "replace") or None,
        topic=topic,
        git_commit=git.head_commit(project.root),
        workflow_content=found.content,
    )
    with record:
        yield Started(record=record, workflow=found, warnings=(*found.warnings, *warnings, *problems))


def _depth(depth: str) -> Depth:
    for known in DEPTHS:
        if depth == known:
            return known
    raise Refused(f"--depth {depth!r}: is none of {', '.join(DEPTHS)}")


def _artifact_path(project: Project, slug: str, given: str) -> str:
    """The path as templates take it, checked before a run exists; raises Refused."""
    path = given.removesuffix("/").removeprefix("./") or given
    if not path:
        raise Refused("--artifact-path: is empty; `.` is the project's root")
    try:
        artifacts.Places(root=project.root, record=project.runs / "record", slug=slug, artifact_path=path).resolve("{artifact_path}/x")
    except Refused as refusal:
        raise Refused(f"--artifact-path {given!r}: must be relative to the project's root, without '..'") from refusal
    return path


def _topic(path: Path) -> bytes:
    try:
        return files.content(path, MAX_TOPIC)
    except OSError as failure:
        raise Refused(f"--prompt-file {path}: {failure.strerror}") from failure
