"""`windlass agents`: what the reference fleet can do, and whether any agent keeps the contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from windlass import settings
from windlass.cli.paths import GivenPath
from windlass.errors import Refused

_LARGEST_INPUTS = 32 * 1024 * 1024
"""Bytes; what no agent of ours would read."""


@click.group()
def command() -> None:
    """List the reference agents; check any agent against the contract."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print agents with schemas and examples as JSON.")
def listed(as_json: bool) -> None:
    """The agents of the reference fleet and the task types that they do."""
    import orjson

    from windlass.agents import catalogue

    if as_json:
        fields = [
            {
                "name": agent.name,
                "task_types": agent.task_types,
                "summary": agent.summary,
                "version": agent.version,
                "input_schema": agent.inputs.model_json_schema(),
                "output_schema": agent.outputs.model_json_schema(mode="serialization"),
                "example": agent.example,
            }
            for agent in catalogue.agents().values()
        ]
        click.echo(orjson.dumps(fields, option=orjson.OPT_INDENT_2))
        return
    for task_type, agent in catalogue.by_task().items():
        click.echo(f"{task_type:<28} {agent.name:<42} {agent.summary}")
    click.echo(f"\n{len(catalogue.by_task())} of {catalogue.REFERENCE_TASK_TYPES} reference task types, {len(catalogue.agents())} agents")


@command.command()
@click.argument("targets", metavar="URL=TASK...", nargs=-1, required=True)
@click.option("--inputs", "file", type=GivenPath(dir_okay=False), help="JSON file with inputs that the agent can do.")
@click.option("--timeout", type=float, help="Seconds that one request may take [TIMEOUT_SECS, 120].")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def check(targets: tuple[str, ...], file: Path | None, timeout: float | None, as_json: bool) -> int:
    """Check an agent at URL that claims to do TASK against the agent contract, and say what is missing.

    Asks with WINDLASS_AGENT_TOKEN where it is set. For a task type of the reference fleet its example is the default for --inputs.
    """
    from dataclasses import asdict

    import orjson

    from windlass.cli import loop
    from windlass.infra import bearer, escapes
    from windlass.sweep import conformance

    found = settings.Settings.load(Path.cwd())
    token, seconds = found.text(settings.AGENT_TOKEN), found.seconds(settings.TIMEOUT_SECS, timeout)
    if token is not None:
        bearer.usable(settings.AGENT_TOKEN.variable, token)
    subjects = [_subject(target, file, token, seconds) for target in targets]
    results = [(subject, loop.run(conformance.check(subject))) for subject in subjects]
    if as_json:
        fields = [{"url": one.url, "task_type": one.task_type, "findings": [asdict(finding) for finding in findings]} for one, findings in results]
        click.echo(orjson.dumps(fields, option=orjson.OPT_INDENT_2))
    else:
        for subject, findings in results:
            click.echo(escapes.terminal(f"{subject.url}  {subject.task_type}"))
            for finding in findings:
                click.echo(escapes.terminal(f"  {finding.outcome:<9} {finding.clause}" + (f": {finding.reason}" if finding.reason else "")))
    return 0 if all(finding.outcome == "ok" for _, findings in results for finding in findings) else 1


def _subject(target: str, file: Path | None, token: str | None, seconds: float) -> Any:
    from windlass.infra import addresses
    from windlass.sweep import conformance

    url, separator, task_type = target.rpartition("=")
    if not separator or not url or not task_type:
        raise Refused(f"{target}: must be URL=TASK, for example http://127.0.0.1:9001=CLAIM_VERIFY")
    try:
        base = addresses.base_url(url)
    except ValueError as failure:
        raise Refused(f"{target}: {failure}") from failure
    return conformance.Subject(url=base, task_type=task_type, inputs=_inputs(file, task_type), token=token, timeout_s=seconds)


def _inputs(file: Path | None, task_type: str) -> dict[str, Any] | None:
    import orjson

    from windlass.agents import catalogue

    if file is None:
        agent = catalogue.by_task().get(task_type)
        return dict(agent.example) if agent else None
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST_INPUTS + 1)
    except OSError as failure:
        raise Refused(f"--inputs {file}: {failure.strerror}") from failure
    if len(content) > _LARGEST_INPUTS:
        raise Refused(f"--inputs {file}: is larger than {_LARGEST_INPUTS} bytes")
    try:
        inputs = orjson.loads(content)
        orjson.dumps(inputs)
    except orjson.JSONDecodeError as failure:
        raise Refused(f"--inputs {file}: is not JSON: {failure}") from failure
    except orjson.JSONEncodeError as failure:
        raise Refused(f"--inputs {file}: is nested too deeply to be sent") from failure
    if not isinstance(inputs, dict):
        raise Refused(f"--inputs {file}: must be a JSON object")
    return inputs
