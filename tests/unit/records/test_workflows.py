"""Workflows as their authors write them: what each key means, what is refused and where, and which file a name leads to."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from windlass.errors import Refused
from windlass.records import workflows
from windlass.records.projects import Project
from windlass.records.workflows import InvalidWorkflow, WorkflowFile

AGENT = {"kind": "agent", "task_type": "CLAIM_VERIFY", "outputs": {"{artifact_path}/claims.json": "/outputs"}}


def read(*gates: Mapping[str, Any], **changes: Any) -> WorkflowFile:
    """The workflow `essay` with these gates, or one gate G1."""
    return workflows.read(json.dumps({"schema_version": 1, "name": "essay", "gates": gates or [{"gate": "G1"}], **changes}).encode(), "essay.json")


def problems(*gates: Mapping[str, Any], **changes: Any) -> list[str]:
    """What is wrong with it, each with its place."""
    with pytest.raises(InvalidWorkflow) as refused:
        read(*gates, **changes)
    return list(refused.value.problems)


def test_what_is_not_said_is_done_by_a_person_without_the_network() -> None:
    found = read()
    (gate,) = found.gates
    assert (found.version, found.network, found.private_network) == ("local-dev", False, False)
    assert (gate.name, gate.agent, gate.executor.kind, gate.needs, gate.inputs, gate.instructions) == ("G1", "human", "human", (), (), None)


def test_gates_keep_their_order_and_instructions_may_be_lines() -> None:
    found = read({"gate": "G2", "instructions": ["Read.", "Write."]}, {"gate": "G1", "instructions": "Check."}, {"gate": "G5.3"})
    assert [(gate.gate, gate.instructions) for gate in found.gates] == [("G2", "Read.\nWrite."), ("G1", "Check."), ("G5.3", None)]


def test_a_byte_order_mark_changes_nothing_but_the_hash() -> None:
    content = json.dumps({"name": "essay", "gates": [{"gate": "G1"}]}).encode()
    plain, marked = (workflows.read(found, "essay.json") for found in (content, b"\xef\xbb\xbf" + content))
    assert (marked.gates, marked.sha256 == plain.sha256) == (plain.gates, False)


@pytest.mark.parametrize(
    ("executor", "options"),
    [
        ({"kind": "human"}, {}),
        ({"kind": "command", "argv": ["make", "all"]}, {"argv": ("make", "all"), "timeout_s": 600}),
        ({"kind": "sweep"}, {"fleet": "research", "rung": "proof"}),
        (AGENT, {"task_type": "CLAIM_VERIFY", "inputs": {}, "outputs": AGENT["outputs"], "timeout_s": 300}),
    ],
)
def test_an_executor_has_the_options_of_its_kind(executor: dict[str, Any], options: dict[str, Any]) -> None:
    (gate,) = read({"gate": "G1", "executor": executor}).gates
    assert (gate.executor.kind, gate.executor.options) == (executor["kind"], options)


@pytest.mark.parametrize(
    ("gate", "told"),
    [
        ({"gate": "../G1"}, "/gates/0/gate: '../G1' does not match"),
        ({"name": "One"}, "/gates/0/gate: is missing"),
        ({"gate": "G1", "agnet": "x"}, "/gates/0/agnet: is not a known key; did you mean 'agent'?"),
        ({"gate": "G1", "inputs": ["/etc/passwd"]}, "/gates/0/inputs/0: must be relative to the project's root"),
        ({"gate": "G1", "inputs": ["a/*.md"]}, "/gates/0/inputs/0: must name one file, not a glob"),
        ({"gate": "G1", "needs": "fleet"}, "/gates/0/needs: is not a list of strings"),
        ({"gate": "G1", "instructions": [1]}, "/gates/0/instructions: is neither a text nor a list of texts"),
        ({"gate": "G1", "executor": "robot"}, "/gates/0/executor: 'robot' is none of human, agent"),
        ({"gate": "G1", "executor": "command"}, "/gates/0/executor: 'command' needs its options"),
        ({"gate": "G1", "executor": 5}, "/gates/0/executor: is not an object"),
        ({"gate": "G1", "executor": {"kind": "command"}}, "/gates/0/executor/argv: is missing or empty"),
        ({"gate": "G1", "executor": {"kind": "command", "argv": "rm -r"}}, "/gates/0/executor/argv: is not a list of strings"),
        ({"gate": "G1", "executor": {"kind": "command", "argv": ["x"], "timeout_s": 0}}, "/gates/0/executor/timeout_s: is not a whole number"),
        ({"gate": "G1", "executor": {"kind": "sweep", "rung": "faith"}}, "/gates/0/executor/rung: 'faith' is none of"),
        ({"gate": "G1", "executor": {"kind": "sweep", "argv": ["x"]}}, "/gates/0/executor/argv: is not a known key"),
        ({"gate": "G1", "executor": {**AGENT, "outputs": {}}}, "/gates/0/executor/outputs: is not an object of path templates"),
        ({"gate": "G1", "executor": {**AGENT, "outputs": {"../a": "/x"}}}, "/gates/0/executor/outputs/..~1a: must be relative"),
        ({"gate": "G1", "executor": {**AGENT, "inputs": []}}, "/gates/0/executor/inputs: is not an object"),
    ],
)
def test_what_is_wrong_with_a_gate_is_said_with_its_place(gate: dict[str, Any], told: str) -> None:
    found = problems(gate)
    assert len(found) == 1
    assert found[0].startswith(f"essay.json {told}")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"gates": []}, "/gates: has no gate, so nothing could pass"),
        ({"gates": [{"gate": "G1"}, {"gate": "G2"}, {"gate": "G1"}]}, "/gates: 'G1' stands twice"),
        ({"gates": ["G1"]}, "/gates/0: is not an object"),
        ({"name": "../essay"}, "/name: '../essay' does not match"),
        ({"name": "list"}, "/name: 'list' is a command of `windlass run`"),
        ({"network": "yes"}, "/network: is not true or false"),
        ({"version": 2}, "/version: is not a non-empty string"),
    ],
)
def test_what_is_wrong_with_the_whole_is_said_with_its_place(changes: dict[str, Any], told: str) -> None:
    assert any(found.startswith(f"essay.json {told}") for found in problems(**changes))


@pytest.mark.parametrize("version", [True, 1.0, None, "1", 2])
def test_a_schema_version_is_the_whole_number_that_this_program_reads(version: object) -> None:
    assert "this Windlass reads 1" in problems(schema_version=version)[0]


def test_a_workflow_of_the_original_has_no_schema_version_and_its_unknown_keys_warn() -> None:
    found = workflows.read(b'{"name": "essay", "owner": "me", "gates": [{"gate": "G1", "icon": "x"}]}', "essay.json")
    assert [warning.partition(":")[0] for warning in found.warnings] == ["essay.json /gates/0/icon", "essay.json /owner"]


def test_tens_of_thousands_of_gates_are_read_in_no_time() -> None:
    gates = b",".join(b'{"gate":"G%d"}' % number for number in range(50_000))
    began = time.process_time()
    assert len(workflows.read(b'{"name":"essay","gates":[' + gates + b"]}", "essay.json").gates) == 50_000
    assert time.process_time() - began < 10


def project(root: Path, **files: str) -> Project:
    """A project with these workflows, each by the name of its file."""
    (root / "orchestration/workflows").mkdir(parents=True)
    for name, content in files.items():
        (root / f"orchestration/workflows/{name}.json").write_text(content)
    return Project(root=root)


def test_a_workflow_is_the_projects_before_it_is_the_one_that_ships(tmp_path: Path) -> None:
    own = '{"name": "visual-essay", "version": "own", "gates": [{"gate": "G9"}]}'
    assert workflows.load(project(tmp_path / "with", **{"visual-essay": own}), "visual-essay").version == "own"
    assert workflows.load(project(tmp_path / "without"), "visual-essay").path.startswith("shipped:")


def test_a_name_that_leads_nowhere_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"workflow 'novel': there is no orchestration/workflows/novel\.json; the project has essay"):
        workflows.load(project(tmp_path, essay="{}"), "novel")
    with pytest.raises(Refused, match="there is no"):
        workflows.load(project(tmp_path / "other"), "../essay")


def test_a_file_must_be_called_as_its_workflow(tmp_path: Path) -> None:
    with pytest.raises(InvalidWorkflow, match="/name: is 'novel', but the file is called 'essay'"):
        workflows.load(project(tmp_path, essay='{"name": "novel", "gates": [{"gate": "G1"}]}'), "essay")
