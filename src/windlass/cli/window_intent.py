"""`windlass window intent record|list|approve`: say that a window is wanted, and approve of it. Nothing is opened by either."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from windlass.cli import window_power
from windlass.errors import Refused

if TYPE_CHECKING:
    from datetime import datetime

    from windlass.cli.approving import Options
    from windlass.cli.windows import Place
    from windlass.records.approvals.keys import Key, Keys
    from windlass.records.approvals.signing import Signer
    from windlass.records.approvals.trust import Trusted
    from windlass.windows.power.intents import Intent
    from windlass.windows.power.log import Log

_DAY_S = 86_400


@click.group()
def command() -> None:
    """Record that a window is wanted, and approve of it. Off unless [windows.intents] says enabled = true; nothing is opened by it."""


@command.command()
@click.argument("names", nargs=-1, metavar="SERVICE...")
@click.option("--ttl", "ttl_sec", type=int, help="Seconds that are wanted; the configured default without it.")
@click.option("--mode", type=click.Choice(["ttl", "hold"]), default="ttl", show_default=True, help="As of `open`.")
@click.option("--reason", required=True, help="What it is wanted for.")
@window_power.CONFIG
@window_power.AS_JSON
def record(names: tuple[str, ...], ttl_sec: int | None, mode: str, reason: str, config: Path, as_json: bool) -> int:
    """Record that a window of these services is wanted. What could not be opened can't be wanted."""
    from windlass.windows.power import asked, intents

    place = _place(config)
    body: dict[str, Any] = {"services": list(names), "mode": mode, "reason": reason, **({} if ttl_sec is None else {"ttl_sec": ttl_sec})}

    async def recorded(log: Log) -> str:
        try:
            wanted = asked.to_open(body, place.configured.policy)
            if not reason.strip():
                raise asked.Refusal(422, "INVALID_BODY", "is empty; an intent says what it is for", field="reason")
        except Refused as refusal:
            await log.note("intent_refused", actor=window_power.actor(), trouble=str(refusal), asked=repr(body)[:1000])
            raise
        fields: dict[str, Any] = {"services": list(wanted.services), "ttl_sec": wanted.ttl_sec, "mode": wanted.mode, "reason": wanted.reason}
        intent_id = _new("int_")
        await log.note(intents.RECORDED, actor=window_power.actor(), intent_id=intent_id, **fields)
        return intent_id

    _intents(place)  # nothing is recorded where nobody could read it
    intent_id = _logged(place, recorded)
    intent = _intents(place)[intent_id]
    if as_json:
        _as_json(intent.as_json())
    else:
        _say(f"{intent.intent_id}  recorded  {', '.join(intent.services)}  {intent.ttl_sec} s  {intent.reason}")
    return 0


@command.command("list")
@window_power.CONFIG
@window_power.AS_JSON
def listed(config: Path, as_json: bool) -> int:
    """List the intents, and which approvals of them count now."""
    from windlass.infra import instants
    from windlass.windows.power import intents

    place = _place(config)
    keys = _keys(place)
    known = keys if isinstance(keys, Refused) else keys.keys
    found = [intents.judged(one, place.configured.policy.project, known, instants.now()) for one in _intents(place).values()]
    if as_json:
        _as_json({"intents": [one.as_json() for one in found]})
        return 0
    for one in found:
        state = "approved" if one.is_approved else "recorded"
        _say(f"{one.intent_id}  {state:<8}  {', '.join(one.services)}  {one.ttl_sec} s  {one.reason}")
        for approval in one.approvals:
            _say(f"  {approval.who}  {approval.problem or f'until {approval.expires_at}'}")
    return 0


