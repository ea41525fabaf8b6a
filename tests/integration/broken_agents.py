"""Stand-ins for broken agents: one loopback server, one path per way of being broken."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import ClassVar, Self

from aiohttp import web


class BrokenAgents:
    """A server in a thread of its own. Lives as long as its `with`."""

    KINDS: ClassVar = {
        "agent-verify": "wrong",
        "agent-lit-triage": "dead",
        "agent-policy-review": "slow",
        "agent-rag-retrieve": "fails",
        "agent-stage2-screen": "echo",
    }
    EXPECTED: ClassVar = {
        "CLAIM_VERIFY": "PROBE_FAILED",
        "LIT_TRIAGE": "REFUSED",
        "POLICY_REVIEW": "TIMEOUT",
        "RAG_RETRIEVE": "HTTP_5XX",
        "STAGE2_SCREEN": "CONTRACT",
    }

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._port = 0
        self._tokens: set[str] = set()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def url(self, kind: str) -> str:
        return "http://127.0.0.1:9" if kind == "dead" else f"http://127.0.0.1:{self._port}/{kind}"

    def tokens_seen(self) -> set[str]:
        """Bearer tokens since the last call."""
        seen, self._tokens = self._tokens, set()
        return seen

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application()
        app.router.add_post("/{kind}/agents/run/sync", self._answer)
        runner = web.AppRunner(app)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        server = site._server
        assert isinstance(server, asyncio.Server)
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    async def _answer(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token:
            self._tokens.add(token)
        inputs = body["inputs"]
        match request.match_info["kind"]:
            case "wrong":
                return _ok(body, _all_pass(inputs)) if "claims" in inputs and "groundingPack" in inputs else _invalid(body)
            case "slow":
                await asyncio.sleep(30)
                return _ok(body, {"late": True})
            case "fails":
                return web.json_response({"error": "exploded " + "x" * 60}, status=500)
            case "echo":
                return _ok(body, inputs)
            case "leaky":
                return _ok(body, {"headers": dict(request.headers), "token": token, "hex": token.encode().hex()})
            case _:
                if set(inputs) != {"a", "b"}:
                    return _invalid(body)
                return _ok(body, {"sum": inputs["a"] + inputs["b"], "note": "the sum of two numbers"})


def _all_pass(inputs: dict[str, object]) -> dict[str, object]:
    """A credulous verifier: everything passes."""
    claims = inputs["claims"]
    assert isinstance(claims, list)
    verdicts = [{"claim_id": claim["id"], "claim": claim["text"], "verdict": "pass", "reason": "sounds right", "evidence": []} for claim in claims]
    return {"claim_verdicts": verdicts, "overallPass": True, "counts": {"pass": len(verdicts), "fail": 0, "unclear": 0}}


def _ok(body: dict[str, object], outputs: object) -> web.Response:
    return web.json_response({"status": "ok", "ok": True, "request_id": body["request_id"], "task_type": body["task_type"], "outputs": outputs})


def _invalid(body: dict[str, object]) -> web.Response:
    error = {"code": "VALIDATION_ERROR", "message": "an input is missing", "details": {}}
    return web.json_response(
        {"status": "error", "ok": False, "request_id": body["request_id"], "task_type": body["task_type"], "outputs": {}, "error": error}
    )
