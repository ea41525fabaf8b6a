"""The files that can order a command in a run, by the bytes that the run is bound to."""

from __future__ import annotations

from windlass.records import bound
from windlass.records.checks.permission import Source
from windlass.records.contracts import finding
from windlass.records.projects import Project
from windlass.records.run import RunRecord


def workflow(record: RunRecord, project: Project) -> Source:
    """The run's workflow: where it lies, and what it was when the run began."""
    started = record.run.started
    named = finding.workflow(project, started.workflow.name)
    path = named[1] if named else f"{project.workflows.relative_to(project.root)}/{started.workflow.name}.json"
    return Source(path=path, content=bound.read(record.record_directory, started.workflow_sha256 or ""))
