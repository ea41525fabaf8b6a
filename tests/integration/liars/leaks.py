"""Agents that do their work, and tell everybody the token they were called with; and a search for it that is not our redactor."""

from __future__ import annotations

import asyncio
import base64
import html
import json as stdlib_json
import re
from collections.abc import Callable, Iterator
from urllib.parse import quote, unquote_to_bytes

from aiohttp import web
from tests.integration.liars.citizens import Asked, Behave, Citizen, answer, counted, json, refusal

TOKEN_ENV = "WINDLASS_AGENT_OF_THE_TOWN"
TOKENS = {TOKEN_ENV: 'agents/own-token<5e1d>&"8c40"+='}

ENCODINGS: dict[str, Callable[[str], str]] = {
    "raw": lambda secret: secret,
    "as-json": stdlib_json.dumps,
    "as-json-numbers": lambda secret: "".join(f"\\u{ord(character):04X}" for character in secret),
    "as-json-in-json": lambda secret: stdlib_json.dumps(stdlib_json.dumps({"authorization": secret})),
    "as-url": lambda secret: "token=" + quote(secret, safe=""),
    "as-url-numbers": lambda secret: "".join(f"%{byte:02x}" for byte in secret.encode()),
    "as-html": html.escape,
    "as-html-numbers": lambda secret: "".join(f"&#{ord(character)};" for character in secret),
    "as-hex": lambda secret: secret.encode().hex(),
    "as-base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "as-base64-one-further": lambda secret: base64.b64encode(b":" + secret.encode()).decode(),
    "as-base64-two-further": lambda secret: base64.urlsafe_b64encode(b"::" + secret.encode()).decode(),
}


def _token(asked: Asked) -> str:
    return asked.http.headers.get("Authorization", "").removeprefix("Bearer ")


def _telling(encode: Callable[[str], str]) -> Behave:
    """Tells the token in its outputs, in a key, in its rejections, and in headers."""

    async def behave(asked: Asked) -> web.StreamResponse:
        told = encode(_token(asked))
        if asked.valid:
            response = json(answer(asked, {**counted(asked.text), "debug": told, told: 1}, warnings=[f"called with {told}"]))
        else:
            response = json({**refusal(asked), "message": told, "detail": [told]}, status=422)
        response.headers["X-Token"] = told
        return response

    return behave


async def _telling_a_part(asked: Asked) -> web.StreamResponse:
    """Tells the token but for its end, and then nothing more."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(asked.http)
    await response.write(b'{"status":"ok","ok":true,"debug":"' + b"x" * 200 + _token(asked)[:-1].encode())
    await asyncio.Event().wait()
    return response


LIARS = [Citizen(name="tells-a-part-and-hangs", behave=_telling_a_part, token_env=TOKEN_ENV, rung="dispatched", failure="TIMEOUT")]
LEAKERS = [Citizen(name=f"leaks-{name}", behave=_telling(encode), token_env=TOKEN_ENV) for name, encode in ENCODINGS.items()]


def found(secret: str, content: bytes) -> str | None:
    """The form in which `content` holds the secret, found by decoding, or None."""
    raw = secret.encode()
    for form, text in _decoded(content):
        if raw in text:
            return form
    if raw.hex().encode() in content.lower():
        return "hex"
    for blob in re.findall(rb"[A-Za-z0-9+/_-]{12,}", content):
        for skipped in range(4):
            piece = blob[skipped:].replace(b"-", b"+").replace(b"_", b"/")
            if raw in base64.b64decode(piece[: len(piece) // 4 * 4] or b""):
                return "base64"
    return None


def _decoded(content: bytes) -> Iterator[tuple[str, bytes]]:
    """The content, and what it says when somebody undoes the usual escapes."""
    yield "raw", content
    unescaped = content
    for _ in range(3):
        unescaped = re.sub(rb"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)).encode("utf-8", "replace"), unescaped)
        unescaped = re.sub(rb'\\(["/\\])', rb"\1", unescaped)
        yield "JSON", unescaped
    yield "URL", unquote_to_bytes(content)
    yield "HTML", html.unescape(content.decode("utf-8", "replace")).encode()
    yield "URL in JSON", unquote_to_bytes(unescaped)
    yield "HTML in JSON", html.unescape(unescaped.decode("utf-8", "replace")).encode()
