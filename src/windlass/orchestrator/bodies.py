"""Reads the body of a dispatch: strictly JSON, strictly our keys. Pure: bytes in, a request or a refusal out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from windlass import model
from windlass.infra import documents
from windlass.orchestrator.refusal import Refusal, unfit

LARGE = 256 * 1024
"""Bytes from which reading a body takes so long that it should not be done on an event loop."""

_KEYS = tuple(model.DispatchRequest.model_fields)
_TAKEN = (*_KEYS, "input")
_NAME: TypeAdapter[str] = TypeAdapter(model.Name)


def parsed(content: bytes) -> dict[str, Any] | Refusal:
    """The JSON object in `content`, in which every key was given once and every number keeps its digits."""
    try:
        return documents.parsed(content, _TAKEN)
    except documents.UnfitBody as failure:
        return unfit(failure.errors, str(failure))


def fitted(document: dict[str, Any]) -> model.DispatchRequest | Refusal:
    """The request that `document` is; `input` counts as `inputs`, because some clients send one body to dispatch and to the agent."""
    if "input" in document:
        document = {**document}
        singular = document.pop("input")
        if document.setdefault("inputs", singular) != singular:
            reason = "input and inputs are both given and differ; send one of them"
            return unfit({"inputs": [reason]}, f"inputs: {reason}")
    try:
        return model.DispatchRequest.model_validate(document)
    except ValidationError as failure:
        errors = model.field_errors(failure, _KEYS)
        return unfit(errors, model.clip(model.summary(errors), 1000))


def request_id(document: Mapping[str, Any]) -> str | None:
    """The body's request id, where it is a valid one whatever else is wrong."""
    try:
        return _NAME.validate_python(document.get("request_id"), strict=True)
    except ValidationError:
        return None
