"""The act behind `windlass gate approve`: show what is approved, ask, sign, and hold the signature against the rules that will count it."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from windlass.cli import asking
from windlass.errors import GivenUp, Refused
from windlass.infra import escapes, instants
from windlass.infra.instants import Clock
from windlass.records.approvals import content as contents
from windlass.records.approvals import envelope, persons, signing, ssh_agent, tally, trust
from windlass.records.approvals.content import Content
from windlass.records.approvals.envelope import Payload
from windlass.records.approvals.keys import Key, Keys
from windlass.records.approvals.signing import Signer
from windlass.records.approvals.tally import Tally
from windlass.records.approvals.trust import Trusted
from windlass.records.checks.judge import Judgement
from windlass.records.contracts.contract import ApprovalRule, Contract
from windlass.records.projects import Project
from windlass.records.run import RunRecord

UNASKED = ApprovalRule(quorum=1, roles=("approver",), expires_in_s=86_400)
"""What an approval has to be where the contract asks for none: it is recorded all the same, and nothing waits for it."""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, kw_only=True)
class Options:
    """Who approves, with which key: `key` a file, `agent` the ssh-agent, neither the person's own file, else the agent."""

    who: str
    key: Path | None = None
    agent: bool = False
    expires_in_s: int | None = None
    """None: as long as the contract allows."""
    yes: bool = False
    as_json: bool = False
    """Whether stdout belongs to the JSON, so that what a person reads goes to stderr."""


@dataclass(frozen=True, kw_only=True)
class Approved:
    """An approval that counts, to be recorded; `tally` counts it with those that were recorded before."""

    gate: str
    attempt: int
    envelope: dict[str, Any]
    who: str
    key_id: str
    nonce: str
    expires_at: str
    trusted: Trusted
    tally: Tally

    def record_in(self, record: RunRecord) -> None:
        """Record it, with the keys file that it was held against."""
        record.gate_approved(
            self.gate,
            self.attempt,
            self.envelope,
            who=self.who,
            key_id=self.key_id,
            nonce=self.nonce,
            expires_at=self.expires_at,
            keys=self.trusted.keys.content,
        )

    def as_json(self) -> dict[str, Any]:
        """The approval as plain JSON values."""
        return {
            "gate": self.gate,
            "attempt": self.attempt,
            "who": self.who,
            "key_id": self.key_id,
            "nonce": self.nonce,
            "expires_at": self.expires_at,
            "keys_sha256": self.trusted.keys.sha256,
            "keys_commit": self.trusted.commit,
            "approvals": len(self.tally.valid),
            "missing": self.tally.missing,
            "envelope": self.envelope,
        }


def approve(
    record: RunRecord, project: Project, gate: str, contract: Contract | None, judgement: Judgement, options: Options, *, clock: Clock = instants.now
) -> Approved:
    """Show what the gate's running attempt has made, ask whether it is approved, and sign it; nothing is recorded here.

    `judgement`: of the contract's checks, made now. Raises GivenUp when a check fails or the person says no; Refused when this person
    can't approve this, for every reason for which the approval would not count.
    """
    content = _content(record, gate, judgement)
    if judgement.status != "PASS":
        raise GivenUp(f"gate {gate} attempt {content.attempt}: its checks fail, so there is nothing to approve: {judgement.failure_reason}")
    rule = contract.approvals if contract and contract.approvals else UNASKED
    lasting = timedelta(seconds=_lasting(options, rule))
    trusted = trust.trusted(project)
    signer, key = _chosen(trusted.keys, options, rule, content)
    role = next(role for role in rule.roles if role in key.roles)
    for line in _shown(content, judgement, contract, key, role, trusted, instants.stamp(clock() + lasting)):
        click.echo(escapes.terminal(line), err=options.as_json)
    if not options.yes and not asking.confirmed("Approve this?", "there is no terminal to ask on; --yes approves what is shown above"):
        raise GivenUp(f"gate {gate} attempt {content.attempt}: not approved")
    issued_at = instants.parse(instants.stamp(clock()))  # as precise as it is written
    payload = Payload.of(content, who=key.who, role=role, nonce=secrets.token_hex(16), issued_at=issued_at, expires_at=issued_at + lasting)
    signed = envelope.sealed(payload, key.key_id, signer.sign)
    return Approved(
        gate=gate,
        attempt=content.attempt,
        envelope=signed,
        who=key.who,
        key_id=key.key_id,
        nonce=payload.nonce,
        expires_at=instants.stamp(payload.expires_at),
        trusted=trusted,
        tally=_counted(record, signed, rule, content, trusted.keys, clock),
    )


def duration(text: str) -> int:
    """The seconds of `90s`, `15m`, `1h` or `2d`; raises Refused."""
    found = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    if not found or int(found[1]) == 0:
        raise Refused(f"--expires {text[:40]!r}: must be a number above 0 with s, m, h or d, such as 1h")
    return int(found[1]) * _UNITS[found[2]]


