"""An agent does the work of a gate: its task is executed through the orchestrator, and what it answers is written to the artifact path."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from windlass.errors import Refused, WindlassError
from windlass.gates import given, outputs, tasks
from windlass.gates.work import Did, Ground, Means, Work
from windlass.infra import files, instants
from windlass.records import artifacts
from windlass.records.artifacts import IN_RECORD

_MISSING = object()


def do(work: Work, means: Means, ground: Ground) -> Did:
    """Execute the gate's task and write its outputs; what can't be done is a reason, and an invocation is recorded whenever one was made."""
    options = work.gate.executor.options
    try:
        inputs = given.filled(options["inputs"], lambda template: _bound(work, template), work.record.run.started.prompt)
    except Refused as refusal:
        return Did(reason=str(refusal))
    task = tasks.Task(
        request_id=work.correlation_id,
        task_type=options["task_type"],
        mode=means.mode,
        risk_tier=means.risk_tier,
        inputs=inputs,
        timeout_s=options["timeout_s"],
    )
    began = instants.now()
    agent, wrote, said = work.gate.agent, list[str](), list[str]()
    reason: str | None = None
    try:
        answered = means.run(tasks.execute(ground.url, ground.token, task))
        agent = answered.agent
        _keep(work, answered)
        said = [answered.note] if answered.note else []
        wrote = _written(work, answered)
    except WindlassError as failure:
        reason = _recordable(failure, means)
        if reason != str(failure):
            said = [*said, str(failure)]
    duration = instants.now() - began
    work.record.invocation_recorded(
        work.gate.gate,
        agent,
        status="FAIL" if reason else "SUCCESS",
        started_at=instants.stamp(began),
        duration_ms=max(0, int(duration.total_seconds() * 1000)),
        input_refs=given.templates(options["inputs"]),
        output_refs=wrote,
    )
    return Did(reason=reason, said=[*(f"{agent} wrote {work.places.resolve(template)}" for template in wrote), *said])


def _bound(work: Work, template: str) -> bytes:
    """A file's bytes, which must be those that the attempt was begun with."""
    resolved = work.places.resolve(template)
    inside = resolved.startswith(IN_RECORD)
    try:
        content = artifacts.content(work.places.record if inside else work.places.root, resolved.removeprefix(IN_RECORD), given.MAX_FILE)
    except FileNotFoundError as failure:
        raise Refused(f"{template}: is missing, and the agent is to be given it") from failure
    known = {found.resolved_path: found.sha256 for found in work.started.inputs}
    if known.get(resolved) != hashlib.sha256(content).hexdigest():
        raise Refused(f"{template}: changed after the attempt was begun with it")
    return content


def _keep(work: Work, answered: tasks.Answered) -> None:
    """The whole answer lies in the attempt's logs, which are not committed."""
    path = work.logs / "answer.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    files.replace(path, orjson.dumps(answered.result, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE), durable=False)


def _written(work: Work, answered: tasks.Answered) -> list[str]:
    """The templates of the outputs, all written; nothing is, where one of them is not in the answer. Raises TaskFailed and Refused."""
    answered.outputs  # noqa: B018  # raises where the agent refused
    wanted: Mapping[str, str] = work.gate.executor.options["outputs"]
    contents = {template: content(answered.result, pointer) for template, pointer in wanted.items()}
    missing = [f"{wanted[template]} ({template})" for template, found in contents.items() if found is None]
    if missing:
        raise tasks.TaskFailed("NO_OUTPUT", f"{answered.agent} answered without {', '.join(missing)}")
    for template, found in contents.items():
        try:
            outputs.put(work.places.root, work.places.resolve(template), found or b"")
        except OSError as failure:
            raise Refused(f"{template}: can't be written: {failure.strerror or failure}") from failure
    return list(wanted)


def content(result: Mapping[str, Any], pointer: str) -> bytes | None:
    """What a file at that JSON pointer holds: a text as it is, anything else as indented JSON; None where there is nothing. Pure."""
    found = _at(result, pointer)
    if found is _MISSING or found is None:
        return None
    return found.encode() if isinstance(found, str) else orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _at(value: Any, pointer: str) -> Any:
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(key, _MISSING)
        elif isinstance(value, list) and key.isascii() and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return _MISSING
    return value


def _recordable(failure: WindlassError, means: Means) -> str:
    """A failure as a record may hold it, which gets committed: of protected work only the code of what an agent said."""
    if isinstance(failure, tasks.TaskFailed) and means.risk_tier != "NON_SENSITIVE":
        return f"{failure.code}; what was said of it is not for a record"
    return str(failure)
