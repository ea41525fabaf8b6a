"""Dispatch over real HTTP: every row of the status table, the headers, and the audit that each leaves."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from tests.unit.orchestrator import worlds

from windlass import model
from windlass.errors import InvalidFleet, Refused
from windlass.orchestrator import app

CANARY = "canary-of-the-inputs"


@pytest.fixture
def anyio_backend():
    return "asyncio"


def shaped(answered: worlds.Answered, status: int, code: str) -> dict[str, Any]:
    """The error body, after checking that it has the one shape and no key beside it but what `details` tells too."""
    assert answered.status == status
    found: dict[str, Any] = answered.json
    core = {name: value for name, value in found.items() if name in model.ErrorBody.model_fields}
    assert model.ErrorBody.model_validate(core).code == code == found["error"]
    assert {name: value for name, value in found.items() if name not in core}.items() <= found.get("details", {}).items()
    assert found["correlation_id"] == answered.headers["X-Correlation-ID"]
    assert answered.headers["Content-Type"] == "application/json"
    assert answered.headers["X-Response-Time"].removesuffix("ms").isdigit()
    assert "Server" not in answered.headers
    return found


@pytest.mark.anyio
async def test_a_dispatch_answers_exactly_the_six_keys_and_its_ids(tmp_path):
    async with worlds.orchestrator(worlds.fleet("http://127.0.0.1:9/a"), tmp_path) as served:
        answered = await served.dispatch(worlds.body(budgets={"timeout_ms": 5, "of": ["mine"]}), headers={"X-Correlation-ID": "run-7"})
        assert answered.status == 200
        assert answered.json == {
            "dispatch_type": "agent",
            "agent_name": "agent-verify",
            "agent_url": "http://127.0.0.1:9/a",
            "budgets": {"timeout_ms": 5, "of": ["mine"]},
            "rag_plan": {},
            "request_id": "req-1",
        }
        assert answered.headers["X-Correlation-ID"] == "run-7"
        assert answered.headers["X-Response-Time"].removesuffix("ms").isdigit()
        [entry] = served.audited()
        assert {**entry, "at": ""} == {
            "at": "",
            "action": "dispatch",
            "task_type": "CLAIM_VERIFY",
            "agent_name": "agent-verify",
            "request_id": "req-1",
            "correlation_id": "run-7",
            "mode": "DEMO",
            "risk_tier": "NON_SENSITIVE",
            "outcome": "OK",
        }


@pytest.mark.anyio
async def test_a_body_made_for_the_agent_is_dispatched_too(tmp_path):
    async with worlds.orchestrator(worlds.fleet(), tmp_path) as served:
        answered = await served.dispatch(worlds.body(input={"claims": []}, stage_id="s"))
        assert answered.status == 200
        assert answered.json["budgets"] == {}


@pytest.mark.anyio
@pytest.mark.parametrize("path", [worlds.DISPATCH, worlds.EXECUTE])
@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer wrong-token", f"Basic {worlds.TOKEN}", worlds.TOKEN, f"Bearer {worlds.TOKEN[:-1]}"]
)
async def test_without_the_right_token_there_is_401_before_the_body_is_looked_at(tmp_path, path, authorization):
    async with worlds.orchestrator(worlds.fleet(), tmp_path) as served:
        headers = {} if authorization is None else {"Authorization": authorization}
        answered = await served.ask("POST", path, b"not even JSON", token=None, headers=headers)
        found = shaped(answered, 401, "AUTH_REQUIRED")
        assert answered.headers["WWW-Authenticate"] == "Bearer"
        assert "details" not in found
        [entry] = served.audited()
        assert (entry["action"], entry["outcome"], entry["task_type"]) == (path.rpartition("/")[2], "AUTH_REQUIRED", None)


@pytest.mark.anyio
async def test_a_read_token_lists_task_types_and_does_nothing_else(tmp_path):
    async with worlds.orchestrator(worlds.fleet(modes=["DEMO"], examples=[{"inputs": {"claims": ["x"]}}]), tmp_path) as served:
        for ask in (served.dispatch, served.execute):
            shaped(await ask(worlds.body(), token=worlds.READ_TOKEN), 403, "INSUFFICIENT_PERMISSIONS")
        assert [entry["outcome"] for entry in served.audited()] == ["INSUFFICIENT_PERMISSIONS"] * 2
        shaped(await served.ask("GET", "/api/ai/router/task-types", token=None), 401, "AUTH_REQUIRED")
        for token in (worlds.READ_TOKEN, worlds.TOKEN):
            listed = (await served.ask("GET", "/api/ai/router/task-types", token=token)).json
            assert list(listed["task_types"]) == ["CLAIM_VERIFY", "LIT_TRIAGE"]
            assert listed["task_types"]["CLAIM_VERIFY"] == {
                "agent_name": "agent-verify",
                "modes": ["DEMO"],
                "risk_tiers": ["PHI", "SENSITIVE", "NON_SENSITIVE"],
                "input_schema": None,
                "example": {"claims": ["x"]},
            }


@pytest.mark.anyio
async def test_without_a_read_token_there_is_none(tmp_path):
    async with worlds.orchestrator(worlds.fleet(), tmp_path, read_token=None) as served:
        shaped(await served.ask("GET", "/api/ai/router/task-types", token=worlds.READ_TOKEN), 401, "AUTH_REQUIRED")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (b"", ["body"]),
        (b"{", ["body"]),
        (b"[1]", ["body"]),
        (b'{"task_type":"\xff"}', ["body"]),
        (b'{"inputs":{"a":NaN}}', ["body"]),
        (b"[" * 1_000_000, ["body"]),
        (b"{}", ["task_type", "request_id"]),
        (b'{"task_type":"A","task_type":"B","request_id":"r"}', ["task_type"]),
        (b'{"task_type":"A","request_id":"r","mode":"live"}', ["mode"]),
        (b'{"task_type":"A","request_id":"r","user_id":"' + b"u" * 600 + b'"}', ["user_id"]),
    ],
)
async def test_a_body_that_does_not_fit_is_400_with_every_field(tmp_path, content, fields):
    async with worlds.orchestrator(worlds.fleet(), tmp_path) as served:
        found = shaped(await served.dispatch(content), 400, "VALIDATION_ERROR")
        assert list(found["details"]["fieldErrors"]) == fields
        assert [entry["outcome"] for entry in served.audited()] == ["VALIDATION_ERROR"]


@pytest.mark.anyio
async def test_an_error_body_carries_the_request_id_where_the_body_gave_a_valid_one(tmp_path):
    async with worlds.orchestrator(worlds.fleet(), tmp_path) as served:
        found = shaped(await served.dispatch({"request_id": "req-9", "task_typ": "A"}), 400, "VALIDATION_ERROR")
        assert found["request_id"] == "req-9"
        assert found["details"]["fieldErrors"]["task_typ"] == ["is not a known key; did you mean 'task_type'?"]
        assert "request_id" not in shaped(await served.dispatch({"request_id": " "}), 400, "VALIDATION_ERROR")


@pytest.mark.anyio
async def test_an_unknown_task_type_is_answered_with_the_supported_ones(tmp_path):
    async with worlds.orchestrator(worlds.fleet(), tmp_path) as served:
        found = shaped(await served.dispatch(worlds.body(task_type="NOPE")), 400, "UNSUPPORTED_TASK_TYPE")
        assert found["supportedTypes"] == found["details"]["supportedTypes"] == ["CLAIM_VERIFY", "LIT_TRIAGE"]
        assert found["request_id"] == "req-1"
        [entry] = served.audited()
        assert (entry["task_type"], entry["agent_name"], entry["outcome"]) == ("NOPE", None, "UNSUPPORTED_TASK_TYPE")


@pytest.mark.anyio
async def test_a_mode_or_tier_that_the_fleet_does_not_allow_is_403(tmp_path):
    async with worlds.orchestrator(worlds.fleet(modes=["DEMO"], risk_tiers=["NON_SENSITIVE"]), tmp_path) as served:
        shaped(await served.dispatch(worlds.body(mode="LIVE")), 403, "MODE_NOT_ALLOWED")
        shaped(await served.dispatch(worlds.body(risk_tier="PHI")), 403, "RISK_TIER_NOT_ALLOWED")
        shaped(await served.execute(worlds.body(risk_tier="PHI")), 403, "RISK_TIER_NOT_ALLOWED")
        assert [(entry["mode"], entry["risk_tier"]) for entry in served.audited()] == [
            ("LIVE", "NON_SENSITIVE"),
            ("DEMO", "PHI"),
            ("DEMO", "PHI"),
        ]


@pytest.mark.anyio
async def test_an_agent_without_endpoint_is_500_and_unreadiness_and_names_nothing_else(tmp_path):
    async with worlds.orchestrator(worlds.fleet(None), tmp_path, allow_gaps=True) as served:
        answered = await served.dispatch(worlds.body())
        found = shaped(answered, 500, "AGENT_NOT_CONFIGURED")
        assert (found["agent_key"], found["task_type"]) == ("agent-verify", "CLAIM_VERIFY")
        assert b"triage" not in answered.content
        assert b"http" not in answered.content
        ready = shaped(await served.ask("GET", "/health/ready", token=None), 503, "NOT_READY")
        assert ready["gaps"] == ["tasks.CLAIM_VERIFY: its agent agent-verify has no endpoint"]
        assert (await served.ask("GET", "/health", token=None)).json == {"status": "up"}


@pytest.mark.anyio
async def test_a_whole_fleet_is_ready(tmp_path):
    async with worlds.orchestrator(worlds.fleet(), tmp_path) as served:
        answered = await served.ask("GET", "/health/ready", token=None)
        assert (answered.status, answered.json) == (200, {"status": "ready"})


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/", "/nowhere", worlds.DISPATCH + "/", "/api/ai/router", "//api/ai/router/dispatch", "/docs", "/%00"])
async def test_any_other_path_is_404_in_the_one_shape(tmp_path, path):
    async with worlds.orchestrator(worlds.fleet(), tmp_path) as served:
        shaped(await served.ask("POST", path, b"{}"), 404, "ROUTE_NOT_FOUND")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("method", "path", "allowed"), [("GET", worlds.DISPATCH, "POST"), ("DELETE", worlds.EXECUTE, "POST"), ("POST", "/health", "GET")]
)
async def test_another_method_is_405_with_those_that_are_allowed(tmp_path, method, path, allowed):
    async with worlds.orchestrator(worlds.fleet(), tmp_path) as served:
        answered = await served.ask(method, path)
        shaped(answered, 405, "METHOD_NOT_ALLOWED")
        assert answered.headers["Allow"] == allowed


def _post(length: str, *more: str) -> bytes:
    lines = [f"POST {worlds.DISPATCH} HTTP/1.1", "Host: x", f"Authorization: Bearer {worlds.TOKEN}", length, *more]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


@pytest.mark.anyio
async def test_a_body_above_10_mib_is_413_without_being_read(tmp_path):
    async with worlds.orchestrator(worlds.fleet(), tmp_path) as served:
        fits = orjson.dumps(worlds.body(inputs={"text": "x" * (10 * 2**20 - 200)}))
        assert (await served.dispatch(fits)).status == 200
        # nothing but the head is sent: the answer comes all the same, and the connection ends
        answer = await served.raw(_post("Content-Length: 1000000000000"))
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b'"code":"PAYLOAD_TOO_LARGE"' in answer
        chunk = b"100000\r\n" + b"x" * 2**20 + b"\r\n"
        assert (await served.raw(_post("Transfer-Encoding: chunked") + chunk * 11)).startswith(b"HTTP/1.1 413 ")
        shaped(await served.dispatch(b"x" * (10 * 2**20 + 1)), 413, "PAYLOAD_TOO_LARGE")
        assert [entry["outcome"] for entry in served.audited()] == ["OK", *["PAYLOAD_TOO_LARGE"] * 3]


@pytest.mark.anyio
async def test_headers_can_not_be_injected(tmp_path):
    async with worlds.orchestrator(worlds.fleet(), tmp_path) as served:
        content = orjson.dumps(worlds.body(request_id="r\r\nX-Evil: 1", task_type="T\r\nX-Evil: 1"))
        for value in ("a\rX-Evil: 1", "a\x0bX-Evil:1", 'a" X-Evil', "é"):
            request = _post(f"Content-Length: {len(content)}", f"X-Correlation-ID: {value}", "Connection: close") + content
            assert b"\r\nX-Evil" not in (await served.raw(request)).replace(b"x-evil", b"X-Evil").partition(b"\r\n\r\n")[0]


@pytest.mark.anyio
async def test_a_caller_that_leaves_in_the_middle_of_its_body_harms_nobody(tmp_path):
    async with worlds.orchestrator(worlds.fleet(), tmp_path) as served:
        host, _, port = served.url.removeprefix("http://").partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(_post("Content-Length: 1000") + b"{")
        await writer.drain()
        writer.transport.abort()
        assert (await served.dispatch(worlds.body())).status == 200
        assert [entry["outcome"] for entry in served.audited()] == ["OK"]


@pytest.mark.anyio
async def test_concurrent_dispatches_each_leave_one_entry_in_an_unbroken_chain(tmp_path):
    async with worlds.orchestrator(worlds.fleet(), tmp_path) as served:
        await asyncio.gather(*(served.dispatch(worlds.body(request_id=f"r{number}")) for number in range(200)))
        assert sorted(entry["request_id"] for entry in served.audited()) == sorted(f"r{number}" for number in range(200))


@pytest.mark.anyio
async def test_no_input_and_no_token_is_ever_in_the_audit(tmp_path):
    async with worlds.orchestrator(worlds.fleet(), tmp_path) as served:
        hidden = {"inputs": {"name": CANARY}, "user_id": CANARY, "budgets": {"note": CANARY}}
        for content in (
            worlds.body(**hidden),
            worlds.body(**hidden, task_type="NOPE"),
            worlds.body(**hidden, mode={"a": CANARY}),
            {"inputs": CANARY},
        ):
            await served.dispatch(content)
            await served.execute(content)
        await served.dispatch(f"not JSON {CANARY}".encode())
        kept = served.audit_path.read_text()
        assert len(served.audited()) == 10  # the one that is executed has an entry for its dispatch and one for its end
        for secret in (CANARY, worlds.TOKEN, worlds.READ_TOKEN):
            assert secret not in kept


@pytest.mark.anyio
async def test_the_openapi_document_tells_every_route_and_its_errors(tmp_path):
    async with worlds.orchestrator(worlds.fleet(), tmp_path) as served:
        paths = (await served.ask("GET", "/openapi.json", token=None)).json["paths"]
    assert {worlds.DISPATCH, worlds.EXECUTE, "/api/ai/router/task-types", "/health", "/health/ready"} == set(paths)
    told = paths[worlds.DISPATCH]["post"]
    assert {"200", "400", "401", "403", "413", "500"} <= set(told["responses"])
    assert told["security"]
    assert set(model.DispatchRequest.model_fields) <= set(told["requestBody"]["content"]["application/json"]["schema"]["properties"])


@pytest.mark.parametrize("token", ["", "   ", "short", "two words here"])
def test_without_a_real_token_there_is_no_orchestrator(tmp_path, token):
    with pytest.raises(Refused, match="WORKER_SERVICE_TOKEN"):
        app.create(worlds.fleet(), token=token, audit_path=tmp_path / "a")


def test_a_read_token_must_be_another_one(tmp_path):
    with pytest.raises(Refused, match="WINDLASS_READ_TOKEN"):
        app.create(worlds.fleet(), token=worlds.TOKEN, read_token=worlds.TOKEN, audit_path=tmp_path / "a")


@pytest.mark.parametrize("tokens", [{"agent-verify": "bad\ntoken"}, {"agent-nobody": "token-of-nobody"}])
def test_a_token_that_can_not_reach_its_agent_is_refused(tmp_path, tokens):
    with pytest.raises(Refused, match=r"WINDLASS_AGENT_TOKEN|agent-nobody"):
        app.create(worlds.fleet(), token=worlds.TOKEN, agent_tokens=tokens, audit_path=tmp_path / "a")


def test_every_gap_is_named_at_once(tmp_path):
    fleet = worlds.fleet(None)
    fleet.agents["agent-triage"] = fleet.agents["agent-verify"]
    with pytest.raises(InvalidFleet) as refused:
        app.create(fleet, token=worlds.TOKEN, audit_path=tmp_path / "a")
    assert len(refused.value.problems) == 2
