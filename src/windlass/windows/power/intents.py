"""Intents: somebody says that a window is wanted, and others approve of it by their signatures. Pure; nothing is executed by any of it.

Both are entries of the audit, and an intent is what its entries say. An approval signs the hash of the intent's entry, and so everything
that the audit had before it.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
import rfc8785

from windlass.errors import Refused
from windlass.infra import instants
from windlass.infra.chain import Entry
from windlass.records.approvals import ed25519, envelope, tally
from windlass.records.approvals.keys import PRODUCER, Key, Keys

RECORDED, APPROVED = "intent_recorded", "intent_approved"
ROLE = "approver"
SCHEMA_VERSION = 1
PURPOSE = "windlass.window.intent"
PAYLOAD_TYPE = "application/vnd.windlass.window-intent+json"


@dataclass(frozen=True, kw_only=True)
class Approval:
    """One approval as the audit has it; `problem`: why it does not count now, None for one that does. Lives as long as its reader."""

    who: str
    key_id: str
    expires_at: str
    envelope: Mapping[str, Any]
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class Intent:
    """A window that somebody wants. `sha256`: of its entry in the audit. Lives as long as its reader."""

    intent_id: str
    recorded_at: str
    actor: str
    services: tuple[str, ...]
    ttl_sec: int
    mode: str
    reason: str
    sha256: str
    approvals: tuple[Approval, ...] = ()

    @property
    def is_approved(self) -> bool:
        """Whether an approval counts."""
        return any(one.problem is None for one in self.approvals)

    def as_json(self) -> dict[str, Any]:
        """The intent as plain JSON values."""
        approvals = [{"who": one.who, "key_id": one.key_id, "expires_at": one.expires_at, "problem": one.problem} for one in self.approvals]
        fields = {**vars(self), "services": list(self.services), "approvals": approvals}
        return {**fields, "state": "approved" if self.is_approved else "recorded"}


def of(entries: Iterable[Entry]) -> dict[str, Intent]:
    """The intents that the entries of an audit tell of, by their ids, the oldest first; nobody has asked yet which approvals count."""
    found: dict[str, Intent] = {}
    for entry in entries:
        fields = entry.fields
        match fields.get("action"):
            case "intent_recorded":
                found[fields["intent_id"]] = Intent(
                    intent_id=fields["intent_id"],
                    recorded_at=fields["at"],
                    actor=fields["actor"],
                    services=tuple(fields["services"]),
                    ttl_sec=fields["ttl_sec"],
                    mode=fields["mode"],
                    reason=fields["reason"],
                    sha256=entry.hash,
                )
            case "intent_approved" if (intent := found.get(fields["intent_id"])) is not None:
                made = Approval(who=fields["who"], key_id=fields["key_id"], expires_at=fields["expires_at"], envelope=fields["envelope"])
                found[intent.intent_id] = replace(intent, approvals=(*intent.approvals, made))
    return found


def sealed(
    intent: Intent, project: str, key: Key, sign: Callable[[bytes], bytes], *, nonce: str, issued_at: datetime, expires_at: datetime
) -> dict[str, Any]:
    """The DSSE envelope of an approval of this intent, with the signature that `sign` gives."""
    content = rfc8785.dumps(
        {
            "schema_version": SCHEMA_VERSION,
            "purpose": PURPOSE,
            **_bound(intent, project),
            "who": key.who,
            "role": ROLE,
            "nonce": nonce,
            "issued_at": instants.stamp(issued_at),
            "expires_at": instants.stamp(expires_at),
        }
    )
    signature = sign(envelope.pae(PAYLOAD_TYPE, content))
    return {
        "payload": b64encode(content).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": key.key_id, "sig": b64encode(signature).decode()}],
    }


def judged(intent: Intent, project: str, keys: Keys | Refused, now: datetime) -> Intent:
    """The intent, each of its approvals held against the keys (or why there are none) and the instant."""
    approvals = (
        replace(one, problem=str(keys) if isinstance(keys, Refused) else next(_problems(one, intent, project, keys, now), None))
        for one in intent.approvals
    )
    return replace(intent, approvals=tuple(approvals))


def unfit(key: Key, now: datetime) -> str | None:
    """Why the owner of this key can't approve an intent, or None."""
    if PRODUCER in key.roles:
        return f"{key.who}'s key is a producer's, and no producer approves"
    if ROLE not in key.roles:
        return f"{key.who}'s key has the roles {', '.join(key.roles)}, and approving needs {ROLE}"
    if key.not_after and now > key.not_after:
        return f"{key.who}'s key was to be used until {instants.stamp(key.not_after)}"
    return None


def _problems(approval: Approval, intent: Intent, project: str, keys: Keys, now: datetime) -> Iterator[str]:
    """Why an approval does not count, the gravest first."""
    key = keys.find(approval.key_id)
    if key is None:
        yield f"its key is not in {keys.path}"
        return
    try:
        [signature] = approval.envelope["signatures"]
        content = b64decode(approval.envelope["payload"], validate=True)
        holds = ed25519.holds(key.public_key, b64decode(signature["sig"], validate=True), envelope.pae(PAYLOAD_TYPE, content))
        payload = orjson.loads(content)
        issued, expires = instants.parse(payload["issued_at"]), instants.parse(payload["expires_at"])
    except (KeyError, TypeError, ValueError):
        yield "it is no approval of an intent"
        return
    if not holds:
        yield f"the signature does not hold for {key.who}'s key"
    expected = {"schema_version": SCHEMA_VERSION, "purpose": PURPOSE, **_bound(intent, project), "who": key.who, "role": ROLE}
    for name, value in expected.items():
        if payload.get(name) != value:
            yield f"it is for another {name}"
    if reason := unfit(key, now):
        yield reason
    if issued > now + tally.CLOCK_TOLERANCE:
        yield f"it is dated {instants.stamp(issued)}, which is yet to come"
    if expires <= now:
        yield f"it expired at {instants.stamp(expires)}"


def _bound(intent: Intent, project: str) -> dict[str, Any]:
    """What an approval repeats and is held against, word for word."""
    return {
        "project": project,
        "intent_id": intent.intent_id,
        "intent_sha256": intent.sha256,
        "services": list(intent.services),
        "ttl_sec": intent.ttl_sec,
    }
