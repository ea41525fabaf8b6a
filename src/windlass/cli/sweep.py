"""`windlass sweep`: sweep a running fleet; show, judge and count what sweeps have left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from windlass import settings
from windlass.cli.paths import GivenPath
from windlass.errors import Refused

if TYPE_CHECKING:
    from windlass.sweep.conduct import Place
    from windlass.sweep.plan import Plan
    from windlass.sweep.run import Access


@click.group(invoke_without_command=True)
@click.option("--fleet", "file", type=GivenPath(), help="Fleet file; the built-in reference fleet without it.")
@click.option("--orchestrator-url", help="Base URL of the orchestrator [ORCHESTRATOR_URL, http://127.0.0.1:3001].")
@click.option("--agents-url", help="The reference fleet answers at BASE/<agent name> [WINDLASS_AGENTS_URL].")
@click.option(
    "--gate", type=click.Choice(["dispatch", "execution", "proof"]), default="proof", show_default=True, help="The strictest gate to ask for."
)
@click.option("--mode", type=click.Choice(["DEMO", "LIVE"]), help="[MODE, DEMO]")
@click.option("--risk-tier", type=click.Choice(["PHI", "SENSITIVE", "NON_SENSITIVE"]), help="[RISK_TIER, NON_SENSITIVE]")
@click.option("--concurrency", type=click.IntRange(1, 4096), default=16, show_default=True, help="Requests in flight.")
@click.option("--timeout", type=float, help="Seconds that one request may take [TIMEOUT_SECS, 120].")
@click.option("--out", type=GivenPath(file_okay=False), help="Evidence directory; <state dir>/sweeps/<sweep id> without it.")
@click.option("--resume", is_flag=True, help="Complete the sweep that --out holds (or the newest unfinished one), on its own terms.")
@click.option("--keep-bodies", is_flag=True, help="Let bodies be committed with the evidence; git ignores them otherwise.")
@click.option("--allow-probe-code", is_flag=True, help="Import the probes that the fleet file names: somebody's code runs here.")
@click.option("--inside", type=click.Choice(["compose"]), help="Make the calls inside the network of a running Compose project.")
@click.option("--service", help="With --inside: the service to call from; orchestrator without it.")
@click.option("--file", "-F", "compose_files", type=GivenPath(), multiple=True, help="With --inside: Compose file; may be given several times.")
@click.option("--project", help="With --inside: name of the Compose project.")
@click.option("--approve-one-off", is_flag=True, help="With --inside: where the service has no Python, call from a container that is made for it.")
@click.option("--network", help="With --approve-one-off: the network of that container, where the service is on several.")
@click.option("--image", help="With --approve-one-off: an image with Python that the engine has; none is pulled.")
@click.option("--payloads", type=click.Choice(["seed-v2"]), help="Not available: the original's table of payloads was never published.")
@click.option("--json", "as_json", is_flag=True, help="Print sweep.json on stdout, nothing else.")
@click.pass_context
def command(
    context: click.Context,
    file: Path | None,
    orchestrator_url: str | None,
    agents_url: str | None,
    gate: str,
    mode: str | None,
    risk_tier: str | None,
    concurrency: int,
    timeout: float | None,
    out: Path | None,
    resume: bool,
    keep_bodies: bool,
    allow_probe_code: bool,
    inside: str | None,
    service: str | None,
    compose_files: tuple[Path, ...],
    project: str | None,
    approve_one_off: bool,
    network: str | None,
    image: str | None,
    payloads: str | None,
    as_json: bool,
) -> int | None:
    """Ask every agent of a fleet what only doing the work can answer, and judge what comes back.

    Needs WORKER_SERVICE_TOKEN. Exit code 0 PASS, 1 FAIL or INCOMPLETE, 2 usage or configuration, 130 interrupted.
    """
    if context.invoked_subcommand is not None:
        return None
    import os
    from functools import partial

    from windlass.cli import fleets, networks, places
    from windlass.infra import addresses, bearer, instants
    from windlass.sweep import conduct, plan, probes
    from windlass.sweep.run import Access

    if payloads:
        raise Refused(
            f"--payloads {payloads}: the payloads of the original's V2 sweep stand in none of the documents that Windlass comes from, and are not "
            "invented here; send your own as examples of a fleet file"
        )
    found = settings.Settings.load(Path.cwd())
    network_of = networks.asked(
        inside, service=service, files=compose_files, project=project, approve_one_off=approve_one_off, network=network, image=image
    )
    ready = networks.ready(network_of) if network_of else None
    fleet = fleets.resolved(found, file, agents_url)
    fleet = fleets.with_every_endpoint(networks.with_endpoints(fleet, ready.inside, reference=file is None) if ready else fleet)
    given = found.required(settings.ORCHESTRATOR_URL, orchestrator_url)
    if ready and orchestrator_url is None and given == settings.ORCHESTRATOR_URL.default:
        given = ready.inside.orchestrator_url
    try:
        url = addresses.base_url(given)
    except ValueError as failure:
        raise Refused(f"ORCHESTRATOR_URL: {failure}") from failure
    token = ready.token if ready else found.required(settings.SERVICE_TOKEN)
    access = Access(
        orchestrator_url=url,
        token=bearer.usable(settings.SERVICE_TOKEN.variable, token),
        agent_tokens=fleets.tokens(found, fleet),
        concurrency=concurrency,
        timeout_s=found.seconds(settings.TIMEOUT_SECS, timeout),
        called_from=ready.inside.where if ready else "here",
    )
    sweeps = Path(found.required(settings.STATE_DIR)) / "sweeps"
    directory = out or (places.newest_unfinished(sweeps) if resume else None)
    if resume and directory is None:
        raise Refused(f"--resume: there is no unfinished sweep below {sweeps}; name one with --out")
    if resume and directory is not None:
        sweep_id, nonce, terms = places.committed(directory)
    else:
        sweep_id, nonce = places.new_id(instants.now()), os.urandom(16).hex()
        terms = plan.Terms(
            gate=gate,  # type: ignore[arg-type]  # click's Choice allows only these words
            mode=found.choice(settings.MODE, ("DEMO", "LIVE"), mode),  # type: ignore[arg-type]  # as above
            risk_tier=found.choice(settings.RISK_TIER, ("PHI", "SENSITIVE", "NON_SENSITIVE"), risk_tier),  # type: ignore[arg-type]  # as above
        )
    place = places.standalone(directory or sweeps / sweep_id, keep_bodies=keep_bodies)
    probe_for = probes.finder(allow_code=allow_probe_code)
    act = conduct.resume if resume else conduct.conduct
    return _sweep(
        plan.plan(fleet, terms, sweep_id=sweep_id, nonce=nonce, probe_for=probe_for),
        access,
        place,
        partial(act, calls=networks.calls(ready, access)) if ready else act,
        where=networks.described(ready.inside) if ready else None,
        as_json=as_json,
    )


def _sweep(planned: Plan, access: Access, place: Place, act: Any, *, where: str | None, as_json: bool) -> int:
    import os

    from windlass.cli import loop, summary
    from windlass.cli.progress import SweepProgress
    from windlass.sweep import conduct
    from windlass.sweep.plan import GATES

    loop.allow_many_files()
    if not as_json:
        click.echo(summary.opening(planned, access, place))
        if where:
            click.echo(f"  inside    {where}")
    if planned.mode == "LIVE" and planned.gate == "proof":
        click.echo(f"  LIVE: the proof makes up to {sum(len(cell.questions) for cell in planned.cells)} calls to agents", err=True)
    with SweepProgress(stages=GATES.index(planned.gate) + 1, total=len(planned.cells)) as progress:
        sweep = loop.run(act(planned, access, place, progress))
    step_summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if step_summary:
        conduct.append_step_summary(Path(step_summary), sweep)
    if as_json:
        click.echo((place.directory / "sweep.json").read_bytes(), nl=False)
    else:
        click.echo("\n".join(summary.closing(sweep, place)))
    return 0 if conduct.passed(sweep) else 1


@command.command()
@click.argument("where", metavar="RUN")
@click.argument("task_type", metavar="[TASK]", required=False)
@click.option("--bodies", type=GivenPath(file_okay=False), help="Where the bodies are, when they are not beside the evidence.")
@click.option("--json", "as_json", is_flag=True, help="Print the row (or all rows) as JSON.")
def show(where: str, task_type: str | None, bodies: Path | None, as_json: bool) -> int:
    """Explain a row of a sweep: what was asked, what came back, what that shows. RUN is a run id, a sweep id or a directory."""
    import orjson

    from windlass.cli import places, summary
    from windlass.infra import escapes
    from windlass.model import unknown_key
    from windlass.sweep import conduct
    from windlass.sweep import show as showing

    directory = places.found(where, Path(settings.Settings.load(Path.cwd()).required(settings.STATE_DIR)))
    sweep = conduct.load(directory)
    by_task = {row["task_type"]: row for row in sweep["rows"]}
    if task_type is not None and task_type not in by_task:
        raise Refused(f"TASK {task_type}: {unknown_key(task_type, by_task).replace('key', 'task type of this sweep')}")
    rows = [by_task[task_type]] if task_type else sweep["rows"]
    if as_json:
        click.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2))
    elif task_type:
        for line in showing.explain(rows[0], bodies or directory / sweep["bodies"]):
            click.echo(escapes.terminal(line))
    else:
        click.echo("\n".join(summary.table(sweep)))
    return 0


@command.command()
@click.argument("where", metavar="EVIDENCE")
@click.option("--bodies", type=GivenPath(file_okay=False), help="Where the bodies are, when they are not beside the evidence.")
@click.option("--allow-probe-code", is_flag=True, help="Import the probes that the fleet names: somebody's code runs here.")
@click.option("--json", "as_json", is_flag=True, help="Print the sweep as judged today.")
def judge(where: str, bodies: Path | None, allow_probe_code: bool, as_json: bool) -> int:
    """Judge a kept sweep again, under today's rules, without calling anyone. Exit code as `windlass sweep`."""
    from windlass.cli import places, summary
    from windlass.sweep import again, conduct, evidence, probes

    directory = places.found(where, Path(settings.Settings.load(Path.cwd()).required(settings.STATE_DIR)))
    sweep, missing = again.judged(directory, bodies, probes.finder(allow_code=allow_probe_code), show=f"windlass sweep show {where}")
    if as_json:
        click.echo(evidence.document(sweep), nl=False)
    else:
        click.echo("\n".join(summary.judged_again(sweep, conduct.load(directory) if (directory / evidence.SWEEP).exists() else None, missing)))
    return 0 if conduct.passed(sweep) else 1


