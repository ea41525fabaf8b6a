"""The signed form: DSSE around canonical JSON, and one way only to write it."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]  # it is documented, and not in __all__

from tests.unit.records.approvals import people
from tests.unit.records.approvals.people import ADA, approval
from windlass.records.approvals import envelope
from windlass.records.approvals.envelope import InvalidApproval


@given(st.text(max_size=40), st.binary(max_size=200))
def test_the_signed_encoding_is_that_of_securesystemslib(kind: str, content: bytes):
    assert envelope.pae(kind, content) == Envelope(content, kind, {}).pae()


def test_an_approval_verifies_with_another_implementation():
    sealed = approval(ADA)
    key = SSlibKey(ADA.key.key_id, "ed25519", "ed25519", {"public": ADA.key.public_key.hex()})
    assert Envelope.from_dict(json.loads(json.dumps(sealed))).verify([key], 1) == {ADA.key.key_id: key}


def test_what_was_sealed_is_what_is_opened():
    payload = people.payload(ADA)
    opened = envelope.opened(people.signed(ADA, payload))
    assert opened.payload == payload
    assert opened.key_id == ADA.key.key_id


def _content() -> bytes:
    return people.payload(ADA).canonical()


def _refused(sealed: object, reason: str) -> None:
    with pytest.raises(InvalidApproval) as refusal:
        envelope.opened(sealed)
    assert reason in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (_content().replace(b'"attempt":2', b'"attempt":1,"attempt":2'), "canonical"),
        (_content().replace(b'"attempt":2', b'"attempt":2.0'), "attempt"),
        (_content().replace(b'"attempt":2', b'"attempt":true'), "attempt"),
        (_content().replace(b'"attempt":2', b'"attempt":"2"'), "attempt"),
        (_content().replace(b'"attempt":2', b'"attempt": 2'), "canonical"),
        (_content().replace(b'"attempt":2,', b""), "/payload/attempt: is missing"),
        (_content().replace(b'"attempt":2', b'"attempt":2,"aux":1'), "/payload/aux: is not a known key"),
        (_content().replace(b"gate.approval", b"gate.intent"), "/payload/purpose"),
        (_content().replace(b'"schema_version":1', b'"schema_version":2'), "schema_version: is 2"),
        (_content().replace(b"2026-01-19T14:35", b"2026-02-31T14:35"), "no instant"),
        (_content().replace(b"Ada", b"\xc0\xaf"), "not JSON"),
        (b"[]", "not an object"),
        (b"", "non-empty"),
        (b"[" * 5000, "not JSON"),
        (b'{"who":"' + b"x" * 20_000 + b'"}', "larger than"),
    ],
)
def test_a_payload_that_can_be_read_in_two_ways_is_refused_whoever_signed_it(content: bytes, reason: str):
    _refused(people.signed_bytes(ADA, content), reason)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"payloadType": "application/vnd.in-toto+json"}, "/payloadType"),
        ({"signatures": []}, "/signatures: holds 0"),
        ({"signatures": approval(ADA)["signatures"] * 2}, "/signatures: holds 2"),
        ({"signatures": [{"keyid": "ff", "sig": "AAAA"}]}, "/signatures/0/keyid"),
        ({"signatures": [{"keyid": ADA.key.key_id, "sig": "AAAA"}]}, "is 3 bytes"),
        ({"signatures": [{"keyid": ADA.key.key_id, "sig": "AAAA", "alg": "none"}]}, "/signatures/0/alg: is not a known key"),
        ({"signatures": [{"keyid": ADA.key.key_id}]}, "/signatures/0/sig: is missing"),
        ({"payload": approval(ADA)["payload"] + "\n"}, "not base64"),
        ({"payload": 7}, "/payload"),
        ({"more": 1}, "/more: is not a known key"),
    ],
)
def test_an_envelope_has_its_three_parts_one_signature_and_nothing_else(changed: dict[str, Any], reason: str):
    _refused({**approval(ADA), **changed}, reason)


def test_base64_is_read_in_one_form_only():
    text = b64encode(_content() + b" " * (3 - (len(_content()) + 1) % 3)).decode()
    assert text.endswith("=")
    loose = text.rstrip("=")
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = loose[:-1] + last[last.index(loose[-1]) + 1] + text[len(loose) :]
    assert b64decode(other) == b64decode(text)
    _refused({**approval(ADA), "payload": other}, "bits that mean nothing")


@pytest.mark.parametrize("what", [None, 7, "x", [], {}])
def test_what_is_no_envelope_is_refused(what: object):
    _refused(what, "is")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_anything_at_all_is_refused_and_never_breaks_the_reader(what: Any):
    for sealed in (what, {**approval(ADA), "payload": what}, {**approval(ADA), "signatures": what}):
        with pytest.raises(InvalidApproval):
            envelope.opened(sealed)
