"""Rules that tell a real number of a kind from digits that only look like one: ranges, lengths and check digits. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_VIN_VALUES = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", [*range(1, 9), *range(1, 6), 7, 9, *range(2, 10)], strict=True))
_IBAN_LENGTHS = range(15, 35)
_PHONE_DIGITS = range(7, 16)


def has_digit(value: str) -> bool:
    """Whether a labelled value holds a digit, so that `MRN: unknown` is none."""
    return any(character.isdigit() for character in value)


def date(value: str) -> bool:
    """Whether the parts can be a day, a month and a year, with the same separator between them; a year of two digits takes no points."""
    separators = re.sub(r"\d", "", value)
    parts = [int(part) for part in re.split(r"\D", value)]
    if separators[0] != separators[1]:
        return False
    if len(re.split(r"\D", value)[0]) == 4:
        return True
    return min(parts[:2]) <= 12 and not (separators == ".." and parts[2] < 100)


def phone(value: str) -> bool:
    """Whether there are as many digits as a telephone number has (ITU E.164: at most 15)."""
    return len(_digits(value)) in _PHONE_DIGITS


def email(value: str) -> bool:
    """Whether both parts keep within RFC 5321: at most 64 and 255 characters, no point at the ends of the first."""
    local, domain = value.split("@")
    return len(local) <= 64 and len(domain) <= 255 and local == local.strip(".")


def ssn(value: str) -> bool:
    """Whether area, group and serial are ones that are given out: no area 000, 666 or 900 and above, no group 00, no serial 0000."""
    digits = _digits(value)
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"


def card(value: str) -> bool:
    """Whether the last digit is that of Luhn's rule (ISO/IEC 7812); digits that are all the same are no card."""
    digits = [int(digit) for digit in _digits(value)]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 and len(set(digits)) > 1


def iban(value: str) -> bool:
    """Whether the check digits are those of ISO 13616: the number, its head moved to its end and its letters read as 10 to 35, is 1 modulo 97."""
    plain = value.replace(" ", "")
    return len(plain) in _IBAN_LENGTHS and int("".join(str(int(character, 36)) for character in plain[4:] + plain[:4])) % 97 == 1


def vin(value: str) -> bool:
    """Whether the ninth character is the check digit of 49 CFR 565.15; a value without letters or without digits is none."""
    if value.isdigit() or not has_digit(value):
        return False
    total = sum(
        weight * (int(character) if character.isdigit() else _VIN_VALUES[character]) for weight, character in zip(_VIN_WEIGHTS, value, strict=True)
    )
    return value[8] == "0123456789X"[total % 11]


def ip(value: str) -> bool:
    """Whether it is an IPv4 or IPv6 address with a digit in it, so that `add::bad` is none."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return has_digit(value)


def _digits(value: str) -> str:
    return re.sub(r"\D", "", value)


BY_NAME: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {"digit": has_digit, "date": date, "phone": phone, "email": email, "ssn": ssn, "card": card, "iban": iban, "vin": vin, "ip": ip}
)
"""The rules by the names that data files call them."""
