"""The keys of those who may approve: `orchestration/keys.json`, read strictly, every problem of it named. Pure.

`{"schema_version": 1, "keys": [{"key_id", "public_key", "who", "roles": […], "not_after"?}]}`. The role is in the key: what a
signer calls himself in an approval counts only as far as his key says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from windlass.infra import escapes, instants
from windlass.records import layout
from windlass.records.approvals import ed25519, persons
from windlass.records.contracts import problems

SCHEMA_VERSION = 1
PRODUCER = "producer"
"""The role of what makes outputs; a key that has it never approves, whatever else it has."""
MAX_KEYS = 1000
_LONGEST_WHO = 200


class InvalidKeys(problems.InvalidFile):
    """A keys file that nobody's approval may be held against."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """One person's public key (32 bytes) and what it may be used for."""

    key_id: str
    public_key: bytes
    who: str
    roles: tuple[str, ...]
    not_after: datetime | None = None

    def entry(self) -> dict[str, Any]:
        """The key as it stands in the file."""
        fields = {"key_id": self.key_id, "public_key": ed25519.ssh_line(self.public_key), "who": self.who, "roles": list(self.roles)}
        return fields if self.not_after is None else {**fields, "not_after": instants.stamp(self.not_after)}


@dataclass(frozen=True, kw_only=True)
class Keys:
    """A keys file as it was read; `content` are its bytes, which are bound in the record with each approval."""

    keys: tuple[Key, ...]
    content: bytes
    sha256: str
    path: str

    def find(self, key_id: str) -> Key | None:
        """The key of that id."""
        return next((key for key in self.keys if key.key_id == key_id), None)

    def of(self, who: str) -> tuple[Key, ...]:
        """The keys of the person of that very name."""
        return tuple(key for key in self.keys if key.who == who)


def key(public: bytes, who: str, roles: Iterable[str], not_after: datetime | None = None) -> Key:
    """The key with these uses; its id follows from it."""
    return Key(key_id=ed25519.key_id(public), public_key=public, who=who, roles=tuple(roles), not_after=not_after)


def read(content: bytes, path: str) -> Keys:
    """The keys in a file's bytes; raises InvalidKeys that lists every problem with its JSON pointer."""
    try:
        found = problems.parsed(content, path)
    except problems.InvalidFile as invalid:
        raise InvalidKeys(path, [problem.removeprefix(f"{path} ") for problem in invalid.problems]) from invalid
    notes = problems.Notes()
    fields = problems.Keys(found, "", notes)
    if fields.raw("schema_version") != SCHEMA_VERSION or type(found["schema_version"]) is not int:
        fields.wrong("schema_version", f"is not {SCHEMA_VERSION}, which this Windlass reads")
    given = fields.raw("keys")
    if isinstance(given, list) and len(given) > MAX_KEYS:
        raise InvalidKeys(path, [f"/keys: holds {len(given)}; the most is {MAX_KEYS}"])
    keys = [_key(part) for part in fields.objects("keys")] if given is not None else []
    fields.end()
    places: dict[str, int] = {}
    for place, one in enumerate(keys):
        if one and places.setdefault(one.key_id, place) != place:
            notes.problem(f"/keys/{place}/public_key", f"is the key of /keys/{places[one.key_id]}: one key is one person's, and stands once")
    if notes.problems:
        raise InvalidKeys(path, notes.problems)
    return Keys(keys=tuple(one for one in keys if one), content=content, sha256=hashlib.sha256(content).hexdigest(), path=path)


def write(keys: Iterable[Key]) -> bytes:
    """The file with these keys, for people to read and review."""
    content = {"schema_version": SCHEMA_VERSION, "keys": [one.entry() for one in keys]}
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def who_problem(who: str) -> str | None:
    """Why nobody can be called that, or None."""
    if not persons.person(who) or who != who.strip():
        return "needs a letter or a digit, and no space around it"
    if escapes.visible(who) != who:
        return "holds characters that can't be seen"
    return f"is longer than {_LONGEST_WHO} characters" if len(who) > _LONGEST_WHO else None


def _key(fields: problems.Keys) -> Key | None:
    before = len(fields.notes.problems)
    claimed, who, roles = fields.text("key_id"), fields.text("who"), fields.texts("roles", None)
    public = _public(fields)
    if public and claimed and claimed != ed25519.key_id(public):
        fields.wrong("key_id", f"is not the SHA-256 of the public key, which is {ed25519.key_id(public)}")
    if who and (reason := who_problem(who)):
        fields.wrong("who", reason)
    _check_roles(fields, roles)
    not_after = _not_after(fields)
    fields.end()
    if public is None or len(fields.notes.problems) > before:
        return None
    return Key(key_id=claimed, public_key=public, who=who, roles=roles, not_after=not_after)


def _public(fields: problems.Keys) -> bytes | None:
    text = fields.text("public_key")
    try:
        return ed25519.public_key(text) if text else None
    except ValueError as failure:
        fields.wrong("public_key", str(failure))
        return None


def _check_roles(fields: problems.Keys, roles: tuple[str, ...]) -> None:
    if not roles and fields.raw("roles", ()) == []:
        fields.wrong("roles", "names no role, so the key could do nothing")
    for place, role in enumerate(roles):
        if not layout.NAME.fullmatch(role):
            fields.wrong(f"roles/{place}", f"{role[:80]!r} does not match {layout.NAME.pattern}")
    if len(set(roles)) < len(roles):
        fields.wrong("roles", "names a role twice")


def _not_after(fields: problems.Keys) -> datetime | None:
    text = fields.maybe_text("not_after")
    try:
        return instants.parse(text) if text else None
    except ValueError as failure:
        fields.wrong("not_after", f"is no instant such as 2027-01-19T00:00:00.000Z: {failure}")
        return None
