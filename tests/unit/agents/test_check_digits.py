from __future__ import annotations

import pytest

from windlass.agents import check_digits


@pytest.mark.parametrize(
    ("rule", "value", "real"),
    [
        ("digit", "A12", True),
        ("digit", "unknown", False),
        ("date", "2026-03-02", True),
        ("date", "31/12/99", True),
        ("date", "13/14/99", False),
        ("date", "1.2.34", False),
        ("date", "1.2.1934", True),
        ("date", "2026-03/02", False),
        ("phone", "(617) 555-0123", True),
        ("phone", "12-34", False),
        ("email", "a.b@example.org", True),
        ("email", f"{'a' * 65}@example.org", False),
        ("email", ".a@example.org", False),
        ("ssn", "123-45-6789", True),
        ("ssn", "000-45-6789", False),
        ("ssn", "666-45-6789", False),
        ("ssn", "900-45-6789", False),
        ("ssn", "123-00-6789", False),
        ("ssn", "123-45-0000", False),
        ("card", "4111 1111 1111 1111", True),
        ("card", "4111 1111 1111 1112", False),
        ("card", "0000000000000", False),
        ("iban", "GB82 WEST 1234 5698 7654 32", True),
        ("iban", "GB82 WEST 1234 5698 7654 33", False),
        ("vin", "1M8GDM9AXKP042788", True),
        ("vin", "1M8GDM9A1KP042788", False),
        ("vin", "11111111111111111", False),
        ("ip", "192.168.0.12", True),
        ("ip", "256.1.1.1", False),
        ("ip", "fe80::1", True),
        ("ip", "add::bad", False),
    ],
)
def test_a_real_number_is_told_from_one_that_looks_like_it(rule, value, real):
    assert check_digits.BY_NAME[rule](value) is real
