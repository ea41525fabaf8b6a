"""`frontmatter_status`: which fields of a document's front matter meet what a contract asks of them.

A value is met by an equal one of the same kind: text by text, a number by a number (`3` and `3.0` are one), true by true; `"3"` does not
meet `3`. `{not: v}` is met by any other value, `{min: n}` and `{max: n}` by numbers only. A field that is absent or empty meets nothing
but a plain `null`, which an empty one meets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass.records.checks import frontmatter_yaml
from windlass.records.checks.kept import Kept, failed

_ABSENT = object()
_OPERATORS = ("not", "min", "max")
_SHOWN = 80


def watcher(asked: Mapping[str, Any]) -> Kept:
    """Judges one document while it is read."""
    return Kept(frontmatter_yaml.MAX_SIZE, lambda head: _judged(head, asked), head_only=True)


def _judged(head: bytes, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        rows = met(asked, frontmatter_yaml.front_matter(head))
    except frontmatter_yaml.BadFrontMatter as failure:
        return failed("VALIDATION_FAILED", str(failure), checks=[])
    unmet = "; ".join(f"{row['field']} {row['reason']}" for row in rows if not row["pass"])
    return failed("VALIDATION_FAILED", unmet, checks=rows) if unmet else {"checks": rows, "pass": True}


def met(asked: Mapping[str, Any], fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row for each field that is asked about: `{field, pass}`, what was found, and a reason where it does not do."""
    return [_row(name, wanted, fields.get(name, _ABSENT)) for name, wanted in asked.items()]


def _row(name: str, wanted: Any, found: Any) -> dict[str, Any]:
    reason = _reason(wanted, found)
    shown = {} if found is _ABSENT else {"found": _short(found)}
    return {"field": name, "pass": reason is None, **shown, **({} if reason is None else {"reason": reason})}


def _reason(wanted: Any, found: Any) -> str | None:
    if found is _ABSENT:
        return "is absent"
    if not isinstance(wanted, Mapping):
        return None if same(wanted, found) else f"is {say(found)}, not {say(wanted)}"
    if found is None:
        return "is empty"
    return next((reason for operator in _OPERATORS if operator in wanted and (reason := _against(operator, wanted[operator], found))), None)


def _against(operator: str, bound: Any, found: Any) -> str | None:
    if operator == "not":
        return f"is {say(found)}" if same(bound, found) else None
    if isinstance(found, bool) or not isinstance(found, int | float):
        return f"is {say(found)}, not a number"
    if operator == "min":
        return None if found >= bound else f"is {found}, below {bound}"
    return None if found <= bound else f"is {found}, above {bound}"


def same(one: Any, other: Any) -> bool:
    """Equality as JSON has it: numbers by value, and never a number for a truth value or a text."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other
    return type(one) is type(other) and bool(one == other)


def say(value: Any) -> str:
    """A value as a reason names it: text in quotes, so that "3" and 3 look different."""
    match value:
        case None:
            return "empty"
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value[:_SHOWN]}"'
        case list() | tuple():
            return f"a list of {len(value)}"
        case Mapping():
            return "a group of fields"
        case _:
            return str(value)


def _short(found: Any) -> Any:
    """What is recorded of a value that a stranger wrote."""
    if isinstance(found, str):
        return found[:_SHOWN]
    return found if found is None or isinstance(found, bool | int | float) else say(found)
