"""P-13: whatever is asked of the windows, and whatever happens to controller, engine, services and clocks, the invariants hold.

The budget counts sequences of up to 50 steps, made by Hypothesis; the seed is its own.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.engines import memory
from tests.engines.memory import ALLOWED, CORE, OUTSIDE, Memory, World
from tests.promises import budget
from windlass.infra import chain
from windlass.windows.power.controller import Answer, Controller, controlling
from windlass.windows.power.policy import Policy, ServicePolicy

SEQUENCES = budget.of(small=15, full=2000)
STEPS = 50
MAX_TTL, HOLD_MAX, START_S, GRACE_S = 600, 1800, 10.0, 2.0
LATE_S = 12.0
"""What a step lets pass after the looks at a deadline, or takes for one more of them."""
SERVICES = st.lists(st.sampled_from([*ALLOWED, *ALLOWED, *CORE, *OUTSIDE, "nobody"]), max_size=4)
SHM = Path("/dev/shm")  # for speed: what a disk keeps is another promise


class Windows(RuleBasedStateMachine):
    """One project's windows, from their first request to a last look. Lives as long as a sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(dir=SHM if SHM.is_dir() else None))
        self.runner = asyncio.Runner()
        self.runner.get_loop().set_default_executor(memory.AtOnce())
        self.world = World()
        self.by_hand: set[str] = set()
        """Services that somebody started past the windows, and that run."""
        self.protected: set[str] = set()
        """Those of them that no window held at that time: no window may stop them."""
        self.limits: dict[str, float] = {}
        """Window → when it must be over, in seconds that really passed."""
        self.cut_off_limit = 0.0
        self.lease_lost = False

    @initialize(kind=st.sampled_from(["single", "shared"]))
    def begin(self, kind: Any) -> None:
        own = ServicePolicy(max_ttl_sec=MAX_TTL, start_timeout_sec=START_S, stop_grace_sec=GRACE_S)
        self.policy = Policy(project="p", core=frozenset(CORE), services=dict.fromkeys(ALLOWED, own), kind=kind, hold_max_sec=HOLD_MAX)
        self.come_back()

    def come_back(self) -> None:
        self.opened = controlling(self.policy, Memory(self.world), self.place, time=self.world.time)
        self.controller: Controller = self.runner.run(self.opened.__aenter__())

    def do(self, work: Awaitable[Answer]) -> Answer:
        """The answer, with the loop at work beside the caller."""

        async def driven() -> Answer:
            asked = asyncio.ensure_future(work)
            while not asked.done():
                if self.controller.reconciler.take():
                    await self.controller.reconciler.once()
                await asyncio.sleep(0)
            return asked.result()

        return self.runner.run(driven())

    def settle(self) -> None:
        """Let the loop do what it can now."""

        async def settled() -> None:
            before: object = None
            for _ in range(6):
                assert self.controller.reconciler.take()
                await self.controller.reconciler.once()
                now = await self.controller.ledger.live()
                if now == before:
                    return
                before = now

        self.runner.run(settled())

    @rule(services=SERVICES, ttl=st.sampled_from([1, 30, 600, 601, 0, None, True]), mode=st.sampled_from(["ttl", "hold"]), whole=st.booleans())
    def open(self, services: list[str], ttl: Any, mode: str, whole: bool) -> None:
        body = {"services": services, "ttl_sec": ttl, "mode": mode, "on_partial": "rollback" if whole else "degraded"}
        live = self.runner.run(self.controller.ledger.live())
        limit = self.world.true_s + START_S + (ttl or 0)
        answer = self.do(self.controller.open(body, actor="t"))
        self.limits.setdefault(str(answer.body.get("window_id")), limit)
        if answer.http == 200:
            assert services
            assert set(services) <= set(ALLOWED)
            assert ttl in {1, 30, 600}
            assert not live or self.policy.kind == "shared"
            assert ttl == 1 or set(answer.body["services_started"]) <= set(self.world.running)
        elif answer.http == 422:
            now_live = self.runner.run(self.controller.ledger.live())
            assert {one.window_id for one in now_live} <= {one.window_id for one in live}, "what is refused enters nothing"

    @rule(which=st.integers(0, 3), named=st.booleans())
    def close(self, which: int, named: bool) -> None:
        known = self.runner.run(self.controller.ledger.newest(4))
        body = {"window_id": known[which].window_id} if named and which < len(known) else {}
        running = set(self.world.running)
        answer = self.do(self.controller.close(body, actor="t"))
        kept = {name for window in self.runner.run(self.controller.ledger.live()) if not window.close_asked for name in window.services}
        if not self.lease_lost:
            assert running & kept <= set(self.world.running), "a service stops with the last window that holds it"
        if answer.http == 200 and answer.body["state"] == "closed":
            window = self.runner.run(self.controller.ledger.window(answer.body["window_id"]))
            assert window is not None
            assert window.state == "closed"

    @rule(which=st.integers(0, 3), ttl=st.sampled_from([1, 60, 600, 601]))
    def extend(self, which: int, ttl: int) -> None:
        known = self.runner.run(self.controller.ledger.newest(4))
        if which < len(known):
            limit = self.world.true_s + ttl
            if self.do(self.controller.extend({"window_id": known[which].window_id, "ttl_sec": ttl}, actor="t")).http == 200:
                self.limits[known[which].window_id] = limit

    @rule()
    def apply(self) -> None:
        if not self.world.is_silent and not self.world.stop_failures:
            answer = self.do(self.controller.apply(actor="t"))
            assert answer.body["status"] == "ok"
            assert not set(self.world.running) & set(ALLOWED)
            self.by_hand -= set(ALLOWED)
            self.protected -= set(ALLOWED)

    @rule(seconds=st.sampled_from([0.5, 3, 20, 100, 700, 4000]))
    def time_passes(self, seconds: float) -> None:
        self.world.pass_time(seconds)
        self.settle()

    @rule(days=st.sampled_from([-1, 1]))
    def the_wall_clock_jumps(self, days: int) -> None:
        self.world.wall_ms += days * 86_400_000
        self.settle()

    @rule(down_s=st.sampled_from([10.0, 5000.0]))
    def the_machine_reboots(self, down_s: float) -> None:
        self.world.reboot(down_s)
        self.by_hand.clear()
        self.protected.clear()
        self.settle()

    @rule(name=st.sampled_from(ALLOWED))
    def a_service_dies(self, name: str) -> None:
        self.world.die(name)
        self.by_hand.discard(name)
        self.protected.discard(name)

    @rule(name=st.sampled_from([*ALLOWED, *OUTSIDE]))
    def somebody_starts_one_by_hand(self, name: str) -> None:
        if name not in self.world.running:
            self.world.by_hand(name)
            self.by_hand.add(name)
            if name not in {held for window in self.runner.run(self.controller.ledger.live()) for held in window.services}:
                self.protected.add(name)

    @rule(name=st.sampled_from(ALLOWED), broken=st.booleans())
    def a_service_breaks_or_is_mended(self, name: str, broken: bool) -> None:
        (self.world.will_not_start.add if broken else self.world.will_not_start.discard)(name)

    @rule(times=st.integers(1, 4))
    def stops_fail_for_a_while(self, times: int) -> None:
        self.world.stop_failures = times

    @rule()
    def the_engine_falls_silent_or_speaks_again(self) -> None:
        self.world.is_silent = not self.world.is_silent

    @rule()
    def the_controller_is_killed_and_another_comes(self) -> None:
        self.runner.run(self.opened.__aexit__(None, None, None))
        self.runner.run(self.controller.reconciler.let_go())
        self.come_back()
        self.settle()

    @rule(services=SERVICES, hops=st.integers(0, 120))
    def the_controller_is_killed_while_it_opens(self, services: list[str], hops: int) -> None:
        async def cut_off() -> None:
            asked = asyncio.ensure_future(self.controller.open({"services": services, "ttl_sec": 60}, actor="t"))
            acting = asyncio.ensure_future(self.controller.reconciler.run())
            for _ in range(hops):
                await asyncio.sleep(0)
            for task in (asked, acting):
                task.cancel()
            await asyncio.gather(asked, acting, return_exceptions=True)

        self.cut_off_limit = self.world.true_s + START_S + 60
        self.runner.run(cut_off())
        self.the_controller_is_killed_and_another_comes()

    @rule()
    def a_reaper_looks(self) -> None:
        if not self.world.is_silent:
            self.world.reap()

    @rule()
    def somebody_removes_the_leases(self) -> None:
        self.lease_lost |= bool(self.world.leases)
        self.world.leases.clear()

    @invariant()
    def nothing_outside_the_allowlist_was_ever_started_and_the_core_was_never_touched(self) -> None:
        assert self.world.ever_started <= set(ALLOWED)
        assert self.world.touched == []
        assert set(CORE) <= set(self.world.running)

    @invariant()
    def one_window_at_most_where_one_is_allowed(self) -> None:
        live = self.runner.run(self.controller.ledger.live()) if hasattr(self, "controller") else ()
        assert len(live) <= 1 or self.policy.kind == "shared"

    @invariant()
    def no_window_is_longer_than_its_maximum(self) -> None:
        for window in self.runner.run(self.controller.ledger.live()) if hasattr(self, "controller") else ():
            if window.ready_ms is not None:
                most = HOLD_MAX if window.mode == "hold" else MAX_TTL
                assert window.deadline_ms - window.ready_ms <= most * 1000

    @invariant()
    def what_runs_is_held_or_was_started_by_hand_once_the_engine_answers(self) -> None:
        if not hasattr(self, "controller") or self.world.is_silent or self.world.stop_failures:
            return
        self.settle()
        self.world.pass_time(6)  # what was tried in vain is tried again by now
        self.settle()
        live = self.runner.run(self.controller.ledger.live())
        late = [window for window in live if self.world.true_s > self.limits.get(window.window_id, self.cut_off_limit) + LATE_S]
        assert not late, "a window is open beyond its deadline"
        assert self.protected <= set(self.world.running), "what ran before a window runs after it"
        held = {name for window in live for name in window.services}
        for name in self.world.running:
            assert name in {*CORE, *held, *self.by_hand}, f"{name} runs, and nobody holds it"
        if not self.lease_lost:
            assert {window.window_id for window in live} == set(self.world.leases), "a window and its lease live and end together"
        self.by_hand &= set(self.world.running)

    def teardown(self) -> None:
        if hasattr(self, "controller"):
            log = self.controller.log.path
            self.runner.run(self.opened.__aexit__(None, None, None))
            self.runner.run(self.controller.reconciler.let_go())
            scan = chain.scan(log.read_bytes())
            assert (scan.breaks, scan.torn) == ((), 0)
            assert not [entry.fields for entry in scan.entries if entry.fields["action"] == "bug"]
        self.runner.close()
        shutil.rmtree(self.place)


def test_the_windows_keep_their_invariants() -> None:
    checks = settings(max_examples=SEQUENCES, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
    run_state_machine_as_test(Windows, settings=checks)
    budget.tell("P-13", 0, f"{SEQUENCES} sequences of up to {STEPS} steps, every invariant after every step")
