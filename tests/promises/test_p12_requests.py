"""P-12, the requests: whatever a body says, only services of the allowlist come out of it, for a bounded time; else a field is named.

Each body goes through the reader that the service and the command line have, then, with a closure that is as strange, through the rule
that admits. A share of them is sent to a real service over a scripted engine, which keeps a list of all that it ever started.
"""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from tests.engines.scripted import scripted
from tests.integration import windows_services
from tests.integration.windows_services import configured, core_up, service
from tests.promises import budget
from windlass.windows.backend import Closure, Facts, Observation, Observed, RestartPolicy
from windlass.windows.power import asked, rulings
from windlass.windows.power.asked import Refusal
from windlass.windows.power.policy import Policy, ServicePolicy

BODIES = budget.of(small=20_000, full=1_000_000)
SENT = budget.of(small=60, full=3000)
SEED = budget.seed(12)
CORE, ALLOWED, OUTSIDE = ("madre", "redis"), ("switch", "hermes", "spawner"), ("stranger", "host")
POLICY = Policy(project="vx", core=frozenset(CORE), services={name: ServicePolicy(max_ttl_sec=600 + 100 * at) for at, name in enumerate(ALLOWED)})
NAMES = (*ALLOWED, *ALLOWED, *CORE, *OUTSIDE, "", "--help", "-d", "switch ", "SWITCH", "switch\0", "../switch", "switch,hermes", "*", "ѕwitch")
KEYS = ("services", "ttl_sec", "mode", "reason", "on_partial", "service", "Services", "ttl", "window_id", "__proto__", "")


def value(chance: Random, depth: int = 0) -> Any:
    """Anything that JSON can say, and often what a request should say."""
    makers: list[Callable[[], Any]] = [
        lambda: chance.choice(NAMES),
        lambda: [chance.choice(NAMES) for _ in range(chance.randrange(5))],
        lambda: chance.choice((0, 1, -1, 60, 600, 601, 3600, 3601, 10**30, 1.5, 60.0, -0.0, True, False, None)),
        lambda: "".join(chance.choices(string.printable, k=chance.randrange(20))),
        lambda: chance.choice(("ttl", "hold", "degraded", "rollback", "TTL", "forever")),
        lambda: {} if depth > 2 else {chance.choice(KEYS): value(chance, depth + 1) for _ in range(chance.randrange(3))},
        lambda: [] if depth > 2 else [value(chance, depth + 1) for _ in range(chance.randrange(3))],
    ]
    return chance.choice(makers)()


def body(chance: Random) -> Any:
    """A request: half of them nearly right."""
    if chance.random() < 0.1:
        return value(chance)
    made: dict[str, Any] = {"services": [chance.choice(ALLOWED) for _ in range(chance.randint(1, 3))]} if chance.random() < 0.6 else {}
    if chance.random() < 0.5:
        made["ttl_sec"] = chance.choice((1, 60, 600, value(chance)))
    for _ in range(chance.randrange(3)):
        made[chance.choice(KEYS)] = value(chance)
    return made


def closure(chance: Random, services: tuple[str, ...]) -> Closure:
    """What a configuration might say that these need."""
    needed = {*services, *(chance.choice((*ALLOWED, *CORE, *OUTSIDE)) for _ in range(chance.randrange(3)))}
    facts = {
        name: Facts(
            service=name,
            needs={},
            privileged=chance.random() < 0.1,
            restart=RestartPolicy(name="always" if chance.random() < 0.1 else "no"),
            image="i",
        )
        for name in (*ALLOWED, *CORE, *OUTSIDE)
    }
    unknown = ("nobody",) if chance.random() < 0.1 else ()
    return Closure(requested=services, services=tuple(sorted(needed)), facts=facts, reached={}, unknown=unknown)


def refused(refusal: Refusal, field: str | None = None) -> None:
    assert refusal.http == 422
    assert refusal.field == field if field else refusal.field


def test_no_request_brings_anything_out_but_what_is_allowed() -> None:
    chance = Random(SEED)
    passed = admitted = 0
    for _ in range(BODIES):
        try:
            wanted = asked.to_open(body(chance), POLICY)
        except Refusal as refusal:
            refused(refusal)
            continue
        passed += 1
        assert wanted.services
        assert set(wanted.services) <= set(ALLOWED)
        assert 1 <= wanted.ttl_sec <= POLICY.max_ttl_sec(wanted.services)
        assert (wanted.mode in {"ttl", "hold"}, wanted.on_partial in {"degraded", "rollback"}) == (True, True)
        alive = {name: Observed(service=name, state="running" if chance.random() < 0.8 else "exited") for name in CORE}
        needs = closure(chance, wanted.services)
        try:
            services = rulings.admitted(needs, POLICY, Observation(services=alive, leases=()))
        except Refusal as refusal:
            refused(refusal, "services")
            continue
        admitted += 1
        assert set(wanted.services) <= set(services) <= set(ALLOWED)
        assert not needs.unknown
        assert not [name for name in services if needs.facts[name].privileged or needs.facts[name].restart.outlives_engine]
        assert all(alive[name].is_alive for name in set(needs.services) & set(CORE))
    assert passed > BODIES // 20
    assert admitted > BODIES // 100
    budget.tell("P-12", SEED, f"{BODIES:,} bodies, {passed:,} understood, {admitted:,} admitted, none with a service outside the allowlist")


def test_no_request_over_http_starts_anything_but_what_is_allowed(tmp_path: Path) -> None:
    chance = Random(SEED)
    with scripted(tmp_path / "engine") as engine:
        config = configured(engine, start_timeout_sec=0.5, stop_grace_sec=0)
        core_up(engine)
        with service(engine, config) as served:
            for _ in range(SENT):
                path = chance.choice(("open", "open", "open", "close", "extend"))
                made = json.dumps(body(chance)).encode()
                sent = made if chance.random() < 0.8 else made[: chance.randrange(len(made) + 1)]
                status, answer = served.call("POST", f"/madre/power/window/{path}", sent)
                assert status in {200, 404, 409, 422, 500}, answer
                assert status != 500 or answer["code"] == "START_FAILED", answer
                assert answer["audit_id"]
                assert answer["timestamp"]
                if status == 200 and path == "open":
                    assert served.close()[0] == 200
        assert engine.started("vx") <= {*windows_services.CORE, "switch", "hermes"}
        assert windows_services.touched(engine) == []
    budget.tell("P-12", SEED, f"{SENT:,} requests over HTTP, nothing outside the allowlist was ever started")
