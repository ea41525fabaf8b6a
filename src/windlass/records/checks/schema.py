"""`json_schema`: the document is JSON that fits a schema, which stands in the contract or in a file beneath the root."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from windlass.infra import schemas
from windlass.records.checks.kept import Kept, failed

if TYPE_CHECKING:
    from windlass.records.checks.reading import Read

MAX_SIZE = 16 * 1024 * 1024
"""Bytes of a document."""
MAX_SCHEMA = 256 * 1024
"""Bytes of a schema."""
MAX_STEPS = 1_000_000
"""Keywords tried on values, about three seconds of work."""
_CONTENT = "content"


def problem(schema: Mapping[str, Any]) -> str | None:
    """What is wrong with a schema itself, or None."""
    if len(orjson.dumps(schema)) > MAX_SCHEMA:
        return f"is larger than {MAX_SCHEMA:,} bytes"
    try:
        schemas.compiled(schema, MAX_STEPS)
    except ValueError as failure:
        return str(failure)
    return None


def watcher(schema: Mapping[str, Any] | str) -> Kept:
    """Keeps one of the files, the document or the schema; `combined` judges when both have been read."""
    return Kept(MAX_SIZE, lambda content: {"pass": True, _CONTENT: content, "schema": schema})


def combined(results: Sequence[tuple[Read, Mapping[str, Any]]]) -> Mapping[str, Any]:
    """The verdict on a document (the first result) by the schema in the contract, or in the second file."""
    (_, document), *rest = results
    if not document["pass"]:
        return document
    if not rest:
        return _judged(document[_CONTENT], document["schema"], {})
    read, found = rest[0]
    told = {"schema": {"path": read.artifact.path, "sha256": read.artifact.sha256}}
    if not found["pass"]:
        return failed(found["code"], f"the schema {read.artifact.path} {found['reason']}", **told)
    if len(found[_CONTENT]) > MAX_SCHEMA:
        return failed("TOO_LARGE", f"the schema {read.artifact.path} is larger than {MAX_SCHEMA:,} bytes", **told)
    try:
        schema = orjson.loads(found[_CONTENT])
    except orjson.JSONDecodeError as failure:
        return failed("CONTRACT_INVALID", f"the schema {read.artifact.path} is not JSON: {failure}", **told)
    if not isinstance(schema, dict):
        return failed("CONTRACT_INVALID", f"the schema {read.artifact.path} is not an object", **told)
    reason = problem(schema)
    if reason:
        return failed("CONTRACT_INVALID", f"the schema {read.artifact.path}: {reason}", **told)
    return _judged(document[_CONTENT], schema, told)


def _judged(content: bytes, schema: Mapping[str, Any], told: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        value = orjson.loads(content.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as failure:
        return failed("VALIDATION_FAILED", f"is not JSON: {failure}", **told)
    reason = schemas.compiled(schema, MAX_STEPS)(value)
    if reason is None:
        return {**told, "pass": True}
    return failed("TOO_LARGE" if reason.startswith(schemas.TOO_MUCH_WORK) else "VALIDATION_FAILED", reason, **told)
