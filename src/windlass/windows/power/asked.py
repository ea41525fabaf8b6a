"""What callers ask of the windows, read strictly: a request that is not understood to the letter opens nothing. Pure."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from windlass.errors import Refused
from windlass.windows.power.policy import Policy

Mode = Literal["ttl", "hold"]
OnPartial = Literal["degraded", "rollback"]

MAX_SERVICES = 200
MAX_REASON = 500
_LONGEST = 10**9
"""Seconds that no window has, by far; where its services are not known yet, they say what is too much."""
_SHOWN = 80
_LARGEST_SHOWN = 10**_SHOWN


class Refusal(Refused):
    """The windows do not do this. `http` is the status that says so, `code` the word for it, `field` what to change."""

    def __init__(self, http: int, code: str, message: str, *, field: str | None = None, **facts: Any) -> None:
        self.http = http
        self.code = code
        self.field = field
        self.facts = facts
        super().__init__(f"{field}: {message}" if field else message)


@dataclass(frozen=True, kw_only=True)
class Open:
    """A window that is asked for. Lives as long as its request."""

    services: tuple[str, ...]
    ttl_sec: int
    mode: Mode = "ttl"
    reason: str = ""
    on_partial: OnPartial = "degraded"


def to_open(body: Any, policy: Policy) -> Open:
    """The window that a body asks for; raises Refusal naming the field. Only services of the allowlist get through."""
    fields = _object(body, ("services", "ttl_sec", "mode", "reason", "on_partial"))
    services = _services(fields, policy)
    mode = _word(fields, "mode", ("ttl", "hold"), "ttl", code="BAD_MODE")
    return Open(
        services=services,
        ttl_sec=_ttl(fields, policy.max_ttl_sec(services), min(policy.default_ttl_sec, policy.max_ttl_sec(services))),
        mode="hold" if mode == "hold" else "ttl",
        reason=_text(fields, "reason", MAX_REASON),
        on_partial="rollback" if _word(fields, "on_partial", ("degraded", "rollback"), "degraded") == "rollback" else "degraded",
    )


def to_close(body: Any) -> str | None:
    """The id of the window to close, None for the one that is open; raises Refusal."""
    fields = _object(body, ("window_id", "reason"))
    _text(fields, "reason", MAX_REASON)
    return _window_id(fields) if "window_id" in fields and fields["window_id"] is not None else None


def to_extend(body: Any) -> tuple[str, int]:
    """The id of the window and the seconds that it should have from now on; raises Refusal. Whether they are too many, its services say."""
    fields = _object(body, ("window_id", "ttl_sec"))
    for name in ("window_id", "ttl_sec"):
        if name not in fields:
            raise Refusal(422, "INVALID_BODY", "is required", field=name)
    return _window_id(fields), _ttl(fields, _LONGEST, 0)


def _object(body: Any, known: Collection[str]) -> Mapping[str, Any]:
    if not isinstance(body, dict):
        raise Refusal(422, "INVALID_BODY", "must be a JSON object", field="body")
    for name in body:
        if name not in known:
            near = difflib.get_close_matches(str(name)[:_SHOWN], known, 1, 0.5)
            meant = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"
            raise Refusal(
                422,
                "INVALID_BODY",
                f"is not a field of this request{meant}",
                field=name if str(name).isidentifier() and len(name) <= _SHOWN else _short(name),
            )
    return body


def _services(fields: Mapping[str, Any], policy: Policy) -> tuple[str, ...]:
    given = fields.get("services")
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise Refusal(422, "INVALID_BODY", "must be a list of service names", field="services")
    if not given:
        raise Refusal(422, "INVALID_BODY", "names no service", field="services")
    if len(given) > MAX_SERVICES:
        raise Refusal(422, "INVALID_BODY", f"names more than {MAX_SERVICES} services", field="services")
    for place, name in enumerate(given):
        if name in policy.core:
            raise Refusal(422, "CORE_SERVICE", f"{_short(name)} is core: it is never opened and never stopped", field=f"services[{place}]")
        if name not in policy.services:
            near = difflib.get_close_matches(name[:_SHOWN], policy.services, 1, 0.6)
            meant = f"; did you mean {near[0]}?" if near else f"; allowed are {', '.join(sorted(policy.services)) or 'none'}"
            raise Refusal(422, "NOT_ALLOWED", f"{_short(name)} is not in the allowlist{meant}", field=f"services[{place}]")
    return tuple(dict.fromkeys(given))


def _ttl(fields: Mapping[str, Any], most: int, default: int) -> int:
    if "ttl_sec" not in fields:
        return default
    given = fields["ttl_sec"]
    if isinstance(given, float) and given.is_integer() and math.isfinite(given):
        given = int(given)  # JSON has one kind of number, and some callers write 60.0
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= most:
        raise Refusal(422, "BAD_TTL", f"must be a whole number of seconds, 1 to {most}, not {_short(given)}", field="ttl_sec")
    return given


def _word(fields: Mapping[str, Any], field: str, allowed: tuple[str, ...], default: str, *, code: str = "INVALID_BODY") -> str:
    given = fields.get(field, default)
    if given not in allowed or not isinstance(given, str):
        raise Refusal(422, code, f"must be one of {', '.join(allowed)}, not {_short(given)}", field=field)
    return given


def _text(fields: Mapping[str, Any], field: str, most: int) -> str:
    given = fields.get(field, "")
    if given is None:
        return ""
    if not isinstance(given, str):
        _refuse_text(field, "must be text")
    if len(given) > most:
        _refuse_text(field, f"is longer than {most} characters")
    if not given.isprintable():
        _refuse_text(field, "has characters that can't be printed")
    return given


def _refuse_text(field: str, problem: str) -> NoReturn:
    raise Refusal(422, "INVALID_BODY", problem, field=field)


def _window_id(fields: Mapping[str, Any]) -> str:
    given = fields["window_id"]
    if not isinstance(given, str) or not given or len(given) > 200 or not given.isprintable():
        raise Refusal(422, "INVALID_BODY", "must be the id of a window", field="window_id")
    return given


def _short(value: Any) -> str:
    if isinstance(value, str):
        shown = repr(value[:_SHOWN])
    elif isinstance(value, float | bool | None) or (isinstance(value, int) and abs(value) < _LARGEST_SHOWN):
        shown = repr(value)
    else:
        return f"this {type(value).__name__}"
    return shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 1]}…"
