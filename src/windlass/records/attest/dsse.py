"""Signs and checks DSSE envelopes. The signer is a function that the caller hands in, so that no key is read here.

Source: secure-systems-lab/dsse, protocol.md; the envelope and its encoding are those of securesystemslib.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any, cast

from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import Signature, SSlibKey  # type: ignore[attr-defined]  # public by its documentation, re-exported without a mark

from windlass.errors import Refused

Sign = Callable[[bytes], tuple[str, bytes]]
"""Of the bytes to be signed (the pre-authentication encoding), the key's id and its signature."""
MOST_SIGNATURES = 64


def sealed(payload: bytes, payload_type: str, sign: Sign) -> dict[str, Any]:
    """The envelope of `payload` with one signature, as JSON values."""
    envelope = Envelope(payload, payload_type, {})
    key_id, signature = sign(envelope.pae())
    envelope.signatures[key_id] = Signature(key_id, signature.hex())
    return cast("dict[str, Any]", envelope.to_dict())


def payload(envelope: object, payload_type: str) -> bytes:
    """What an envelope holds, whoever signed it; raises Refused for anything but a whole envelope of that type."""
    return bytes(_read(envelope, payload_type).payload)


def signers(envelope: object, payload_type: str, keys: Mapping[str, bytes]) -> frozenset[str]:
    """The ids of those of `keys` (id → 32 bytes of an Ed25519 public key) whose signature holds.

    Raises Refused for what is no envelope of that type. A signature by a key that is not among `keys` counts for nothing.
    """
    read = _read(envelope, payload_type)
    return frozenset(name for name in read.signatures if name in keys and _holds(read, name, keys[name]))


def _holds(envelope: Envelope, name: str, key: bytes) -> bool:
    known = SSlibKey(name, "ed25519", "ed25519", {"public": key.hex()})
    try:
        known.verify_signature(envelope.signatures[name], envelope.pae())
    except (UnverifiedSignatureError, VerificationError):
        return False
    return True


def _read(envelope: object, payload_type: str) -> Envelope:
    """A whole envelope, strictly: securesystemslib changes what it reads, and decodes base64 with other characters in it."""
    if not isinstance(envelope, Mapping) or not {"payload", "payloadType", "signatures"} <= envelope.keys():
        raise Refused("is not a DSSE envelope (payload, payloadType, signatures)")
    if envelope["payloadType"] != payload_type:
        raise Refused(f"/payloadType: {str(envelope['payloadType'])[:80]!r} is not {payload_type}")
    listed = envelope["signatures"]
    if not isinstance(listed, list) or not 0 < len(listed) <= MOST_SIGNATURES:
        raise Refused(f"/signatures: must be a list of 1 to {MOST_SIGNATURES}")
    signatures: dict[str, Signature] = {}
    for place, one in enumerate(listed):
        if not isinstance(one, Mapping) or not isinstance(one.get("keyid"), str):
            raise Refused(f"/signatures/{place}/keyid: is not a string")
        if one["keyid"] in signatures:
            raise Refused(f"/signatures/{place}/keyid: signs twice")
        signatures[one["keyid"]] = Signature(one["keyid"], _bytes(one.get("sig"), f"/signatures/{place}/sig").hex())
    return Envelope(_bytes(envelope["payload"], "/payload"), payload_type, signatures)


def _bytes(text: object, pointer: str) -> bytes:
    if not isinstance(text, str):
        raise Refused(f"{pointer}: is not a string")
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError) as failure:
        raise Refused(f"{pointer}: is not base64") from failure
