"""Lints contracts and workflows: one file, or all of a project, each workflow with the contracts of its gates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from windlass.errors import Refused
from windlass.infra import files
from windlass.records import workflows
from windlass.records.contracts import contract as contracts
from windlass.records.contracts import finding
from windlass.records.contracts.problems import MAX_SIZE, InvalidFile
from windlass.records.projects import Project

CONTRACT = ".contract.json"


@dataclass(frozen=True, kw_only=True)
class Linted:
    """What was found in one file."""

    path: str
    problems: tuple[str, ...]
    warnings: tuple[str, ...]


def file(path: Path) -> Linted:
    """Lint one file: a contract by its name `*.contract.json`, else a workflow. Raises Refused when it can't be read."""
    try:
        content = files.content(path, MAX_SIZE)
    except OSError as failure:
        raise Refused(f"{path}: {failure.strerror}") from failure
    return _linted(content, str(path), is_contract=path.name.endswith(CONTRACT))


def project(project: Project) -> list[Linted]:
    """Lint every contract and workflow of a project; raises Refused when it has none."""
    found: list[Linted] = []
    for pattern, base in (("*.json", project.workflows), (f"*/contracts/*{CONTRACT}", project.workflows), (f"*{CONTRACT}", project.contracts)):
        for path in sorted(base.glob(pattern)) if base.is_dir() else []:
            shown = path.relative_to(project.root).as_posix()
            try:
                content = finding.beneath(project.root, path)
            except Refused as refusal:
                found.append(Linted(path=shown, problems=(str(refusal),), warnings=()))
                continue
            linted = _linted(content or b"", shown, is_contract=path.name.endswith(CONTRACT))
            found.append(linted if path.parent != project.workflows else _with_gates(project, content or b"", linted))
    if not found:
        raise Refused(f"{project.orchestration}: has no workflow and no contract; `windlass init` writes some to begin with")
    return found


def _linted(content: bytes, path: str, *, is_contract: bool) -> Linted:
    try:
        read = contracts.read(content, path) if is_contract else workflows.read(content, path)
    except InvalidFile as invalid:
        return Linted(path=path, problems=invalid.problems, warnings=())
    named = f"{read.gate}{CONTRACT}" if isinstance(read, contracts.Contract) else f"{read.name}.json"
    problems = () if Path(path).name == named else (f"{path} /{'gate' if is_contract else 'name'}: the file should be called {named}",)
    return Linted(path=path, problems=problems, warnings=read.warnings)


def _with_gates(project: Project, content: bytes, linted: Linted) -> Linted:
    """The workflow, also for gates that have no contract."""
    if linted.problems:
        return linted
    workflow = workflows.read(content, linted.path)
    missing = [
        f"{linted.path} /gates/{place}: gate {gate.gate} has no contract, and would fail"
        for place, gate in enumerate(workflow.gates)
        if _contract(project, workflow.name, gate.gate) is None
    ]
    return Linted(path=linted.path, problems=tuple(missing), warnings=linted.warnings)


def _contract(project: Project, workflow: str, gate: str) -> tuple[bytes, str] | None:
    try:
        return finding.contract(project, workflow, gate)
    except Refused:
        return b"", ""  # it is there, and is linted by itself
