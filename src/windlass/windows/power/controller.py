"""What callers can do with a project's windows: each request is checked, written as an intention, waited for, and answered as observed.

The service and the command line are both callers of this; neither acts itself. Every answer says when it was given and where the audit
has it, refusals too.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from windlass.errors import Refused, Unavailable, WindlassError
from windlass.infra import instants, texts
from windlass.windows.backend import Backend, Closure
from windlass.windows.power import asked, rulings
from windlass.windows.power.asked import Open, Refusal
from windlass.windows.power.ledger import Ledger, occupied
from windlass.windows.power.log import Log
from windlass.windows.power.moment import Time, instant
from windlass.windows.power.policy import CONTROLLER_X_SEC, Policy
from windlass.windows.power.reconcile import Reconciler, Role, holder
from windlass.windows.power.repeats import Source
from windlass.windows.power.rulings import CloseReason, Window
from windlass.windows.power.watch import PATIENCE_S, Watch

LOOK_AGAIN_S = 0.03
SPARE_S = 5.0
"""How much longer than its bound a caller waits for an opening or a stop before it is told that nothing is confirmed yet."""
MOST_ENTRIES = 1000
_MOST_TOLD = 1000
_MOST_DIGITS = 18

OPEN_STATES: Mapping[rulings.State, str] = {
    "asked": "OPENING",
    "opening": "OPENING",
    "open": "OPEN",
    "degraded": "DEGRADED",
    "closing": "CLOSING",
    "stuck": "STUCK",
}
CORE_STATE = "SOLO_MADRE_CORE"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a caller is told: an HTTP status and a JSON body. Lives as long as its reader."""

    http: int
    body: Mapping[str, Any]

    @property
    def is_done(self) -> bool:
        """Whether what was asked for was done."""
        return self.http < 400  # where HTTP's refusals begin


