"""What is asked of the windows: understood to the letter, or refused by the name of the field."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.windows.power.windows import SERVICES, policy
from windlass.infra import documents
from windlass.windows.power import asked
from windlass.windows.power.asked import MAX_REASON, MAX_SERVICES, Open, Refusal
from windlass.windows.power.policy import ServicePolicy

POLICY = policy(
    services={"a": ServicePolicy(max_ttl_sec=600), "b": ServicePolicy(max_ttl_sec=100), "switch": ServicePolicy(max_ttl_sec=3600)},
    default_ttl_sec=300,
)
KEYS = ("services", "ttl_sec", "mode", "reason", "on_partial")
NOT_NUMBERS: list[Any] = [None, True, False, "", "60", "sixty", [60], {"sec": 60}, [], {}, b"60"]
NOT_WHOLE: list[Any] = [1.5, 0.99, -0.0, math.nan, math.inf, -math.inf, 1e300, -1e300, 599.9999]
HUGE: list[Any] = [10**30, -(10**30), 10**5000, -(10**5000), 2**63, 2**64]
NOT_TEXT: list[Any] = [3, 3.5, True, ["x"], {"x": 1}, b"x"]
UNPRINTABLE = ["a\nb", "a\0b", "\x1b[31m", "\ud800", "a\u202eb", "\u2028", "\x7f"]


def opened(**fields: Any) -> Open:
    return asked.to_open({"services": ["a"], **fields}, POLICY)


def refused(act: Any, *given: Any) -> Refusal:
    """The refusal, which always names a field and never repeats more than a little of what was sent."""
    with pytest.raises(Refusal) as raised:
        act(*given)
    refusal = raised.value
    assert refusal.http == 422
    assert refusal.field
    assert str(refusal).startswith(f"{refusal.field}: ")
    assert len(str(refusal)) < 400
    assert "\n" not in str(refusal)
    return refusal


def open_refused(body: Any) -> Refusal:
    return refused(asked.to_open, body, POLICY)


# Opening


def test_a_body_with_services_alone_is_a_bounded_window() -> None:
    assert asked.to_open({"services": ["a"]}, POLICY) == Open(services=("a",), ttl_sec=300, mode="ttl", reason="", on_partial="degraded")


def test_every_field_is_read_as_it_was_said() -> None:
    body = {"services": ["switch", "a", "switch"], "ttl_sec": 600, "mode": "hold", "reason": "wegen „ü“ 🙂", "on_partial": "rollback"}
    read = asked.to_open(body, POLICY)
    assert read == Open(services=("switch", "a"), ttl_sec=600, mode="hold", reason="wegen „ü“ 🙂", on_partial="rollback")


def test_the_default_is_never_more_than_the_shortest_service_allows() -> None:
    assert asked.to_open({"services": ["a", "b"]}, POLICY).ttl_sec == 100


@pytest.mark.parametrize(("services", "most"), [(["a"], 600), (["b"], 100), (["switch"], 3600), (["a", "b"], 100), (["switch", "a"], 600)])
@pytest.mark.parametrize("mode", ["ttl", "hold"])
def test_the_time_to_live_has_exact_bounds(services: list[str], most: int, mode: str) -> None:
    for good in (1, 2, most - 1, most, float(most), 1.0):
        read = asked.to_open({"services": services, "ttl_sec": good, "mode": mode}, POLICY)
        assert read.ttl_sec == good
        assert type(read.ttl_sec) is int
    for bad in (0, -1, most + 1, float(most + 1), -most):
        refusal = open_refused({"services": services, "ttl_sec": bad, "mode": mode})
        assert (refusal.code, refusal.field) == ("BAD_TTL", "ttl_sec")
        assert f"1 to {most}" in str(refusal)


@pytest.mark.parametrize(
    "given", [*NOT_NUMBERS, *NOT_WHOLE, *HUGE], ids=lambda given: f"{type(given).__name__}-{str(given)[:9]}" if not isinstance(given, int) else "int"
)
def test_a_time_to_live_that_is_no_whole_number_in_bounds_is_refused(given: Any) -> None:
    refusal = open_refused({"services": ["a"], "ttl_sec": given})
    assert (refusal.code, refusal.field) == ("BAD_TTL", "ttl_sec")


@pytest.mark.parametrize(
    ("field", "given", "code"),
    [
        *(("mode", given, "BAD_MODE") for given in [*NOT_TEXT, None, "", "TTL", "ttl ", "forever", "infinite", ["ttl"]]),
        *(("on_partial", given, "INVALID_BODY") for given in [*NOT_TEXT, None, "", "Rollback", "ignore", ["rollback"]]),
        *(("reason", given, "INVALID_BODY") for given in [*NOT_TEXT, *UNPRINTABLE, "x" * (MAX_REASON + 1)]),
        *(
            ("services", given, "INVALID_BODY")
            for given in [3, 3.5, True, {"a": 1}, b"a", None, "a", [], ["a", 3], [None], [["a"]], [True], ["a"] * (MAX_SERVICES + 1)]
        ),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_its_field(field: str, given: Any, code: str) -> None:
    refusal = open_refused({"services": ["a"], field: given})
    assert (refusal.code, refusal.field) == (code, field)


def test_services_are_needed() -> None:
    assert open_refused({}).field == "services"


@pytest.mark.parametrize(
    ("services", "code", "field", "words"),
    [
        (["madre"], "CORE_SERVICE", "services[0]", "'madre' is core"),
        (["a", "madre"], "CORE_SERVICE", "services[1]", "never"),
        (["swich"], "NOT_ALLOWED", "services[0]", "did you mean switch"),
        (["a", "zzz"], "NOT_ALLOWED", "services[1]", "allowed are a, b, switch"),
        (["a", "A"], "NOT_ALLOWED", "services[1]", "'A'"),
        ([""], "NOT_ALLOWED", "services[0]", "''"),
        (["a "], "NOT_ALLOWED", "services[0]", "did you mean"),
        (["--help"], "NOT_ALLOWED", "services[0]", "'--help'"),
        (["a\0"], "NOT_ALLOWED", "services[0]", "x00"),
        (["\u0430"], "NOT_ALLOWED", "services[0]", "not in the allowlist"),  # a Cyrillic letter that looks like an a
        (["x" * 100_000], "NOT_ALLOWED", "services[0]", "…"),
    ],
)
def test_a_service_that_may_not_be_opened_is_refused_by_its_place(services: list[str], code: str, field: str, words: str) -> None:
    refusal = open_refused({"services": services})
    assert (refusal.code, refusal.field) == (code, field)
    assert words in str(refusal)


def test_an_empty_allowlist_opens_nothing() -> None:
    assert "allowed are none" in str(refused(asked.to_open, {"services": ["a"]}, policy(services={})))


def test_bounds_of_length_are_exact() -> None:
    assert opened(reason="ü" * MAX_REASON).reason == "ü" * MAX_REASON
    assert opened(services=["a"] * MAX_SERVICES).services == ("a",)
    assert opened(reason=None).reason == ""


# Closing and extending


@pytest.mark.parametrize(("body", "window_id"), [({}, None), ({"window_id": None}, None), ({"window_id": "win_1", "reason": "done"}, "win_1")])
def test_a_close_names_a_window_or_means_the_one_that_is_open(body: Any, window_id: str | None) -> None:
    assert asked.to_close(body) == window_id


@pytest.mark.parametrize(("ttl_sec", "read"), [(1, 1), (600, 600), (600.0, 600), (10**9, 10**9)])
def test_an_extension_names_its_window_and_its_seconds(ttl_sec: Any, read: int) -> None:
    assert asked.to_extend({"window_id": "w" * 200, "ttl_sec": ttl_sec}) == ("w" * 200, read)


NOT_IDS: list[Any] = ["", "w" * 201, *UNPRINTABLE, *NOT_TEXT]


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        *(({"window_id": given}, "window_id", "INVALID_BODY") for given in NOT_IDS),
        *(({"reason": given}, "reason", "INVALID_BODY") for given in [*NOT_TEXT, "x" * (MAX_REASON + 1), "\n"]),
        ({"id": "win_1"}, "id", "INVALID_BODY"),
        ({"ttl_sec": 3}, "ttl_sec", "INVALID_BODY"),
    ],
)
def test_a_close_that_does_not_fit_is_refused_by_its_field(body: Any, field: str, code: str) -> None:
    refusal = refused(asked.to_close, body)
    assert (refusal.code, refusal.field) == (code, field)


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "window_id", "INVALID_BODY"),
        ({"ttl_sec": 60}, "window_id", "INVALID_BODY"),
        ({"window_id": "win_1"}, "ttl_sec", "INVALID_BODY"),
        *(({"window_id": given, "ttl_sec": 60}, "window_id", "INVALID_BODY") for given in [None, *NOT_IDS]),
        *(({"window_id": "w", "ttl_sec": given}, "ttl_sec", "BAD_TTL") for given in [0, -1, 10**9 + 1, *NOT_NUMBERS, *NOT_WHOLE, *HUGE]),
        ({"window_id": "w", "ttl_sec": 60, "reason": "x"}, "reason", "INVALID_BODY"),
    ],
)
def test_an_extension_that_does_not_fit_is_refused_by_its_field(body: Any, field: str, code: str) -> None:
    refusal = refused(asked.to_extend, body)
    assert (refusal.code, refusal.field) == (code, field)


# All of them


READERS = (open_refused, lambda body: refused(asked.to_close, body), lambda body: refused(asked.to_extend, body))


@pytest.mark.parametrize("body", [None, [], "x", 3, True, b"{}", [{"services": ["a"]}]])
@pytest.mark.parametrize("read", READERS)
def test_a_body_that_is_no_object_is_refused(read: Any, body: Any) -> None:
    refusal = read(body)
    assert (refusal.code, refusal.field) == ("INVALID_BODY", "body")


@pytest.mark.parametrize(
    ("name", "field", "words"),
    [
        ("service", "service", "did you mean services?"),
        ("ttl", "ttl", "did you mean ttl_sec?"),
        ("TTL_SEC", "TTL_SEC", "known are"),
        ("window_id", "window_id", "known are services, ttl_sec, mode, reason, on_partial"),
        ("", "''", "known are"),
        ("a b", "'a b'", "known are"),
        ("ttl_sec\0", r"'ttl_sec\x00'", "did you mean ttl_sec?"),
        ("x" * 1_000_000, None, "known are"),
    ],
)
def test_an_unknown_field_is_refused_with_the_one_that_was_meant(name: str, field: str | None, words: str) -> None:
    refusal = open_refused({"services": ["a"], name: 1})
    assert refusal.field == field or field is None
    assert words in str(refusal)


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b'{"services": ["a"], "ttl_sec": 60, "ttl_sec": 600}', "ttl_sec"),
        (b'{"services": ["a"], "ttl_sec": 60, "ttl\\u005fsec": 600}', "ttl_sec"),
        (b'{"services": ["a"], "services": ["madre"]}', "services"),
        (b'{"services": ["a"], "ttl_sec": 99999999999999999999999}', "body"),
        (b'{"services": ["a"], "ttl_sec": NaN}', "body"),
        (b'{"services": ["a"], "ttl_sec": Infinity}', "body"),
        (b'{"services": ["a"], "reason": "\\ud800"}', "body"),
        (b'{"services": ["a"],}', "body"),
        (b"", "body"),
        (b'"services"', "body"),
    ],
)
def test_what_is_not_one_json_object_with_each_key_once_never_gets_as_far(content: bytes, field: str) -> None:
    with pytest.raises(documents.UnfitBody) as unfit:
        documents.parsed(content, KEYS, every_level=True)
    assert list(unfit.value.errors) == [field]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b'{"services": ["a"], "ttl_sec": 1e400}', None),
        (b'{"services": ["a"], "ttl_sec": 1e18}', "BAD_TTL"),
        (b'{"services": ["a"], "ttl_sec": -0}', "BAD_TTL"),
    ],
)
def test_numbers_that_json_can_write_and_no_window_can_have_are_refused(content: bytes, code: str | None) -> None:
    try:
        body = documents.parsed(content, KEYS, every_level=True)
    except documents.UnfitBody:
        assert code is None
        return
    assert open_refused(body).code == (code or "BAD_TTL")


SOME = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from([*SERVICES, "madre", "ttl", "hold", "rollback"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)
BODIES = st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, SOME) | {"window_id": SOME, "x": SOME})


@settings(deadline=None, max_examples=300)
@given(SOME | BODIES | st.fixed_dictionaries({"services": st.just(["a"])}, optional=dict.fromkeys(KEYS[1:], SOME)))
@example({"services": ["a"], "ttl_sec": 10**4300})
def test_whatever_is_sent_is_a_window_within_the_policy_or_a_refusal_that_names_a_field(body: Any) -> None:
    try:
        read = asked.to_open(body, POLICY)
    except Refusal as refusal:
        assert (refusal.http, bool(refusal.field)) == (422, True)  # noqa: PT017  # either way is right
    else:
        assert read.services
        assert set(read.services) <= set(POLICY.services)
        assert 1 <= read.ttl_sec <= POLICY.max_ttl_sec(read.services)
        assert (read.mode in {"ttl", "hold"}, read.on_partial in {"degraded", "rollback"}) == (True, True)
        assert len(read.reason) <= MAX_REASON
        assert read.reason.isprintable()
    for reader in (asked.to_close, asked.to_extend):
        try:
            reader(body)
        except Refusal as refusal:
            assert (refusal.http, bool(refusal.field)) == (422, True)  # noqa: PT017  # see above


@given(st.text(max_size=700))
def test_any_text_is_a_reason_unless_it_is_too_long_or_can_not_be_printed(text: str) -> None:
    try:
        assert opened(reason=text).reason == text
        fits = True
    except Refusal as refusal:
        assert refusal.field == "reason"  # noqa: PT017  # see above
        fits = False
    assert fits == (len(text) <= MAX_REASON and text.isprintable())


@given(st.text(max_size=12))
def test_no_text_but_a_name_of_the_allowlist_is_a_service(text: str) -> None:
    try:
        assert set(opened(services=[text]).services) <= set(POLICY.services)
    except Refusal as refusal:
        assert refusal.field == "services[0]"  # noqa: PT017  # see above
        assert text not in POLICY.services


@pytest.mark.parametrize(
    ("given", "shown"),
    [(1.5, "1.5"), (None, "None"), (True, "True"), ("60", "'60'"), (0, "0"), ([60], "this list"), ({}, "this dict"), (10**5000, "this int")],
    ids=itertools.count(),
)
def test_a_refusal_shows_what_was_sent_where_it_is_short(given: Any, shown: str) -> None:
    assert str(open_refused({"services": ["a"], "ttl_sec": given})).endswith(f"not {shown}")
