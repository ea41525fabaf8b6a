"""`command`: a program that was committed to runs to its end and exits as expected; its verdict is its exit status, never its output."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windlass.errors import Refused
from windlass.records.artifacts import Places
from windlass.records.checks import folders, permission
from windlass.records.checks.kept import failed

if TYPE_CHECKING:
    from windlass.records.checks.judge import Given
    from windlass.records.checks.program import Ran
    from windlass.records.checks.reading import Read
    from windlass.records.contracts.contract import Check

_VARIABLE = re.compile(r"\{(slug|artifact_path)\}")


def judge(check: Check, given: Given, _reads: Mapping[str, Read]) -> Mapping[str, Any]:
    """Run it, when it may be run."""
    fields = check.fields
    told: dict[str, Any] = {"argv": list(fields["argv"]), "expect_exit": fields["expect_exit"]}
    if reason := permission.refusal(given.commands):
        return failed("NOT_ALLOWED", reason, **told)
    try:
        argv = resolved(fields["argv"], given.places)
        cwd = directory(given.places, fields["cwd"])
    except Refused as refusal:
        return failed("OUTSIDE_ROOT", str(refusal), **told)
    from windlass.records.checks import program  # noqa: PLC0415  # `subprocess` is slow to import

    told["argv"] = argv
    ran = program.run(argv, cwd=cwd, timeout_s=fields["timeout_s"], env=fields["env"])
    return verdict(ran, told, fields["timeout_s"])


def verdict(ran: Ran, told: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
    """How it ended, held against what was expected."""
    told = {**told, "exit": ran.exit, "signal": ran.signal, "output_tail": list(ran.tail)}
    if ran.problem:
        return failed("VALIDATION_FAILED", f"{told['argv'][0]} {ran.problem}", **told)
    if ran.timed_out:
        return failed("TIMEOUT", f"{told['argv'][0]} did not end within {timeout_s:g} s, and was killed", **told)
    if ran.signal:
        return failed("VALIDATION_FAILED", f"{told['argv'][0]} was ended by {ran.signal}", **told)
    if ran.exit != told["expect_exit"]:
        return failed("VALIDATION_FAILED", f"{told['argv'][0]} exited {ran.exit}, not {told['expect_exit']}", **told)
    return {**told, "pass": True}


def resolved(argv: Sequence[str], places: Places) -> list[str]:
    """The arguments with `{slug}` and `{artifact_path}` in their places; raises Refused for one that would become an option by it."""
    values = {"slug": places.slug, "artifact_path": places.artifact_path}
    found = [_VARIABLE.sub(lambda match: values[match[1]], argument) for argument in argv]
    for written, argument in zip(argv, found, strict=True):
        if argument.startswith("-") and not written.startswith("-"):
            raise Refused(f"{written}: would become the option {argument[:80]!r}")
    return found


def directory(places: Places, template: str | None) -> Path:
    """The directory beneath the root where the program is started; no link on the way. Raises Refused."""
    if template is None:
        return places.root
    path = places.root
    for part in filter(None, folders.resolve(places, template).split("/")):
        path /= part
        try:
            kind = os.lstat(path).st_mode
        except OSError as failure:
            raise Refused(f"{template}: {failure.strerror}") from failure
        if not stat.S_ISDIR(kind):
            raise Refused(f"{template}: is no directory, or lies behind a symbolic link, and none is followed")
    return path
