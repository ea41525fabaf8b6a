"""`windlass invocation record`: an agent was invoked for a gate; what it was and what it cost."""

from __future__ import annotations

from pathlib import Path

import click

from windlass.cli import project


@click.group()
def command() -> None:
    """Record the invocations of agents."""


@command.command("record")
@project.root_option
@project.run_option
@project.gate_option
@click.option("--agent", required=True, help="Who was invoked.")
@click.option("--status", type=click.Choice(["SUCCESS", "FAIL"]), default="SUCCESS", show_default=True, help="How it ended.")
@click.option("--model", default="unknown", show_default=True, help="The model that the agent ran on.")
@click.option("--started-at", metavar="INSTANT", help="When it began, RFC 3339 with its offset; by default the duration before now.")
@click.option("--duration-ms", type=click.IntRange(min=0), default=0, show_default=True, help="How long it took, milliseconds.")
@click.option("--input", "inputs", multiple=True, metavar="REF", help="What it worked on; repeatable.")
@click.option("--output", "outputs", multiple=True, metavar="REF", help="What it made; repeatable.")
@click.option("--tokens-in", type=click.IntRange(min=0), help="Tokens that it read.")
@click.option("--tokens-out", type=click.IntRange(min=0), help="Tokens that it wrote.")
@click.option("--cost", type=click.FloatRange(min=0), help="What it cost, US dollars.")
@project.json_option
def record(
    root: Path | None,
    run: str,
    gate: str,
    agent: str,
    status: str,
    model: str,
    started_at: str | None,
    duration_ms: int,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    tokens_in: int | None,
    tokens_out: int | None,
    cost: float | None,
    as_json: bool,
) -> int:
    """Record one invocation; it belongs to the gate's newest attempt."""
    from datetime import timedelta

    from windlass.errors import Refused
    from windlass.infra import instants

    try:
        began = instants.parse(started_at) if started_at else instants.now() - timedelta(milliseconds=duration_ms)
    except (ValueError, OverflowError) as failure:
        raise Refused(f"--started-at {started_at!r} --duration-ms {duration_ms}: {failure}") from failure
    with project.opened(root, run) as record:
        invocation_id = record.invocation_recorded(
            gate,
            agent,
            status="SUCCESS" if status == "SUCCESS" else "FAIL",
            model=model,
            started_at=instants.stamp(began),
            duration_ms=duration_ms,
            input_refs=inputs,
            output_refs=outputs,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            cost_usd=cost,
        )
        if as_json:
            project.as_json({"run_id": record.run_id, "invocation_id": invocation_id, "journal_head": record.head})
        else:
            click.echo(f"recorded {invocation_id} for {gate} of {record.run_id}")
    return 0
