"""Where the parts of a run lie and how they are named: `<runs>/<run id>/record/…` is kept, `<runs>/<run id>/logs/…` is not."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from windlass.errors import Refused
from windlass.infra import instants

RECORD = "record"
LOGS = "logs"
JOURNAL = "journal.jsonl"
RUN = "RUN.json"
GATES = "gates"
EVIDENCE = "evidence"
INVOCATIONS = "invocations"
"""Below the logs: one file for each recorded invocation, where the original runner had them; the journal is what counts."""

SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Gates and workflows: safe as a directory's name on every system."""
RUN_ID = re.compile(r"run_\d{8}T\d{6}(?:\d{3})?Z_[a-z0-9][a-z0-9-]{0,63}_[a-z0-9]{6,32}")
"""Ours, and the shorter form of the original runner."""
DRAFT = re.compile(r"\..+\.[0-9a-f]{12}\.tmp")
"""What `infra.files.replace` leaves behind when it is killed."""

_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_SUFFIX_LENGTH = 13  # 36^13 > 2^67


def run_id(started_at: datetime, slug: str, random: Callable[[int], int]) -> str:
    """`run_20260119T143012000Z_<slug>_<13 random characters>`; `random(n)` is a number below n. Raises Refused for a bad slug."""
    check_slug(slug)
    suffix = "".join(_ALPHABET[random(len(_ALPHABET))] for _ in range(_SUFFIX_LENGTH))
    return f"run_{instants.compact_ms(started_at)}_{slug}_{suffix}"


def invocation_id(at: datetime, random: Callable[[int], int]) -> str:
    """`inv_<epoch milliseconds>_<13 random characters>`; `random(n)` is a number below n."""
    return f"inv_{int(at.timestamp() * 1000)}_{''.join(_ALPHABET[random(len(_ALPHABET))] for _ in range(_SUFFIX_LENGTH))}"


def check_slug(slug: str) -> None:
    """Raise Refused unless `slug` is 1 to 64 of a–z, 0–9 and `-`, not beginning with `-`."""
    if not SLUG.fullmatch(slug):
        raise Refused(f"slug {slug!r}: must match {SLUG.pattern}")


def attempt(gate: str, number: int) -> str:
    """The attempt's file, relative to the record."""
    return f"{GATES}/{gate}/attempt-{number}.json"
