"""Executes a dispatched task: one call of its agent, whose answer is passed on or whose fault is named."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import aiohttp
import orjson
from pydantic import ValidationError

from windlass import model
from windlass.infra import http
from windlass.infra.redaction import MARK, Redactor
from windlass.orchestrator import bodies
from windlass.orchestrator.refusal import Refusal, unfit
from windlass.orchestrator.routing import Routed

MAX_ANSWER = 10 * 1024 * 1024
"""Bytes of an agent's answer that are passed on."""

GRACE_S = 0.25
"""What a run may take beyond `budgets.timeout_ms`: the time in which an agent that keeps its budget says that it is used up."""

_UNREACHABLE: Mapping[str, str] = {
    "DNS": "its name does not resolve",
    "REFUSED": "there is no connection to it, or it broke",
    "TLS": "TLS with it failed",
    "UNREGISTERED_ENDPOINT": "its name resolves to an address that no agent may have",
}


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of an agent that is about to start: where, what, how long, on whose behalf. Lives as long as its request."""

    routed: Routed
    body: bytes
    timeout_s: float
    headers: Mapping[str, str]
    token: str | None


def planned(routed: Routed, asked: model.DispatchRequest, *, limit_s: float, headers: Mapping[str, str], token: str | None) -> Run | Refusal:
    """The run that `asked` amounts to: never longer than `limit_s`, nor than its own budget."""
    try:
        budgets = model.Budgets.model_validate(asked.budgets)
    except ValidationError as failure:
        errors = {f"budgets.{field}": messages for field, messages in model.field_errors(failure).items()}
        return unfit(errors, model.clip(model.summary(errors), 1000))
    own_s = budgets.timeout_ms / 1000 + GRACE_S if budgets.timeout_ms is not None else limit_s
    body = orjson.dumps({name: value for name, value in vars(asked).items() if value is not None})
    sent = {**headers, **({"Authorization": f"Bearer {token}"} if token else {})}
    return Run(routed=routed, body=body, timeout_s=min(limit_s, own_s), headers=sent, token=token)


async def execute(client: aiohttp.ClientSession, run: Run) -> bytes | Refusal:
    """Call the agent once and return its answer's JSON object; redirects are never followed."""
    url = f"{run.routed.agent_url}/agents/run/sync"
    answer = await http.call(client, "POST", url, body=run.body, headers=run.headers, timeout_s=run.timeout_s, cap=MAX_ANSWER)
    return judged(answer, run) if len(answer.body) < bodies.LARGE else await asyncio.to_thread(judged, answer, run)


def judged(answer: http.Answer, run: Run) -> bytes | Refusal:
    """The JSON object to pass on, or why there is none. Pure. Of a failing agent's own words nothing is repeated: they may hold its token."""
    agent = run.routed.agent_name
    match answer.fault:
        case "TIMEOUT":
            return _fault(run, 504, "AGENT_TIMEOUT", f"{agent} gave no whole answer within {run.timeout_s:g} s", fault="TIMEOUT")
        case "TOO_LARGE":
            return _bad(run, f"is larger than {MAX_ANSWER} bytes", answer)
        case None:
            pass
        case fault:
            return _fault(run, 502, "AGENT_UNREACHABLE", f"{agent} can't be reached: {_UNREACHABLE[fault]}", fault=fault)
    if 400 <= answer.status < 500:
        return _fault(run, 502, "AGENT_REFUSED", f"{agent} refused the request with HTTP {answer.status}", agent_status=answer.status)
    if not 200 <= answer.status < 300:
        return _bad(run, "is a redirect, which is not followed" if 300 <= answer.status < 400 else f"is HTTP {answer.status}", answer)
    try:
        document = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return _bad(run, "is not JSON", answer)
    if not isinstance(document, dict):
        return _bad(run, "is not a JSON object", answer)
    return _without(run.token, document, answer)


def _without(token: str | None, document: dict[str, Any], answer: http.Answer) -> bytes:
    """The agent's own bytes, unless its token is in them in whatever encoding: then the document with the token taken out."""
    if token is None:
        return answer.body
    hidden = _hiding(token)
    said = "\n".join(_texts(document))
    return answer.body if hidden(said) == said else orjson.dumps(_redacted(document, hidden))


@lru_cache(maxsize=256)
def _hiding(token: str) -> Callable[[str], str]:
    """Takes the token out of a text. One that is too short to be told from ordinary words in its encodings is looked for as it is."""
    try:
        return Redactor([token]).text
    except ValueError:
        return lambda text: text.replace(token, MARK.decode())


def _texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str() as text:
                yield text
            case dict() as names:
                waiting += (*names, *names.values())
            case list() as items:
                waiting += items


def _redacted(value: Any, hidden: Callable[[str], str]) -> Any:
    match value:
        case str():
            return hidden(value)
        case dict():
            return {hidden(key): _redacted(item, hidden) for key, item in value.items()}
        case list():
            return [_redacted(item, hidden) for item in value]
    return value


def _bad(run: Run, what: str, answer: http.Answer) -> Refusal:
    return _fault(run, 502, "AGENT_BAD_ANSWER", f"the answer of {run.routed.agent_name} {what}", agent_status=answer.status)


def _fault(run: Run, status: int, code: str, message: str, **extras: Any) -> Refusal:
    told = {"agent_key": run.routed.agent_name, "task_type": run.routed.task_type, **extras}
    return Refusal(status=status, code=code, message=message, extras=told)
