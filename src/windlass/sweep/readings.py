"""Reads one stored answer of an agent against the agent contract. Pure: bytes in, a reading out.

Source of the contract: `docs/reference/agent-contract.md`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from windlass import model
from windlass.infra import schemas
from windlass.model import Fault

FailureClass = Literal[
    "DISPATCH_REFUSED",
    "AUTH_NOT_ENFORCED",
    "DNS",
    "REFUSED",
    "TIMEOUT",
    "TLS",
    "UNREGISTERED_ENDPOINT",
    "HTTP_4XX",
    "HTTP_5XX",
    "NOT_JSON",
    "TOO_LARGE",
    "CONTRACT",
    "BUSINESS_ERROR",
    "EMPTY_OUTPUT",
    "NOT_INPUT_SENSITIVE",
    "PROBE_FAILED",
    "ACCEPTS_INVALID_INPUT",
    "MISSING_DEPENDENCY",
    "NOT_RUN",
]

RESPONDED = 50
"""The seed's rule: HTTP 200 and more than this many characters of body."""
MAX_DEPTH = 100
"""Levels of nesting that an answer may have; deeper ones exist only to exhaust whoever walks them."""
_LONGEST_NAME, _LONGEST_URL = 200, 2000
"""Characters of an agent's name and URL that are kept as an orchestrator says them."""
_ENVELOPE = frozenset({"error", "errors", "code", "message", "status", "ok", "success", "detail", "details", "type", "title"})
_DEPENDENCIES = frozenset({"MODEL_REQUIRED", "MISSING_DEPENDENCY", "NOT_CONFIGURED", "API_KEY_MISSING"})


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call as it was made and stored. `http` is 0 when nothing answered. Lives as long as its row."""

    kind: str
    http: int
    elapsed_ms: float
    started_ms: float
    request_sha256: str | None
    response_sha256: str | None
    response_bytes: int
    fault: Fault | None
    detail: str


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What one answer amounts to: whether the seed's rule holds, and either its outputs or why it does not conform."""

    responded: bool
    failure: FailureClass | None
    reason: str
    outputs: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    rejected: bool = False
    """The agent turned the request down as invalid: HTTP 400 or 422, or VALIDATION_ERROR."""
    elapsed_ms: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the answer must echo and satisfy."""

    request_id: str
    task_type: str
    output_schema: Mapping[str, Any] | None


def read(call: Call, body: bytes, wanted: Wanted, inputs: Mapping[str, Any]) -> Reading:
    """The reading of one agent's answer."""
    text = body.decode("utf-8", "replace")
    responded = call.fault is None and call.http == 200 and len(text) > RESPONDED
    failure, reason, outputs, rejected = _conformity(call, body, text, wanted)
    return Reading(responded=responded, failure=failure, reason=reason, outputs=outputs, inputs=inputs, rejected=rejected, elapsed_ms=call.elapsed_ms)


_Conformity = tuple[FailureClass | None, str, Mapping[str, Any], bool]


def _conformity(call: Call, body: bytes, text: str, wanted: Wanted) -> _Conformity:
    if call.fault:
        return call.fault, call.detail, {}, False
    if call.http >= 500:
        return "HTTP_5XX", f"HTTP {call.http}: {_excerpt(text)}", {}, False
    if call.http >= 400:
        return "HTTP_4XX", f"HTTP {call.http}: {_excerpt(text)}", {}, call.http in {400, 422}
    if call.http != 200:
        return "CONTRACT", f"HTTP {call.http} instead of 200 (redirects are not followed)", {}, False
    if not text.strip():
        return "EMPTY_OUTPUT", "HTTP 200 with an empty body", {}, False
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError as problem:
        return "NOT_JSON", f"the body is not JSON ({problem}): {_excerpt(text)}", {}, False
    if not isinstance(answer, dict):
        return "CONTRACT", f"the body is JSON, but not an object: {_excerpt(text)}", {}, False
    if _deeper_than(answer, MAX_DEPTH):
        return "CONTRACT", f"the body is nested more than {MAX_DEPTH} levels deep", {}, False
    return _agreement(answer, wanted)


@dataclass(frozen=True, kw_only=True)
class Routed:
    """What was read of a dispatch: the endpoint that it named, or why it is refused."""

    dispatched: bool
    failure: FailureClass | None
    reason: str
    agent_name: str = ""
    agent_url: str = ""


