"""The edge: whatever happens below it, the answer has one shape, the ids and the time, and says nothing of the inside."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from windlass import errors, model
from windlass.infra import problems, server
from windlass.infra.problems import Problem

CAP = 100_000


@pytest.fixture
def anyio_backend():
    return "asyncio"


class Thing(BaseModel):
    size: int


def raising(failure: Exception) -> FastAPI:
    """A service whose one route raises this."""
    app = FastAPI()
    problems.install(app, max_body=CAP)

    @app.get("/")
    async def route() -> None:
        raise failure

    return app


def reading() -> FastAPI:
    """A service that reads what it is sent."""
    app = FastAPI()
    problems.install(app, max_body=CAP)

    async def route(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    async def thing(thing: Thing) -> dict[str, int]:
        return {"size": thing.size}

    route.__annotations__["request"] = Request
    thing.__annotations__["thing"] = Thing
    app.post("/")(route)
    app.post("/thing")(thing)
    return app


@asynccontextmanager
async def asked(app: FastAPI, method: str = "GET", path: str = "/", **request: Any) -> AsyncIterator[aiohttp.ClientResponse]:
    async with (
        server.running(app, server.bound("127.0.0.1", 0), log_level="critical") as url,
        aiohttp.ClientSession() as client,
        client.request(method, url + path, **request) as response,
    ):
        yield response


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (Problem(409, "TAKEN", "it is taken"), 409, "TAKEN"),
        (errors.Refused("change it"), 400, "REFUSED"),
        (errors.Unavailable("later"), 503, "UNAVAILABLE"),
        (ValueError("a secret of the inside"), 500, "INTERNAL"),
        (errors.GivenUp("a secret of the inside"), 500, "INTERNAL"),
    ],
)
async def test_every_exception_is_answered_in_the_one_shape_and_a_bug_says_nothing_of_its_cause(failure, status, code):
    async with asked(raising(failure)) as response:
        assert response.status == status
        found = model.ErrorBody.model_validate(await response.json())
        assert (found.code, found.error) == (code, code)
        assert found.correlation_id == response.headers["X-Correlation-ID"]
        assert response.headers["X-Response-Time"].removesuffix("ms").isdigit()
        assert "secret" not in await response.text()
        assert "Traceback" not in await response.text()


@pytest.mark.anyio
async def test_extras_stand_at_the_top_and_in_details_and_details_only_there():
    async with asked(raising(Problem(400, "NO", "no", details={"inner": 1}, extras={"outer": 2}, request_id="r"))) as response:
        found = await response.json()
    assert found["details"] == {"inner": 1, "outer": 2}
    assert found["outer"] == 2
    assert "inner" not in found
    assert found["request_id"] == "r"


def test_an_extra_can_not_overwrite_the_shape():
    with pytest.raises(ValueError, match="correlation_id"):
        Problem(400, "NO", "no", extras={"correlation_id": "x"})


@pytest.mark.anyio
async def test_a_body_model_of_the_framework_is_refused_field_by_field():
    async with asked(reading(), "POST", "/thing", json={"size": "big"}) as response:
        assert response.status == 422
        assert list((await response.json())["details"]["fieldErrors"]) == ["size"]


@pytest.mark.anyio
async def test_a_body_up_to_the_cap_is_read():
    async with asked(reading(), "POST", data=b"x" * CAP) as response:
        assert await response.json() == {"bytes": CAP}


@pytest.mark.anyio
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
async def test_a_body_above_the_cap_is_refused_and_the_caller_sees_the_answer(declared):
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 10_000

    async with asked(reading(), "POST", data=b"x" * 200_000 if declared else pieces()) as response:
        assert response.status == 413
        assert (await response.json())["code"] == "PAYLOAD_TOO_LARGE"
        assert response.headers["Connection"] == "close"


@pytest.mark.anyio
async def test_an_endless_upload_is_answered_at_once_and_cut_off_soon():
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    sent = 0
    async with server.running(reading(), server.bound("127.0.0.1", 0)) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        answer = asyncio.create_task(reader.readline())
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(5):
                while sent < 2**30:
                    writer.write(chunk)
                    await writer.drain()
                    sent += len(chunk)
        assert (await answer).startswith(b"HTTP/1.1 413 ")
        assert sent < 2**26
        writer.close()


@pytest.mark.anyio
async def test_an_answer_that_breaks_in_the_middle_is_cut_not_completed():
    app = FastAPI()
    problems.install(app)

    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        raise ValueError("in the middle")

    @app.get("/")
    async def route() -> StreamingResponse:
        return StreamingResponse(pieces())

    async def read() -> None:
        async with asked(app) as response:
            await response.read()

    with pytest.raises(aiohttp.ClientPayloadError):
        await read()


@pytest.mark.anyio
@pytest.mark.parametrize("given", ["a", "run-7/attempt:2", "x" * 128, "{[(~)]}"])
async def test_a_printable_correlation_id_is_echoed(given):
    async with asked(reading(), "GET", "/nowhere", headers={"X-Correlation-ID": given}) as response:
        assert response.headers["X-Correlation-ID"] == given
        assert (await response.json())["correlation_id"] == given


@pytest.mark.anyio
@pytest.mark.parametrize("given", ["", "x" * 129, "two words", 'quo"te', "apos'trophe", "tab\tbed", "naïve"])
async def test_any_other_correlation_id_is_replaced(given):
    async with asked(reading(), "GET", "/nowhere", headers={"X-Correlation-ID": given}) as response:
        made = response.headers["X-Correlation-ID"]
    assert len(made) == 32
    int(made, 16)