class Controller:
    """The windows of one project. Lives as long as `controlling`; several may live, in several processes."""

    def __init__(self, policy: Policy, backend: Backend, ledger: Ledger, log: Log, watch: Watch, reconciler: Reconciler, time: Time) -> None:
        self.policy = policy
        self.log = log
        self.reconciler = reconciler
        self.watch = watch
        self.ledger = ledger
        self._backend = backend
        self._time = time

    async def open(self, body: Any, *, actor: str, before: Callable[[], None] = lambda: None) -> Answer:
        """Open a window and answer when it is up, or is observed closed again. `before` is called once nothing but the claim is left to do."""
        try:
            wanted = asked.to_open(body, self.policy)
            window = await self._claimed(wanted, actor, before)
        except WindlassError as failure:
            return await self._refused("open_refused", failure, actor, body)
        self.reconciler.wake()
        limit_s = self.policy.start_timeout_sec(wanted.services) + window.grace_s + SPARE_S
        window = await self._until(window.window_id, _is_settled, limit_s)
        return await self._opened(window, actor)

    async def close(self, body: Any, *, actor: str, reason: CloseReason = "manual") -> Answer:
        """Close the window of that id, or the one that is open, and answer how it was observed. Closed already is closed."""
        try:
            given = asked.to_close(body)
            window_id = given if given is not None else await self._only()
            window = await self._ask_to_close(window_id, reason, actor)
        except WindlassError as failure:
            return await self._refused("close_refused", failure, actor, body)
        self.reconciler.wake()
        rounds = window.attempts
        window = await self._until(window_id, lambda w: not w.is_live or w.attempts > rounds, window.grace_s + SPARE_S)
        state = "closed" if window.state == "closed" else "stuck"
        facts = {
            "window_id": window_id,
            "closed_at": _stamp(window.closed_ms),
            "services_stopped": list(window.stopped),
            "state": state,
            "reason": window.close_asked,
            "results": list(window.close_results),
            "core_changed": list(window.core_changed),
            "cost": dict(window.cost),
        }
        if window.trouble and state == "stuck":
            facts["trouble"] = window.trouble
        return await self._answered(200, "close_answered", facts, actor, window_id)

    async def extend(self, body: Any, *, actor: str) -> Answer:
        """Give an open window that many seconds from now on, within its maximum; a hold is affirmed so."""
        try:
            window_id, ttl_sec = asked.to_extend(body)
            window = await self.ledger.extend(window_id, self.policy, lambda w: self._longer(w, ttl_sec), self._time.now().epoch_ms)
        except WindlassError as failure:
            return await self._refused("extend_refused", failure, actor, body)
        self.reconciler.wake()
        deadline_ms = window.deadline_ms
        window = await self._until(window_id, lambda w: w.leased_ms == deadline_ms or w.state not in {"open", "degraded"}, SPARE_S)
        if window.leased_ms != deadline_ms or window.state not in {"open", "degraded"}:
            refusal = Refusal(409, "NOT_EXTENDED", f"the window is {window.state}; its lease was not renewed", window_id=window_id)
            return await self._refused("extend_refused", refusal, actor, body)
        return await self._answered(200, "extended", self._shown(window), actor, window_id)

    async def state(self, *, actor: str | None = None, patience_s: float = PATIENCE_S) -> Answer:
        """What is open and what runs: observed, not declared. Answers after `patience_s` at the latest, whatever the engine is busy with."""
        try:
            live, look = await asyncio.gather(self.ledger.live(), self.watch.soon(patience_s))
        except WindlassError as failure:
            return await self._refused("state_refused", failure, actor or "", None)
        seen = look.seen
        held = {name for window in live for name in window.services}
        alive = seen.alive() if seen else frozenset[str]()
        facts: dict[str, Any] = {
            "policy": "windowed" if live else "solo_madre",
            "state": _worst(live),
            **self._first(live),
            "active_services": sorted(alive & held),
            "core": {name: (seen.services[name].state if seen and name in seen.services else "unknown") for name in sorted(self.policy.core)},
            "drift": sorted(alive - held - self.policy.core),
            "windows": [self._shown(window) for window in live],
            "observed_at": _stamp(look.at.epoch_ms) if look.at else None,
        }
        if look.trouble:
            facts["trouble"] = look.trouble
        if seen and seen.damaged:
            facts["damaged_leases"] = [{"name": one.name, "problem": one.problem} for one in seen.damaged]
        return Answer(http=200, body=texts.writable({**facts, **self.stamp()}))

    async def ending(self, window_id: str) -> CloseReason | None:
        """Why that window ends or has ended, by its ledger or by the clock; None while it is open."""
        window = await self.ledger.window(window_id)
        if window is None:
            raise Unavailable(f"window {window_id} is no longer in the ledger")
        now = self._time.now()
        is_open = window.state in {"open", "degraded"} and window.close_asked is None and not window.is_due(now)
        return None if is_open else rulings.close_reason(window, now)

    async def policy_status(self) -> Answer:
        """Whether the core is alone, by observation."""
        whole = await self.state()
        if not whole.is_done:
            return whole
        names = ("policy", "state", "core", "active_services", "drift", "observed_at", "timestamp", "audit_id")
        body = {name: whole.body[name] for name in names}
        bounds = {name: {"max_ttl_sec": own.max_ttl_sec, "daily_budget_sec": own.daily_budget_sec} for name, own in self.policy.services.items()}
        return Answer(http=200, body=body | {"active": whole.body["state"] == CORE_STATE and not whole.body["drift"], "allowlist": bounds})

    async def apply(self, *, actor: str) -> Answer:
        """Close every window, stop every allowed service, and answer what was observed."""
        try:
            number = await self.ledger.apply(actor, self._time.now().epoch_ms)
        except WindlassError as failure:
            return await self._refused("apply_refused", failure, actor, None)
        self.reconciler.wake()
        limit_s = self._time.now().uptime_s + 2 * self.policy.grace_sec(self.policy.services) + SPARE_S
        while (done := await self.ledger.application(number)) is None or done.result is None:
            if self._time.now().uptime_s > limit_s:
                unconfirmed = Unavailable("the core is not confirmed to be alone yet; it is tried on, ask for the state")
                return await self._refused("apply_unconfirmed", unconfirmed, actor, None)
            await self._time.pause(LOOK_AGAIN_S)
        whole = await self.state()
        facts = {**done.result, "policy": whole.body.get("policy"), "state": whole.body.get("state"), "drift": whole.body.get("drift")}
        facts["status"] = "fail" if done.result.get("still_running") or done.result.get("trouble") else "ok"
        http = 200
        if trouble := done.result.get("trouble"):
            http, facts = 503, {"error": "UNAVAILABLE", "code": "UNAVAILABLE", "message": trouble, **facts}
        return await self._answered(http, "apply_answered", facts, actor, None)

    async def audit(self, since: str | None, *, actor: str, limit: int = MOST_ENTRIES) -> Answer:
        """The newest entries of the audit, later than an instant, or behind the entry of a `seq`, where one is given."""
        try:
            newest = await self.log.since(_after(since) if since else None, limit)
        except ValueError:
            refusal = Refusal(422, "INVALID_QUERY", "must be an RFC 3339 instant with its offset, or the seq of an entry", field="since")
            return await self._refused("audit_refused", refusal, actor, None)
        except WindlassError as failure:
            return await self._refused("audit_refused", failure, actor, None)
        return Answer(http=200, body={"entries": list(newest.entries), "more": newest.more, **self.stamp()})

    async def refused(self, action: str, failure: WindlassError, *, actor: str, source: Source = "caller") -> Answer:
        """An answer to a request that somebody else refuses (a missing token, a body that is no JSON), audited like any other."""
        return await self._refused(action, failure, actor, None, source)

    def loop_holder(self) -> str | None:
        """Who acts for these windows now, in words; None where nobody does."""
        return "this process" if self.reconciler.holds else holder(self.ledger.path.parent)

    def stamp(self) -> dict[str, Any]:
        """When an answer that changes nothing is given; its id is not in the audit, which has what was asked and done."""
        return {"timestamp": _stamp(self._time.now().epoch_ms), "audit_id": f"look_{secrets.token_hex(6)}"}

    async def close_all(self, reason: CloseReason) -> None:
        """Close every window, and wait until that is observed, or as long as a stop may take."""
        for window in await self.ledger.live():
            await self._ask_to_close(window.window_id, reason, "windlass")
            self.reconciler.wake()
            await self._until(window.window_id, lambda w: not w.is_live, window.grace_s + SPARE_S)

    async def _claimed(self, wanted: Open, actor: str, before: Callable[[], None]) -> Window:
        """The window in the ledger, after everything that can be refused was refused."""
        live = await self.ledger.live()
        if live and self.policy.kind == "single":  # said before the engine is asked: it may be busy opening that one
            raise occupied(live[0])
        closure = await self._resolved(wanted.services)
        seen = await self.watch.look()
        services = rulings.admitted(closure, self.policy, seen)
        now = self._time.now()
        window_id = f"win_{instants.compact_ms(instant(now.epoch_ms))}_{secrets.token_hex(6)}"
        facts = {"services": list(services), "requested": list(wanted.services), "ttl_sec": wanted.ttl_sec, "mode": wanted.mode}
        # before the claim, on which whoever holds the loop acts at once: nothing is opened that the audit does not have
        await self.log.note("open_requested", actor=actor, window_id=window_id, reason=wanted.reason, **facts)
        before()
        return await self.ledger.claim(self.policy, lambda number: self._window(window_id, wanted, services, closure.digest, number, actor))

    async def _resolved(self, services: tuple[str, ...]) -> Closure:
        """What the services need; where that can't be told, what is missing is told instead, if anything is."""
        try:
            return await self._backend.closure(services)
        except WindlassError:
            await self._backend.preflight()
            raise

    def _window(self, window_id: str, wanted: Open, services: tuple[str, ...], digest: str, number: int, actor: str) -> Window:
        now = self._time.now()
        longest_s = self.policy.start_timeout_sec(wanted.services) + wanted.ttl_sec
        return Window(
            window_id=window_id,
            fencing=number,
            services=services,
            requested=wanted.services,
            state="asked",
            mode=wanted.mode,
            on_partial=wanted.on_partial,
            reason=wanted.reason,
            actor=actor,
            asked_ms=now.epoch_ms,
            ttl_sec=wanted.ttl_sec,
            grace_s=self.policy.grace_sec(services),
            deadline_ms=now.epoch_ms + int(longest_s * 1000),
            boot_id=now.boot_id,
            deadline_uptime_s=now.uptime_s + longest_s,
            digest=digest,
        )

    async def _only(self) -> str:
        live = await self.ledger.live()
        if not live:
            raise Refusal(404, "NO_WINDOW", "no window is open")
        if len(live) > 1:
            named = ", ".join(window.window_id for window in live)
            raise Refusal(422, "WHICH_WINDOW", f"several windows are open, name one: {named}", field="window_id")
        return live[0].window_id

    async def _ask_to_close(self, window_id: str, reason: CloseReason, actor: str) -> Window:
        def become(window: Window) -> Window:
            return replace(window, close_asked=window.close_asked or reason, close_actor=window.close_actor or actor, retry_uptime_s=0.0)

        return await self.ledger.change(window_id, become)

    def _longer(self, window: Window, ttl_sec: int) -> Window:
        """The window with its new deadline; raises Refusal where its maximum, or its state, does not allow it."""
        now = self._time.now()
        if window.ready_ms is None or window.close_asked or window.state not in {"open", "degraded"} or window.is_due(now):
            raise Refusal(
                409, "NOT_OPEN", f"the window is {window.state}{', being closed' if window.close_asked else ''}", window_id=window.window_id
            )
        services = [name for name in window.requested if name in self.policy.services]
        most_s = self.policy.hold_max_sec if window.mode == "hold" else self.policy.max_ttl_sec(services)
        by_boot_s = now.uptime_s - window.ready_uptime_s if now.boot_id == window.boot_id else 0.0
        so_far_s = max((now.epoch_ms - window.ready_ms) / 1000, by_boot_s)  # a wall clock that was set back makes no window longer
        step = self.policy.max_ttl_sec(services)
        if ttl_sec > step or so_far_s + ttl_sec > most_s:
            left = max(0, min(step, int(most_s - so_far_s)))
            what = f"{ttl_sec} s more would make it longer than {most_s} s in all, or {step} s at once; at most {left} s are left"
            raise Refusal(422, "OVER_MAXIMUM", what, field="ttl_sec", left_sec=left)
        if ttl_sec < window.remaining_s(now):  # by its clocks as they are: a deadline on a wall clock that was set back since says nothing
            what = f"it has {window.remaining_s(now):.0f} s left; {ttl_sec} s from now would be earlier. Close it, if that is meant"
            raise Refusal(422, "NOT_LONGER", what, field="ttl_sec")
        begun_s = window.ready_uptime_s if now.boot_id == window.boot_id else now.uptime_s - so_far_s
        return replace(
            window,
            deadline_ms=now.epoch_ms + ttl_sec * 1000,
            deadline_uptime_s=now.uptime_s + ttl_sec,
            boot_id=now.boot_id,
            ready_uptime_s=begun_s,
        )

    async def _until(self, window_id: str, enough: Callable[[Window], bool], limit_s: float) -> Window:
        """The window as soon as it is as wanted, or as it is when the time is over."""
        end_s = self._time.now().uptime_s + limit_s
        while True:
            window = await self.ledger.window(window_id)
            if window is None:
                raise Unavailable(f"window {window_id} is no longer in the ledger")
            if enough(window) or self._time.now().uptime_s >= end_s:
                return window
            await self._time.pause(LOOK_AGAIN_S)

    async def _opened(self, window: Window, actor: str) -> Answer:
        facts = self._shown(window) | {
            "services_started": sorted(_up(window)),
            "running_after_ms": None if window.running_ms is None else window.running_ms - window.asked_ms,
            "ready_after_ms": None if window.ready_ms is None else window.ready_ms - window.asked_ms,
            "results": list(window.results),
            "core_changed": list(window.core_changed),
        }
        if window.state in {"open", "degraded"} and window.close_asked is None:
            facts["status"] = "ok" if window.state == "open" else "partial"
            if window.core_changed:
                facts["error"] = f"the core changed while the window was opened: {', '.join(window.core_changed)}"
            return await self._answered(200, "open_answered", facts, actor, window.window_id)
        facts["status"] = "partial" if _up(window) else "fail"
        if window.is_live and window.close_asked is None:
            code, message, http = "NOT_CONFIRMED", "the window is not confirmed to be up yet; ask for the state", 503
        elif window.close_asked in {"manual", "policy_applied", "shutdown"}:
            code, message, http = "CLOSED_MEANWHILE", f"the window was closed before it was up ({window.close_asked})", 409
        else:
            code, message, http = "START_FAILED", window.trouble or "nothing came up", 500
        facts["state"] = "closed" if window.state == "closed" else window.state
        return await self._answered(http, "open_failed_answered", {"error": code, "code": code, "message": message, **facts}, actor, window.window_id)

    def _shown(self, window: Window) -> dict[str, Any]:
        now = self._time.now()
        return {
            "window_id": window.window_id,
            "state": "opening" if window.state == "asked" else window.state,
            "mode": window.mode,
            "services": list(window.services),
            "created_at": _stamp(window.asked_ms),
            "ready_at": _stamp(window.ready_ms),
            "deadline": _stamp(window.deadline_ms),
            "ttl_remaining_sec": int(window.remaining_s(now)),
            "reason": window.reason,
        }

    def _first(self, live: tuple[Window, ...]) -> dict[str, Any]:
        """The one window in the seed's fields; of several, the one that ends first."""
        if not live:
            return {"window_id": None, "created_at": None, "deadline": None, "ttl_remaining_sec": None}
        first = min(live, key=lambda window: window.deadline_ms)
        return {name: self._shown(first)[name] for name in ("window_id", "created_at", "deadline", "ttl_remaining_sec")}

    async def _answered(self, http: int, action: str, facts: Mapping[str, Any], actor: str, window_id: str | None) -> Answer:
        now = self._time.now()
        try:
            audit_id = await self.log.note(action, actor=actor, window_id=window_id, http=http, facts=dict(facts))
        except Unavailable:
            audit_id = ""  # the act is done and is told; whoever reads sees that no audit has it
        return Answer(http=http, body=texts.writable({**facts, "timestamp": _stamp(now.epoch_ms), "audit_id": audit_id}))

    async def _refused(self, action: str, failure: WindlassError, actor: str, body: Any, source: Source = "caller") -> Answer:
        http, code, extras = 503, "UNAVAILABLE", dict[str, Any]()
        if isinstance(failure, Refusal):
            http, code = failure.http, failure.code
            extras = {**({"field": failure.field} if failure.field else {}), **failure.facts}
        elif isinstance(failure, Refused):
            http, code = 422, "REFUSED"
        facts = {"error": code, "message": str(failure), "code": code, **({"details": extras} if extras else {}), **failure_facts(failure)}
        now = self._time.now()
        try:
            told = {"http": http, "trouble": str(failure)[:_MOST_TOLD], "asked": _clipped(body)}
            audit_id = await self.log.note_often(action, source=source, actor=actor, code=code, **told)
        except Unavailable:
            audit_id = ""
        return Answer(http=http, body=texts.writable({**facts, "timestamp": _stamp(now.epoch_ms), "audit_id": audit_id}))


