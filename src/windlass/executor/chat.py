"""A chat model through LangChain: any provider that `init_chat_model` knows, asked for one JSON object of a schema.

Imported providers keep quiet: prompts, answers and keys are neither logged nor traced (LangSmith is switched off for the process). A provider's
errors are translated here, once, into MODEL_UNAVAILABLE and MODEL_BAD_ANSWER; their messages hold an HTTP status or a class name, never text of
the provider's, which may quote the prompt or the key.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import BaseModel

from windlass import model
from windlass.agents.modelling import Reply
from windlass.errors import AgentError, Refused
from windlass.executor import graph

VARIABLE = "LLM_MODEL_NAME"
EXTRA = "windlass[models]"
RETRIES = 5
"""Times that a provider's client asks again after 408, 409, 429, 5xx or a cut connection, waiting as Retry-After says or twice as long each time."""
_LOGGERS = ("openai", "anthropic", "httpx", "httpcore", "httpx2", "httpcore2", "langchain", "langchain_core", "langchain_openai", "langsmith")


class LangChainChat:
    """A configured model. Lives as long as the service."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._model = _made(name, None)

    @property
    def name(self) -> str:
        """The model as the operator named it."""
        return self._name

    async def ask(self, *, system: str, user: str, schema: type[BaseModel], within_s: float, max_tokens: int | None) -> Reply:
        """One answer; raises AgentError MODEL_UNAVAILABLE when none came in time, MODEL_BAD_ANSWER for one that is not JSON."""
        chosen = self._model if max_tokens is None else await asyncio.to_thread(_made, self._name, max_tokens)
        structured = chosen.with_structured_output(schema.model_json_schema(), include_raw=True)
        try:
            async with asyncio.timeout(within_s):
                answered = await structured.ainvoke([("system", system), ("user", user)])
        except TimeoutError as failure:
            raise AgentError("MODEL_UNAVAILABLE", f"no usable answer within {within_s:.1f} s") from failure
        except Exception as failure:  # noqa: BLE001  # whatever a provider raises is translated here, once
            raise _translated(failure) from None  # the provider's own error may quote the prompt: it is not chained into a log
        return _read(answered["raw"])


def opened(name: str) -> LangChainChat:
    """The model of this name (`gpt-…`, `provider:model`); raises Refused with one line that names the setting or the extra that is missing."""
    return LangChainChat(name)


def _made(name: str, max_tokens: int | None) -> Any:
    try:
        from langchain.chat_models import init_chat_model  # noqa: PLC0415  # an extra, seconds of import: only where a model is configured
    except ImportError as failure:
        raise Refused(f"{VARIABLE} is set and LangChain is not installed: pip install '{EXTRA}'") from failure
    _silence()
    limits: dict[str, Any] = {} if max_tokens is None else {"max_tokens": max_tokens}
    try:
        return init_chat_model(name, max_retries=RETRIES, **limits)
    except ImportError as failure:
        raise Refused(f"{VARIABLE} is {model.clip(name, 100)!r} and its provider is not installed: {_line(failure)} ({EXTRA} has two)") from failure
    except Exception as failure:
        raise Refused(f"{VARIABLE} is {model.clip(name, 100)!r}, which can't be used: {_line(failure)}") from failure


def _silence() -> None:
    """Loggers that print payloads at their lower levels say errors only, and nothing is traced, whatever the environment asks for."""
    graph.untraced()
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)


def _line(failure: Exception) -> str:
    return model.clip(next(iter(str(failure).splitlines()), type(failure).__name__), 300)


def _translated(failure: Exception) -> AgentError:
    """What a provider's exception means. Shapes shared by the providers' clients are looked at, since none of them is imported here."""
    status = getattr(failure, "status_code", None)
    if isinstance(status, int) and status >= 300:
        return AgentError("MODEL_UNAVAILABLE", f"the provider answered HTTP {status}")
    if hasattr(failure, "completion"):
        return AgentError("MODEL_BAD_ANSWER", "the answer was cut short", _usage_of(getattr(failure.completion, "usage", None)))
    if isinstance(status, int) or isinstance(failure, ValueError | TypeError | LookupError | AttributeError):
        return AgentError("MODEL_BAD_ANSWER", f"the provider's answer has no readable message ({type(failure).__name__})")
    return AgentError("MODEL_UNAVAILABLE", f"the provider did not answer ({type(failure).__name__})")


def _usage_of(usage: Any) -> dict[str, int]:
    told = {"input_tokens": getattr(usage, "prompt_tokens", None), "output_tokens": getattr(usage, "completion_tokens", None)}
    return {name: count for name, count in told.items() if isinstance(count, int)}


def _read(message: Any) -> Reply:
    """The JSON object of a message, be it a tool call's arguments or the text; strictly: LangChain's own parser would mend a cut answer."""
    usage: Mapping[str, Any] = message.usage_metadata or {}
    tokens = {name: usage[name] for name in ("input_tokens", "output_tokens") if isinstance(usage.get(name), int)}
    if str(message.response_metadata.get("finish_reason") or message.response_metadata.get("stop_reason")) in {"length", "max_tokens"}:
        raise AgentError("MODEL_BAD_ANSWER", "the answer was cut short", tokens)
    if message.tool_calls:
        return Reply(fields=message.tool_calls[0]["args"], **tokens)
    content = message.content
    text = content if isinstance(content, str) else "".join(block.get("text", "") for block in content if isinstance(block, dict))
    try:
        fields = orjson.loads(text)
    except orjson.JSONDecodeError as failure:
        raise AgentError("MODEL_BAD_ANSWER", "the answer is not JSON", tokens) from failure
    if not isinstance(fields, dict):
        raise AgentError("MODEL_BAD_ANSWER", "the answer is not a JSON object", tokens)
    return Reply(fields=fields, **tokens)
