"""Which fleet a command means, where it answers, and with which tokens: from options, environment and files."""

from __future__ import annotations

from pathlib import Path

from windlass import fleet as fleets
from windlass import settings
from windlass.errors import InvalidFleet
from windlass.fleet import Fleet
from windlass.infra import bearer


def resolved(found: settings.Settings, file: Path | None, agents_url: str | None) -> Fleet:
    """The fleet of `--fleet`, or the reference fleet at `--agents-url`, with the endpoints of the environment over it."""
    fleet = fleets.read(file) if file is not None else fleets.reference(found.text(settings.AGENTS_URL, agents_url))
    return fleets.with_endpoints(fleet, found.text(settings.AGENT_ENDPOINTS_JSON))


def with_every_endpoint(fleet: Fleet) -> Fleet:
    """The fleet itself; raises InvalidFleet that lists each gap and says how to close it."""
    gaps = fleets.gaps(fleet)
    if gaps:
        cure = "give --agents-url BASE, AGENT_ENDPOINTS_JSON, or a url in the fleet file"
        raise InvalidFleet(f"fleet {fleet.name}", [*gaps, cure] if len(gaps) > 1 else [f"{gaps[0]}; {cure}"])
    return fleet


def tokens(found: settings.Settings, fleet: Fleet) -> dict[str, str]:
    """Variable → token for every `token_env` of the fleet; raises InvalidFleet for those that are not set.

    The general WINDLASS_AGENT_TOKEN may be absent: then the agents ask for none.
    """
    wanted = {entry.token_env: name for name, entry in fleet.agents.items() if entry.token_env}
    values = {variable: found.variable(variable) for variable in wanted}
    missing = [
        f"agents.{wanted[variable]}.token_env: {variable} is not set"
        for variable in wanted
        if not values[variable] and variable != fleets.AGENT_TOKEN
    ]
    if missing:
        raise InvalidFleet(f"fleet {fleet.name}", missing)
    return {variable: bearer.usable(variable, value) for variable, value in values.items() if value}
