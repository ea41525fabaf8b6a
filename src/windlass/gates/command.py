"""A program does the work of a gate: one that was committed to, started without a shell, ended at its deadline with all that it started."""

from __future__ import annotations

from time import monotonic

from windlass.errors import Refused
from windlass.gates import interrupts, sources
from windlass.gates.work import Did, Ground, Means, Work
from windlass.infra import files, instants
from windlass.records.checks import command, permission, program


def do(work: Work, means: Means, ground: Ground | None) -> Did:
    """Run the gate's program in the project's root and record it as an invocation; how it ended is a reason or none."""
    options = work.gate.executor.options
    allowed = permission.commands(work.project.root, (sources.workflow(work.record, work.project),), allowed=means.allow_commands)
    if refused := permission.refusal(allowed):
        return Did(reason=f"NOT_ALLOWED: {refused}")
    try:
        argv = command.resolved(options["argv"], work.places)
    except Refused as refusal:
        return Did(reason=str(refusal))
    began, started = instants.now(), monotonic()
    with interrupts.as_one():
        ran = program.run(
            argv, cwd=work.project.root, timeout_s=options["timeout_s"], env=environment(work, ground), lent=ground.secrets if ground else ()
        )
    reason = _why(ran, argv[0], options["timeout_s"])
    work.record.invocation_recorded(
        work.gate.gate,
        work.started.agent,
        status="FAIL" if reason else "SUCCESS",
        model="command",
        started_at=instants.stamp(began),
        duration_ms=int((monotonic() - started) * 1000),
    )
    work.logs.mkdir(parents=True, exist_ok=True)
    files.replace(work.logs / "output.txt", "".join(f"{line}\n" for line in ran.tail).encode(), durable=False)
    return Did(reason=reason, said=ran.tail)


def environment(work: Work, ground: Ground | None) -> dict[str, str]:
    """What the program is told beside the little that it has of our environment: the attempt, and the services that are open for it."""
    workflow = work.record.run.started.workflow
    told = {
        "WINDLASS_RUN": work.record.run_id,
        "WINDLASS_GATE": work.gate.gate,
        "WINDLASS_ATTEMPT": str(work.attempt),
        "WINDLASS_SLUG": workflow.slug,
        "WINDLASS_ARTIFACT_PATH": workflow.artifact_path,
        "WINDLASS_DEPTH": work.record.run.started.depth,
        "WINDLASS_PACKET": str(work.logs / "prompt.txt"),
    }
    if ground is None:
        return told
    return told | {"ORCHESTRATOR_URL": ground.url, "WORKER_SERVICE_TOKEN": ground.token}


def _why(ran: program.Ran, name: str, timeout_s: int) -> str | None:
    if ran.problem:
        return f"the command {name} {ran.problem}"
    if ran.timed_out:
        return f"TIMEOUT: the command {name} ran longer than {timeout_s} s"
    if ran.signal:
        return f"the command {name} was ended by {ran.signal}"
    return None if ran.exit == 0 else f"the command {name} ended with exit code {ran.exit}"
