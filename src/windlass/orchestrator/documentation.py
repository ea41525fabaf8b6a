"""What the OpenAPI document says of each route. The routes take the raw request, so their shapes are told here."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from fastapi import Depends
from fastapi.security import HTTPBearer
from starlette.requests import Request
from starlette.responses import Response

from windlass import model
from windlass.orchestrator.routes import Routes

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]

_BEARER = Depends(HTTPBearer(auto_error=False, description="WORKER_SERVICE_TOKEN, or for listing the read token"))
"""Told, not run: the routes check the token themselves."""

_ERROR = {**model.ErrorBody.model_json_schema(), "additionalProperties": True}
_ANSWER = model.DispatchAnswer.model_json_schema()
_RUN = {
    **_ANSWER,
    "properties": {**_ANSWER["properties"], "result": {"type": "object", "description": "what the agent answered"}},
    "required": [*_ANSWER["required"], "result"],
}
_REQUEST = model.DispatchRequest.model_json_schema()
_REQUEST["properties"]["input"] = {"type": "object", "description": "an alias of inputs"}

_DISPATCH_ERRORS = {
    400: "VALIDATION_ERROR with details.fieldErrors, or UNSUPPORTED_TASK_TYPE with supportedTypes",
    401: "AUTH_REQUIRED: no token, or a wrong one",
    403: "INSUFFICIENT_PERMISSIONS, MODE_NOT_ALLOWED or RISK_TIER_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
    500: "AGENT_NOT_CONFIGURED with agent_key and task_type, or INTERNAL",
    503: "UNAVAILABLE: the audit can't be written; STOPPING",
}
_EXECUTE_ERRORS = {
    **_DISPATCH_ERRORS,
    502: "AGENT_UNREACHABLE, AGENT_BAD_ANSWER or AGENT_REFUSED, with agent_key, task_type and the fault or agent_status",
    504: "AGENT_TIMEOUT",
}


def table(routes: Routes) -> Iterator[tuple[str, str, Endpoint, dict[str, Any]]]:
    """Every route: its path, its method, its function, and what is told of it. Dispatch comes first: routes are tried in order."""
    asked = {"requestBody": {"required": True, "content": _json(_REQUEST)}}
    yield "/api/ai/router/dispatch", "POST", routes.dispatch, _told(_ANSWER, _DISPATCH_ERRORS, openapi_extra=asked, dependencies=[_BEARER])
    yield "/api/ai/router/execute", "POST", routes.execute, _told(_RUN, _EXECUTE_ERRORS, openapi_extra=asked, dependencies=[_BEARER])
    yield "/api/ai/router/task-types", "GET", routes.task_types, _told({"type": "object"}, {401: _DISPATCH_ERRORS[401]}, dependencies=[_BEARER])
    yield "/health", "GET", routes.health, _told({"type": "object"}, {})
    yield "/health/ready", "GET", routes.ready, _told({"type": "object"}, {503: "NOT_READY with gaps"})


def _told(answer: dict[str, Any], errors: dict[int, str], **more: Any) -> dict[str, Any]:
    responses: dict[int, dict[str, Any]] = {200: {"description": "done", "content": _json(answer)}}
    responses.update({status: {"description": meaning, "content": _json(_ERROR)} for status, meaning in errors.items()})
    return {"responses": responses, **more}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
