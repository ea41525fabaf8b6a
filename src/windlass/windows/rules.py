"""The rules of a window, pure: what a service is, how long it may run, which state follows, what a keeper does now.

Every time in this file is seconds on the clock of `uptime.now`; nothing here reads a clock, a file or a process.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from windlass.errors import Refused

MAX_TTL_SEC = 3600
MAX_GRACE_S = 300.0
MAX_START_TIMEOUT_S = 600.0

ServiceState = Literal["opening", "open", "closing", "closed", "stuck", "orphaned"]
"""`orphaned`: processes of the service run, but the keeper that must end them is gone."""
WindowState = Literal["core", "opening", "open", "degraded", "closing", "stuck"]
Ended = Literal["manual", "ttl_expired", "exited", "start_failed"]
"""Why one service ended."""
Reason = Literal["manual", "ttl_expired", "start_failed", "policy_applied", "recovered", "shutdown"]
"""Why a window is closed."""

NEXT_STATES: Mapping[WindowState, frozenset[WindowState]] = {
    "core": frozenset({"opening"}),
    "opening": frozenset({"open", "degraded", "closing"}),
    "open": frozenset({"degraded", "closing"}),
    "degraded": frozenset({"open", "closing"}),
    "closing": frozenset({"core", "stuck"}),
    "stuck": frozenset({"closing"}),
}

STUCK_AFTER_S = 5.0
"""A tree that outlives its first KILL by this long is called stuck, and killed on."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_RESERVED = frozenset({"window"})  # <state_dir>/window.json is the window's own file
_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSW|KEY|CREDENTIAL|AUTH|DSN", re.IGNORECASE)
_SHORTEST_SECRET = 6  # replacing shorter values would hollow out ordinary words


@dataclass(frozen=True, kw_only=True)
class Service:
    """One local process to open: what to run, how to see that it is ready, how to stop it. Lives as long as its caller keeps it.

    `env` is the whole environment, nothing is inherited. `listen_fd` is a listening socket that the service inherits under
    the same number; `open_window` takes it over and closes it in the opener, so hand in `socket.detach()`.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    directory: Path
    ready_url: str
    log_file: Path
    stop_grace_s: float = 5.0
    start_timeout_s: float = 30.0
    listen_fd: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no keeper could run, naming the field."""
        if not can_name(self.name):
            raise Refused(f"name: {self.name[:80]!r} can't name a service; use letters, digits, '_' and '-', and not 'window'")
        if not self.argv or not self.argv[0] or any("\0" in word for word in self.argv):
            raise Refused(f"argv: the service {self.name} has no command that can be run")
        if any(not key or "=" in key or "\0" in key + value for key, value in self.env.items()):
            raise Refused(f"env: the service {self.name} has a variable that no process can be given")
        if not 0 <= self.stop_grace_s <= MAX_GRACE_S:
            raise Refused(f"stop_grace_s: the service {self.name} needs 0 to {MAX_GRACE_S:g} seconds, not {self.stop_grace_s!r}")
        if not 0 < self.start_timeout_s <= MAX_START_TIMEOUT_S:
            raise Refused(f"start_timeout_s: the service {self.name} needs more than 0 and at most {MAX_START_TIMEOUT_S:g} seconds")
        if not _is_http(self.ready_url):
            raise Refused(f"ready_url: the service {self.name} needs an http:// URL with a host")


def can_name(name: str) -> bool:
    """Whether a service may have this name, which its files have too."""
    return _NAME.fullmatch(name) is not None and name.lower() not in _RESERVED


def _is_http(url: str) -> bool:
    if not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        return False


def checked_services(services: Iterable[Service]) -> tuple[Service, ...]:
    """The services of one window; raises Refused for none, and for two with one name."""
    found = tuple(services)
    if not found:
        raise Refused("services: a window needs at least one service")
    names = [service.name.lower() for service in found]  # lower: their files must differ on every file system
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Refused(f"services: {', '.join(twice)} is named twice")
    return found