@command.command()
@click.argument("where", metavar="EVIDENCE...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print the rates as JSON.")
def flakes(where: tuple[str, ...], as_json: bool) -> int:
    """Pass rates over several sweeps, per task type, with 95 % Wilson intervals."""
    from dataclasses import asdict

    import orjson

    from windlass.cli import places
    from windlass.infra import escapes
    from windlass.sweep import conduct
    from windlass.sweep import flakes as counting

    state = Path(settings.Settings.load(Path.cwd()).required(settings.STATE_DIR))
    rates = counting.rates(conduct.load(places.found(one, state)) for one in where)
    if as_json:
        click.echo(orjson.dumps([asdict(rate) | {"flaky": rate.flaky} for rate in rates], option=orjson.OPT_INDENT_2))
        return 0
    click.echo(f"{'task type':<36} {'passed':>9}   95 % interval      failures")
    for rate in rates:
        why = ", ".join(f"{name} {count}" for name, count in sorted(rate.failures.items()))
        word = "flaky   " if rate.flaky else "        "
        counted = f"{rate.passes}/{rate.sweeps}"
        click.echo(escapes.terminal(f"{rate.task_type:<36} {counted:>9}   {rate.low:6.1%} – {rate.high:6.1%}   {word}{why}"))
    return 0
