"""P-values in a paper's words: `p < 0.001`, `P=.03`, `P for trend = 0·02`, `p = 3 × 10⁻⁸`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

from windlass.agents import written_numbers
from windlass.agents.extraction_rows import FieldName, PValue, Unread
from windlass.agents.written_numbers import ANY, END

_Relation = Literal["=", "<", ">", "<=", ">="]
_RELATIONS: Mapping[str, _Relation] = MappingProxyType(
    {"=": "=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "≤": "<=", "≥": ">=", ":": "=", "was": "=", "of": "=", "is": "="}
)
_P = re.compile(
    r"(?<![\w-])[pP](?:[ -]?values?|_?(?:trend|interaction|heterogeneity|adj(?:usted)?))?"
    r"(?: for [A-Za-z -]{1,30}?| ?\([A-Za-z -]{1,30}\))? ?"
    rf"(?P<relation>[<>]=|[=<>≤≥:]|(?<=values)(?: was| of| is)|(?<=value)(?: was| of| is)) ?(?P<value>{ANY})"
    r"(?P<power>[eE]-?\d{1,3}|(?: ?[x×*] ?10 ?\^? ?(?:-?\d{1,3}|-[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,3})))?"
)
_AFTER = re.compile(END)
_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_EXPONENT = re.compile(r"(-?\d+)$")


def read(text: str, flat: str, field: FieldName, check: Callable[[], None]) -> tuple[list[PValue], list[Unread]]:
    """The p-values of a text in order of place, and what looks like one and can't be."""
    values: list[PValue] = []
    unread: list[Unread] = []
    for found in _P.finditer(flat):
        check()
        place = {"field": field, "start": found.start(), "end": found.end(), "quote": text[found.start() : found.end()]}
        value = written_numbers.decimal(found["value"])
        if value is None or not _AFTER.match(flat, found.end()):
            unread.append(Unread.model_validate({**place, "reason": written_numbers.refusal(found["value"])}))
            continue
        value = float(f"{found['value']}e{_power(found['power'])}")
        if value > 1:
            unread.append(Unread.model_validate({**place, "reason": "a probability is at most 1"}))
            continue
        values.append(PValue.model_validate({**place, "relation": _RELATIONS[found["relation"].strip()], "value": value}))
    return values, unread


def _power(written: str | None) -> str:
    """The exponent of ten, as digits: `-8` of `e-8`, `× 10^-8` and `×10⁻⁸`; `0` where there is none."""
    found = _EXPONENT.search((written or "").translate(_SUPERSCRIPT))
    return found.group() if found else "0"
