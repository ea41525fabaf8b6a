"""Agents that answer in time, over sound HTTP, and lie in what they say."""

from __future__ import annotations

import itertools
import json as stdlib_json
import random
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime

from aiohttp import web
from tests.integration.liars.citizens import JOB, Asked, Behave, Citizen, always, answer, counted, json, refusal, working

CANNED = {"summary": "The text was analysed with great care and found to be satisfactory in all respects.", "score": 92}
OTHER_CANNED = {"summary": "Our review shows solid work; no further action seems to be needed here.", "score": 88}
EXPECTING = {
    "examples": [
        {"inputs": {"text": "one two three"}, "expect": {"properties": {"words": {"const": 3}}, "required": ["words"]}},
        {"inputs": {"text": "four five"}, "expect": {"properties": {"words": {"const": 2}}, "required": ["words"]}},
    ],
    "invalid_example": {"txet": "one"},
}


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _in_envelope(**changed: object) -> Behave:
    return always(lambda asked: json({**answer(asked, counted(asked.text)), **changed}))


def _raw(content: bytes, content_type: str = "application/json") -> Behave:
    return always(lambda _: web.Response(body=content, content_type=content_type))


def _replayed(asked: Asked) -> web.Response:
    """The whole answer to the first request that it ever had."""
    return json(asked.memory.setdefault("first", answer(asked, counted(asked.text))))


def _one_behind(asked: Asked) -> object:
    """The right answer, to the request before."""
    before = asked.memory.get("text", "nothing was asked before this")
    asked.memory["text"] = asked.text
    return counted(before)


def _in_turn(asked: Asked) -> object:
    """Two canned answers, in turn."""
    return (CANNED, OTHER_CANNED)[next(asked.memory.setdefault("turn", itertools.count())) % 2]


def _ever_worse(asked: Asked) -> object:
    """Right the first time a text is asked, wrong ever after."""
    seen = asked.memory.setdefault("seen", set())
    words = len(asked.text.split()) + (asked.text in seen)
    seen.add(asked.text)
    return {"words": words, "of": asked.text[:3]}


def _nested(levels: int) -> bytes:
    return b'{"status":"ok","outputs":{"a":' + b"[" * levels + b"]" * levels + b"}}"


async def _fails_when_wrong(asked: Asked) -> web.StreamResponse:
    return json(answer(asked, counted(asked.text))) if asked.valid else json({"detail": "Internal Server Error"}, status=500)


async def _not_found_when_wrong(asked: Asked) -> web.StreamResponse:
    return json(answer(asked, counted(asked.text))) if asked.valid else json({"detail": "no such document"}, status=404)


async def _rejects_as_another(asked: Asked) -> web.StreamResponse:
    """Its rejection is the stored one of somebody else's request."""
    return json(answer(asked, counted(asked.text)) if asked.valid else {**refusal(asked), "request_id": "of-another-request"})


ERRORS = [
    Citizen(name="ok-false", behave=always(lambda asked: json(refusal(asked, "UPSTREAM", "no answer"))), rung="responded", failure="BUSINESS_ERROR"),
    Citizen(
        name="bare-ok-false",
        behave=_raw(b'{"ok": false, "reason": "COMPOSIO_API_KEY is not set, nothing was done"}'),
        rung="responded",
        failure="BUSINESS_ERROR",
    ),
    Citizen(name="error-string", behave=_in_envelope(error="the model could not be reached"), rung="responded", failure="BUSINESS_ERROR"),
    Citizen(
        name="ok-beside-an-error", behave=_in_envelope(error={"code": "PARTIAL", "message": "half of it"}), rung="responded", failure="BUSINESS_ERROR"
    ),
    Citizen(name="status-error-ok-true", behave=_in_envelope(status="error"), rung="responded", failure="BUSINESS_ERROR"),
    Citizen(name="degraded", behave=_in_envelope(status="degraded"), rung="responded", failure="BUSINESS_ERROR"),
    Citizen(name="success-false", behave=_in_envelope(success=False), rung="responded", failure="BUSINESS_ERROR"),
    Citizen(name="errors-listed", behave=_in_envelope(errors=[{"msg": "quota"}]), rung="responded", failure="BUSINESS_ERROR"),
    Citizen(
        name="error-for-outputs",
        behave=working(lambda asked: {"error": f"no key is set, {asked.text!r} was not read", "code": 17}),
        rung="responded",
        failure="BUSINESS_ERROR",
    ),
    Citizen(
        name="needs-a-model",
        behave=always(lambda asked: json(refusal(asked, "MODEL_REQUIRED", "no model is configured"))),
        rung="responded",
        failure="MISSING_DEPENDENCY",
    ),
    Citizen(name="rejects-everything", behave=always(lambda asked: json(refusal(asked))), rung="responded", failure="BUSINESS_ERROR"),
    Citizen(name="rejects-all-by-422", behave=always(lambda asked: json(refusal(asked), status=422)), rung="dispatched", failure="HTTP_4XX"),
]

