"""Who holds a bearer token: parsed strictly, compared by digest in constant time. There is no mode without a token."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping

from windlass.errors import Refused

SHORTEST = 8
"""Characters that a token needs: below this it is guessed, not known."""

Headers = Iterable[tuple[bytes, bytes]]
"""Header names in lower case and their values, as ASGI gives them."""

Check = Callable[[Headers], str | None]
"""Given a request's headers: the holder whose token they carry, or None."""


def usable(variable: str, token: str) -> str:
    """The token itself; raises Refused that names `variable` when it is no token at all. Never repeats the token."""
    if not token.strip():
        raise Refused(f"{variable} is empty; every control route needs a token")
    if len(token) < SHORTEST:
        raise Refused(f"{variable} has {len(token)} characters; a token needs at least {SHORTEST}")
    if not token.isascii() or any(not "!" <= character <= "~" for character in token):
        raise Refused(f"{variable} has a space or a character outside printable ASCII, which no Authorization header carries faithfully")
    return token


def check(tokens: Mapping[str, str]) -> Check:
    """A check for the tokens of these holders (holder → token). Every token is compared every time, whichever fits."""
    digests = tuple((holder, _digest(token.encode())) for holder, token in tokens.items())

    def holder_of(headers: Headers) -> str | None:
        presented = _presented(headers)
        digest = _digest(presented)
        found: str | None = None
        for holder, expected in digests:
            if hmac.compare_digest(digest, expected):
                found = holder
        return found if presented else None

    return holder_of


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def _presented(headers: Headers) -> bytes:
    """The one bearer token, empty when there is none or when two headers contradict each other."""
    values = [value for name, value in headers if name == b"authorization"]
    if len(values) != 1:
        return b""
    scheme, _, token = values[0].partition(b" ")
    return token.strip(b" ") if scheme.lower() == b"bearer" else b""
