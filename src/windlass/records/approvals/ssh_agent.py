"""Speaks to the person's ssh-agent: which Ed25519 keys it holds, and a signature by one of them. The agent signs the bytes as they are.

Source: draft-ietf-sshm-ssh-agent: a message is its length (4 bytes), a type (1 byte) and its contents; a string is its length and its bytes.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

from windlass.errors import Refused, Unavailable
from windlass.records.approvals import ed25519
from windlass.records.approvals.signing import Signer

VARIABLE = "SSH_AUTH_SOCK"
LIST_TIMEOUT_S = 10.0
SIGN_TIMEOUT_S = 120.0
"""An agent may ask its owner before each signature."""
MAX_ANSWER = 256 * 1024
_REQUEST_IDENTITIES, _IDENTITIES, _SIGN_REQUEST, _SIGNED = 11, 12, 13, 14
_FAILURES = {5, 30, 102}


@dataclass(frozen=True, kw_only=True)
class Identity:
    """An Ed25519 key that the agent holds, and what its owner calls it."""

    public_key: bytes
    comment: str

    @property
    def key_id(self) -> str:
        """The SHA-256 of the public key."""
        return ed25519.key_id(self.public_key)


def identities(address: str | None) -> tuple[Identity, ...]:
    """The Ed25519 keys of the agent at `address` (the value of SSH_AUTH_SOCK); keys of other kinds are left out.

    Raises Refused without an address, and Unavailable for an agent that does not answer as one.
    """
    answer = _asked(address, bytes([_REQUEST_IDENTITIES]), _IDENTITIES, LIST_TIMEOUT_S)
    return tuple(Identity(public_key=public, comment=comment) for public, comment in _listed(answer))


def signer(address: str | None, identity: Identity) -> Signer:
    """The agent's key as one that signs."""

    def sign(message: bytes) -> bytes:
        request = bytes([_SIGN_REQUEST]) + _string(ed25519.blob(identity.public_key)) + _string(message) + bytes(4)
        fields = _Reader(_asked(address, request, _SIGNED, SIGN_TIMEOUT_S))
        answer = _Reader(fields.string())
        kind, signature = answer.string(), answer.string()
        if kind != ed25519.SSH.encode() or not ed25519.holds(identity.public_key, signature, message):
            raise Unavailable(f"{VARIABLE}: the agent's signature by {identity.comment or identity.key_id} does not hold")
        return signature

    return Signer(public_key=identity.public_key, source=f"ssh-agent: {identity.comment or identity.key_id}", sign=sign)


def _listed(answer: bytes) -> Iterator[tuple[bytes, str]]:
    fields = _Reader(answer)
    for _ in range(fields.number()):
        blob, comment = fields.string(), fields.string().decode("utf-8", "replace")
        public = ed25519.from_blob(blob)
        if public:
            yield public, comment


def _asked(address: str | None, request: bytes, expected: int, timeout_s: float) -> bytes:
    """The contents of the agent's answer to one request."""
    if not address:
        raise Refused(f"{VARIABLE} is not set: no ssh-agent runs for this session; `eval $(ssh-agent)` and `ssh-add` begin one")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(address)
            connection.sendall(_string(request))
            length = int.from_bytes(_received(connection, 4), "big")
            if not 0 < length <= MAX_ANSWER:
                raise Unavailable(f"{VARIABLE} {address}: what answers there is no ssh-agent (an answer of {length} bytes)")
            answer = _received(connection, length)
    except (OSError, ValueError) as failure:
        raise Unavailable(f"{VARIABLE} {address}: {getattr(failure, 'strerror', None) or failure}") from failure
    if answer[0] in _FAILURES:
        raise Unavailable(f"{VARIABLE} {address}: the agent refuses; it may be locked, or its owner said no")
    if answer[0] != expected:
        raise Unavailable(f"{VARIABLE} {address}: what answers there is no ssh-agent (type {answer[0]}, not {expected})")
    return answer[1:]


def _received(connection: socket.socket, length: int) -> bytes:
    parts: list[bytes] = []
    while length:
        part = connection.recv(length)
        if not part:
            raise Unavailable(f"{VARIABLE}: the agent ended the connection in the middle of an answer")
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _string(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


class _Reader:
    """Reads an answer from its start; lives as long as it. Raises Unavailable where the answer ends too early."""

    def __init__(self, content: bytes) -> None:
        self._rest = content

    def number(self) -> int:
        return int.from_bytes(self._take(4), "big")

    def string(self) -> bytes:
        return self._take(self.number())

    def _take(self, length: int) -> bytes:
        if length > len(self._rest):
            raise Unavailable(f"{VARIABLE}: the agent's answer ends too early")
        taken, self._rest = self._rest[:length], self._rest[length:]
        return taken
