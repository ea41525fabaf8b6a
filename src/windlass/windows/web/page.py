"""The page for people: what is open, until when, what runs, what was; open and close by forms. It works without JavaScript, and live with it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from windlass.errors import WindlassError
from windlass.infra import instants, pages
from windlass.windows.power.asked import Refusal
from windlass.windows.power.controller import Answer
from windlass.windows.power.moment import instant
from windlass.windows.power.rulings import Window
from windlass.windows.web import sessions
from windlass.windows.web.routes import MAX_BODY, actor, opened
from windlass.windows.web.sessions import Session

_PACKAGE = "windlass.windows.web"
_HISTORY = 20
_SEE_OTHER = 303
_MOST_FIELDS = 300


class Page:
    """The functions behind the page's paths. Lives as long as the app; changes nothing."""

    def __init__(self, *, secure: bool) -> None:
        self._secure = secure

    async def show(self, request: Request) -> Response:
        """The page, or the form that lets in."""
        session = _session(request)
        if session is None:
            return _html("login.html.j2", 200, wrong="")
        return _html("power.html.j2", 200, **await _facts(request, session))

    async def main(self, request: Request) -> Response:
        """The page's changing part, for the script that renews it."""
        session = _session(request)
        if session is None:
            return HTMLResponse("", 403)
        return _html("main.html.j2", 200, **await _facts(request, session))

    async def script(self, _request: Request) -> Response:
        """The page's one script."""
        return Response(pages.text(_PACKAGE, "power.js"), media_type="text/javascript", headers=_HEADERS)

    async def log_in(self, request: Request) -> Response:
        """Trade the token for a session."""
        held, host = opened(request).sessions, request.client.host if request.client else ""
        if not held.may_try(host):
            return await _refused(request, "login", Refusal(429, "TOO_MANY_TRIES", "Too many wrong tokens. Wait a minute."))
        fields = await _form(request)
        cookie = held.log_in(fields.get("token", [""])[0], host)
        if cookie is None:
            return await _refused(request, "login", Refusal(403, "WRONG_TOKEN", "That is not the token of this service."))
        answer = RedirectResponse("/", _SEE_OTHER)
        answer.raw_headers.append((b"set-cookie", sessions.header(cookie, secure=self._secure)))
        return answer

    async def log_out(self, request: Request) -> Response:
        """End the session."""
        if await self._checked(request) is not None:
            opened(request).sessions.log_out(request.scope["headers"])
        answer = RedirectResponse("/", _SEE_OTHER)
        answer.raw_headers.append((b"set-cookie", sessions.header("", secure=self._secure)))
        return answer

    async def open(self, request: Request) -> Response:
        """Open what is ticked."""
        return await self._act(request, _to_open, opened(request).controller.open)

    async def close(self, request: Request) -> Response:
        """Close the window of the form."""
        return await self._act(request, lambda fields: {"window_id": fields.get("window_id", [""])[0]}, opened(request).controller.close)

    async def extend(self, request: Request) -> Response:
        """Give the window of the form more time."""
        return await self._act(request, _to_extend, opened(request).controller.extend)

    async def _act(
        self, request: Request, body: Callable[[Mapping[str, list[str]]], Mapping[str, Any]], act: Callable[..., Awaitable[Answer]]
    ) -> Response:
        checked = await self._checked(request)
        if checked is None:
            return await _refused(request, "form", Refusal(403, "NO_SESSION", "Log in again: the form was too old, or not from this page."))
        session, fields = checked
        answer = await act(body(fields), actor=f"page {request.client.host if request.client else ''}".strip())
        if answer.is_done:
            return RedirectResponse("/", _SEE_OTHER)
        return _html("power.html.j2", answer.http, **await _facts(request, session, refused=str(answer.body.get("message", "")), failed=answer.body))

    async def _checked(self, request: Request) -> tuple[Session, Mapping[str, list[str]]] | None:
        """The session and the form's fields, where the form carries the session's second secret."""
        session, fields = _session(request), await _form(request)
        if session is None or not opened(request).sessions.fits(session, fields.get("csrf", [""])[0]):
            return None
        return session, fields


