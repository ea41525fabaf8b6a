"""Checks of what exists: files, directories, how many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from windlass.errors import Refused
from windlass.records.checks import folders, kinds
from windlass.records.checks.kept import failed
from windlass.records.checks.types import Field, Result, Type
from windlass.records.contracts import paths

if TYPE_CHECKING:
    from windlass.records.artifacts import Places
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


def _dir_exists(check: Check, given: Given, _reads: Mapping[str, Read]) -> Result:
    try:
        with folders.opened(given.places, folders.resolve(given.places, check.fields["target"])):
            return {"pass": True}
    except folders.NotOpened as failure:
        return failed(failure.code, failure.reason)
    except Refused as refusal:
        return failed("OUTSIDE_ROOT", str(refusal))


def _min_file_count(check: Check, given: Given, _reads: Mapping[str, Read]) -> Result:
    """Regular, non-empty files beneath a directory that a glob means."""
    told = {"count": 0, "threshold": check.fields["min"]}
    try:
        count = _counted(check, given.places)
    except (folders.NotOpened, paths.NotExpanded) as failure:
        return failed(failure.code, str(failure), **told)
    except Refused as refusal:
        return failed("OUTSIDE_ROOT", str(refusal), **told)
    told["count"] = count
    if count >= told["threshold"]:
        return {**told, "pass": True}
    return failed("VALIDATION_FAILED", f"{count} files, at least {told['threshold']} are needed", **told)


def _counted(check: Check, places: Places) -> int:
    resolved = folders.resolve(places, check.fields["target"])
    parts = paths.segments(check.fields["glob"], slug=places.slug, artifact_path=places.artifact_path)
    with folders.opened(places, resolved) as held:
        return 0 if folders.is_recorded(resolved) else paths.counted(held, parts, resolved)


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
