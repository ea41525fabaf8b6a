"""Counts the approvals of an attempt: which of them hold, why the others do not, how many are missing. Pure: the clock's answer is handed in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from windlass.records.approvals import ed25519, envelope, persons
from windlass.records.approvals.content import Content
from windlass.records.approvals.envelope import InvalidApproval, Signed
from windlass.records.approvals.keys import PRODUCER, Key, Keys
from windlass.records.contracts.contract import ApprovalRule

CLOCK_TOLERANCE = timedelta(seconds=60)
"""How far a signer's clock may be ahead of ours. The end has no tolerance: an approval never counts for longer than it says."""


@dataclass(frozen=True, kw_only=True)
class Valid:
    """An approval that counts, and the key that made it."""

    signed: Signed
    key: Key


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """An approval that does not count; `key_id` as far as one could be read."""

    key_id: str | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What the approvals came to; with `missing` 0 the quorum is there."""

    valid: tuple[Valid, ...]
    rejected: tuple[Rejected, ...]
    missing: int

    def __str__(self) -> str:
        """`1 of 2 approvals (Ada Lovelace)`, for one line of output."""
        names = f" ({', '.join(one.key.who for one in self.valid)})" if self.valid else ""
        return f"{len(self.valid)} of {len(self.valid) + self.missing} approvals{names}"


def count(approvals: Iterable[object], rule: ApprovalRule, content: Content, keys: Keys, now: datetime) -> Tally:
    """Hold each envelope, in the order in which they were given, against the rule, the content, the keys and the instant."""
    return count_each(((approval, keys) for approval in approvals), rule, content, now)


def count_each(
    approvals: Iterable[tuple[object, Keys]], rule: ApprovalRule, content: Content, now: datetime, *, grace: timedelta = timedelta()
) -> Tally:
    """As `count`, each envelope with the keys that it is held against.

    `grace`: how long before `now`, the instant of a journal's entry, the approvals may have been counted.
    """
    valid: list[Valid] = []
    rejected: list[Rejected] = []
    for approval, keys in approvals:
        try:
            signed = envelope.opened(approval)
        except InvalidApproval as refusal:
            rejected.append(Rejected(key_id=None, reason=str(refusal)))
            continue
        key = keys.find(signed.key_id)
        if key is None:
            rejected.append(Rejected(key_id=signed.key_id, reason=f"its key is not in {keys.path}"))
        elif reason := next(_reasons(signed, key, rule, content, (now, grace), valid), None):
            rejected.append(Rejected(key_id=signed.key_id, reason=reason))
        else:
            valid.append(Valid(signed=signed, key=key))
    return Tally(valid=tuple(valid), rejected=tuple(rejected), missing=max(0, rule.quorum - len(valid)))


def authentic(signed: Signed, key: Key) -> str | None:
    """Why the approval is not the work of the key's owner, in a role that the key has, or None."""
    if key.key_id != signed.key_id or not ed25519.holds(key.public_key, signed.signature, signed.message):
        return f"the signature does not hold for {key.who}'s key"
    if signed.payload.who != key.who:
        return f"it is signed as {signed.payload.who!r}, and the key is {key.who}'s"
    if signed.payload.role not in key.roles:
        return f"it is signed as {signed.payload.role}, and {key.who}'s key has the roles {', '.join(key.roles)}"
    return None


def unfit(key: Key, role: str, rule: ApprovalRule, content: Content) -> str | None:
    """Why the owner of the key can't approve this content in this role, whatever he signs, or None."""
    if PRODUCER in key.roles:
        return f"{key.who}'s key is a producer's, and no producer approves"
    if role not in rule.roles:
        return f"it is signed as {role}, and the contract asks for {' or '.join(rule.roles)}"
    if persons.same(key.who, content.agent):
        return f"{key.who} is the agent of this attempt ({content.agent}), and nobody approves their own work"
    return None


def moved(signed: Signed, content: Content) -> str | None:
    """Why the approval is for something else than `content`, or None."""
    for name, value in content.bound().items():
        given = getattr(signed.payload, name)
        if given != value:
            return _MOVED[name].format(given=_short(given), value=_short(value))
    return None


_MOVED = {
    "run_id": "it is for run {given}",
    "gate": "it is for gate {given}, not {value}",
    "attempt": "it is for attempt {given}, not {value}",
    "journal_head_at_start": "it is for an attempt that began with entry {given}, this one with {value}",
    "contract_sha256": "it is for an attempt under contract {given}, not {value}",
    "prompt_sha256": "it is for an attempt with packet {given}, not {value}",
    "artifacts_sha256": "the outputs are not those that were approved ({given}, now {value})",
}


def _reasons(signed: Signed, key: Key, rule: ApprovalRule, content: Content, at: tuple[datetime, timedelta], valid: list[Valid]) -> Iterator[str]:
    """Every reason against one approval, the gravest first."""
    payload = signed.payload
    if reason := authentic(signed, key) or moved(signed, content):
        yield reason
    if reason := unfit(key, payload.role, rule, content):
        yield reason
    yield from _untimely(signed, key, rule, *at)
    for earlier in valid:
        if earlier.signed.payload.nonce == payload.nonce:
            yield "it was counted already: an approval is used once"
        if earlier.key.key_id == key.key_id:
            yield f"{key.who}'s key has approved already, and counts once"
        if persons.same(earlier.key.who, key.who):
            yield f"{earlier.key.who} has approved already, and a person counts once"


def _untimely(signed: Signed, key: Key, rule: ApprovalRule, now: datetime, grace: timedelta) -> Iterator[str]:
    issued, expires = signed.payload.issued_at, signed.payload.expires_at
    if issued > now + CLOCK_TOLERANCE:
        yield f"it is dated {_at(issued)}, which is yet to come"
    if expires <= issued:
        yield "it expires before it was issued"
    if expires + grace <= now:
        yield f"it expired at {_at(expires)}"
    if expires - issued > timedelta(seconds=rule.expires_in_s):
        yield f"it is to hold until {_at(expires)}, longer than the {rule.expires_in_s} s of the contract"
    if key.not_after and (now > key.not_after + grace or issued > key.not_after):
        yield f"{key.who}'s key was to be used until {_at(key.not_after)}"


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def _short(value: object) -> str:
    text = "none" if value is None else str(value)
    return f"{text[:12]}…" if len(text) == 64 else text
