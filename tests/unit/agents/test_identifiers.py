from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents import identifiers
from windlass.errors import BudgetExceeded


def values(text: str) -> list[tuple[str, str]]:
    return [(found.kind, text[found.start : found.end]) for found in identifiers.scan(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Patient name: Jane Q. Doe was seen", [("name", "Jane Q. Doe")]),
        ("Mrs. O'Hara called", [("name", "O'Hara")]),
        ("12 North Elm Street, Boston MA 02139-1234", [("address", "12 North Elm Street"), ("address", "02139-1234")]),
        ("DOB 03/02/1931 and 2026-03-02T10:00Z", [("date", "03/02/1931"), ("date", "2026-03-02")]),
        ("on March 3rd, 2021, on 5 May 2020 and in June 2022", [("date", "March 3rd, 2021"), ("date", "5 May 2020"), ("date", "June 2022")]),
        ("aged 93, a 101-year-old and a 45-year-old", [("age_over_89", "93"), ("age_over_89", "101-year-old")]),
        ("Tel. (617) 555-0123, fax: 617-555-0199", [("phone", "(617) 555-0123"), ("fax", "617-555-0199")]),
        ("ring +44 20 7946 0958.", [("phone", "+44 20 7946 0958")]),
        ("a.b@exa-mple.org, å@example.se", [("email", "a.b@exa-mple.org"), ("email", "å@example.se")]),
        ("123-45-6789 and SSN: 123456789", [("ssn", "123-45-6789"), ("ssn", "123456789")]),
        ("MRN 12-34567; medical record no. A77-1", [("mrn", "12-34567"), ("mrn", "A77-1")]),
        ("Member ID: XYZ123456", [("health_plan", "XYZ123456")]),
        ("account number: 12345678, card 4111 1111 1111 1111", [("account", "12345678"), ("account", "4111 1111 1111 1111")]),
        ("license no: D1234567", [("licence", "D1234567")]),
        ("VIN 1M8GDM9AXKP042788, licence plate: ABC-123", [("vehicle", "1M8GDM9AXKP042788"), ("vehicle", "ABC-123")]),
        ("serial no. A12-3B, (01)00312345678906", [("device", "A12-3B"), ("device", "(01)00312345678906")]),
        ("see https://x.org/a?b=1.", [("url", "https://x.org/a?b=1")]),
        ("from 192.168.0.12 or fe80::1,", [("ip", "192.168.0.12"), ("ip", "fe80::1")]),
        ("Subject ID: S-001", [("other_id", "S-001")]),
    ],
)
def test_each_kind_is_found_with_its_value(text, expected):
    assert values(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "In 2021, 45 of 120 patients (37.5%) had a pressure of 120/80; may 5 times.",
        "std::vector at 12:30:45, version 1.2.34, p = 0.0312, HR 0.72 (0.61-0.85)",
        "MRN: unknown. The account of events. A licence no one holds.",
        "000-12-3456 and 12345-6789-0 and 1234567890123456",
        "",
    ],
)
def test_ordinary_text_raises_no_alarm(text):
    assert values(text) == []


def test_lines_count_from_one_and_go_on_over_blocks():
    text = "nothing here\n" * 20_000 + "mail a@b.org\n\nand 2026-03-02"
    assert [found.line for found in identifiers.scan(text)] == [20_001, 20_003]


def test_a_shape_shows_no_letter_and_no_digit_of_the_value():
    assert identifiers.shape("Ann-12@b.org") == "xxx-##@x.xxx"
    assert identifiers.shape("a" * 100) == "x" * 40 + "…"


def test_all_eighteen_kinds_are_listed_and_those_without_a_pattern_say_why():
    assert {kind.number for kind in identifiers.kinds()} == set(range(1, 19))
    assert [kind.name for kind in identifiers.not_searched()] == ["biometric", "photograph"]
    assert all(kind.note for kind in identifiers.not_searched())
    assert "164.514" in identifiers.source()


@pytest.mark.parametrize("piece", ["a", "1", ":", "a@", "1.", "Ab cd ", "привет 12 "])
def test_a_long_hostile_text_takes_time_in_proportion(piece):
    started = time.monotonic()
    identifiers.scan(piece * (2_000_000 // len(piece)))
    assert time.monotonic() - started < 10


def test_the_clock_is_asked():
    def up() -> None:
        raise BudgetExceeded("timeout_ms", 1, "up")

    with pytest.raises(BudgetExceeded):
        identifiers.scan("a", up)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["a@b.org", "123-45-6789", "2026-03-02", "é", "水 ", "\n", " ", "MRN 123", "12", "."]), max_size=30))
def test_findings_stand_apart_in_order_in_the_line_that_they_name(pieces):
    text = "".join(pieces)
    found = identifiers.scan(text)
    assert all(before.end <= after.start for before, after in pairwise(found))
    for one in found:
        assert one.line == text.count("\n", 0, one.start) + 1
        assert "\n" not in text[one.start : one.end]
