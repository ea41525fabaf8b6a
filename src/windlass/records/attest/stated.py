"""Holds a statement against the record that it is of: what it says must be what the record says, whoever signed it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from windlass.errors import Refused
from windlass.records import difference
from windlass.records.attest import dsse, statement
from windlass.records.attest.told import Story
from windlass.records.report import Finding


@dataclass(frozen=True, kw_only=True)
class Stated:
    """What a statement turned out to be worth. Lives as long as its reader."""

    problems: tuple[Finding, ...]
    is_signed: bool
    signers: frozenset[str] = frozenset()
    """Ids of the known keys whose signatures hold; without keys nobody is known."""


def check(content: bytes, file: str, story: Story, keys: Mapping[str, bytes]) -> Stated:
    """Compare `content`, a statement in its envelope or bare, with what the record would be attested as. `keys`: id → public key."""
    try:
        outer = orjson.loads(content)
    except orjson.JSONDecodeError as failure:
        return Stated(problems=(Finding(file=file, reason=f"is not JSON: {failure}"),), is_signed=False)
    is_signed = isinstance(outer, dict) and "signatures" in outer
    try:
        payload = dsse.payload(outer, statement.PAYLOAD_TYPE) if is_signed else content
        known = dsse.signers(outer, statement.PAYLOAD_TYPE, keys) if is_signed else frozenset()
        said = orjson.loads(payload)
    except (Refused, orjson.JSONDecodeError) as failure:
        return Stated(problems=(Finding(file=file, reason=str(failure)),), is_signed=is_signed)
    return Stated(problems=tuple(_differences(said, file, story)), is_signed=is_signed, signers=known)


def _differences(said: Any, file: str, story: Story) -> Iterator[Finding]:
    try:
        expected = statement.statement(story)
    except Refused as refusal:
        yield Finding(file=file, reason=f"states a result, and {refusal}")
        return
    if isinstance(said, dict) and isinstance(said.get("predicate"), dict) and isinstance(said["predicate"].get("url"), str):
        expected["predicate"]["url"] = said["predicate"]["url"]  # where the run can be looked at is the signer's word alone
    if said != expected:
        found = difference.between(orjson.dumps(said), orjson.dumps(expected))
        yield Finding(file=file, reason=found.reason, pointer=found.pointer)
