"""Which entries of a kind that may come any number of times the audit has one by one, and which as a count. Pure.

Who asks without a token costs nothing and can ask for ever, from any number of addresses: so each kind from each caller has a bound, and
all of a source together have one. What is beyond is counted, and the counts are entries too, one an interval, of a bounded size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from windlass.infra import instants

Source = Literal["stranger", "caller", "loop"]
"""Who causes the entries: somebody without a token, somebody with one, or the loop that closes windows. None uses up another's room."""

OWN_AT_ONCE, OWN_EVERY_S = 20, 60.0
"""Of one kind from one caller, so many are written one by one, and then one in so many seconds."""
ALL_AT_ONCE, ALL_EVERY_S = 200, 15.0
"""The same for everything of one source."""
MOST_KINDS = 1000
"""Kinds and callers told apart; what comes from more callers is counted as that of others."""
SHOWN = 50
OTHERS = "others"


class Kind(NamedTuple):
    """What makes two entries repeats of one another."""

    action: str
    code: str
    actor: str


class _Room:
    """How many entries may be written now: so many at once, and one more each so many seconds. Lives as long as its kind is known."""

    def __init__(self, at_once: int, every_s: float, now_s: float) -> None:
        self._at_once = at_once
        self._every_s = every_s
        self._left = float(at_once)
        self._at_s = now_s

    def is_left(self, now_s: float) -> bool:
        passed_s = max(0.0, now_s - self._at_s)  # a reboot begins a clock anew
        self._left = min(float(self._at_once), self._left + passed_s / self._every_s)
        self._at_s = now_s
        return self._left >= 1

    def take(self) -> None:
        self._left -= 1


class Rooms:
    """What room there is for entries of each kind and each source. Lives as long as its log."""

    def __init__(self) -> None:
        self._own: dict[Kind, _Room] = {}
        self._all: dict[Source, _Room] = {}

    def take(self, kind: Kind, source: Source, now_s: float) -> bool:
        """Whether an entry is written by itself; else it is to be counted. `now_s` is of a clock that nobody sets."""
        own = self._own.pop(kind, None) or _Room(OWN_AT_ONCE, OWN_EVERY_S, now_s)
        self._own[kind] = own  # the one that was asked for last stands last
        if len(self._own) > MOST_KINDS:
            del self._own[next(iter(self._own))]
        everything = self._all.setdefault(source, _Room(ALL_AT_ONCE, ALL_EVERY_S, now_s))
        if not (own.is_left(now_s) and everything.is_left(now_s)):
            return False
        own.take()
        everything.take()
        return True


@dataclass
class Count:
    """What was not written one by one since the last count was. Lives until it is written."""

    audit_id: str
    """Of the entry that it becomes; whoever was counted is told this one."""
    first_at: datetime
    last_at: datetime
    kinds: dict[Kind, int]

    def add(self, kind: Kind, at: datetime) -> None:
        """Count one more."""
        if kind not in self.kinds and len(self.kinds) >= MOST_KINDS:
            kind = kind._replace(actor=OTHERS)
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        self.last_at = at

    def fields(self) -> Mapping[str, Any]:
        """The entry's own fields: how many there were, of which kinds and from whom; the most frequent are named."""
        most = sorted(self.kinds.items(), key=lambda counted: -counted[1])
        return {
            "first_at": instants.stamp(self.first_at),
            "last_at": instants.stamp(self.last_at),
            "times": sum(self.kinds.values()),
            "of": [{**kind._asdict(), "times": times} for kind, times in most[:SHOWN]],
            "others": sum(times for _, times in most[SHOWN:]),
        }