@command.command()
@click.argument("intent_id")
@click.option("--as", "who", required=True, metavar="WHO", help="Who approves, as orchestration/keys.json calls them.")
@click.option("--key", type=click.Path(path_type=Path), help="The private key's file; the person's own file, else the ssh-agent, by default.")
@click.option("--agent", "use_agent", is_flag=True, help="Sign with the ssh-agent.")
@click.option("--expires", metavar="TIME", default="1d", show_default=True, help="How long it counts: 90s, 15m, 1h, at most 1d.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@window_power.CONFIG
@window_power.AS_JSON
def approve(intent_id: str, who: str, key: Path | None, use_agent: bool, expires: str, yes: bool, config: Path, as_json: bool) -> int:
    """Approve of an intent, as it is shown: signed, kept in the audit, and counted until it expires."""
    import secrets
    from datetime import timedelta

    from windlass.cli import approving, asking
    from windlass.errors import GivenUp
    from windlass.infra import escapes, instants
    from windlass.windows.power import intents

    lasting_s = approving.duration(expires)
    if lasting_s > _DAY_S:
        raise Refused(f"--expires {expires}: is longer than 1d")
    place = _place(config)
    project = place.configured.policy.project
    keys = _keys(place)
    if isinstance(keys, Refused):
        raise keys
    intent = _intents(place).get(intent_id)
    if intent is None:
        raise Refused(f"there is no intent {intent_id}; `windlass window intent list` lists them")
    now = instants.now()
    signer, own = _chosen(keys.keys, approving.Options(who=who, key=key, agent=use_agent), now)
    if any(one.key_id == own.key_id and one.problem is None for one in intents.judged(intent, project, keys.keys, now).approvals):
        raise Refused(f"{own.who} has approved {intent_id} already")
    until = now + timedelta(seconds=lasting_s)
    for line in (
        f"{intent_id}  {', '.join(intent.services)}  {intent.ttl_sec} s  {intent.reason}",
        f"  recorded {intent.recorded_at} by {intent.actor}",
        f"  approve  as {own.who}, key {own.key_id[:12]}, {keys.anchor}, until {instants.stamp(until)}",
    ):
        click.echo(escapes.terminal(line), err=as_json)
    if not yes and not asking.confirmed("Approve this?", "there is no terminal to ask on; --yes approves what is shown above"):
        raise GivenUp(f"intent {intent_id}: not approved")
    sealed = intents.sealed(intent, project, own, signer.sign, nonce=secrets.token_hex(16), issued_at=now, expires_at=until)
    fields = {"who": own.who, "key_id": own.key_id, "expires_at": instants.stamp(until), "keys_sha256": keys.keys.sha256, "keys_commit": keys.commit}

    async def approved(log: Log) -> str:
        return await log.note(intents.APPROVED, actor=window_power.actor(), intent_id=intent_id, **fields, envelope=sealed)

    audit_id = _logged(place, approved)
    if as_json:
        _as_json({"intent_id": intent_id, "state": "approved", **fields, "audit_id": audit_id})
    else:
        _say(f"{intent_id}  approved  until {fields['expires_at']}; nothing is opened by that: `windlass window open` opens")
    return 0


def _place(config: Path) -> Place:
    from windlass.cli import windows

    place = windows.place(config)
    if not place.configured.policy.intents_enabled:
        raise Refused(
            f"{config}: windows.intents.enabled: is false, so no intent is recorded; [windows.intents] with enabled = true switches them on"
        )
    return place


def _logged(place: Place, act: Callable[[Log], Coroutine[Any, Any, str]]) -> str:
    """What `act` gives, with the audit open for it."""
    from windlass.cli import loop
    from windlass.windows.power.log import Log

    async def done() -> str:
        async with Log(place.audit.parent) as log:
            return await act(log)

    return loop.run(done())


def _intents(place: Place) -> Mapping[str, Intent]:
    """The intents that the audit has; raises Refused for an audit whose chain does not hold: an intent is what it was recorded as."""
    from windlass.windows.power import intents, log

    if not place.audit.exists():
        return {}
    scan = log.checked(place.audit)
    if scan.breaks:
        raise Refused(f"{place.audit}: is damaged in line {scan.breaks[0].line}; `windlass window audit verify` says more")
    try:
        return intents.of(scan.entries)
    except (KeyError, TypeError) as failure:
        raise Refused(f"{place.audit}: has an entry of an intent that is none ({type(failure).__name__}: {failure})") from failure


def _keys(place: Place) -> Trusted | Refused:
    """Who may approve, by `orchestration/keys.json` of the project that the configuration lies in; else why nobody."""
    from windlass.records import projects
    from windlass.records.approvals import trust

    try:
        return trust.trusted(projects.find(place.root))
    except Refused as refusal:
        return refusal


def _chosen(keys: Keys, options: Options, now: datetime) -> tuple[Signer, Key]:
    """The key of that person that may approve, and what signs with it."""
    from windlass.cli import approving
    from windlass.windows.power import intents

    known = approving.known(keys, options)
    reasons = []
    for signer in approving.signers(options):
        own = next((key for key in known if key.key_id == signer.key_id), None)
        reason = f"{signer.source}: is not {options.who}'s" if own is None else intents.unfit(own, now)
        if own is not None and reason is None:
            return signer, own
        reasons.append(str(reason))
    raise Refused("; ".join(reasons) or f"--as {options.who}: the ssh-agent holds no Ed25519 key; `ssh-add -l` lists what it holds")


def _new(prefix: str) -> str:
    import secrets

    from windlass.infra import instants

    return f"{prefix}{instants.compact_ms(instants.now())}_{secrets.token_hex(6)}"


def _say(line: str) -> None:
    from windlass.infra import escapes

    click.echo(escapes.terminal(line, 1000))


def _as_json(fields: Mapping[str, Any]) -> None:
    import orjson

    click.echo(orjson.dumps(dict(fields), option=orjson.OPT_INDENT_2))