def own_file(who: str) -> Path:
    """Where a person's key lies when nobody says otherwise: in the configuration directory of this user, outside of every project."""
    given = os.environ.get("XDG_CONFIG_HOME", "")
    try:
        base = Path(given) if given.startswith("/") else Path.home() / ".config"
    except RuntimeError as failure:
        raise Refused(f"there is no home directory to keep a key in ({failure}); name a place for it") from failure
    return base / "windlass" / "keys" / f"{escapes.file_name(who)}.pem"


def _content(record: RunRecord, gate: str, judgement: Judgement) -> Content:
    running = next((started for started in record.run.running if started.gate == gate), None)
    if running is None:
        known = record.run.gates.get(gate)
        state = f"is {known.status}" if known else f"is not in the workflow ({', '.join(record.run.gates)})"
        raise Refused(f"gate {gate}: {state}; only a running attempt can be approved, before `windlass gate finish`")
    return contents.of(record.run, gate, running.attempt, judgement.artifacts)


def _lasting(options: Options, rule: ApprovalRule) -> int:
    asked = options.expires_in_s or rule.expires_in_s
    if asked > rule.expires_in_s:
        raise Refused(f"--expires: {asked} s is longer than the {rule.expires_in_s} s that the contract lets an approval hold")
    return asked


def _chosen(keys: Keys, options: Options, rule: ApprovalRule, content: Content) -> tuple[Signer, Key]:
    """The key of that person that may approve this, and what signs with it."""
    own = known(keys, options)
    reasons = []
    for signer in signers(options):
        key = keys.find(signer.key_id)
        if key is None or key not in own:
            reasons.append(
                f"{signer.source}: is not {options.who}'s" + (f", but {key.who}'s" if key else f": its id {signer.key_id} is not in {keys.path}")
            )
            continue
        role = next((role for role in rule.roles if role in key.roles), None)
        reason = tally.unfit(key, role or "/".join(key.roles), rule, content)
        if reason is None:
            return signer, key
        reasons.append(reason)
    raise Refused("; ".join(reasons) or f"--as {options.who}: the ssh-agent holds no Ed25519 key; `ssh-add -l` lists what it holds")


def known(keys: Keys, options: Options) -> tuple[Key, ...]:
    """The keys of that person; raises Refused where the file has none."""
    if found := keys.of(options.who):
        return found
    near = [key.who for key in keys.keys if persons.same(key.who, options.who)]
    names = ", ".join(dict.fromkeys(key.who for key in keys.keys))
    raise Refused(f"--as {options.who!r}: {keys.path} has no key of that name" + (f"; is it {near[0]!r}?" if near else f"; it has {names or 'none'}"))


def signers(options: Options) -> Iterable[Signer]:
    """What may sign for that person: a file, or everything that the ssh-agent holds; raises Refused where there is nothing."""
    if options.key and options.agent:
        raise Refused("--key and --agent: one of them")
    own = own_file(options.who)
    address = os.environ.get(ssh_agent.VARIABLE)
    if options.key or (not options.agent and own.exists()):
        path = options.key or own
        return [signing.from_file(path, lambda: asking.secret(f"Passphrase of {path}"))]
    if options.agent or address:
        return [ssh_agent.signer(address, identity) for identity in ssh_agent.identities(address)]
    raise Refused(f"no key to sign with: {own} is not there and no ssh-agent runs; --key names a file")


def _shown(content: Content, judgement: Judgement, contract: Contract | None, key: Key, role: str, trusted: Trusted, until: str) -> Iterable[str]:
    yield f"{content.run_id}  gate {content.gate} attempt {content.attempt}  made by {content.agent}"
    for found in judgement.artifacts:
        described = f"{found.sha256}  {found.size:>12,} bytes" if found.exists else "is not there"
        yield f"  output   {found.resolved_path}  {described}"
    for check in judgement.validations:
        verdict = "pass" if check["pass"] else f"{check.get('severity', 'error')}: {check.get('reason') or check.get('code') or 'does not hold'}"
        yield f"  check    {check['type']} {check.get('path') or ''}  {verdict}"
    named = f"{contract.path} version {contract.version}, {content.contract_sha256}" if contract else "none"
    yield f"  contract {named}"
    yield f"  approve  as {key.who} ({role}), key {key.key_id[:12]}, {trusted.anchor}, until {until}"


def _counted(record: RunRecord, signed: dict[str, Any], rule: ApprovalRule, content: Content, keys: Keys, clock: Clock) -> Tally:
    """The tally with the new approval; raises Refused when it does not count."""
    before = [event.envelope for event in record.run.approvals(content.gate, content.attempt)]
    counted = tally.count([*before, signed], rule, content, keys, clock())
    made = envelope.opened(signed)
    if all(one.signed.payload.nonce != made.payload.nonce for one in counted.valid):
        raise Refused(f"gate {content.gate} attempt {content.attempt}: {counted.rejected[-1].reason}")
    return counted
