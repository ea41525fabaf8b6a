"""A refusal as a value: what a rule answers instead of raising."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a task is not dispatched, or not executed. Lives as long as its request.

    `extras` are told at the top of the error body and in its `details`; `details` only there.
    """

    status: int
    code: str
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)
    extras: Mapping[str, Any] = field(default_factory=dict)


def unfit(errors: Mapping[str, list[str]], message: str) -> Refusal:
    """The refusal of a body that does not fit: field → what is wrong with it."""
    return Refusal(status=400, code="VALIDATION_ERROR", message=message, details={"fieldErrors": dict(errors)})
