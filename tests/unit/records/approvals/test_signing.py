"""Signing with a key in a file, and with one that a real ssh-agent holds."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import stat
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from tests.unit.records.approvals import people
from tests.unit.records.approvals.people import CONTENT, NOW, RULE
from windlass.errors import Refused, Unavailable
from windlass.records.approvals import ed25519, envelope, keys, signing, ssh_agent, tally
from windlass.records.approvals.signing import Signer

needs_ssh = pytest.mark.skipif(not shutil.which("ssh-agent") or not shutil.which("ssh-keygen"), reason="OpenSSH is not installed")


def _nobody() -> str:
    raise AssertionError("a passphrase was asked for")


def _counts(signer: Signer) -> bool:
    key = keys.key(signer.public_key, "Ada Lovelace", ["approver"])
    someone = replace(people.ADA, key=key)
    sealed = envelope.sealed(people.payload(someone), signer.key_id, signer.sign)
    return tally.count([sealed], RULE, CONTENT, people.keys_of(someone), NOW).missing == 0


def test_a_new_key_is_its_owners_alone_and_signs(tmp_path: Path):
    path = tmp_path / "deep" / "key.pem"
    made = signing.generate(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    read = signing.from_file(path, _nobody)
    assert read.public_key == made.public_key
    assert _counts(read)
    assert _counts(made)


def test_a_key_is_never_written_over(tmp_path: Path):
    path = tmp_path / "key.pem"
    signing.generate(path)
    before = path.read_bytes()
    with pytest.raises(Refused, match="exists"):
        signing.generate(path)
    assert path.read_bytes() == before


def test_a_key_is_not_written_through_a_link(tmp_path: Path):
    (tmp_path / "key.pem").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused, match="exists"):
        signing.generate(tmp_path / "key.pem")
    assert not (tmp_path / "elsewhere").exists()


def test_an_encrypted_key_asks_for_its_passphrase(tmp_path: Path):
    path = tmp_path / "key.pem"
    made = signing.generate(path, "correct horse")
    assert b"ENCRYPTED" in path.read_bytes()
    assert signing.from_file(path, lambda: "correct horse").public_key == made.public_key
    for wrong in ("wrong", ""):
        with pytest.raises(Refused, match="passphrase is wrong"):
            signing.from_file(path, lambda wrong=wrong: wrong)  # type: ignore[misc]  # the default binds the word of this round


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_key_that_others_can_reach_is_refused(tmp_path: Path, mode: int):
    path = tmp_path / "key.pem"
    signing.generate(path)
    path.chmod(mode)
    with pytest.raises(Refused, match=f"has mode {mode:04o}.*chmod 600"):
        signing.from_file(path, _nobody)


def test_what_is_no_ed25519_private_key_is_refused(tmp_path: Path):
    other = generate_private_key(SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = ed25519.ssh_line(people.ADA.key.public_key).encode()
    openssh = b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"
    for content, reason in (
        (other, "no Ed25519 private key"),
        (public, "is a public key"),
        (b"", "no private key"),
        (b"x" * 70_000, "larger"),
        (openssh, "no private key"),
    ):
        path = tmp_path / "key.pem"
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(Refused, match=reason):
            signing.from_file(path, _nobody)


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path):
    os.mkfifo(tmp_path / "fifo", 0o600)
    for path, reason in ((tmp_path, "not a regular file"), (tmp_path / "fifo", "not a regular file"), (tmp_path / "none", "No such file")):
        with pytest.raises(Refused, match=reason):
            signing.from_file(path, _nobody)


@needs_ssh
def test_a_key_of_ssh_keygen_signs(tmp_path: Path):
    path = tmp_path / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    read = signing.from_file(path, _nobody)
    assert read.public_key == ed25519.public_key(path.with_suffix(".pub").read_text())
    assert _counts(read)


@needs_ssh
def test_an_encrypted_key_of_ssh_keygen_is_read_or_its_owner_is_sent_to_the_agent(tmp_path: Path):
    path = tmp_path / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(path)], check=True)
    if importlib.util.find_spec("bcrypt"):
        assert _counts(signing.from_file(path, lambda: "secret"))
    else:
        with pytest.raises(Refused, match="use --agent"):
            signing.from_file(path, _nobody)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[str]:
    """The address of a real ssh-agent that holds nothing yet."""
    address = str(tmp_path / "agent")
    process = subprocess.Popen(["ssh-agent", "-D", "-a", address], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout
    process.stdout.readline()  # it listens when it says where
    yield address
    process.terminate()
    process.wait(10)
    process.stdout.close()


def _add(agent: str, path: Path, kind: str = "ed25519") -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", f"ada by {kind}", "-f", str(path)], check=True)
    subprocess.run(["ssh-add", "-q", str(path)], check=True, env={**os.environ, "SSH_AUTH_SOCK": agent})


@needs_ssh
def test_the_agent_signs_and_the_signature_counts(agent: str, tmp_path: Path):
    assert ssh_agent.identities(agent) == ()
    _add(agent, tmp_path / "ecdsa", "ecdsa")
    _add(agent, tmp_path / "id")
    (identity,) = ssh_agent.identities(agent)
    assert identity.comment == "ada by ed25519"
    assert identity.public_key == ed25519.public_key((tmp_path / "id.pub").read_text())
    assert _counts(ssh_agent.signer(agent, identity))


@needs_ssh
def test_a_locked_agent_does_not_sign(agent: str, tmp_path: Path):
    _add(agent, tmp_path / "id")
    (identity,) = ssh_agent.identities(agent)
    subprocess.run(["ssh-add", "-q", "-D"], check=True, env={**os.environ, "SSH_AUTH_SOCK": agent}, stderr=subprocess.DEVNULL)
    with pytest.raises(Unavailable, match="the agent refuses"):
        ssh_agent.signer(agent, identity).sign(b"x")


def test_without_an_agent_one_is_told_how_to_get_one(tmp_path: Path):
    with pytest.raises(Refused, match=r"SSH_AUTH_SOCK is not set.*ssh-add"):
        ssh_agent.identities(None)
    with pytest.raises(Unavailable, match="No such file"):
        ssh_agent.identities(str(tmp_path / "none"))
    with pytest.raises(Unavailable, match="too long"):
        ssh_agent.identities("x" * 200)


def _string(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


ANOTHER = people.GRACE.private.sign(b"x")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "ended the connection"),
        (b"\x00\x00", "ended the connection"),
        (bytes(4), "no ssh-agent"),
        (b"\xff\xff\xff\xff", "no ssh-agent"),
        (b"HTTP/1.1 400 Bad Request\r\n", "no ssh-agent"),
        (_string(b"\x05"), "refuses"),
        (_string(b"\x06"), "no ssh-agent"),
        (_string(b"\x0e\x00\x00"), "ends too early"),
        (_string(b"\x0e" + _string(_string(b"ssh-ed25519") + _string(ANOTHER))), "does not hold"),
        (_string(b"\x0e" + _string(_string(b"ssh-rsa") + _string(people.ADA.private.sign(b"x")))), "does not hold"),
    ],
)
def test_what_only_looks_like_an_agent_signs_nothing(tmp_path: Path, answer: bytes, reason: str):
    address = str(tmp_path / "agent")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        identity = ssh_agent.Identity(public_key=people.ADA.key.public_key, comment="ada")
        with pytest.raises(Unavailable, match=reason):
            ssh_agent.signer(address, identity).sign(b"x")
        thread.join(10)