@asynccontextmanager
async def controlling(
    policy: Policy, backend: Backend, directory: Path, *, audit_dir: Path | None = None, time: Time | None = None, role: Role = "command"
) -> AsyncIterator[Controller]:
    """A controller over the state in `directory`. Whoever wants acts done runs `controller.reconciler.run()` beside it, in the name of `role`."""
    own = time or Time()
    ledger = await asyncio.to_thread(Ledger, directory)
    try:
        async with Log(audit_dir or directory, own.clock, uptime=lambda: own.now().uptime_s) as log:
            watch = Watch(backend, own.now)
            try:
                yield Controller(policy, backend, ledger, log, watch, Reconciler(policy, backend, ledger, log, watch, own, role), own)
            finally:
                await watch.close()
    finally:
        ledger.close()


def closed_by_s(policy: Policy, services: tuple[str, ...]) -> float:
    """X: a window of these services is observed closed so many seconds after its deadline at the latest, while the engine answers."""
    return policy.grace_sec(services) + CONTROLLER_X_SEC


def failure_facts(failure: WindlassError) -> dict[str, Any]:
    """What stands at the top of a refusal's body: the window that is in the way."""
    return {"window_id": failure.facts["window_id"]} if isinstance(failure, Refusal) and "window_id" in failure.facts else {}


def _is_settled(window: Window) -> bool:
    if window.state in {"open", "degraded"}:
        return window.leased_ms == window.deadline_ms or window.close_asked is not None
    return window.state == "closed" or window.attempts > 0


def _up(window: Window) -> frozenset[str]:
    """The services that were seen up when the opening ended."""
    return frozenset(one["service"] for one in window.results if one["up"])


def _worst(live: tuple[Window, ...]) -> str:
    order = ("STUCK", "CLOSING", "OPENING", "DEGRADED", "OPEN")
    found = {OPEN_STATES[window.state] for window in live}
    return next((state for state in order if state in found), CORE_STATE)


def _stamp(epoch_ms: int | None) -> str | None:
    return None if epoch_ms is None else instants.stamp(instant(epoch_ms))


def _clipped(body: Any) -> str | None:
    """A refused request as the audit keeps it: enough to see what was asked, never a megabyte."""
    return None if body is None else repr(body)[:_MOST_TOLD]


def _after(since: str) -> datetime | int:
    return int(since) if since.isascii() and since.isdigit() and len(since) <= _MOST_DIGITS else instants.parse(since)