CONTRACT = [
    Citizen(name="status-is-a-list", behave=_in_envelope(status=["ok"]), rung="responded", failure="CONTRACT"),
    Citizen(name="status-is-an-object", behave=_in_envelope(status={"ok": True}), rung="responded", failure="CONTRACT"),
    Citizen(name="status-in-capitals", behave=_in_envelope(status="OK"), rung="responded", failure="CONTRACT"),
    Citizen(name="ok-is-a-text", behave=_in_envelope(ok="false"), rung="responded", failure="CONTRACT"),
    Citizen(name="ok-is-zero", behave=_in_envelope(ok=0), rung="responded", failure="CONTRACT"),
    Citizen(name="padded", behave=_raw(b"{}" + b" " * 60), rung="responded", failure="CONTRACT"),
    Citizen(
        name="health-body", behave=_raw(b'{"healthy":true,"uptime":123456,"version":"1.2.3","name":"agent"}'), rung="responded", failure="CONTRACT"
    ),
    Citizen(name="wrong-request-id", behave=_in_envelope(request_id="req-of-somebody-else"), rung="responded", failure="CONTRACT"),
    Citizen(name="wrong-task-type", behave=_in_envelope(task_type="ANOTHER_TASK"), rung="responded", failure="CONTRACT"),
    Citizen(name="outputs-is-a-text", behave=_in_envelope(outputs="5 words"), rung="responded", failure="CONTRACT"),
    Citizen(name="replayed", behave=always(_replayed), rung="conformed", failure="CONTRACT"),
    Citizen(
        name="json-array",
        behave=_raw(b'[{"status": "ok", "ok": true, "outputs": {"words": 5, "longest": "quick"}}]'),
        rung="responded",
        failure="CONTRACT",
    ),
    Citizen(name="nested-500-deep", behave=_raw(_nested(500)), rung="responded", failure="CONTRACT"),
    Citizen(
        name="against-its-schema",
        behave=working(lambda asked: {"words": str(len(asked.text.split()))}),
        task={**JOB, "output_schema": {"properties": {"words": {"type": "integer"}}}},
        rung="responded",
        failure="CONTRACT",
    ),
    Citizen(
        name="equal-items",
        behave=working(lambda asked: {"items": [{"a": number} for number in range(20_000)] + [{"a": 1.0}]}),
        task={**JOB, "output_schema": {"properties": {"items": {"uniqueItems": True}}}},
        rung="responded",
        failure="CONTRACT",
    ),
    Citizen(
        name="backtracking-key",
        behave=working(lambda asked: {"a" * 60 + "!": asked.text[:3]}),
        task={**JOB, "output_schema": {"patternProperties": {"^(a+)+$": {}}, "additionalProperties": False}},
        rung="responded",
        failure="CONTRACT",
    ),
]

NOTHING = [
    Citizen(name="empty-outputs", behave=_in_envelope(outputs={}), rung="responded", failure="EMPTY_OUTPUT"),
    Citizen(
        name="blank-outputs",
        behave=_in_envelope(outputs={"text": " ", "items": ["", {"a": None}], "more": {}}),
        rung="responded",
        failure="EMPTY_OUTPUT",
    ),
    Citizen(name="a-million-nulls", behave=_in_envelope(outputs={"items": [None] * 700_000}), rung="responded", failure="EMPTY_OUTPUT"),
    Citizen(name="empty-body", behave=_raw(b""), rung="dispatched", failure="EMPTY_OUTPUT"),
    Citizen(name="white-body", behave=_raw(b" \n" * 40), rung="responded", failure="EMPTY_OUTPUT"),
]

