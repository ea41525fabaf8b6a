"""What a check is, what it is given, and what a type of check must say about itself: the values that every check module is written against.

A type of a check is one `Kind` in the `KINDS` of its module; `types.KINDS` is the union of those. A module of checks imports this
one and never `judge`, `types` or `records.contracts`, which stand above it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, Protocol

from windlass.records.artifacts import Artifact, Places
from windlass.records.events import Depth

Severity = Literal["error", "warning"]
Code = Literal[
    "MISSING_ARTIFACT",
    "EMPTY_FILE",
    "NOT_A_FILE",
    "OUTSIDE_ROOT",
    "UNREADABLE",
    "HEADING_MISMATCH",
    "VALIDATION_FAILED",
    "TOO_LARGE",
    "LINE_TOO_LONG",
    "TIMEOUT",
    "CONTRACT_INVALID",
    "NOT_ALLOWED",
    "NOT_RUN",
]
"""Why a check did not hold, for programs."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One entry of a contract's `validations`, as it was read: `fields` fit the type's own schema, `pointer` says where it stands."""

    type: str
    severity: Severity = "error"
    description: str | None = None
    fields: Mapping[str, Any]
    pointer: str


@dataclass(frozen=True, kw_only=True)
class Given:
    """Everything besides the contract and the files that a verdict may rest on; lives as long as one judgement.

    `agent` does this attempt; `producers` are the agents of each gate's newest passing attempt. `seed` draws samples. `commands`, `urls` and `sweep`
    are how the world is asked: without one, a check that needs it fails with NOT_ALLOWED.
    """

    places: Places
    depth: Depth = "standard"
    seed: str = ""
    network: bool = False
    commands: Callable[..., Any] | None = None
    agent: str = ""
    producers: Mapping[str, str] = MappingProxyType({})
    sweep: Callable[..., Any] | None = None
    urls: Callable[..., Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why a file can't be judged by what it holds."""

    code: Code
    reason: str


@dataclass(frozen=True, kw_only=True)
class Read:
    """One file as it was found by the one read of it. `problem`: None for a regular file with something in it."""

    artifact: Artifact
    problem: Problem | None = None

    @property
    def exists(self) -> bool:
        """Whether there is a file whose bytes were read, empty or not."""
        return self.artifact.exists


class Watcher(Protocol):
    """One check of one file; lives from the file's opening to its end.

    The judge decides about files with a problem: `end` may answer then as if the file were empty, its `pass` does not count.
    """

    def feed(self, chunk: memoryview) -> None:
        """Take the next bytes of the file, of any length; the memory is the reader's own again when this returns."""

    def end(self, found: Read) -> Mapping[str, Any]:
        """The type's own result: `pass`, its own fields, and for a pass that is False `code` and `reason`."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One file that a check of several files named: what was found, and what the check's watcher said about it (None without one)."""

    read: Read
    said: Mapping[str, Any] | None


Reads = Mapping[str, Sequence[Seen]]
"""For each template that `Kind.files` names, in that order: the files found there. A template without wildcards has exactly one."""


def _target(check: Check) -> tuple[str, ...]:
    return (check.fields["target"],)


def _no_problems(fields: Mapping[str, Any], pointer: str) -> Iterator[tuple[str, str]]:
    del fields, pointer
    return iter(())


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One type of check; lives as long as the process.

    * `says`: the type in one sentence, for the reference.
    * `properties`, `required`: its own keys as JSON Schema, besides `type`, `severity` and `description`. The fragments may use the
      keywords that `contracts.shapes` knows; `"format": "path"` marks a template of a path, `"format": "re2"` a pattern.
    * `words`: one sentence that tells the person or agent at the gate what will be checked.
    * `files`: the templates of the files that are read for it, `target` by default.
    * `watch`: the watcher of one such file.
    * `look`: the verdict of a check that is more than one file on its own. Without it, every file that `files` names is judged on its own by
      its watcher.
    * `problems`: what a schema can't say about its keys, as (JSON pointer, reason): thresholds that can't fail, for example.
    """

    says: str
    properties: Mapping[str, Any]
    required: tuple[str, ...] = ()
    words: Callable[[Check, Given], str]
    files: Callable[[Check], Sequence[str]] = _target
    watch: Callable[[Check, Given], Watcher] | None = None
    look: Callable[[Check, Given, Reads], Mapping[str, Any]] | None = None
    problems: Callable[[Mapping[str, Any], str], Iterator[tuple[str, str]]] = field(default=_no_problems)


PATH: Mapping[str, Any] = {"type": "string", "minLength": 1, "maxLength": 1024, "format": "path"}
"""The schema of a template: `{slug}`, `{artifact_path}`, `{record}/evidence/…` in front, and the wildcards `*`, `?`, `**`."""
PATTERN: Mapping[str, Any] = {"type": "string", "minLength": 1, "maxLength": 1000, "format": "re2"}
"""The schema of a regular expression in RE2's syntax."""
TARGET: Mapping[str, Any] = {"target": {**PATH, "description": "the file that is checked; with wildcards, each file that matches"}}


def failed(code: Code, reason: str, **own: Any) -> dict[str, Any]:
    """The result of a check that does not hold."""
    return {"pass": False, **own, "code": code, "reason": reason}


def held(*, holds: bool, code: Code, reason: str, **own: Any) -> dict[str, Any]:
    """The result of a check: `code` and `reason` are told only when it does not hold."""
    return {"pass": True, **own} if holds else failed(code, reason, **own)
