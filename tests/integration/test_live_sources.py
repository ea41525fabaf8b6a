"""LIVE literature search end to end: the executor asks a loopback library that speaks the formats of PubMed and OpenAlex."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.unit.agents.test_bibliography import PUBMED
from tests.unit.agents.test_corpora import OPENALEX

from windlass.agents import catalogue
from windlass.errors import Refused
from windlass.executor import app, live
from windlass.infra import server


@asynccontextmanager
async def library(*, broken: bool = False) -> AsyncIterator[tuple[str, list[str]]]:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path_qs)
        if broken:
            return web.Response(status=503)
        if request.path.endswith("esearch.fcgi"):
            return web.json_response({"esearchresult": {"idlist": ["31000001"]}})
        if request.path.endswith("efetch.fcgi"):
            return web.Response(text=PUBMED, content_type="text/xml")
        return web.json_response(OPENALEX)

    service = web.Application()
    service.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(service)
    await runner.setup()
    listener = server.bound("127.0.0.1", 0)
    await web.SockSite(runner, listener).start()
    try:
        yield server.base_url(listener), asked
    finally:
        await runner.cleanup()


async def ask(url: str, store: Path, **request: Any) -> dict[str, Any]:
    agent = catalogue.by_task()["LIT_RETRIEVAL"]
    sources = live.allowed("pubmed, openalex", {"pubmed": f"{url}/eutils", "openalex": url})
    service = app.create({agent.name: agent}, token=None, store=store, sources=sources)
    async with server.running(service, server.bound("127.0.0.1", 0)) as base, aiohttp.ClientSession() as client:
        body = {"request_id": "r", "task_type": "LIT_RETRIEVAL", "mode": "LIVE", "inputs": {"query": "exercise fatigue"}} | request
        async with client.post(f"{base}/agents/run/sync", json=body) as answer:
            found: dict[str, Any] = json.loads(await answer.read())
            return found


def test_live_papers_are_found_ranked_and_never_invented(tmp_path: Path) -> None:
    async def scene() -> None:
        async with library() as (url, asked):
            answer = await ask(url, tmp_path)
            assert answer["ok"], answer["error"]
            assert answer["outputs"]["source"] == "live"
            assert [paper["title"] for paper in answer["outputs"]["papers"]] == ["Exercise against fatigue."]
            assert answer["outputs"]["synthetic_count"] == 0
            assert len(asked) == 3

    asyncio.run(scene())


def test_a_source_that_fails_is_an_error_and_not_an_empty_result(tmp_path: Path) -> None:
    async def scene() -> dict[str, Any]:
        async with library(broken=True) as (url, _):
            return await ask(url, tmp_path)

    assert asyncio.run(scene())["error"]["code"] == "SOURCE_UNAVAILABLE"


def test_a_protected_query_leaves_the_house_in_no_case(tmp_path: Path) -> None:
    async def scene() -> None:
        async with library() as (url, asked):
            answer = await ask(url, tmp_path, risk_tier="PHI")
            assert answer["error"]["code"] == "RISK_TIER_NOT_ALLOWED"
            assert asked == []

    asyncio.run(scene())


def test_the_setting_names_what_it_does_not_know() -> None:
    assert live.allowed(None, {}) == {}
    assert live.allowed("pubmed", {}) == {"pubmed": "https://eutils.ncbi.nlm.nih.gov/entrez/eutils"}
    with pytest.raises(Refused, match=r"WINDLASS_LIVE_SOURCES.*scholar"):
        live.allowed("pubmed,scholar", {})
    with pytest.raises(Refused, match="WINDLASS_PUBMED_URL"):
        live.allowed("pubmed", {"pubmed": "http://169.254.169.254"})