def checked_ttl(ttl_sec: object, maximum: int = MAX_TTL_SEC) -> int:
    """The time to live in seconds, 1 to `maximum`; raises Refused for anything else: no value may mean an endless window."""
    if isinstance(ttl_sec, bool) or not isinstance(ttl_sec, int) or not 1 <= ttl_sec <= maximum:
        shown = f"{ttl_sec!r}" if isinstance(ttl_sec, (bool, float, type(None))) or _is_short(ttl_sec) else f"this {type(ttl_sec).__name__}"
        raise Refused(f"ttl_sec: must be a whole number of seconds from 1 to {maximum}, not {shown}")
    return ttl_sec


def _is_short(value: object) -> bool:
    return isinstance(value, int) and abs(value) < 10**9


def outer_bound(*, requested: float, start_timeout_s: float, ttl_sec: float) -> float:
    """The latest end that a window can have, known when it is asked for."""
    return requested + start_timeout_s + ttl_sec


def deadline(*, requested: float, start_timeout_s: float, ttl_sec: float, ready: float) -> float:
    """When a window ends: the TTL counts from readiness, and never reaches beyond the outer bound."""
    return min(ready + ttl_sec, outer_bound(requested=requested, start_timeout_s=start_timeout_s, ttl_sec=ttl_sec))


def window_state(services: Collection[ServiceState]) -> WindowState:
    """The state of a window whose services are in these states, as observed."""
    states = set(services)
    if "stuck" in states:
        return "stuck"
    if states <= {"closed"}:
        return "core"
    if "closing" in states:
        return "closing"
    if states == {"open"}:
        return "open"
    if "opening" in states:
        return "opening"
    return "degraded"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a keeper observes at one moment. `left`: some process of the tree still exists, ended but unreaped ones included."""

    now: float
    deadline: float
    grace_s: float
    close_asked: bool
    exited: bool
    left: bool
    termed_at: float | None = None
    killed_at: float | None = None
    kills: int = 0


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What the keeper does now; after `wait` it looks again at `until`, or earlier when something happens."""

    act: Literal["wait", "term", "kill", "finished"]
    until: float
    stuck: bool = False


def why_ending(seen: Seen) -> Ended | None:
    """Why the service ends now, or None while it may run. Its own exit comes first: that is the news."""
    if seen.exited:
        return "exited"
    if seen.close_asked:
        return "manual"
    return "ttl_expired" if seen.now >= seen.deadline else None


def decide(seen: Seen) -> Decision:
    """The keeper's whole judgement: run until told, TERM, wait for the grace, KILL until nothing is left, at growing intervals."""
    if not seen.left:
        return Decision(act="finished", until=seen.now)
    if seen.termed_at is None:
        return Decision(act="term", until=seen.now) if why_ending(seen) else Decision(act="wait", until=seen.deadline)
    if seen.killed_at is None:
        patience = seen.termed_at + seen.grace_s
        return Decision(act="kill", until=seen.now) if seen.now >= patience else Decision(act="wait", until=patience)
    stuck = seen.now >= seen.killed_at + STUCK_AFTER_S
    again = kill_again_at(seen.killed_at, seen.kills)
    return Decision(act="kill" if seen.now >= again else "wait", until=again, stuck=stuck)


def kill_again_at(first: float, kills: int) -> float:
    """When KILL follows after `kills` of them: 20 ms after the first, then twice as long each time, at most 1 s apart."""
    pauses = [min(0.02 * 2.0**number, 1.0) for number in range(min(kills, 10))]
    return first + sum(pauses) + max(0, kills - 10)


def tail(text: str, env: Mapping[str, str], limit: int, *, cut: bool) -> str:
    """The last `limit` characters of a log, without the values of variables whose names speak of secrets; each becomes `[NAME]`.

    `cut` says that `text` begins somewhere inside the log, and so perhaps inside a secret: as much as the longest one is dropped.
    """
    secrets = [(value, name) for name, value in env.items() if len(value) >= _SHORTEST_SECRET and _SECRET_NAME.search(name)]
    secrets.sort(key=lambda secret: -len(secret[0]))  # longest first: one may hold another
    for value, name in secrets:
        text = text.replace(value, f"[{name}]")
    if cut and secrets:
        text = text[len(secrets[0][0]) :]
    return text.strip()[-limit:]
