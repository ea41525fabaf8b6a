"""Explains one row of a sweep from its evidence: what was asked, what came back, what that shows, what to try."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from windlass import model
from windlass.sweep import evidence

MEANINGS: Mapping[str, str] = {
    "DISPATCH_REFUSED": "the orchestrator did not name an agent for this task type",
    "AUTH_NOT_ENFORCED": "the orchestrator answers callers who have no right to ask",
    "DNS": "the agent's host name does not resolve from here",
    "REFUSED": "nothing listens at the agent's endpoint, or it broke the connection",
    "TIMEOUT": "the agent did not answer in full in time",
    "TLS": "the agent's certificate or TLS handshake is not acceptable",
    "UNREGISTERED_ENDPOINT": "the orchestrator named an endpoint that the fleet does not register; it was not called",
    "HTTP_4XX": "the agent refused a request that it should do",
    "HTTP_5XX": "the agent failed while it worked",
    "NOT_JSON": "the agent answered with something that is not JSON",
    "TOO_LARGE": "the agent's answer is larger than anybody should read",
    "CONTRACT": "the answer does not keep the agent contract",
    "BUSINESS_ERROR": "the agent answered, and what it answered is an error",
    "EMPTY_OUTPUT": "the agent answered with nothing in it",
    "NOT_INPUT_SENSITIVE": "the answer does not depend on the inputs: it is canned, or sent back",
    "PROBE_FAILED": "the answer is not the one that doing the work gives",
    "ACCEPTS_INVALID_INPUT": "the agent takes input that it must reject, so its answers mean nothing",
    "MISSING_DEPENDENCY": "the agent lacks something that it needs to do its work",
    "NOT_RUN": "the question was never asked",
}
_KINDS = {
    "dispatch": "dispatch",
    "first": "first question",
    "second": "second question, other inputs",
    "again": "first question again",
    "second_again": "second question again",
    "invalid": "input that must be rejected",
}
EXCERPT = 1500


def explain(row: Mapping[str, Any], bodies: Path) -> Iterator[str]:
    """Plain lines (untrusted: sanitise for the terminal); bodies that are not carried are said to be so."""
    yield f"{row['task_type']}  {row['agent_name']}  {row['agent_url']}"
    yield f"  {row['pass_fail']}   rung: {row['rung']}" + (f" (by {row['by']})" if row["by"] else "")
    if row["failure_class"]:
        yield f"  {row['failure_class']}: {MEANINGS[row['failure_class']]}"
        yield f"  {row['error_preview']}"
        yield f"  next: {row['next_command']}"
    for call in row["calls"]:
        yield ""
        yield f"  {_KINDS.get(call['kind'], call['kind'])}: HTTP {call['http']} in {call['elapsed_ms']:.0f} ms" + (
            f"  {call['fault']}: {call['detail']}" if call["fault"] else ""
        )
        yield from _body("sent", bodies, call["request_sha256"])
        if call["http"]:
            yield from _body("received", bodies, call["response_sha256"])


def _body(word: str, bodies: Path, digest: str | None) -> Iterator[str]:
    content = evidence.body(bodies, digest)
    if content is None:
        yield f"    {word}: sha256 {digest} (body not carried)"
        return
    try:
        text = orjson.dumps(orjson.loads(content), option=orjson.OPT_INDENT_2).decode()
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):  # deeper nested than can be written again
        text = content.decode("utf-8", "replace")
    shown = model.clip(text, EXCERPT).splitlines() or [""]
    yield f"    {word}: {shown[0]}"
    yield from (f"      {line}" for line in shown[1:])
