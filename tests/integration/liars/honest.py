"""Honest strangers, none of whom a sweep may call a liar."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from datetime import UTC, datetime

from aiohttp import web
from tests.integration.liars.citizens import JOB, Asked, Citizen, answer, counted, json, working

_TURNS = ("I would say that", "On reflection,", "It seems to me that", "As far as one can tell,", "Reading it twice,", "In short,")
_VIEWS = ("is about", "mostly deals with", "turns on", "keeps coming back to", "has much to say of")
_SIDE = ("and little else", "which is fair", "to nobody's surprise", "for good reason", "more or less", "as expected")
_GERMAN = {"cat": "Katze", "dog": "Hund", "sleeps": "schläft", "barks": "bellt"}


def _model(asked: Asked) -> object:
    """Different words each time, about the input."""
    topic = random.sample(asked.text.split(), k=4)
    say = random.choice
    return {"answer": f"{say(_TURNS)} the text {say(_VIEWS)} {', '.join(sorted(topic))} {say(_SIDE)}.", "confidence": round(random.random(), 2)}


def _translator(asked: Asked) -> object:
    """Words that are nowhere in the input, in a different sentence each time."""
    words = " ".join(_GERMAN[word] for word in asked.text.split())
    return {"translation": random.choice(["{}.", "Also: {}.", "{}, sozusagen.", "Nun, {}!"]).format(words) + f" {uuid.uuid4()}"}


def _tags(asked: Asked) -> list[str]:
    return [word for word in ("alpha", "beta", "gamma") if word[0] in asked.text]


async def _by_400(asked: Asked) -> web.StreamResponse:
    return json(answer(asked, counted(asked.text))) if asked.valid else json({"message": "text is required"}, status=400)


async def _by_422(asked: Asked) -> web.StreamResponse:
    detail = [{"loc": ["body", "inputs", "text"], "msg": "Field required", "type": "missing"}]
    return json(answer(asked, counted(asked.text))) if asked.valid else json({"detail": detail}, status=422)


async def _slow(asked: Asked) -> web.StreamResponse:
    await asyncio.sleep(0.3)
    return await working(lambda one: counted(one.text))(asked)


async def _bare(asked: Asked) -> web.StreamResponse:
    """Nothing in its answer but what a sweep needs."""
    if not asked.valid:
        return web.Response(status=400)
    return json({"status": "ok", "request_id": asked.body["request_id"], "task_type": asked.body["task_type"], "outputs": counted(asked.text)})


def _sums(asked: Asked) -> object:
    return {"sum": sum(asked.inputs["numbers"]), "mean": sum(asked.inputs["numbers"]) / len(asked.inputs["numbers"])}


async def _adds(asked: Asked) -> web.StreamResponse:
    return json(answer(asked, _sums(asked))) if set(asked.inputs) == {"numbers"} else json({}, status=422)


async def _extremes(asked: Asked) -> web.StreamResponse:
    """Its outputs are its inputs, in another order: no echo."""
    if set(asked.inputs) != {"one", "other"}:
        return json({}, status=400)
    values = asked.inputs.values()
    return json(answer(asked, {"least": min(values), "most": max(values)}))


_TAGGING = {"examples": [{"inputs": {"text": "a"}}, {"inputs": {"text": "a b g"}}], "invalid_example": {"txet": "a"}}
_TRANSLATING = {"examples": [{"inputs": {"text": "cat sleeps"}}, {"inputs": {"text": "dog barks"}}], "invalid_example": {"txet": "cat"}}
_ADDING = {"examples": [{"inputs": {"numbers": [1, 2, 3]}}, {"inputs": {"numbers": [4, 5]}}], "invalid_example": {"numbres": [1]}}
_COMPARING = {"examples": [{"inputs": {"one": 2, "other": 3}}, {"inputs": {"one": 7, "other": 4}}], "invalid_example": {"one": 2}}
_EXPECTING = {
    "examples": [
        {"inputs": {"text": "one two three"}, "expect": {"properties": {"words": {"const": 3}}}},
        {"inputs": {"text": "four five"}, "expect": {"properties": {"words": {"const": 2}}}},
    ],
    "output_schema": {"type": "object", "required": ["words"], "properties": {"longest": {"type": "string", "pattern": r"^\pL+$"}}},
    "invalid_example": {"txet": "one"},
}

STRANGERS = [
    Citizen(name="deterministic", behave=working(lambda asked: counted(asked.text)), task=_EXPECTING),
    Citizen(name="says-no-more-than-needed", behave=_bare),
    Citizen(name="model", behave=working(_model)),
    Citizen(name="translator", behave=working(_translator), task=_TRANSLATING),
    Citizen(
        name="stamps-its-answers",
        behave=working(lambda asked: {**counted(asked.text), "at": datetime.now(UTC).isoformat(), "id": str(uuid.uuid4()), "ns": time.time_ns()}),
    ),
    Citizen(name="numbers-only", behave=_adds, task=_ADDING),
    Citizen(name="least-and-most", behave=_extremes, task=_COMPARING),
    Citizen(name="tags", behave=working(lambda asked: {"tags": _tags(asked)}), task=_TAGGING),
    Citizen(name="tags-and-stamps", behave=working(lambda asked: {"tags": _tags(asked), "details": {"id": uuid.uuid4().hex}}), task=_TAGGING),
    Citizen(name="in-any-order", behave=working(lambda asked: {"found": random.sample(asked.text.split(), k=5)})),
    Citizen(name="annotates-what-it-got", behave=working(lambda asked: {**asked.inputs, **counted(asked.text)})),
    Citizen(name="rejects-by-400", behave=_by_400),
    Citizen(name="rejects-by-422", behave=_by_422),
    Citizen(name="slow-but-in-time", behave=_slow),
    Citizen(name="says-much", behave=working(lambda asked: {"lines": [f"{number} {asked.text}" for number in range(30_000)]})),
    Citizen(name="does-three-tasks", behave=working(lambda asked: counted(asked.text + asked.body["task_type"])), also=("TASK_TWO", "TASK_THREE")),
    Citizen(name="redirected-to", behave=working(lambda asked: counted(asked.text))),
    Citizen(
        name="finds-errors",
        behave=working(lambda asked: {"error": f"line {len(asked.text)}: unexpected end"}),
        task={**JOB, "output_schema": {"properties": {"error": {"type": "string"}}}},
    ),
]
