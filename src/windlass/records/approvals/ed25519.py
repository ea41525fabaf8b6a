"""Ed25519 public keys: read from the forms that people have them in, and asked whether a signature holds. Pure."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode

SIZE = 32
SIGNATURE_SIZE = 64
SSH = "ssh-ed25519"

_LOW_ORDER = frozenset(
    bytes.fromhex(point)
    for point in (
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
)
"""Points of small order, the sign bit cleared: under such a key some signatures hold for anything. Source: libsodium, ge25519_has_small_order."""


def key_id(public: bytes) -> str:
    """The SHA-256 of the key's 32 bytes, in hex."""
    return hashlib.sha256(public).hexdigest()


def ssh_line(public: bytes, comment: str = "") -> str:
    """The key as OpenSSH writes it: `ssh-ed25519 AAAA… comment`."""
    return f"{SSH} {_text(blob(public))} {comment}".rstrip()


def blob(public: bytes) -> bytes:
    """The key as the protocols of SSH carry it."""
    return _string(SSH.encode()) + _string(public)


def public_key(text: str) -> bytes:
    """The 32 bytes of a key, written as a line of OpenSSH or as base64; raises ValueError that says what it is instead."""
    if "PRIVATE KEY" in text:
        raise ValueError("is a PRIVATE key: take it out, it is no secret any more; a public key belongs here")
    if len(text.splitlines()) > 1:
        raise ValueError("is more than one line; a key is one")
    kind, _, rest = text.strip().partition(" ")
    if rest:
        if kind != SSH:
            raise ValueError(f"is a key of the kind {kind[:40]!r}; only {SSH} is taken")
        public = _from_blob(_base64(rest.split()[0]))
    else:
        public = _base64(kind)
    if len(public) != SIZE:
        raise ValueError(f"is {len(public)} bytes long; an Ed25519 public key has {SIZE}")
    if public[:-1] + bytes([public[-1] & 0x7F]) in _LOW_ORDER:
        raise ValueError("is a point of small order, for which anybody can make signatures")
    return public


def from_blob(content: bytes) -> bytes | None:
    """The key in a key blob of the SSH protocols, or None when it is of another kind."""
    try:
        return public_key(f"{SSH} {_text(content)}")
    except ValueError:
        return None


def holds(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the signature is one of `message` by the owner of the key."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  # 15 ms, which a record without approvals need not pay
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415  # as above

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _text(content: bytes) -> str:
    return b64encode(content).decode()


def _from_blob(content: bytes) -> bytes:
    head = _string(SSH.encode()) + SIZE.to_bytes(4, "big")
    if not content.startswith(head):
        raise ValueError(f"does not hold an {SSH} key")
    return content[len(head) :]


def _string(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


def _base64(text: str) -> bytes:
    try:
        content = b64decode(text, validate=True)
    except ValueError as failure:
        raise ValueError("is neither an ssh-ed25519 line nor base64") from failure
    if _text(content) != text:
        raise ValueError("is not base64 as it is written")
    return content
