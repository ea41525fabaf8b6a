"""The signed form of an approval: a DSSE envelope around a canonical (RFC 8785) payload that says what is approved, where, by whom, until when. Pure.

Source: secure-systems-lab/dsse, protocol.md. The encoding that is signed is one line and written here: importing securesystemslib costs
every `gate finish` 20 to 50 ms; a test holds the two against each other.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import rfc8785

from windlass.errors import Refused, UnusableRecord
from windlass.infra import instants
from windlass.records import layout
from windlass.records.approvals import ed25519
from windlass.records.approvals.content import Content
from windlass.records.fields import INSTANT, SHA256, Fields

SCHEMA_VERSION = 1
PURPOSE = "windlass.gate.approval"
PAYLOAD_TYPE = "application/vnd.windlass.gate-approval+json"
MAX_PAYLOAD = 16 * 1024
"""Bytes of a payload, of which an honest one has a thousand."""
NONCE = re.compile(r"[0-9a-f]{32}")


class InvalidApproval(Refused):
    """What is there is no approval."""


@dataclass(frozen=True, kw_only=True)
class Payload:
    """What is signed: this content, at this attempt, by this person in this role, from `issued_at` until `expires_at`, once (`nonce`)."""

    run_id: str
    gate: str
    attempt: int
    journal_head_at_start: str
    contract_sha256: str | None
    prompt_sha256: str | None
    artifacts_sha256: str
    who: str
    role: str
    nonce: str
    issued_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, content: Content, *, who: str, role: str, nonce: str, issued_at: datetime, expires_at: datetime) -> Payload:
        """The payload that approves `content`."""
        return cls(**content.bound(), who=who, role=role, nonce=nonce, issued_at=issued_at, expires_at=expires_at)

    def canonical(self) -> bytes:
        """The bytes that are signed; raises Refused for what has no canonical form."""
        fields: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "purpose": PURPOSE,
            **vars(self),
            "issued_at": instants.stamp(self.issued_at),
            "expires_at": instants.stamp(self.expires_at),
        }
        try:
            return rfc8785.dumps(fields)
        except rfc8785.CanonicalizationError as failure:
            raise InvalidApproval(f"the approval can't be written: {failure}") from failure


@dataclass(frozen=True, kw_only=True)
class Signed:
    """An envelope as it was read: nobody has asked yet whether the signature holds, nor whose it is."""

    payload: Payload
    key_id: str
    signature: bytes
    message: bytes
    """The encoding that was signed."""


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: a signature over it is one for this type only."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sealed(payload: Payload, key_id: str, sign: Callable[[bytes], bytes]) -> dict[str, Any]:
    """The envelope with the one signature that `sign` gives."""
    content = payload.canonical()
    signature = sign(pae(PAYLOAD_TYPE, content))
    return {"payload": _text(content), "payloadType": PAYLOAD_TYPE, "signatures": [{"keyid": key_id, "sig": _text(signature)}]}


def opened(envelope: object) -> Signed:
    """What an envelope says; raises InvalidApproval for anything that `sealed` would not have written.

    One signature and no more, no key that nobody asked for, no second way to write the same bytes: what two readers could read
    differently is refused.
    """
    try:
        return _opened(envelope)
    except UnusableRecord as failure:
        raise InvalidApproval(str(failure)) from failure


def _opened(envelope: object) -> Signed:
    fields = Fields(envelope)
    fields.word("payloadType", (PAYLOAD_TYPE,))
    content = _bytes(fields.text("payload"), "/payload")
    signatures = fields.parts("signatures")
    fields.end()
    if len(signatures) != 1:
        raise InvalidApproval(f"/signatures: holds {len(signatures)}; an approval has one, and a quorum is several approvals")
    (signature,) = signatures
    key_id, sig = signature.text("keyid", SHA256), _bytes(signature.text("sig"), "/signatures/0/sig")
    signature.end()
    if len(sig) != ed25519.SIGNATURE_SIZE:
        raise InvalidApproval(f"/signatures/0/sig: is {len(sig)} bytes; an Ed25519 signature has {ed25519.SIGNATURE_SIZE}")
    return Signed(payload=_payload(content), key_id=key_id, signature=sig, message=pae(PAYLOAD_TYPE, content))


def _payload(content: bytes) -> Payload:
    if len(content) > MAX_PAYLOAD:
        raise InvalidApproval(f"/payload: is larger than {MAX_PAYLOAD} bytes")
    try:
        fields = Fields(orjson.loads(content), "/payload")
    except orjson.JSONDecodeError as failure:
        raise InvalidApproval(f"/payload: is not JSON: {failure}") from failure
    version = fields.number("schema_version", 1)
    if version != SCHEMA_VERSION:
        raise InvalidApproval(f"/payload/schema_version: is {version}; this Windlass reads {SCHEMA_VERSION}")
    fields.word("purpose", (PURPOSE,))
    payload = Payload(
        run_id=fields.text("run_id", layout.RUN_ID),
        gate=fields.text("gate", layout.NAME),
        attempt=fields.number("attempt", 1),
        journal_head_at_start=fields.text("journal_head_at_start", SHA256),
        contract_sha256=fields.maybe_text("contract_sha256", SHA256),
        prompt_sha256=fields.maybe_text("prompt_sha256", SHA256),
        artifacts_sha256=fields.text("artifacts_sha256", SHA256),
        who=fields.text("who"),
        role=fields.text("role", layout.NAME),
        nonce=fields.text("nonce", NONCE),
        issued_at=_instant(fields, "issued_at"),
        expires_at=_instant(fields, "expires_at"),
    )
    fields.end()
    if payload.canonical() != content:
        raise InvalidApproval("/payload: is not in canonical form (RFC 8785), or says something twice")
    return payload


def _instant(fields: Fields, key: str) -> datetime:
    text = fields.text(key, INSTANT)
    try:
        return instants.parse(text)
    except ValueError as failure:
        raise InvalidApproval(f"/payload/{key}: {text!r} is no instant: {failure}") from failure


def _bytes(text: str, pointer: str) -> bytes:
    try:
        content = b64decode(text, validate=True)
    except ValueError as failure:
        raise InvalidApproval(f"{pointer}: is not base64") from failure
    if _text(content) != text:
        raise InvalidApproval(f"{pointer}: is base64 with bits that mean nothing")
    return content


def _text(content: bytes) -> str:
    return b64encode(content).decode()