async def _refused(request: Request, action: str, refusal: Refusal) -> Response:
    """The form that lets in, with why; the audit has it."""
    held = opened(request)
    await held.controller.refused(f"{action}_refused", refusal, actor=f"page {actor(request).removeprefix('http ')}", source="stranger")
    held.counted[action, str(refusal.http)] += 1
    return _html("login.html.j2", refusal.http, wrong=str(refusal))


_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}


def _html(template: str, status: int, **values: Any) -> HTMLResponse:
    content = pages.render(_PACKAGE, template, ("power.css",), **values)
    digest = base64.b64encode(hashlib.sha256(pages.text(_PACKAGE, "power.css").encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    return HTMLResponse(content, status, headers={**_HEADERS, "content-security-policy": policy})


def _session(request: Request) -> Session | None:
    return opened(request).sessions.session(request.scope["headers"])


async def _form(request: Request) -> Mapping[str, list[str]]:
    content = await request.body()
    if len(content) > MAX_BODY or not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return {}
    try:
        return parse_qs(content.decode("utf-8"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return {}


def _to_open(fields: Mapping[str, list[str]]) -> Mapping[str, Any]:
    body: dict[str, Any] = {"services": fields.get("service", []), "reason": fields.get("reason", [""])[0]}
    if seconds := fields.get("ttl_sec", [""])[0].strip():
        body["ttl_sec"] = _number(seconds)
    return body


def _to_extend(fields: Mapping[str, list[str]]) -> Mapping[str, Any]:
    return {"window_id": fields.get("window_id", [""])[0], "ttl_sec": _number(fields.get("ttl_sec", [""])[0].strip())}


def _number(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text  # more digits than any bound has


async def _facts(request: Request, session: Session, *, refused: str = "", failed: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Everything that the page shows."""
    controller = opened(request).controller
    state = (await controller.state()).body
    look, policy = controller.watch.last, controller.policy
    seen = look.seen.services if look.seen else {}
    held = {name for window in state.get("windows", ()) for name in window["services"]}
    rows = [
        {
            "name": name,
            "state": seen[name].state if name in seen else "unknown",
            "health": seen[name].health if name in seen else "none",
            "alive": name in seen and seen[name].is_alive,
            "held": name in held,
            "max_ttl_sec": own.max_ttl_sec,
        }
        for name, own in sorted(policy.services.items())
    ]
    try:
        history = [_past(window) for window in await controller.ledger.newest(_HISTORY) if not window.is_live]
    except WindlassError as failure:
        history, refused = [], refused or str(failure)
    return {
        "project": policy.project,
        "state": state,
        "rows": rows,
        "history": history,
        "csrf": session.csrf,
        "refused": refused,
        "failed": [one for one in (failed or {}).get("results", ()) if not one.get("up", True)],
        "default_ttl": policy.default_ttl_sec,
        "shared": policy.kind == "shared",
    }


def _past(window: Window) -> dict[str, Any]:
    """A closed window as the history shows it."""
    begun, ended = instant(window.asked_ms), instant(window.closed_ms or window.asked_ms)
    costs = [one for one in window.cost.values() if one.get("cpu_sec") is not None]
    peaks = [one["peak_memory_bytes"] for one in window.cost.values() if one.get("peak_memory_bytes")]
    return {
        "window_id": window.window_id,
        "services": ", ".join(window.services),
        "at": instants.stamp(begun),
        "seconds": round((ended - begun).total_seconds(), 1),
        "why": window.close_asked or "",
        "actor": window.actor,
        "reason": window.reason,
        "cpu": f"{sum(one['cpu_sec'] for one in costs):.1f} s" if costs else "",
        "memory": f"{sum(peaks) / 1_048_576:.0f} MiB" if peaks else "",
        "trouble": window.trouble,
    }
