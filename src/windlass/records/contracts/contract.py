"""A gate's contract: which outputs must exist, what is checked on them, who must approve."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from windlass.records import layout
from windlass.records.checks import types
from windlass.records.contracts import paths
from windlass.records.contracts.problems import InvalidFile, Keys, Notes, nearest, parsed
from windlass.records.events import DEPTHS, Depth

SCHEMA_VERSION = 1
_LOOKS_LIKE_REGEX = re.compile(r"\w\|\w|\\[bBdDsSwW]|\.[*+]|^\^\S|\(\?")
Severity = Literal["error", "warning"]


class InvalidContract(InvalidFile):
    """A contract that nothing may be judged by."""


@dataclass(frozen=True, kw_only=True)
class Output:
    """A file that a gate must leave; `path` is a template and may be a glob. Whether it is required depends on the depth."""

    path: str
    description: str | None
    required: bool
    required_for_depth: tuple[str, ...]
    optional_for_depth: tuple[str, ...]

    def is_required(self, depth: Depth) -> bool:
        """Whether it must exist at that depth: a list of depths that names it decides, else `required`."""
        if depth in self.optional_for_depth:
            return False
        if self.required_for_depth:
            return depth in self.required_for_depth
        return self.required


@dataclass(frozen=True, kw_only=True)
class Check:
    """One validation; `fields` are those of its type, read and checked, with their defaults."""

    type: str
    severity: Severity
    description: str | None
    fields: Mapping[str, Any]
    pointer: str


@dataclass(frozen=True, kw_only=True)
class ApprovalRule:
    """Who must approve: `quorum` distinct persons, each with a key of one of `roles`, within `expires_in_s` seconds."""

    quorum: int
    roles: tuple[str, ...]
    expires_in_s: int


@dataclass(frozen=True, kw_only=True)
class Contract:
    """One contract as it was read; `content` are its bytes, `path` where it lies (relative to the root, or `shipped:…`)."""

    gate: str
    name: str
    blocking: bool
    description: str | None
    any_of: tuple[Output, ...]
    all_of: tuple[Output, ...]
    validations: tuple[Check, ...]
    notes: str | None
    approvals: ApprovalRule | None
    schema_version: int | None
    version: str
    content: bytes
    sha256: str
    path: str
    warnings: tuple[str, ...]

    def outputs(self, depth: Depth) -> tuple[Output, ...]:
        """Everything that is required at that depth: every one of `all_of`, and the choices of `any_of`."""
        return (*self.any_of, *(output for output in self.all_of if output.is_required(depth)))


def read(content: bytes, path: str) -> Contract:
    """The contract in a file's bytes; raises InvalidContract that lists every problem.

    One without `schema_version` was written for the original runner: in it unknown keys only warn. Unknown types never do.
    """
    try:
        found = parsed(content, path)
    except InvalidFile as invalid:
        raise InvalidContract(path, [problem.removeprefix(f"{path} ") for problem in invalid.problems]) from invalid
    notes = Notes()
    keys = Keys(found, "", notes, unknown="problem" if "schema_version" in found else "warn")
    version = keys.raw("schema_version", None)
    if "schema_version" in found and (type(version) is not int or version != SCHEMA_VERSION):
        keys.wrong("schema_version", f"is {version!r}; this Windlass reads {SCHEMA_VERSION}")
    gate = keys.text("gate")
    if gate and not layout.NAME.fullmatch(gate):
        keys.wrong("gate", f"{gate[:80]!r} does not match {layout.NAME.pattern}")
    outputs = keys.part("required_outputs")
    any_of = tuple(_output(part) for part in outputs.objects("any_of")) if outputs else ()
    all_of = tuple(_output(part) for part in outputs.objects("all_of")) if outputs else ()
    if outputs:
        outputs.end()
    checks = tuple(check for part in keys.objects("validations") if (check := _check(part)))
    contract = Contract(
        gate=gate,
        name=keys.text("name", gate),
        blocking=keys.truth("blocking", default=True),
        description=keys.maybe_text("description"),
        any_of=any_of,
        all_of=all_of,
        validations=checks,
        notes=_notes(keys),
        approvals=_approvals(keys),
        schema_version=version if type(version) is int else None,
        version=_version(keys),
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        path=path,
        warnings=(),
    )
    keys.end()
    _lint(contract, notes)
    if notes.problems:
        raise InvalidContract(path, notes.problems)
    object.__setattr__(contract, "warnings", tuple(f"{path} {warning}" for warning in notes.warnings))
    return contract


def _output(keys: Keys) -> Output:
    path = keys.text("path")
    if path:
        for reason in paths.problems(path, globs=True):
            keys.wrong("path", reason)
    output = Output(
        path=path,
        description=keys.maybe_text("description"),
        required=keys.truth("required", default=True),
        required_for_depth=keys.texts("required_for_depth", words=DEPTHS),
        optional_for_depth=keys.texts("optional_for_depth", words=DEPTHS),
    )
    if both := set(output.required_for_depth) & set(output.optional_for_depth):
        keys.wrong("optional_for_depth", f"{', '.join(sorted(both))}: required and optional at once")
    keys.end()
    return output


def _check(keys: Keys) -> Check | None:
    kind = keys.text("type")
    severity = keys.word("severity", ("error", "warning"), "error")
    description = keys.maybe_text("description")
    known = types.table().get(kind)
    if known is None:
        if kind:
            keys.wrong("type", f"{kind[:80]!r} is not a type of validation{nearest(kind, types.table())}")
        return None
    before = len(keys.notes.problems)
    fields = {name: field.read(keys, name) for name, field in known.fields.items()}
    keys.end()
    if len(keys.notes.problems) == before:
        for name, reason in known.problems(fields):
            keys.wrong(name, reason)
    return Check(type=kind, severity="warning" if severity == "warning" else "error", description=description, fields=fields, pointer=keys.pointer)


def _approvals(keys: Keys) -> ApprovalRule | None:
    part = keys.part("approvals")
    if part is None:
        return None
    rule = ApprovalRule(
        quorum=part.number("quorum", 1, least=1, most=100),
        roles=part.texts("roles", ("approver",)),
        expires_in_s=part.number("expires_in_s", 86_400, least=1, most=31_536_000),
    )
    if not rule.roles:
        part.wrong("roles", "names no role, so nobody could approve")
    if "producer" in rule.roles:
        part.wrong("roles", "a producer can't approve")
    part.end()
    return rule


def _notes(keys: Keys) -> str | None:
    value = keys.raw("notes", None)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "\n".join(value)
    keys.wrong("notes", "is neither a text nor a list of texts")
    return None


def _version(keys: Keys) -> str:
    value = keys.raw("version", "1")
    if isinstance(value, str | int) and not isinstance(value, bool) and str(value):
        return str(value)
    keys.wrong("version", "is neither a text nor a whole number")
    return "1"


def _lint(contract: Contract, notes: Notes) -> None:
    """What is wrong with the whole, though every part can be read."""
    targets = [output.path for output in (*contract.any_of, *contract.all_of)]
    seen: set[str] = set()
    for path in targets:
        if path in seen:
            notes.problem("/required_outputs", f"{path!r} stands twice")
        seen.add(path)
    effective = [check for check in contract.validations if check.severity == "error"]
    if not effective and not contract.any_of and not any(output.is_required(depth) for output in contract.all_of for depth in DEPTHS):
        notes.problem("/validations", "nothing of this contract can fail: it has no required output, and no check but warnings")
    else:
        for depth in DEPTHS:
            if not effective and not contract.outputs(depth):
                notes.problem("/required_outputs", f"at depth {depth} nothing of this contract can fail")
    covered = paths.covering(targets)
    for check in contract.validations:
        pattern = check.fields.get("pattern")
        if check.type == "not_contains" and isinstance(pattern, str) and not check.fields.get("regex") and _LOOKS_LIKE_REGEX.search(pattern):
            notes.warn(f"{check.pointer}/pattern", f'{pattern!r} is looked for as it stands; add "regex": true if it is meant as a pattern')
        target = check.fields.get("target")
        if isinstance(target, str) and targets and target not in seen and not covered(target):
            notes.warn(f"{check.pointer}/target", f"{target!r} is none of the required outputs")
