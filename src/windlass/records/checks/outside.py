"""The types that look beyond one document: URLs, programs, sweeps, other gates. What they need is loaded when a contract asks for it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from windlass.records import layout
from windlass.records.checks import agents, kinds
from windlass.records.checks.kept import failed
from windlass.records.checks.types import Field, Type
from windlass.records.contracts import paths

if TYPE_CHECKING:
    from windlass.records.checks.judge import Given
    from windlass.records.checks.reading import Read
    from windlass.records.contracts.contract import Check
    from windlass.records.contracts.problems import Keys

_RUNGS = ("dispatched", "responded", "conformed", "executed", "dispatch", "execution", "proof")
_RUNG_WORDS = {
    "dispatched": "was dispatched to its agent",
    "responded": "was answered with a body of more than 50 characters",
    "conformed": "was answered in the form that its task type asks for",
    "executed": "was executed, as random questions show, behind a locked door",
}
_NAME_OF_ENV = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"
_MOST_ARGUMENTS, _LONGEST_ARGUMENT = 1_000, 32_768


def _url_reachable(check: Check, given: Given, reads: Mapping[str, Read]) -> Mapping[str, Any]:
    from windlass.records.checks import urls  # noqa: PLC0415  # see above

    return urls.judge(check, given, reads)


def _command(check: Check, given: Given, reads: Mapping[str, Read]) -> Mapping[str, Any]:
    from windlass.records.checks import command  # noqa: PLC0415  # see above

    return command.judge(check, given, reads)


def _argv(keys: Keys, name: str) -> tuple[str, ...]:
    written = keys.raw(name)
    if written is None:
        return ()
    if not isinstance(written, list) or not written or not all(isinstance(one, str) for one in written):
        keys.wrong(name, "is not a list of strings, the program first: no shell is used")
        return ()
    if len(written) > _MOST_ARGUMENTS or any(len(one) > _LONGEST_ARGUMENT or "\0" in one for one in written):
        keys.wrong(name, f"has more than {_MOST_ARGUMENTS} arguments, or one that is too long or holds a zero byte")
    if not written[0].strip() or "{" in written[0]:
        keys.wrong(f"{name}/0", f"{written[0][:80]!r} names no program")
    return tuple(written)


def _env(keys: Keys, name: str) -> Mapping[str, str]:
    written = keys.raw(name, {})
    if not isinstance(written, dict):
        keys.wrong(name, "is not an object")
        return {}
    for variable, value in written.items():
        if not re.match(_NAME_OF_ENV, variable) or variable.endswith("\n"):
            keys.wrong(name, f"{variable[:80]!r} is no name of a variable")
        elif not isinstance(value, str) or "\0" in value or len(value) > _LONGEST_ARGUMENT:
            keys.wrong(f"{name}/{variable}", "is not a string of at most 32,768 characters")
    return written


def _cwd(keys: Keys, name: str) -> str | None:
    written = keys.maybe_text(name)
    if written is not None:
        for reason in paths.problems(written, globs=False):
            keys.wrong(name, reason)
        if written.startswith(paths.IN_RECORD):
            keys.wrong(name, "a program is not started inside the record")
    return written


def _sweep(check: Check, given: Given, reads: Mapping[str, Read]) -> Mapping[str, Any]:
    from windlass.records.checks import sweeps  # noqa: PLC0415  # see above

    return sweeps.judge(check, given, reads)


def _sweep_target(keys: Keys, name: str) -> str:
    written = keys.text(name, "{record}/evidence/sweep")
    for reason in paths.problems(written, globs=False):
        keys.wrong(name, reason)
    return written


def _sweep_files(fields: Mapping[str, Any]) -> tuple[str, ...]:
    directory = fields["target"].removesuffix("/sweep.json")
    return f"{directory}/sweep.json", f"{directory}/expectation.json"


def _rung(keys: Keys, name: str) -> str:
    if keys.raw(name) is None:
        return "executed"
    return {"dispatch": "dispatched", "execution": "responded", "proof": "executed"}.get(found := keys.word(name, _RUNGS, "executed"), found)


def _fresh(check: Check, given: Given, reads: Mapping[str, Read]) -> Mapping[str, Any]:
    from windlass.records.checks import fresh  # noqa: PLC0415  # see above

    return fresh.judge(check, given, reads)


def _audited(keys: Keys, name: str) -> tuple[str, ...]:
    written = keys.raw(name)
    templates = (written,) if isinstance(written, str) else tuple(written) if isinstance(written, list) else ()
    if not templates or not all(isinstance(one, str) and one for one in templates):
        if written is not None:
            keys.wrong(name, "is neither a path nor a list of paths")
        return ()
    for place, template in enumerate(templates):
        for reason in paths.problems(template, globs=False):
            keys.wrong(name if isinstance(written, str) else f"{name}/{place}", reason)
    return templates


def _fresh_problems(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if fields["target"] in fields["audited"]:
        yield "audited", "names the audit itself, which is never older than itself"


def _from_gate(keys: Keys, name: str) -> str:
    gate = keys.text(name)
    if gate and not layout.NAME.fullmatch(gate):
        keys.wrong(name, f"{gate[:80]!r} does not match {layout.NAME.pattern}")
    return gate


def _different_agent(check: Check, given: Given, _reads: Mapping[str, Read]) -> Mapping[str, Any]:
    from_gate = check.fields["from_gate"]
    producer = given.producers.get(from_gate)
    told = {"from_gate": from_gate, "agent": given.agent, "producer": producer}
    refused = agents.refusal(given.agent, producer, from_gate)
    return failed(*refused, **told) if refused else {**told, "pass": True}


_PATH: Mapping[str, Any] = {"type": "string", "minLength": 1}

TYPES: dict[str, Type] = {
    "url_reachable": Type(
        fields={"target": kinds.TARGET, "max_failures": kinds.number(0), "sample_size": kinds.number(20, least=1, most=200)},
        words=lambda fields, target: (
            f"of the http and https URLs in {target}, a sample of {fields['sample_size']} is asked for, "
            f"and at most {fields['max_failures']} may fail to answer"
        ),
        problems=lambda fields: (
            [("max_failures", "is not below sample_size: nothing could fail")] if fields["max_failures"] >= fields["sample_size"] else []
        ),
        judge=_url_reachable,
    ),
    "command": Type(
        fields={
            "argv": Field(read=_argv, schema={"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": _MOST_ARGUMENTS}),
            "timeout_s": kinds.number(300, least=1, most=86_400),
            "expect_exit": kinds.number(0, most=255),
            "cwd": Field(read=_cwd, schema=_PATH, required=False),
            "env": Field(
                read=_env,
                schema={"type": "object", "propertyNames": {"pattern": _NAME_OF_ENV}, "additionalProperties": {"type": "string"}, "default": {}},
                required=False,
            ),
        },
        words=lambda fields, _target: (
            f"the command {' '.join(map(shlex.quote, fields['argv']))} exits {fields['expect_exit']} within {fields['timeout_s']} s"
            + (f", started in {fields['cwd']}" if fields["cwd"] else "")
        ),
        judge=_command,
    ),
    "sweep": Type(
        fields={
            "target": Field(read=_sweep_target, schema={**_PATH, "default": "{record}/evidence/sweep"}, required=False),
            "fleet": kinds.TEXT,
            "rung": Field(read=_rung, schema={"enum": list(_RUNGS)}),
        },
        words=lambda fields, _target: (
            f"by the evidence in {fields['target']}, every task type of the fleet {fields['fleet']} {_RUNG_WORDS[fields['rung']]}"
        ),
        targets=_sweep_files,
        judge=_sweep,
    ),
    "fresh": Type(
        fields={
            "target": kinds.TARGET,
            "audited": Field(read=_audited, schema={"anyOf": [_PATH, {"type": "array", "items": _PATH, "minItems": 1}]}),
        },
        words=lambda fields, _target: (
            f"{', '.join(fields['audited'])} did not change after the audit {fields['target']}, which best names the SHA-256 that it audited"
        ),
        problems=_fresh_problems,
        targets=lambda fields: (fields["target"], *fields["audited"]),
        judge=_fresh,
    ),
    "different_agent": Type(
        fields={"from_gate": Field(read=_from_gate, schema={"type": "string", "pattern": f"^{layout.NAME.pattern}$"})},
        words=lambda fields, _target: f"the agent of this gate is not the one whose attempt passed gate {fields['from_gate']}",
        judge=_different_agent,
    ),
}
