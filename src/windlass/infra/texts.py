"""Values that JSON can write, made of values that it can't: names of files and users are bytes, and not every one is text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_INT64 = range(-(2**63), 2**64)


def writable(value: Any) -> Any:
    r"""The value, with what no UTF-8 can write as its escape (`\udcff`), integers beyond 64 bits as text, and tuples as lists."""
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case Mapping():
            return {writable(str(key)): writable(one) for key, one in value.items()}
        case list() | tuple():
            return [writable(one) for one in value]
        case int() if value not in _INT64:
            return hex(value)
    return value
