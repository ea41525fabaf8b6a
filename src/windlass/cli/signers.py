"""The key that signs a statement or a witness's line: a private key's file, or a public key's whose private one the ssh-agent holds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from windlass.errors import Refused

if TYPE_CHECKING:
    from windlass.records.approvals.signing import Signer

_SSH = b"ssh-"
_MOST = 16 * 1024
"""Bytes of a public key's file."""


def named(path: Path) -> Signer:
    """What signs for the key in this file, as `ssh-keygen -Y sign -f` takes it; raises Refused where nothing does."""
    from windlass.cli import asking
    from windlass.records.approvals import signing

    public = _public(path)
    return _held(path, public) if public is not None else signing.from_file(path, lambda: asking.secret(f"Passphrase of {path}"))


def _public(path: Path) -> bytes | None:
    """The 32 bytes of a public key's file, None for any other."""
    from windlass.infra import files
    from windlass.records.approvals import ed25519

    try:
        content = files.content(path, _MOST)
    except OSError:
        return None  # why it can't be read is told by what reads private keys
    if not content.startswith(_SSH):
        return None
    try:
        return ed25519.public_key(content.decode("ascii"))
    except ValueError as problem:
        raise Refused(f"{path}: {problem}") from problem


def _held(path: Path, public: bytes) -> Signer:
    from windlass.records.approvals import ssh_agent

    address = os.environ.get(ssh_agent.VARIABLE)
    for identity in ssh_agent.identities(address):
        if identity.public_key == public:
            return ssh_agent.signer(address, identity)
    raise Refused(f"{path}: the ssh-agent does not hold its private key; `ssh-add '{path.with_suffix('')}'` adds it")
