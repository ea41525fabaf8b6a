"""People with keys, and attempts that they approve: the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from windlass.records.approvals import envelope, keys
from windlass.records.approvals.content import Content
from windlass.records.approvals.envelope import Payload
from windlass.records.approvals.keys import Key, Keys
from windlass.records.contracts.contract import ApprovalRule

NOW = datetime(2026, 1, 19, 14, 40, 12, 250_000, tzinfo=UTC)
PATH = "orchestration/keys.json"
RULE = ApprovalRule(quorum=1, roles=("approver",), expires_in_s=3600)
CONTENT = Content(
    run_id="run_20260119T143012000Z_the-word-robot_abcdefghijklm",
    gate="G2",
    attempt=2,
    journal_head_at_start="a1" * 32,
    contract_sha256="b2" * 32,
    prompt_sha256="c3" * 32,
    artifacts_sha256="d4" * 32,
    agent="research-orchestrator",
)


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody with a key and its private part."""

    private: Ed25519PrivateKey
    key: Key

    def renamed(self, who: str) -> Person:
        return replace(self, key=replace(self.key, who=who))


def person(who: str, *roles: str, seed: int = 0, not_after: datetime | None = None) -> Person:
    private = Ed25519PrivateKey.from_private_bytes(Random(f"{who}/{seed}").randbytes(32))
    public = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return Person(private=private, key=keys.key(public, who, roles or ("approver",), not_after))


ADA, GRACE, MARY = person("Ada Lovelace"), person("Grace Hopper"), person("Mary Somerville")


def keys_of(*people: Person) -> Keys:
    """The keys file of these people, through its own reader."""
    return keys.read(keys.write([one.key for one in people]), PATH)


def payload(one: Person, content: Content = CONTENT, **changed: Any) -> Payload:
    """What this person would honestly sign now."""
    fields: dict[str, Any] = {
        "who": one.key.who,
        "role": one.key.roles[0],
        "nonce": Random(f"{one.key.key_id}{content}{sorted(changed)}").randbytes(16).hex(),
        "issued_at": NOW - timedelta(minutes=5),
        "expires_at": NOW + timedelta(minutes=25),
    }
    return replace(Payload.of(content, **{name: changed.pop(name, value) for name, value in fields.items()}), **changed)


def approval(one: Person, content: Content = CONTENT, **changed: Any) -> dict[str, Any]:
    """The envelope that this person would honestly sign now, or one with these fields changed before it is signed."""
    return signed(one, payload(one, content, **changed))


def signed(one: Person, what: Payload) -> dict[str, Any]:
    return envelope.sealed(what, one.key.key_id, one.private.sign)


def signed_bytes(one: Person, content: bytes, kind: str = envelope.PAYLOAD_TYPE) -> dict[str, Any]:
    """An envelope whose signature holds, around any bytes."""
    from base64 import b64encode

    signature = one.private.sign(envelope.pae(kind, content))
    return {
        "payload": b64encode(content).decode(),
        "payloadType": kind,
        "signatures": [{"keyid": one.key.key_id, "sig": b64encode(signature).decode()}],
    }


def reasons(rejected: Iterable[Any]) -> str:
    return "; ".join(one.reason for one in rejected)
