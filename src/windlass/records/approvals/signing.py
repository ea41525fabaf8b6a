"""Signs with a person's Ed25519 key: one in a file of its own, or one that the person's ssh-agent holds and never shows."""

from __future__ import annotations

import importlib.util
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from windlass.errors import Refused
from windlass.infra import files
from windlass.records.approvals import ed25519

MAX_SIZE = 64 * 1024
"""Bytes of a private key's file."""
_OPENSSH = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_RAW = serialization.PublicFormat.Raw


@dataclass(frozen=True, kw_only=True)
class Signer:
    """A key that can sign: `sign(message)` gives the 64 bytes of the signature. Lives as long as the command that asked for it."""

    public_key: bytes
    source: str
    """Where it is, in words."""
    sign: Callable[[bytes], bytes]

    @property
    def key_id(self) -> str:
        """The SHA-256 of the public key."""
        return ed25519.key_id(self.public_key)


def from_file(path: Path, passphrase: Callable[[], str]) -> Signer:
    """The key in a file, PEM (PKCS 8) or OpenSSH's own form; `passphrase()` is asked only when it is encrypted.

    Raises Refused for a file that others may read, that belongs to somebody else, or that holds no Ed25519 private key.
    """
    private = _loaded(path, _content(path), passphrase)
    if not isinstance(private, Ed25519PrivateKey):
        raise Refused(f"{path}: holds no Ed25519 private key")
    public = private.public_key().public_bytes(serialization.Encoding.Raw, _RAW)
    return Signer(public_key=public, source=str(path), sign=private.sign)


def generate(path: Path, passphrase: str | None = None) -> Signer:
    """Make a new key and write it to `path` (PEM, mode 0600, its directory made when missing); raises Refused when something is there."""
    private = Ed25519PrivateKey.generate()
    encryption = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    content = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileExistsError as failure:
        raise Refused(f"{path}: exists, and a key is never written over; --out names another place") from failure
    except OSError as failure:
        raise Refused(f"{path}: {failure.strerror}") from failure
    try:
        os.fchmod(descriptor, 0o600)  # whatever the umask
        files.write_all(descriptor, content)
        os.fsync(descriptor)
        files.fsync_directory(path.parent)
    except BaseException:
        path.unlink(missing_ok=True)  # half a key is none, and would stand in the way of the next attempt
        raise
    finally:
        os.close(descriptor)
    return Signer(public_key=private.public_key().public_bytes(serialization.Encoding.Raw, _RAW), source=str(path), sign=private.sign)


def _content(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as failure:
        raise Refused(f"{path}: {failure.strerror}") from failure
    try:
        _check(path, os.fstat(descriptor))
        return os.read(descriptor, MAX_SIZE)
    except OSError as failure:
        raise Refused(f"{path}: {failure.strerror}") from failure
    finally:
        os.close(descriptor)


def _check(path: Path, found: os.stat_result) -> None:
    """Raise Refused for what is no file, or not its owner's alone."""
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISREG(found.st_mode):
        raise Refused(f"{path}: is not a regular file")
    if found.st_uid not in (os.geteuid(), 0):
        raise Refused(f"{path}: belongs to another user, who could sign with it")
    if mode & 0o077:
        raise Refused(f"{path}: has mode {mode:04o}, so others can read or change it; a private key has 0600: chmod 600 '{path}'")
    if found.st_size > MAX_SIZE:
        raise Refused(f"{path}: is larger than any private key")


def _loaded(path: Path, content: bytes, passphrase: Callable[[], str]) -> Any:
    if content.startswith((ed25519.SSH.encode(), b"-----BEGIN PUBLIC KEY-----")):
        raise Refused(f"{path}: is a public key; signing needs the private one")
    is_ssh = content.lstrip().startswith(_OPENSSH)
    load = serialization.load_ssh_private_key if is_ssh else serialization.load_pem_private_key
    try:
        try:
            return load(content, password=None)
        except TypeError:  # so cryptography says that it is encrypted
            if is_ssh and importlib.util.find_spec("bcrypt") is None:
                instead = f"`ssh-add '{path}'` and use --agent to approve, or name '{path}.pub' to export and anchor"
                raise Refused(f"{path}: is encrypted in OpenSSH's own form; {instead}") from None
            return load(content, password=passphrase().encode())
    except (ValueError, TypeError, UnsupportedAlgorithm) as failure:
        raise Refused(f"{path}: is no private key that can be read, or the passphrase is wrong ({failure})") from failure
