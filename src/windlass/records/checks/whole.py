"""The types that judge a document in one piece: its headings, its front matter, its JSON. Parsers are loaded when a contract needs them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from windlass.records.checks import kinds
from windlass.records.checks.kept import Kept
from windlass.records.checks.types import Field, Type

if TYPE_CHECKING:
    from windlass.records.checks.judge import Given
    from windlass.records.contracts.contract import Check
    from windlass.records.contracts.problems import Keys

_MOST_HEADINGS = 1_000
_LONGEST_HEADING = 1_000


def _contains_headings(check: Check, _given: Given) -> Kept:
    from windlass.records.checks import headings  # noqa: PLC0415  # the Markdown parser costs 30 ms

    return headings.watcher(check.fields["required_headings"])


def _heading_problems(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    wanted = fields["required_headings"]
    if len(wanted) > _MOST_HEADINGS:
        yield "required_headings", f"lists {len(wanted)} headings; the most is {_MOST_HEADINGS}"
    for place, heading in enumerate(wanted[:_MOST_HEADINGS]):
        if not heading.strip(" \t#") or "\n" in heading or len(heading) > _LONGEST_HEADING:
            yield f"required_headings/{place}", f"{heading[:80]!r} is no heading: `## Layer 1`, on one line"


def _frontmatter_status(check: Check, _given: Given) -> Kept:
    from windlass.records.checks import frontmatter  # noqa: PLC0415  # the YAML parser costs 20 ms

    return frontmatter.watcher(check.fields["checks"])


def _field_checks(keys: Keys, name: str) -> Mapping[str, Any]:
    asked = keys.raw(name)
    if asked is None:
        return {}
    if not isinstance(asked, dict) or not asked:
        keys.wrong(name, "is not an object of at least one field")
        return {}
    for field, wanted in asked.items():
        for reason in _operator_problems(wanted):
            keys.wrong(f"{name}/{field.replace('~', '~0').replace('/', '~1')}", reason)
    return asked


def _operator_problems(wanted: Any) -> Iterator[str]:
    if not isinstance(wanted, dict):
        return
    if not wanted or (unknown := sorted(wanted.keys() - {"not", "min", "max"})):
        yield f"{unknown[0]!r} is none of not, min, max" if wanted else "asks for nothing: give a value, or not, min, max"
        return
    for bound in ("min", "max"):
        if bound in wanted and (isinstance(wanted[bound], bool) or not isinstance(wanted[bound], int | float)):
            yield f"{bound} is not a number"
            return
    if "min" in wanted and "max" in wanted and wanted["min"] > wanted["max"]:
        yield "min is above max: nothing can meet it"


def _field_words(asked: Mapping[str, Any]) -> str:
    from windlass.records.checks.frontmatter import say  # noqa: PLC0415  # see above

    told = []
    for name, wanted in asked.items():
        if not isinstance(wanted, Mapping):
            told.append(f"{name} is {say(wanted)}")
            continue
        bounds = {"not": "is not", "min": "is at least", "max": "is at most"}
        told.append(" and ".join(f"{name} {words} {say(wanted[bound])}" for bound, words in bounds.items() if bound in wanted))
    return "; ".join(told)


_VALUE: Mapping[str, Any] = {
    "anyOf": [
        {"type": ["string", "number", "boolean", "null", "array"]},
        {
            "type": "object",
            "properties": {"not": {}, "min": {"type": "number"}, "max": {"type": "number"}},
            "additionalProperties": False,
            "minProperties": 1,
        },
    ]
}


def _schema_field(keys: Keys, name: str) -> Any:
    from windlass.records.contracts import paths  # noqa: PLC0415  # beside `kinds`, which does the same for targets

    schema = keys.raw(name)
    if isinstance(schema, str):
        for reason in paths.problems(schema, globs=False):
            keys.wrong(name, reason)
    elif not isinstance(schema, dict) and schema is not None:
        keys.wrong(name, "is neither a JSON Schema nor the path of one")
        return {}
    return schema


def _schema_problems(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    from windlass.records.checks import schema  # noqa: PLC0415  # jsonschema costs 80 ms

    reason = schema.problem(fields["schema"]) if isinstance(fields["schema"], dict) else None
    if reason:
        yield "schema", reason


def _schema_targets(fields: Mapping[str, Any]) -> tuple[str, ...]:
    return (fields["target"], fields["schema"]) if isinstance(fields["schema"], str) else (fields["target"],)


def _json_schema(check: Check, _given: Given) -> Kept:
    from windlass.records.checks import schema  # noqa: PLC0415  # see above

    return schema.watcher(check.fields["schema"])


def _combined(results: Any) -> Mapping[str, Any]:
    from windlass.records.checks import schema  # noqa: PLC0415  # see above

    return schema.combined(results)


TYPES: dict[str, Type] = {
    "contains_headings": Type(
        fields={"target": kinds.TARGET, "required_headings": kinds.texts()},
        words=lambda fields, target: f"{target} has the Markdown headings {', '.join(map(repr, fields['required_headings']))}",
        problems=_heading_problems,
        watch=_contains_headings,
    ),
    "frontmatter_status": Type(
        fields={
            "target": kinds.TARGET,
            "checks": Field(read=_field_checks, schema={"type": "object", "additionalProperties": _VALUE, "minProperties": 1}),
        },
        words=lambda fields, target: f"the front matter of {target} says: {_field_words(fields['checks'])}",
        watch=_frontmatter_status,
    ),
    "json_schema": Type(
        fields={"target": kinds.TARGET, "schema": Field(read=_schema_field, schema={"type": ["object", "string"]})},
        words=lambda fields, target: (
            f"{target} is JSON that fits the schema {fields['schema'] if isinstance(fields['schema'], str) else 'in the contract'}"
        ),
        problems=_schema_problems,
        targets=_schema_targets,
        watch=_json_schema,
        combine=_combined,
    ),
}
