"""A workflow: its gates in order, who or what does the work of each, and what must be open meanwhile."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from windlass.errors import Refused
from windlass.records import layout
from windlass.records.contracts import finding, paths
from windlass.records.contracts.problems import InvalidFile, Keys, Notes, parsed
from windlass.records.projects import Project

SCHEMA_VERSION = 1
EXECUTORS = ("human", "agent", "command", "sweep", "window")
RESERVED = frozenset("start list show complete resume workflow help".split())
"""Words that `windlass run` takes for its own."""


class InvalidWorkflow(InvalidFile):
    """A workflow that no run can be started with."""


@dataclass(frozen=True, kw_only=True)
class Executor:
    """What does the work of a gate: a person, or a `kind` of executor with its options."""

    kind: str
    options: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class WorkflowGate:
    """One gate; `needs`: services that a window holds open while it runs; `inputs`: path templates, hashed when it starts."""

    gate: str
    name: str
    agent: str
    description: str | None
    instructions: str | None
    executor: Executor
    needs: tuple[str, ...]
    inputs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class WorkflowFile:
    """A workflow as it was read; `network`: whether its contracts may ask for URLs, `private_network`: also for those of private addresses."""

    name: str
    version: str
    description: str | None
    gates: tuple[WorkflowGate, ...]
    network: bool
    private_network: bool
    content: bytes
    sha256: str
    path: str
    warnings: tuple[str, ...]


def load(project: Project, name: str) -> WorkflowFile:
    """The workflow of that name: the project's, else the one that ships; raises InvalidWorkflow, or Refused where there is none."""
    found = finding.workflow(project, name)
    if found is None:
        there = sorted(path.stem for path in project.workflows.glob("*.json")) if project.workflows.is_dir() else []
        known = f"; the project has {', '.join(there)}" if there else "; `windlass init` writes one to begin with"
        raise Refused(f"workflow {name[:80]!r}: there is no {project.workflows.relative_to(project.root)}/{name[:80]}.json{known}")
    workflow = read(*found)
    if workflow.name != name:
        raise InvalidWorkflow(found[1], [f"/name: is {workflow.name!r}, but the file is called {name!r}"])
    return workflow


def read(content: bytes, path: str) -> WorkflowFile:
    """The workflow in a file's bytes; raises InvalidWorkflow that lists every problem."""
    try:
        found = parsed(content, path)
    except InvalidFile as invalid:
        raise InvalidWorkflow(path, [problem.removeprefix(f"{path} ") for problem in invalid.problems]) from invalid
    notes = Notes()
    keys = Keys(found, "", notes, unknown="problem" if "schema_version" in found else "warn")
    schema = keys.raw("schema_version", None)
    if "schema_version" in found and (type(schema) is not int or schema != SCHEMA_VERSION):
        keys.wrong("schema_version", f"is {schema!r}; this Windlass reads {SCHEMA_VERSION}")
    name = keys.text("name")
    if name and not layout.NAME.fullmatch(name):
        keys.wrong("name", f"{name[:80]!r} does not match {layout.NAME.pattern}")
    if name in RESERVED:
        keys.wrong("name", f"{name!r} is a command of `windlass run`")
    gates = tuple(_gate(part) for part in keys.objects("gates"))
    for twice in sorted(gate for gate, count in Counter(gate.gate for gate in gates).items() if gate and count > 1):
        keys.wrong("gates", f"{twice!r} stands twice")
    if not gates:
        keys.wrong("gates", "has no gate, so nothing could pass")
    workflow = WorkflowFile(
        name=name,
        version=keys.text("version", "local-dev") or "local-dev",
        description=keys.maybe_text("description"),
        gates=gates,
        network=keys.truth("network", default=False),
        private_network=keys.truth("private_network", default=False),
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        path=path,
        warnings=(),
    )
    keys.end()
    if notes.problems:
        raise InvalidWorkflow(path, notes.problems)
    object.__setattr__(workflow, "warnings", tuple(f"{path} {warning}" for warning in notes.warnings))
    return workflow


def _gate(keys: Keys) -> WorkflowGate:
    gate = keys.text("gate")
    if gate and not layout.NAME.fullmatch(gate):
        keys.wrong("gate", f"{gate[:80]!r} does not match {layout.NAME.pattern}")
    inputs = keys.texts("inputs")
    for place, template in enumerate(inputs):
        for reason in paths.problems(template, globs=False):
            keys.wrong(f"inputs/{place}", reason)
    found = WorkflowGate(
        gate=gate,
        name=keys.text("name", gate),
        agent=keys.text("agent", "human") or "human",
        description=keys.maybe_text("description"),
        instructions=_lines(keys, "instructions"),
        executor=_executor(keys),
        needs=keys.texts("needs"),
        inputs=inputs,
    )
    keys.end()
    return found


def _lines(keys: Keys, key: str) -> str | None:
    value = keys.raw(key, None)
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "\n".join(value)
    keys.wrong(key, "is neither a text nor a list of texts")
    return None


def _executor(keys: Keys) -> Executor:
    value = keys.raw("executor", "human")
    if isinstance(value, str):
        keys.word("executor", EXECUTORS, "human")
        if value in {"agent", "command", "sweep"}:
            keys.wrong("executor", f'{value!r} needs its options: {{"kind": "{value}", …}}')
        return Executor(kind=value, options={})
    part = keys.part("executor")
    if part is None:
        return Executor(kind="human", options={})
    kind = part.word("kind", EXECUTORS, "human")
    options: dict[str, Any] = {}
    if kind == "command":
        options["argv"] = part.texts("argv")
        if part.raw("argv", []) == []:
            part.wrong("argv", "is missing or empty: a list of the program and its arguments")
        options["timeout_s"] = part.number("timeout_s", 600, least=1, most=86_400)
    elif kind == "agent":
        options["task_type"] = part.text("task_type")
        options["inputs"] = part.raw("inputs", {})
        if not isinstance(options["inputs"], dict):
            part.wrong("inputs", "is not an object")
        outputs = part.raw("outputs")
        if not isinstance(outputs, dict) or not outputs or not all(isinstance(one, str) for one in outputs.values()):
            part.wrong("outputs", "is not an object of path templates, each with the JSON pointer of what is written there")
            outputs = {}
        for template in outputs:
            for reason in paths.problems(template, globs=False):
                part.wrong(f"outputs/{template.replace('~', '~0').replace('/', '~1')}", reason)
        options["outputs"] = outputs
        options["timeout_s"] = part.number("timeout_s", 300, least=1, most=86_400)
    elif kind == "sweep":
        options["fleet"] = part.text("fleet", "research")
        options["rung"] = part.word("rung", ("dispatch", "execution", "proof"), "proof")
    part.end()
    return Executor(kind=kind, options=options)