def route(call: Call, body: bytes, registered_url: str, request_id: str) -> Routed:
    """The reading of a dispatch: the seed's gate asks for HTTP 200 and an `agent_url`; only the registered endpoint is ever called.

    An answer to another request passes the seed's gate, and proves nothing: it is CONTRACT.
    """
    if call.fault:
        return Routed(dispatched=False, failure=call.fault, reason=f"dispatch: {call.detail}")
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    fields = answer if isinstance(answer, dict) else {}
    if call.http != 200:
        said = f"{fields.get('code') or fields.get('error') or ''} {fields.get('message') or ''}".strip() or body.decode("utf-8", "replace")
        return Routed(dispatched=False, failure="DISPATCH_REFUSED", reason=f"dispatch answered HTTP {call.http}: {_excerpt(said)}")
    url, name = fields.get("agent_url"), fields.get("agent_name")
    if not isinstance(url, str) or not url.strip():
        return Routed(dispatched=False, failure="DISPATCH_REFUSED", reason="dispatch answered HTTP 200 without an agent_url")
    known, shown = model.clip(name if isinstance(name, str) else "", _LONGEST_NAME), model.clip(url, _LONGEST_URL)
    if url.rstrip("/") != registered_url:
        reason = f"dispatch named {_excerpt(repr(url))}, registered is {registered_url!r}; it was not called"
        return Routed(dispatched=True, failure="UNREGISTERED_ENDPOINT", reason=reason, agent_name=known, agent_url=shown)
    if fields.get("request_id") != request_id:
        reason = f"dispatch: request_id is not echoed: sent {request_id!r}, got {_excerpt(repr(fields.get('request_id')))}"
        return Routed(dispatched=True, failure="CONTRACT", reason=reason, agent_name=known, agent_url=shown)
    return Routed(dispatched=True, failure=None, reason="", agent_name=known, agent_url=shown)


def _agreement(answer: dict[str, Any], wanted: Wanted) -> _Conformity:
    complaint = _complaint(answer)
    if complaint:
        code, message = complaint
        ours = answer.get("request_id") == wanted.request_id
        failure: FailureClass = "MISSING_DEPENDENCY" if code in _DEPENDENCIES else "BUSINESS_ERROR"
        return failure, f"{code}: {message}" if code else message, {}, code == "VALIDATION_ERROR" and ours
    status = answer.get("status")
    if answer.get("ok", True) is not True:
        return "CONTRACT", f"ok is {_excerpt(repr(answer['ok']))}, not true", {}, False
    if status != "ok":
        return "CONTRACT", "status is missing" if status is None else f"status is {_excerpt(repr(status))}, not 'ok'", {}, False
    for key, expected in (("request_id", wanted.request_id), ("task_type", wanted.task_type)):
        if answer.get(key) != expected:
            return "CONTRACT", f"{key} is not echoed: sent {expected!r}, got {_excerpt(repr(answer.get(key)))}", {}, False
    outputs = answer.get("outputs")
    if not isinstance(outputs, dict):
        return "CONTRACT", "outputs is missing or not an object", {}, False
    if not _has_content(outputs):
        return "EMPTY_OUTPUT", "outputs holds nothing", {}, False
    if _is_only_an_error(outputs, wanted.output_schema):
        return "BUSINESS_ERROR", f"the outputs are an error: {_excerpt(str(outputs['error']))}", {}, False
    reason = schemas.compiled(wanted.output_schema)(outputs) if wanted.output_schema is not None else None
    if reason:
        return "CONTRACT", f"outputs do not fit the output schema: {reason}", {}, False
    return None, "", outputs, False


def _complaint(answer: Mapping[str, Any]) -> tuple[str, str] | None:
    """The code and message of an error that the answer carries in any of the ways agents do, whatever its status says."""
    error = answer.get("error") or answer.get("errors")
    denied = any(answer.get(key) is False for key in ("ok", "success"))
    if not error and not denied and answer.get("status") not in ("error", "degraded"):  # it may be of a type that is in no set
        return None
    if isinstance(error, Mapping):
        return _excerpt(str(error.get("code") or "")), _excerpt(str(error.get("message") or error))
    if error:
        return "", f"error: {_excerpt(str(error))}"
    said = ", ".join(f"{key} {_excerpt(repr(answer[key]))}" for key in ("status", "ok", "success", "message") if key in answer)
    return "", f"{said}, without an error object"


def _is_only_an_error(outputs: Mapping[str, Any], schema: Mapping[str, Any] | None) -> bool:
    """Whether an error was put where the outputs belong. A schema that names the key says that it is no error but an answer."""
    error = outputs.get("error")
    return (
        isinstance(error, str | Mapping)
        and _has_content(error)
        and outputs.keys() <= _ENVELOPE
        and "error" not in ((schema or {}).get("properties") or {})
    )


def _deeper_than(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [item for part in level for item in (part.values() if isinstance(part, dict) else part if isinstance(part, list) else ())]
        if not level:
            return False
    return True


def _has_content(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_has_content(item) for item in value.values())
    if isinstance(value, list):
        return any(_has_content(item) for item in value)
    if isinstance(value, str):
        return bool(value.strip())
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def _excerpt(text: str) -> str:
    return text if len(text) <= 200 else text[:199] + "…"
