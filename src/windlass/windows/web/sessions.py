"""Sessions of the page: a token is traded once for a random cookie, which a browser sends by itself, with a second secret for its forms."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

COOKIE = "windlass_windows"
LIFETIME_S = 8 * 3600.0
MOST_SESSIONS = 1000
WRONG_PER_MINUTE, MINUTE_S = 10, 60.0
MOST_HOSTS = 1000


@dataclass(frozen=True, kw_only=True)
class Session:
    """One browser that was let in. Lives until it is logged out, or `LIFETIME_S`."""

    csrf: str
    ends_s: float


class Sessions:
    """The sessions of one service. Lives as long as the service: a restart asks for the token again."""

    def __init__(self, token: str, monotonic: Callable[[], float]) -> None:
        self._token = _digest(token)
        self._monotonic = monotonic
        self._known: dict[str, Session] = {}
        self._wrong: dict[str, deque[float]] = {}

    def is_token(self, given: str) -> bool:
        """Whether this is the token, compared in constant time."""
        return hmac.compare_digest(_digest(given), self._token)

    def may_try(self, host: str) -> bool:
        """Whether that host may try another token now: so many wrong ones in a minute are guesses. One who guesses locks out nobody else."""
        wrong = self._wrong.get(host, deque())
        return len(wrong) < WRONG_PER_MINUTE or self._monotonic() - wrong[0] > MINUTE_S

    def log_in(self, token: str, host: str) -> str | None:
        """The cookie of a new session, None for a wrong token."""
        if not self.is_token(token):
            wrong = self._wrong.pop(host, deque(maxlen=WRONG_PER_MINUTE))
            while len(self._wrong) >= MOST_HOSTS:
                del self._wrong[next(iter(self._wrong))]  # who tried least lately
            self._wrong[host] = wrong
            wrong.append(self._monotonic())
            return None
        now = self._monotonic()
        self._known = {key: one for key, one in self._known.items() if one.ends_s > now}
        while len(self._known) >= MOST_SESSIONS:
            del self._known[next(iter(self._known))]
        cookie = secrets.token_urlsafe(32)
        self._known[cookie] = Session(csrf=secrets.token_urlsafe(32), ends_s=now + LIFETIME_S)
        return cookie

    def session(self, headers: list[tuple[bytes, bytes]]) -> Session | None:
        """The session that a request's cookie belongs to."""
        cookie = _cookie(headers)
        found = self._known.get(cookie) if cookie else None
        return found if found and found.ends_s > self._monotonic() else None

    def log_out(self, headers: list[tuple[bytes, bytes]]) -> None:
        """End the session of a request's cookie."""
        self._known.pop(_cookie(headers) or "", None)

    @staticmethod
    def fits(session: Session, given: str) -> bool:
        """Whether a form carries its session's second secret: another site's form can't."""
        return hmac.compare_digest(given.encode(), session.csrf.encode())


def header(cookie: str, *, secure: bool) -> bytes:
    """The Set-Cookie header of a session; an empty cookie takes it away."""
    age = int(LIFETIME_S) if cookie else 0
    return f"{COOKIE}={cookie}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}".encode()


def _cookie(headers: list[tuple[bytes, bytes]]) -> str | None:
    given = b"; ".join(value for name, value in headers if name == b"cookie").decode("latin-1")
    try:
        found = SimpleCookie(given).get(COOKIE)
    except CookieError:
        return None
    return found.value if found else None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
