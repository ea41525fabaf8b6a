"""Checks of what exists: files, directories, how many."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from windlass.records.artifacts import IN_RECORD
from windlass.records.checks import kinds
from windlass.records.checks.types import Field, Result, Type
from windlass.records.contracts import paths

if TYPE_CHECKING:
    from windlass.records.checks.judge import Given
    from windlass.records.checks.reading import Read
    from windlass.records.contracts.contract import Check
    from windlass.records.contracts.problems import Keys


class Exists:
    """`file_exists`: that the file could be read and is not empty is said by the read itself. Lives as long as it."""

    def feed(self, chunk: memoryview) -> None:
        """Any bytes will do."""

    def end(self, found: Read) -> Mapping[str, Any]:
        """What the read says."""
        if found.problem is None:
            return {"pass": True}
        return {"pass": False, "code": found.problem[0], "reason": found.problem[1]}


def any_of(results: Sequence[tuple[Read, Result]]) -> Result:
    """One of several files, in the original's words."""
    checked = [
        {"path": read.artifact.path, "exists": read.exists, **({} if read.problem is None else {"reason": read.problem[1]})} for read, _ in results
    ]
    if any(result["pass"] for _, result in results):
        return {"pass": True, "checked": checked}
    return {"pass": False, "checked": checked, "code": "MISSING_ARTIFACT", "reason": "none of them is a file that can be read and is not empty"}


def _directory(given: Given, template: str) -> tuple[int | None, str]:
    """A descriptor of a directory beneath the root, and why there is none."""
    resolved = given.places.resolve(template)
    inside = resolved.startswith(IN_RECORD)
    held = os.open(given.places.record if inside else given.places.root, os.O_RDONLY | os.O_DIRECTORY)
    for part in resolved.removeprefix(IN_RECORD).split("/"):
        try:
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=held)
        except OSError as failure:
            reason = (
                "is missing" if isinstance(failure, FileNotFoundError) else "is no directory, or lies behind a symbolic link, and none is followed"
            )
            return None, reason
        finally:
            os.close(held)
        held = below
    return held, ""


def _dir_exists(check: Check, given: Given, _reads: Mapping[str, Read]) -> Result:
    found, reason = _directory(given, check.fields["target"])
    if found is None:
        return {"pass": False, "code": "MISSING_ARTIFACT", "reason": reason}
    os.close(found)
    return {"pass": True}


def _min_file_count(check: Check, given: Given, _reads: Mapping[str, Read]) -> Result:
    """Regular, non-empty files beneath a directory that a glob means."""
    fields = check.fields
    found, reason = _directory(given, fields["target"])
    told = {"count": 0, "threshold": fields["min"], "pass": False}
    if found is None:
        return told | {"code": "MISSING_ARTIFACT", "reason": reason}
    try:
        parts = paths.segments(fields["glob"], slug=given.places.slug, artifact_path=given.places.artifact_path)
        count = paths.counted(found, parts, given.places.resolve(fields["target"]))
    except paths.NotExpanded as refusal:
        return told | {"code": refusal.code, "reason": str(refusal)}
    finally:
        os.close(found)
    told |= {"count": count, "pass": count >= fields["min"]}
    return told if told["pass"] else told | {"code": "VALIDATION_FAILED", "reason": f"{count} files, at least {fields['min']} are needed"}


def _glob(keys: Keys, name: str) -> str:
    pattern = keys.text(name, "*")
    for reason in paths.problems(pattern, globs=True):
        keys.wrong(name, reason)
    return pattern


TYPES: dict[str, Type] = {
    "file_exists": Type(
        fields={"target": kinds.TARGET},
        words=lambda _fields, target: f"{target} is a regular file that is not empty",
        watch=lambda _check, _given: Exists(),
    ),
    "file_exists_any_of": Type(
        fields={"targets": kinds.TARGETS},
        targets=lambda fields: tuple(fields["targets"]),
        words=lambda _fields, target: f"at least one of {target} is a regular file that is not empty",
        watch=lambda _check, _given: Exists(),
        combine=any_of,
    ),
    "dir_exists": Type(
        fields={"target": kinds.TARGET},
        targets=lambda _fields: (),
        words=lambda fields, _target: f"{fields['target']} is a directory",
        judge=_dir_exists,
    ),
    "min_file_count": Type(
        fields={
            "target": kinds.TARGET,
            "glob": Field(read=_glob, schema={"type": "string", "default": "*"}, required=False),
            "min": kinds.number(least=1),
        },
        targets=lambda _fields: (),
        words=lambda fields, _target: f"{fields['target']} has at least {fields['min']} files that match {fields['glob']!r} and are not empty",
        judge=_min_file_count,
    ),
}
