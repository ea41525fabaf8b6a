"""The HTTP bodies that the services and the sweep exchange, and how a body that does not fit is explained.

Source of the shapes: `docs/reference/http.md`. Unknown keys are refused: a misspelt `risk_tier` that is silently dropped
would run protected text under the default tier.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

Mode = Literal["DEMO", "LIVE"]
RiskTier = Literal["PHI", "SENSITIVE", "NON_SENSITIVE"]
MODES: tuple[Mode, ...] = ("DEMO", "LIVE")
RISK_TIERS: tuple[RiskTier, ...] = ("PHI", "SENSITIVE", "NON_SENSITIVE")

Fault = Literal["DNS", "REFUSED", "TIMEOUT", "TLS", "TOO_LARGE", "UNREGISTERED_ENDPOINT"]
"""Why an HTTP call has no whole answer, in the words of the sweep's failure classes."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^\S(.*\S)?$")]
OptionalText = Annotated[str, StringConstraints(max_length=512)] | None


class _Body(BaseModel):
    """A body that refuses unknown keys and wrong types; lives as long as its request."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True, str_strip_whitespace=False)


class _Request(_Body):
    """What every request for a task says; lives as long as the request."""

    task_type: Name
    request_id: Name
    workflow_id: OptionalText = None
    stage_id: OptionalText = None
    user_id: OptionalText = None
    mode: Mode = "DEMO"
    risk_tier: RiskTier = "NON_SENSITIVE"
    domain_id: OptionalText = "clinical"
    inputs: dict[str, Any] = Field(default_factory=dict)


class DispatchRequest(_Request):
    """What a caller asks of the orchestrator: route (or run) one task."""

    budgets: dict[str, Any] = Field(default_factory=dict)


class DispatchAnswer(_Body):
    """Where the task goes; exactly these six keys."""

    dispatch_type: Literal["agent"] = "agent"
    agent_name: str
    agent_url: str
    budgets: dict[str, Any]
    rag_plan: dict[str, Any]
    request_id: str


class Budgets(BaseModel):
    """What a run may use; others than these are reported back as not enforced.

    `timeout_ms`: wall time. `max_output_tokens`: output JSON in tokens of 4 bytes. `max_model_calls`: of a chat model; with 0 the
    deterministic engine answers.
    """

    model_config = ConfigDict(extra="allow", strict=True)

    timeout_ms: Annotated[int, Field(ge=1, le=3_600_000)] | None = None
    max_output_tokens: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    max_model_calls: Annotated[int, Field(ge=0, le=2)] | None = None

    @property
    def unenforced(self) -> tuple[str, ...]:
        """Names of budgets that the caller set and nobody here enforces."""
        return tuple(sorted(self.model_extra or {}))


class RunRequest(_Request):
    """What an agent is asked to do. `input` is an alias of `inputs`: some clients send the singular."""

    budgets: Budgets = Field(default_factory=Budgets)

    @model_validator(mode="before")
    @classmethod
    def _singular(cls, body: Any) -> Any:
        if isinstance(body, dict) and "input" in body:
            if "inputs" in body and body["inputs"] != body["input"]:
                raise ValueError("input and inputs are both given and differ; send one of them")
            return {**{key: value for key, value in body.items() if key != "input"}, "inputs": body["input"]}
        return body


class Provenance(_Body):
    """Which engine did the work, on what: `input_sha256` is over the inputs as sorted, compact UTF-8 JSON."""

    engine: Literal["deterministic", "model"]
    model: str | None = None
    agent_version: str
    input_sha256: str


class Failure(_Body):
    """Why a run has no outputs."""

    code: str
    message: str
    details: dict[str, Any] = Field(default_factory=dict)


class RunAnswer(_Body):
    """An agent's answer, one shape for success and business error, always with HTTP 200."""

    status: Literal["ok", "degraded", "error"]
    ok: bool
    request_id: str
    task_type: str
    outputs: dict[str, Any] = Field(default_factory=dict)
    artifacts: list[Any] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)
    provenance: dict[str, Any] = Field(default_factory=dict)
    usage: dict[str, Any] = Field(default_factory=dict)
    grounding: dict[str, Any] | None = None
    error: Failure | None = None


class ErrorBody(_Body):
    """The one shape of every error that a Windlass service answers."""

    error: str
    message: str
    code: str
    details: dict[str, Any] | None = None
    request_id: str | None = None
    correlation_id: str


_ALTERNATIVES = frozenset({"<papers>", "<file>", "<text>"})
"""Names that models give to the alternatives of a union; Pydantic puts them into the place of an error, where no key of the caller's stands."""


def field_errors(failure: ValidationError, known: Iterable[str] | type[BaseModel] = ()) -> dict[str, list[str]]:
    """Field (dotted path, `body` for the whole) → messages. An unknown key is answered with the nearest one that is known in its place.

    `known`: the model that did not fit, or the names of its own keys.
    """
    errors: dict[str, list[str]] = {}
    for problem in failure.errors(include_url=False, include_context=False, include_input=False):
        path = [part for part in problem["loc"] if part not in _ALTERNATIVES]
        field = ".".join(str(part) for part in path) or "body"
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = unknown_key(str(path[-1]), _known_beside(known, path))
        elif problem["type"] == "missing":
            message = "is required"
        errors.setdefault(clip(field, 200), []).append(message)
    return errors


def _known_beside(known: Iterable[str] | type[BaseModel], path: Sequence[int | str]) -> list[str]:
    """The keys that may stand where the last one of `path` stands."""
    if not isinstance(known, type):
        return sorted(known) if len(path) == 1 else []
    models = {known}
    for part in path[:-1]:
        if isinstance(part, str):
            fields = [field for model in models for name, field in model.model_fields.items() if part in (name, field.alias)]
            models = {model for field in fields for model in _models_in(field.annotation)}
    return sorted({field.alias or name for model in models for name, field in model.model_fields.items()})


def _models_in(annotation: Any) -> set[type[BaseModel]]:
    """Every model that an annotation names: inside lists, unions and `Annotated`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return {model for argument in get_args(annotation) for model in _models_in(argument)}


def unknown_key(key: str, known: Iterable[str]) -> str:
    """The message for a key that nobody knows, with the nearest one that somebody does."""
    near = difflib.get_close_matches(key, list(known), n=1, cutoff=0.5)
    return f"is not a known key; did you mean {near[0]!r}?" if near else "is not a known key"


def summary(errors: Mapping[str, list[str]]) -> str:
    """One line that names every field: `claims: is required; claimz: is not a known key`."""
    return "; ".join(f"{field}: {message}" for field, messages in errors.items() for message in messages)


def clip(text: str, limit: int) -> str:
    """At most `limit` characters of `text`, the cut marked by an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