NO_JSON = [
    Citizen(
        name="html",
        behave=_raw(b"<!doctype html><html><h1>502 Bad Gateway</h1><p>nginx</p></html>", "text/html"),
        rung="responded",
        failure="NOT_JSON",
    ),
    Citizen(name="prose", behave=_raw(b"I have processed your request with great success. Thank you!"), rung="responded", failure="NOT_JSON"),
    Citizen(
        name="invalid-utf8",
        behave=_raw(b'{"status":"ok","ok":true,"outputs":{"a":"\xff\xfe\xc0\x80 and so on and on"}}'),
        rung="responded",
        failure="NOT_JSON",
    ),
    Citizen(
        name="not-a-number",
        behave=_raw(b'{"status":"ok","ok":true,"outputs":{"score":NaN,"other":Infinity,"more":1}}'),
        rung="responded",
        failure="NOT_JSON",
    ),
    Citizen(name="nested-100000-deep", behave=_raw(_nested(100_000)), rung="responded", failure="NOT_JSON"),
    Citizen(
        name="two-documents",
        behave=_raw(b'{"status":"ok","ok":true,"outputs":{"a":1}}\n{"status":"ok","ok":true}'),
        rung="responded",
        failure="NOT_JSON",
    ),
]

INSENSITIVE = [
    Citizen(name="echo", behave=working(lambda asked: asked.inputs)),
    Citizen(name="echo-wrapped", behave=working(lambda asked: {"result": {"data": asked.inputs}})),
    Citizen(
        name="echo-padded",
        behave=working(lambda asked: {"received": asked.inputs, "copy": asked.text, "at": _now(), "note": "processed with success " * 9}),
    ),
    Citizen(name="echo-of-the-request", behave=working(lambda asked: dict(asked.body))),
    Citizen(name="echo-as-text", behave=working(lambda asked: {"result": stdlib_json.dumps(asked.inputs), "state": "done"})),
    Citizen(
        name="echo-of-two",
        behave=working(lambda asked: {**asked.inputs, "language": "en"}),
        task={
            "examples": [{"inputs": {"text": "a b", "limit": 3}}, {"inputs": {"text": "c d e", "limit": 4}}],
            "invalid_example": {"txet": "a b", "limit": 3},
        },
    ),
    Citizen(name="canned", behave=working(lambda _: CANNED)),
    Citizen(name="canned-salted", behave=working(lambda _: {**CANNED, "id": str(uuid.uuid4()), "nonce": random.getrandbits(60)})),
    Citizen(name="canned-stamped", behave=working(lambda _: {**CANNED, "at": _now(), "epoch": time.time()})),
    Citizen(
        name="canned-stamped-in-text", behave=working(lambda _: {"summary": f"{CANNED['summary']} Done at {_now()}, in {time.perf_counter_ns()} ns."})
    ),
    Citizen(name="canned-request-id", behave=working(lambda asked: {**CANNED, "for": asked.body["request_id"]})),
    Citizen(name="canned-numbered", behave=working(lambda asked: {**CANNED, "run": asked.number})),
    Citizen(name="canned-in-turn", behave=working(_in_turn)),
    Citizen(name="canned-by-two-replicas", behave=working(lambda asked: {**CANNED, "host": f"replica-{asked.number % 2}"})),
    Citizen(name="canned-by-three-replicas", behave=working(lambda asked: {**CANNED, "host": f"replica-{asked.number % 3}"})),
    Citizen(name="one-behind", behave=working(_one_behind)),
    Citizen(name="random", behave=working(lambda _: {"score": random.random(), "label": uuid.uuid4().hex})),
]

WRONG = [
    Citizen(name="miscounts", behave=working(lambda asked: {"words": len(asked.text)}), task=EXPECTING, rung="conformed", failure="PROBE_FAILED"),
    Citizen(name="ever-worse", behave=working(_ever_worse), task=EXPECTING, rung="conformed", failure="PROBE_FAILED"),
]

UNCRITICAL = [
    Citizen(name="accepts-everything", behave=always(lambda asked: json(answer(asked, counted(asked.text)))), failure="ACCEPTS_INVALID_INPUT"),
    Citizen(name="not-found-when-wrong", behave=_not_found_when_wrong, failure="ACCEPTS_INVALID_INPUT"),
    Citizen(name="rejects-as-another", behave=_rejects_as_another, failure="ACCEPTS_INVALID_INPUT"),
    Citizen(name="fails-when-wrong", behave=_fails_when_wrong, failure="HTTP_5XX"),
]


def _conformed(citizens: list[Citizen], failure: str | None = None) -> list[Citizen]:
    return [replace(each, rung="conformed", failure=failure or each.failure) for each in citizens]


LIARS = [*ERRORS, *CONTRACT, *NOTHING, *NO_JSON, *_conformed(INSENSITIVE, "NOT_INPUT_SENSITIVE"), *WRONG, *_conformed(UNCRITICAL)]
