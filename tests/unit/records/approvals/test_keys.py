"""The keys file is read strictly, and every problem of it is named."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from tests.unit.records.approvals import people
from tests.unit.records.approvals.people import ADA, GRACE, PATH
from windlass.records.approvals import ed25519, keys, persons
from windlass.records.approvals.keys import InvalidKeys


def _file(*entries: dict[str, Any], **changed: Any) -> bytes:
    return json.dumps({"schema_version": 1, "keys": list(entries), **changed}).encode()


def test_what_is_written_is_read():
    read = people.keys_of(ADA, GRACE)
    assert read.keys == (ADA.key, GRACE.key)
    assert read.find(ADA.key.key_id) == ADA.key
    assert read.find("0" * 64) is None
    assert read.of("Grace Hopper") == (GRACE.key,)


def test_a_public_key_may_be_a_line_of_openssh_or_base64():
    line = ed25519.ssh_line(ADA.key.public_key, "ada@host")
    assert line.startswith("ssh-ed25519 AAAA")
    assert ed25519.public_key(line) == ed25519.public_key(b64encode(ADA.key.public_key).decode()) == ADA.key.public_key


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"key_id": "0" * 64}, f"/keys/0/key_id: is not the SHA-256 of the public key, which is {ADA.key.key_id}"),
        ({"public_key": "ssh-rsa AAAA"}, "/keys/0/public_key: is a key of the kind 'ssh-rsa'; only ssh-ed25519 is taken"),
        ({"public_key": "ssh-ed25519 !"}, "/keys/0/public_key: is neither"),
        ({"public_key": "ssh-ed25519 AAAA"}, "/keys/0/public_key: does not hold"),
        ({"public_key": b64encode(bytes(31)).decode()}, "/keys/0/public_key: is 31 bytes long"),
        ({"public_key": b64encode(bytes(32)).decode()}, "/keys/0/public_key: is a point of small order"),
        ({"public_key": "-----BEGIN PRIVATE KEY-----"}, "/keys/0/public_key: is a PRIVATE key"),
        ({"public_key": ed25519.ssh_line(ADA.key.public_key) + "\nssh-ed25519 AAAA"}, "/keys/0/public_key: is more than one line"),
        ({"who": " Ada"}, "/keys/0/who: needs a letter"),
        ({"who": "…"}, "/keys/0/who: needs a letter"),
        ({"who": "Ada\u202e"}, "/keys/0/who: holds characters that can't be seen"),
        ({"roles": []}, "/keys/0/roles: names no role"),
        ({"roles": ["a b"]}, "/keys/0/roles/0: 'a b' does not match"),
        ({"roles": ["approver", "approver"]}, "/keys/0/roles: names a role twice"),
        ({"roles": "approver"}, "/keys/0/roles: is not a list"),
        ({"not_after": "tomorrow"}, "/keys/0/not_after: is no instant"),
        ({"not_after": "2027-01-01T00:00:00"}, "/keys/0/not_after: is no instant"),
        ({"rolls": ["approver"]}, "/keys/0/rolls: is not a known key; did you mean 'roles'?"),
    ],
)
def test_each_problem_is_named_with_its_place(changed: dict[str, Any], problem: str):
    with pytest.raises(InvalidKeys) as refusal:
        keys.read(_file({**ADA.key.entry(), **changed}), PATH)
    assert f"{PATH} {problem}" in str(refusal.value)


def test_every_problem_is_listed_at_once():
    with pytest.raises(InvalidKeys) as refusal:
        keys.read(_file({}, {"who": 7}, schema_version=2, key=1), PATH)
    assert len(refusal.value.problems) >= 8


def test_one_key_is_one_persons():
    with pytest.raises(InvalidKeys, match="is the key of /keys/0"):
        keys.read(_file(ADA.key.entry(), {**ADA.key.entry(), "who": "Grace Hopper"}), PATH)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"schema_version":1}', b'{"schema_version":1,"schema_version":1,"keys":[]}', b'{"schema_version":true,"keys":[]}'],
)
def test_what_is_no_keys_file_is_refused(content: bytes):
    with pytest.raises(InvalidKeys):
        keys.read(content, PATH)


@pytest.mark.parametrize("point", sorted(ed25519._LOW_ORDER))
@pytest.mark.parametrize("sign", [0, 0x80])
def test_a_key_for_which_anybody_can_sign_is_refused(point: bytes, sign: int):
    with pytest.raises(ValueError, match="small order"):
        ed25519.public_key(b64encode(point[:-1] + bytes([point[-1] | sign])).decode())


def test_different_people_are_different_and_scripts_that_are_not_latin_are_kept():
    names = ["Ada", "Grace", "Ada Lovelace", "李四", "张三", "Ольга Ш", "Игорь", "محمد", "agent-1", "agent-2"]
    assert len({persons.person(name) for name in names}) == len(names)


@pytest.mark.parametrize(("one", "other"), [("Renée", "RENEE"), ("a_b-c d", "ABCD"), ("Straße", "STRASSE"), ("Ｇrace", "grace"), ("…", " … ")])
def test_spellings_of_one_name_are_the_same(one: str, other: str):
    assert persons.same(one, other)


def test_names_without_a_letter_are_not_all_the_same():
    assert not persons.same("…", "!")
