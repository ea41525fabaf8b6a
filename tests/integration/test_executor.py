"""The agent contract as clients meet it: real HTTP, real graphs, agents of the catalogue and a few that misbehave."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from windlass.agents import catalogue
from windlass.agents.agent import Agent, Context, Inputs, Outputs, Probe, Step, Work
from windlass.executor import app
from windlass.infra import server
from windlass.sweep import conformance

TOKEN = "an-agent-token"


class Words(Inputs):
    text: str = "x"


class Count(Outputs):
    words: int


def agent(name: str, step: Callable[[Words, Work, Context], Mapping[str, Any]]) -> Agent[Words]:
    return Agent(
        name=name,
        task_types=(name.upper(),),
        summary="counts words",
        version="1",
        inputs=Words,
        outputs=Count,
        steps=(Step(name="only", run=step),),
        example={"text": "a b"},
        probe=Probe(make=lambda seed: {"text": str(seed)}, check=lambda _seed, _inputs, _outputs: None),
    )


def counting(inputs: Words, _work: Work, _context: Context) -> Mapping[str, Any]:
    return {"outputs": {"words": len(inputs.text.split())}}


def sleeping(inputs: Words, _work: Work, context: Context) -> Mapping[str, Any]:
    while True:
        context.check()
        time.sleep(0.01)
        if inputs.text == "wake":
            return counting(inputs, _work, context)


def burning(inputs: Words, _work: Work, context: Context) -> Mapping[str, Any]:
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        sum(range(1000))
    return counting(inputs, _work, context)


def exploding(_inputs: Words, _work: Work, _context: Context) -> Mapping[str, Any]:
    raise RuntimeError("the password is hunter2")


def misshapen(_inputs: Words, _work: Work, _context: Context) -> Mapping[str, Any]:
    return {"outputs": {"words": "many"}}


@asynccontextmanager
async def serving(store: Path, *agents: Agent[Any], token: str | None = None) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    service = app.create({one.name: one for one in agents}, token=token, store=store)
    async with server.running(service, server.bound("127.0.0.1", 0)) as url, aiohttp.ClientSession() as client:
        yield url, client


async def post(client: aiohttp.ClientSession, url: str, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with client.post(url, data=content, headers={"Content-Type": "application/json", **headers}) as answer:
        return answer.status, json.loads(await answer.read())


def request(task_type: str, inputs: Any = None, **more: Any) -> dict[str, Any]:
    return {"request_id": "r-1", "task_type": task_type, "inputs": inputs if inputs is not None else {}, **more}


def test_every_agent_of_the_catalogue_keeps_the_contract(tmp_path: Path) -> None:
    async def check() -> list[str]:
        async with serving(tmp_path, *catalogue.agents().values(), token=TOKEN) as (url, _):
            missing = []
            for task_type, one in catalogue.by_task().items():
                subject = conformance.Subject(url=f"{url}/{one.name}", task_type=task_type, inputs=one.example, token=TOKEN, timeout_s=30)
                missing += [
                    f"{task_type}: {finding.clause}: {finding.reason}" for finding in await conformance.check(subject) if finding.outcome != "ok"
                ]
            return missing

    assert asyncio.run(check()) == []


def test_the_answer_has_one_shape_for_success_and_business_error(tmp_path: Path) -> None:
    async def ask() -> None:
        async with serving(tmp_path, agent("counter", counting)) as (url, client):
            status, good = await post(client, f"{url}/counter/agents/run/sync", request("COUNTER", {"text": "one two"}))
            assert (status, good["status"], good["ok"], good["outputs"]) == (200, "ok", True, {"words": 2})
            status, bad = await post(client, f"{url}/counter/agents/run/sync", request("COUNTER", {"txet": "one two"}))
            assert (status, bad["status"], bad["ok"], bad["outputs"]) == (200, "error", False, {})
            assert bad["error"]["code"] == "VALIDATION_ERROR"
            assert "did you mean 'text'" in bad["error"]["details"]["fieldErrors"]["txet"][0]
            assert set(good) == set(bad)
            assert (good["request_id"], good["task_type"]) == ("r-1", "COUNTER")
            assert good["provenance"]["engine"] == "deterministic"
            assert good["usage"]["duration_ms"] >= 0

    asyncio.run(ask())


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", "body"),
        (b"[]", "body"),
        (b'"text"', "body"),
        (b"\xff\xfe", "body"),
        (b'{"request_id": NaN, "task_type": "COUNTER"}', "body"),
        ({"task_type": "COUNTER"}, "request_id"),
        ({"request_id": "r"}, "task_type"),
        ({"request_id": "", "task_type": "COUNTER"}, "request_id"),
        ({"request_id": 7, "task_type": "COUNTER"}, "request_id"),
        (request("COUNTER", mode="TEST"), "mode"),
        (request("COUNTER", risk_tier="LOW"), "risk_tier"),
        (request("COUNTER", inputs=[]), "inputs"),
        (request("COUNTER", {"text": "a"}, input={"text": "b"}), "body"),
        (request("COUNTER", budgets={"timeout_ms": 0}), "budgets.timeout_ms"),
        (request("COUNTER", budgets={"timeout_ms": "1"}), "budgets.timeout_ms"),
        (request("COUNTER", budgts={}), "budgts"),
    ],
)
def test_a_malformed_body_is_422_and_names_the_field(tmp_path: Path, body: Any, field: str) -> None:
    async def ask() -> tuple[int, dict[str, Any]]:
        async with serving(tmp_path, agent("counter", counting)) as (url, client):
            return await post(client, f"{url}/counter/agents/run/sync", body)

    status, answer = asyncio.run(ask())
    assert status == 422
    assert answer["code"] == answer["error"] == "VALIDATION_ERROR"
    assert field in answer["details"]["fieldErrors"]


def test_what_is_not_here_is_said_plainly(tmp_path: Path) -> None:
    async def ask() -> None:
        async with serving(tmp_path, agent("counter", counting), agent("other", counting)) as (url, client):
            status, answer = await post(client, f"{url}/counter/agents/run/sync", request("OTHER"))
            assert (status, answer["code"], answer["supportedTypes"]) == (400, "UNSUPPORTED_TASK_TYPE", ["COUNTER"])
            status, answer = await post(client, f"{url}/nobody/agents/run/sync", request("COUNTER"))
            assert (status, answer["code"]) == (404, "ROUTE_NOT_FOUND")
            status, answer = await post(client, f"{url}/agents/run/sync", request("COUNTER"))
            assert (status, answer["code"]) == (404, "ROUTE_NOT_FOUND")
            async with client.get(f"{url}/counter/agents/run/sync") as wrong:
                assert (wrong.status, (await wrong.json())["code"]) == (405, "METHOD_NOT_ALLOWED")

    asyncio.run(ask())


def test_a_single_agent_answers_at_the_root_as_well_and_takes_the_singular(tmp_path: Path) -> None:
    async def ask() -> None:
        async with serving(tmp_path, agent("counter", counting)) as (url, client):
            body = {"request_id": "r", "task_type": "COUNTER", "input": {"text": "a b c"}}
            for path in ("/agents/run/sync", "/counter/agents/run/sync"):
                assert (await post(client, url + path, body))[1]["outputs"] == {"words": 3}

    asyncio.run(ask())


def test_with_a_token_nobody_runs_an_agent_without_it(tmp_path: Path) -> None:
    async def ask() -> None:
        async with serving(tmp_path, agent("counter", counting), token=TOKEN) as (url, client):
            for headers in ({}, {"Authorization": "Bearer wrong-token"}, {"Authorization": TOKEN}, {"Authorization": f"Basic {TOKEN}"}):
                for path in ("sync", "stream"):
                    status, answer = await post(client, f"{url}/counter/agents/run/{path}", b"{", **headers)
                    assert (status, answer["code"]) == (401, "AUTH_REQUIRED")
            assert (await post(client, f"{url}/counter/agents/run/sync", request("COUNTER"), Authorization=f"Bearer {TOKEN}"))[0] == 200
            async with client.get(f"{url}/health") as health, client.get(f"{url}/counter/health/ready") as ready:
                assert (health.status, ready.status) == (200, 200)

    asyncio.run(ask())


def test_a_run_ends_when_its_time_is_used_up(tmp_path: Path) -> None:
    async def ask() -> dict[str, Any]:
        async with serving(tmp_path, agent("sleeper", sleeping)) as (url, client):
            return (await post(client, f"{url}/sleeper/agents/run/sync", request("SLEEPER", budgets={"timeout_ms": 100})))[1]

    answer = asyncio.run(ask())
    assert answer["error"]["code"] == "BUDGET_EXCEEDED"
    assert answer["error"]["details"] == {"budget": "timeout_ms", "limit": 100}
    assert answer["usage"]["duration_ms"] < 5000


def test_outputs_beyond_the_budget_are_refused_whole_and_unknown_budgets_are_said(tmp_path: Path) -> None:
    async def ask(**budgets: int) -> dict[str, Any]:
        async with serving(tmp_path, agent("counter", counting)) as (url, client):
            return (await post(client, f"{url}/counter/agents/run/sync", request("COUNTER", budgets=budgets)))[1]

    refused = asyncio.run(ask(max_output_tokens=1))
    assert (refused["error"]["code"], refused["outputs"]) == ("BUDGET_EXCEEDED", {})
    assert asyncio.run(ask(max_output_tokens=100))["ok"]
    assert asyncio.run(ask(max_cost_usd=1))["warnings"] == ["the budget 'max_cost_usd' is not enforced by this agent"]


def test_health_answers_while_agents_burn_the_processor(tmp_path: Path) -> None:
    async def ask() -> int:
        async with serving(tmp_path, agent("burner", burning)) as (url, client):
            working = [asyncio.create_task(post(client, f"{url}/burner/agents/run/sync", request("BURNER"))) for _ in range(4)]
            answered = 0
            while not any(task.done() for task in working):
                async with client.get(f"{url}/health") as answer:
                    assert answer.status == 200
                answered += 1
            assert all(status == 200 for status, _ in await asyncio.gather(*working))
            return answered

    assert asyncio.run(ask()) > 10


def test_a_bug_in_an_agent_is_an_answer_that_tells_no_secret(tmp_path: Path) -> None:
    async def ask(one: Agent[Any]) -> dict[str, Any]:
        async with serving(tmp_path, one) as (url, client):
            return (await post(client, f"{url}/agents/run/sync", request(one.task_types[0])))[1]

    answer = asyncio.run(ask(agent("bomb", exploding)))
    assert answer["error"]["code"] == "INTERNAL"
    assert "hunter2" not in json.dumps(answer)
    assert asyncio.run(ask(agent("liar", misshapen)))["error"]["code"] == "INVALID_OUTPUT"


async def events(client: aiohttp.ClientSession, url: str, body: Any) -> list[tuple[str, dict[str, Any]]]:
    async with client.post(url, json=body) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        blocks = (await answer.text()).strip().split("\n\n")
    pairs = [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]
    return [(pair["event"], json.loads(pair["data"])) for pair in pairs]


def test_a_stream_ends_with_exactly_one_final_that_is_the_sync_answer(tmp_path: Path) -> None:
    async def ask() -> None:
        one = catalogue.by_task()["CLAIM_VERIFY"]
        async with serving(tmp_path, one, agent("bomb", exploding)) as (url, client):
            told = await events(client, f"{url}/{one.name}/agents/run/stream", request("CLAIM_VERIFY", one.example))
            assert [name for name, _ in told] == ["started", *["progress"] * len(one.steps), "final"]
            assert [fields["step"] for name, fields in told if name == "progress"] == [step.name for step in one.steps]
            _, sync = await post(client, f"{url}/{one.name}/agents/run/sync", request("CLAIM_VERIFY", one.example))
            final = told[-1][1]
            assert final["outputs"] == sync["outputs"]
            assert set(final) == set(sync)
            told = await events(client, f"{url}/bomb/agents/run/stream", request("BOMB"))
            assert [name for name, _ in told] == ["started", "final"]
            assert told[-1][1]["error"]["code"] == "INTERNAL"

    asyncio.run(ask())


def test_readiness_names_what_an_agent_lacks(tmp_path: Path) -> None:
    from dataclasses import replace

    hungry = replace(agent("hungry", counting), needs=lambda _store: "no index")

    async def ask() -> None:
        async with serving(tmp_path, hungry, agent("counter", counting)) as (url, client):
            async with client.get(f"{url}/health/ready") as answer:
                assert (answer.status, (await answer.json())["gaps"]) == (503, {"hungry": "no index"})
            async with client.get(f"{url}/hungry/health/ready") as answer:
                assert (answer.status, (await answer.json())["missing"]) == (503, "no index")
            async with client.get(f"{url}/counter/health/ready") as answer:
                assert answer.status == 200

    asyncio.run(ask())
