"""The audit of a real service: strangers can't fill it, and who asks for what is new gets that and no more."""

from __future__ import annotations

import http.client
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from tests.engines.scripted import ScriptedEngine, scripted
from tests.integration.windows_services import Service, configured, core_up, service

from windlass.infra import chain
from windlass.windows.power import repeats

FLOOD = 400


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[ScriptedEngine]:
    with scripted(tmp_path / "engine") as made:
        yield made


@pytest.fixture
def served(engine: ScriptedEngine) -> Iterator[Service]:
    config = configured(engine)
    core_up(engine)
    with service(engine, config) as made:
        yield made


def audited(engine: ScriptedEngine) -> list[dict[str, Any]]:
    """What the chain has; it holds."""
    found = chain.scan((engine.directory / ".windlass/windows/vx/audit.jsonl").read_bytes())
    assert found.breaks == ()
    return [entry.fields for entry in found.entries]


def flood(served: Service, path: str, times: int) -> set[int]:
    """The statuses of so many requests with a wrong token, over one connection."""
    caller = http.client.HTTPConnection(urlsplit(served.url).netloc, timeout=60)
    statuses = set()
    for _ in range(times):
        caller.request("GET", path, headers={"X-VX11-Token": "guess"})
        answer = caller.getresponse()
        statuses.add(answer.status)
        answer.read()
    caller.close()
    return statuses


def test_a_flood_of_wrong_tokens_is_counted_and_every_one_is_in_the_sum(engine: ScriptedEngine, served: Service) -> None:
    assert flood(served, "/madre/power/state", FLOOD) == {403}
    assert flood(served, "/no/such/route", FLOOD) == {404}
    counted_as = served.call("GET", "/madre/power/state", token="guess")[1]["audit_id"]
    status, refused = served.close()
    assert (status, refused["code"]) == (404, "NO_WINDOW")
    assert audited(engine)[-1]["audit_id"] == refused["audit_id"], "who has the token is heard through any flood"
    assert served.end(signal.SIGTERM) == 0

    entries = audited(engine)
    for action, times in (("state_refused", FLOOD + 1), ("route_refused", FLOOD)):
        single = [entry for entry in entries if entry["action"] == action]
        assert len(single) in range(repeats.OWN_AT_ONCE, repeats.OWN_AT_ONCE + 5), "20, and a few more on a slow machine"
        rows = [row for entry in entries if entry["action"] == "repeated" for row in entry["of"] if row["action"] == action]
        assert len(single) + sum(row["times"] for row in rows) == times
    assert counted_as in {entry["audit_id"] for entry in entries}


def test_who_asks_again_gets_what_is_new_by_instant_and_by_seq(served: Service) -> None:
    def since(given: object) -> Any:
        return served.call("GET", f"/madre/power/audit?since={quote(str(given))}")

    for _ in range(3):
        assert served.close()[0] == 404
    entries = served.call("GET", "/madre/power/audit")[1]["entries"]
    assert served.call("GET", "/madre/power/audit")[1]["more"] is False
    for place, entry in enumerate(entries):
        for cursor in (entry["at"], entry["seq"]):
            assert since(cursor)[1]["entries"] == entries[place + 1 :]
    assert served.close()[0] == 404
    assert [entry["action"] for entry in since(entries[-1]["at"])[1]["entries"]] == ["close_refused"]


@pytest.mark.parametrize("given", ["yesterday", "2026-01-19", "2026-01-19T12:00:00", "-1", "1.5", "9" * 19, "0001-01-01T00:00:00+23:59", "\u0663"])
def test_a_since_that_is_neither_is_refused_by_its_name(served: Service, given: str) -> None:
    status, body = served.call("GET", f"/madre/power/audit?since={quote(given)}")
    assert (status, body["code"], body["details"]["field"]) == (422, "INVALID_QUERY", "since")


def test_a_wrong_token_at_the_page_is_audited_as_what_it_is(engine: ScriptedEngine, served: Service) -> None:
    caller = http.client.HTTPConnection(urlsplit(served.url).netloc, timeout=60)
    statuses = []
    for path in ["/page/login"] * 12 + ["/page/open"]:
        caller.request("POST", path, "token=guess&csrf=x", {"content-type": "application/x-www-form-urlencoded"})
        answer = caller.getresponse()
        answer.read()
        statuses.append(answer.status)
    caller.close()
    assert statuses == [403] * 10 + [429] * 2 + [403]
    told = [(entry["action"], entry["http"], entry["code"]) for entry in audited(engine) if entry["action"].endswith("_refused")]
    wrong, tried = ("login_refused", 403, "WRONG_TOKEN"), ("login_refused", 429, "TOO_MANY_TRIES")
    assert told == [wrong] * 10 + [tried] * 2 + [("form_refused", 403, "NO_SESSION")]
