"""A run that a stranger has written every text of, without a file: as fast as the exports that are tried on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle

from tests.unit.records import worlds
from windlass.records import state
from windlass.records.artifacts import Artifact
from windlass.records.attest import told
from windlass.records.attest.told import Story
from windlass.records.events import (
    Event,
    GateApproved,
    GateFinished,
    GateName,
    GateStarted,
    InvocationRecorded,
    Note,
    RunCompleted,
    RunStarted,
    WindowClosed,
    WindowOpened,
    Workflow,
)

AT = worlds.DEADLINE


def story(texts: Sequence[str]) -> Story:
    """A failed run of two gates; each text is a check's type, path, code and reason in the newest attempt, and some are all else too."""
    run: state.Run | None = None
    for event in _events(texts, cycle(texts)):
        run = state.apply(run, event)
    assert run is not None
    return told.tell(run, verdict="intact, unanchored", journal_sha256="a" * 64, entries=len(run.happened))


def _events(texts: Sequence[str], some: Iterator[str]) -> Iterator[Event]:
    yield RunStarted(
        at=AT,
        run_id="run_20260119T143012000Z_s_aaaaaaaaaaaaa",
        workflow=Workflow(name="w", version=next(some), slug="s", artifact_path=next(some)),
        depth="deep",
        prompt=next(some),
        gates=(GateName(gate="G1", name=next(some)), GateName(gate="G2", name=next(some))),
        git_commit=next(some),
        workflow_sha256=None,
        topic_sha256=None,
        windlass_version=None,
    )
    yield WindowOpened(at=AT, window_id=next(some), services=(next(some),), deadline=AT)
    yield _started(next(some), 1)
    yield _finished("FAIL", (), next(some), 1, ())
    yield _started(next(some), 2)
    yield InvocationRecorded(
        at=AT,
        invocation_id="inv_1705673460000_abc1",
        gate="G1",
        attempt=2,
        agent=next(some),
        model=next(some),
        started_at=AT,
        finished_at=AT,
        duration_ms=5,
        status="FAIL",
        input_refs=(),
        output_refs=(),
        tokens_in=1,
        tokens_out=None,
        cost_usd=0.1,
    )
    yield GateApproved(
        at=AT, gate="G1", attempt=2, who=next(some), key_id=next(some), nonce="n", expires_at=AT, keys_sha256="a" * 64, envelope={"x": next(some)}
    )
    found = tuple(Artifact(path=text, resolved_path=f"{number} {text}", sha256="a" * 64, size=1, exists=True) for number, text in enumerate(texts))
    yield _finished("FAIL", texts, next(some), 2, found)
    yield Note(at=AT, name="SEEN", message=next(some), gate="G1", details={"x": next(some)})
    yield WindowClosed(at=AT, window_id=texts[6 % len(texts)], services=(), state="closed", reason=next(some))
    yield RunCompleted(at=AT, status="FAILED")


def _started(agent: str, attempt: int) -> GateStarted:
    return GateStarted(
        at=AT,
        gate="G1",
        attempt=attempt,
        agent=agent,
        window_id=agent,
        prompt_sha256=None,
        required_outputs=(),
        contract=None,
        executor="human",
        inputs=(),
        out_of_order=True,
    )


def _finished(status: str, texts: Sequence[str], reason: str, attempt: int, artifacts: tuple[Artifact, ...]) -> GateFinished:
    checks = tuple({"type": text, "path": text, "resolved_path": text, "code": text, "reason": text, "pass": False} for text in texts)
    return GateFinished(
        at=AT, gate="G1", attempt=attempt, status=status, artifacts=artifacts, validations=checks, failure_reason=reason, window_id=None
    )
