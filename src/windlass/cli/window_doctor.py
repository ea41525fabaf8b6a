"""`windlass window doctor`: what an existing Compose project must change, with the line to add."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from windlass.cli.paths import GivenPath

if TYPE_CHECKING:
    from windlass.windows.configured import Stack
    from windlass.windows.doctor import Finding
    from windlass.windows.power.policy import Policy


@click.command()
@click.option("--config", type=GivenPath(dir_okay=False), default=Path("windlass.toml"), show_default=True, help="The file with [windows].")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def command(config: Path, as_json: bool) -> int:
    """List what an existing stack must change before its services can be opened for a bounded time.

    Nothing is started or changed. Exit code 1 when something must change, 0 when opening would work.
    """
    import orjson

    from windlass.cli import loop, windows
    from windlass.errors import Refused

    known = windows.place(config).configured
    if known.stack is None:
        raise Refused(f'{config}: windows.backend: is "process"; the doctor looks at Compose projects, and local processes need nothing of it')
    found = loop.run(_examined(known.stack, known.policy))
    if as_json:
        click.echo(orjson.dumps({"project": known.policy.project, "findings": found}, option=orjson.OPT_INDENT_2))
    else:
        _show(known.stack, found)
    return 1 if any(one.severity == "must" for one in found) else 0


async def _examined(stack: Stack, policy: Policy) -> tuple[Finding, ...]:
    from windlass.windows import doctor
    from windlass.windows.compose.compose import Compose

    async with Compose(stack.place) as backend:
        return await doctor.examined(backend, policy, Path(stack.files[0]).name)


def _show(stack: Stack, found: tuple[Finding, ...]) -> None:
    from windlass.infra import escapes

    for one in found:
        click.echo(escapes.terminal(f"{one.severity:<7} {one.service:<16} {one.problem}", 1000))
        click.echo(escapes.terminal(f"{'':24} {one.line}", 1000))
    must = sum(one.severity == "must" for one in found)
    counted = f"{len(stack.core)} core and {len(stack.allowlist)} allowlisted services"
    click.echo(escapes.terminal(f"{stack.project}: {counted}; {must} must change, {len(found) - must} should", 1000))
