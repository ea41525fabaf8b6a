"""Who holds a token: exactly the holder, and nobody without one."""

from __future__ import annotations

import pytest

from windlass.errors import Refused
from windlass.infra import bearer

CHECK = bearer.check({"service": "service-token", "read": "reader-token"})


def headers(*values: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"localhost"), *((b"authorization", value) for value in values)]


@pytest.mark.parametrize(
    ("value", "holder"),
    [(b"Bearer service-token", "service"), (b"bearer  reader-token ", "read"), (b"BEARER service-token", "service")],
)
def test_the_scheme_is_read_in_any_case_and_the_token_names_its_holder(value, holder):
    assert CHECK(headers(value)) == holder


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"Bearer",
        b"Bearer ",
        b"service-token",
        b"Basic service-token",
        b"Bearer service-toke",
        b"Bearer service-tokenn",
        b"Bearer SERVICE-TOKEN",
        b"Bearer service-token reader-token",
        b"Bearer\tservice-token",
        b"Bearer \xff\xfe",
    ],
)
def test_what_is_not_exactly_the_token_has_no_holder(value):
    assert CHECK(headers(value)) is None


def test_a_request_without_the_header_has_no_holder():
    assert CHECK(headers()) is None


def test_two_authorization_headers_contradict_each_other_and_have_no_holder():
    assert CHECK(headers(b"Bearer service-token", b"Bearer service-token")) is None


def test_a_door_for_nobody_lets_nobody_in():
    assert bearer.check({})(headers(b"Bearer service-token")) is None


@pytest.mark.parametrize("token", ["", "   \t  ", "short12", "with a space", "with\nnewline", "naïve-token", "nul\x00-token"])
def test_what_can_not_be_a_token_is_refused_by_the_name_of_its_variable_and_never_repeated(token):
    with pytest.raises(Refused, match="SOME_TOKEN") as refused:
        bearer.usable("SOME_TOKEN", token)
    assert not token.strip() or token not in str(refused.value)


def test_a_usable_token_is_returned_as_it_is():
    assert bearer.usable("SOME_TOKEN", "12345678") == "12345678"
