"""`windlass gate`: start, finish, fail or approve one gate of a run by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from windlass.cli import project

EXIT_PASS, EXIT_FAIL, EXIT_PAUSED = 0, 1, 75


@click.group()
def command() -> None:
    """Start, finish, fail or approve a gate of a run."""


@command.command("start")
@project.root_option
@project.run_option
@project.gate_option
@click.option("--agent", help="Who does the work; the workflow's agent by default.")
@project.json_option
def start(root: Path | None, run: str, gate: str, agent: str | None, as_json: bool) -> int:
    """Start the next attempt at a gate and write its prompt packet."""
    from windlass.cli import runs
    from windlass.gates import acts

    found = project.project(root)
    with project.opened(root, run) as record:
        begun = acts.begin(record, found, gate, agent=agent)
        _warn(begun.warnings)
        if as_json:
            facts = {
                "run_id": record.run_id,
                "gate": gate,
                "attempt": begun.attempt,
                "packet": str(runs.near(begun.packet)),
                "journal_head": record.head,
            }
            project.as_json(facts | {"out_of_order": begun.out_of_order, "warnings": list(begun.warnings)})
        else:
            click.echo(f"{gate} attempt {begun.attempt} started")
            click.echo(f"packet  {runs.near(begun.packet)}")
            click.echo(f"next    windlass gate finish --run {record.run_id} --gate {gate}")
    return 0


@command.command("finish")
@project.root_option
@project.run_option
@project.gate_option
@click.option("--allow-commands", is_flag=True, help="Let checks run commands where CI is set.")
@project.json_option
def finish(root: Path | None, run: str, gate: str, allow_commands: bool, as_json: bool) -> int:
    """Judge the running attempt by its contract and record the verdict: exit 0 PASS, 1 FAIL, 75 when it waits for an approval."""
    from windlass.gates import acts

    found = project.project(root)
    with project.opened(root, run) as record:
        finished = acts.finish(record, found, gate, allow_commands=allow_commands)
        _warn(finished.warnings)
        judgement = finished.judgement
        status = "WAITING" if finished.waits_for else judgement.status
        if as_json:
            facts = {"run_id": record.run_id, "gate": gate, "attempt": finished.attempt, "status": status, "waits_for": finished.waits_for}
            facts |= {"failure_reason": judgement.failure_reason, "validations": list(judgement.validations), "journal_head": record.head}
            project.as_json(facts | {"warnings": list(finished.warnings)})
        else:
            for line in checks(judgement.validations):
                click.echo(line)
            click.echo(f"{gate} attempt {finished.attempt} {status}")
            if finished.waits_for:
                _say(f"waits   {finished.waits_for}")
            elif judgement.failure_reason:
                _say(f"because {judgement.failure_reason}")
                click.echo(f"next    windlass gate start --run {record.run_id} --gate {gate}")
    if finished.waits_for:
        return EXIT_PAUSED
    return EXIT_PASS if judgement.status == "PASS" else EXIT_FAIL


@command.command("fail")
@project.root_option
@project.run_option
@project.gate_option
@click.option("--reason", required=True, help="Why.")
@project.json_option
def fail(root: Path | None, run: str, gate: str, reason: str, as_json: bool) -> int:
    """Fail the running attempt by hand."""
    from windlass.gates import acts

    with project.opened(root, run) as record:
        attempt = acts.fail(record, gate, reason)
        if as_json:
            project.as_json({"run_id": record.run_id, "gate": gate, "attempt": attempt, "status": "FAIL", "journal_head": record.head})
        else:
            click.echo(f"{gate} attempt {attempt} FAIL")
    return 0


@command.command("approve")
@project.root_option
@project.run_option
@project.gate_option
@click.option("--as", "who", required=True, metavar="WHO", help="Who approves, as the keys file calls them.")
@click.option("--key", type=click.Path(path_type=Path), help="The private key's file; the person's own file, else the ssh-agent, by default.")
@click.option("--agent", "use_agent", is_flag=True, help="Sign with the ssh-agent.")
@click.option("--expires", metavar="TIME", help="How long the approval holds: 90s, 15m, 1h, 2d; at most, and by default, what the contract says.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--allow-commands", is_flag=True, help="Let checks run commands where CI is set.")
@project.json_option
def approve(
    root: Path | None,
    run: str,
    gate: str,
    who: str,
    key: Path | None,
    use_agent: bool,
    expires: str | None,
    yes: bool,
    allow_commands: bool,
    as_json: bool,
) -> int:
    """Approve what the running attempt has made, as it lies there now: shown, signed, recorded, used once."""
    from windlass.cli import approving
    from windlass.gates import acts

    found = project.project(root)
    options = approving.Options(
        who=who, key=key, agent=use_agent, expires_in_s=approving.duration(expires) if expires else None, yes=yes, as_json=as_json
    )
    with project.opened(root, run) as record:
        _, contract, judgement, warnings = acts.judged(record, found, gate, allow_commands=allow_commands)
        _warn(warnings)
        approved = approving.approve(record, found, gate, contract, judgement, options)
        approved.record_in(record)
        if as_json:
            project.as_json({"run_id": record.run_id, "journal_head": record.head, **approved.as_json()})
        else:
            _say(f"{gate} attempt {approved.attempt} approved by {approved.who}: {approved.tally}; it expires {approved.expires_at}")
    return 0


def checks(validations: tuple[dict[str, Any], ...]) -> list[str]:
    """One line for each check; those that did not pass say why. Many that passed alike are one line."""
    from windlass.infra import escapes

    lines = []
    passed = [check for check in validations if check["pass"]]
    shown = passed if len(passed) <= _MOST_SHOWN else passed[:_MOST_SHOWN]
    for check in [*shown, *(check for check in validations if not check["pass"])]:
        word = "ok" if check["pass"] else "warning" if check.get("severity") == "warning" else "FAIL"
        why = "" if check["pass"] else f": {check.get('reason') or check.get('code') or 'failed'}"
        count = f" ({check['count']})" if "count" in check else ""
        lines.append(escapes.terminal(f"  {word:<8}{check['type']}  {check.get('path', '')}{count}{why}"))
    if len(passed) > len(shown):
        lines.insert(len(shown), f"  ok      … and {len(passed) - len(shown)} more")
    return lines


_MOST_SHOWN = 30


def _warn(warnings: tuple[str, ...]) -> None:
    from windlass.infra import escapes

    for warning in warnings:
        click.echo(f"warning: {escapes.terminal(warning)}", err=True)


def _say(line: str) -> None:
    from windlass.infra import escapes

    click.echo(escapes.terminal(line))
