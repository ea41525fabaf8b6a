"""Writes the record of one run: each act is appended to the journal, fsynced, and then shown in the views.

Every act happens under the record's lock, so that writers in several processes lose nothing, and a kill at any moment leaves
the views at most one entry behind the journal: the next writer brings them up to date.
"""

from __future__ import annotations

import hashlib
import math
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from windlass import __version__
from windlass.errors import Refused, UnusableRecord
from windlass.infra import chain, files, instants
from windlass.infra.instants import Clock
from windlass.records import artifacts, bound, events, journal, layout, locks, shown, state, views
from windlass.records.artifacts import Artifact
from windlass.records.events import Contract, Depth, Event, GateName, GateVerdict, InvocationVerdict, RunVerdict, Workflow


class RunRecord:
    """The open record of one run; lives as long as its writer and is closed by it. Safe across threads and processes."""

    def __init__(self, directory: Path, *, root: Path, clock: Clock, random: Callable[[int], int]) -> None:
        self.directory = directory.absolute()
        self.record_directory = self.directory / layout.RECORD
        self.logs_directory = self.directory / layout.LOGS
        self.evidence_directory = self.record_directory / layout.EVIDENCE
        path = self.record_directory / layout.JOURNAL
        if not path.is_file():
            raise UnusableRecord(f"{path}: there is no journal, so this is no run of Windlass")
        self._root = root.absolute()
        self._clock = clock
        self._random = random
        self._guard = threading.Lock()
        self._before: state.Run | None = None  # one entry ago: what the views show when a writer was killed
        self._run: state.Run | None = None
        self._last: chain.Entry | None = None
        self._behind = False  # whether showing this writer's own newest entry failed, on a full disk for example
        self._log = chain.ChainedLog(path)
        try:
            with locks.exclusive(self.record_directory):
                self._follow_others()
                shown.remove_drafts(self.record_directory)
                shown.mend_run(self.record_directory, self._before, self.run)
        except BaseException:
            self._log.close()
            raise

    @classmethod
    def create(  # noqa: PLR0913  # everything that a run is started with, all but four by default
        cls,
        runs_directory: Path,
        *,
        root: Path,
        workflow: str,
        slug: str,
        gates: Sequence[GateName],
        artifact_path: str = ".",
        version: str = "local-dev",
        depth: Depth = "standard",
        prompt: str | None = None,
        topic: bytes | None = None,
        git_commit: str | None = None,
        workflow_content: bytes | None = None,
        clock: Clock = instants.now,
        random: Callable[[int], int] = secrets.randbelow,
    ) -> Self:
        """Start a run in a new directory below `runs_directory` (made when missing) and open its record.

        `root`: the project's root, which recorded paths are relative to. `workflow_content`, `topic`: the bytes of the workflow's
        file and of the prompt's, which the record carries and binds. `random(n)`: a number below n, for the run id.
        The run appears whole or not at all. Raises Refused for a bad name, slug or path, and when the run exists.
        """
        started_at = clock()
        run_id = layout.run_id(started_at, slug, random)
        carried = {content: hashlib.sha256(content).hexdigest() for content in (workflow_content, topic) if content is not None}
        started = events.RunStarted(
            at=instants.stamp(started_at),
            run_id=run_id,
            workflow=Workflow(name=workflow, version=version, slug=slug, artifact_path=artifact_path),
            depth=depth,
            prompt=prompt,
            gates=tuple(gates),
            git_commit=git_commit,
            workflow_sha256=None if workflow_content is None else carried[workflow_content],
            topic_sha256=None if topic is None else carried[topic],
            windlass_version=__version__,
        )
        fields = journal.write(started)
        journal.read(fields)  # refuses here what could not be read back
        directory = runs_directory / run_id
        if directory.exists():
            raise Refused(f"{directory}: the run exists")
        files.make_directory(runs_directory)
        draft = runs_directory / f".{run_id}.tmp"
        try:
            _lay_out(draft, fields, carried)
            draft.rename(directory)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        files.fsync_directory(runs_directory)
        return cls(directory, root=root, clock=clock, random=random)

    @classmethod
    def open(cls, directory: Path, *, root: Path, clock: Clock = instants.now, random: Callable[[int], int] = secrets.randbelow) -> Self:
        """Open a run's directory for more work; views that a killed writer left behind are brought up to date.

        Raises UnusableRecord when the journal is missing or broken, or a view differs from it in a way that no kill explains.
        """
        return cls(directory, root=root, clock=clock, random=random)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the journal; a second call does nothing. The run goes on until `complete`."""
        self._log.close()

    @property
    def run(self) -> state.Run:
        """The run as far as this writer has seen it: its own acts, and those of others up to its last act."""
        if self._run is None:
            raise UnusableRecord(f"{self._log.path}: the journal is empty")
        return self._run

    @property
    def run_id(self) -> str:
        """The run's id, which names its directory."""
        return self.run.started.run_id

    @property
    def head(self) -> str:
        """The hash of the journal's newest entry: the anchor that `verify` can hold the record against."""
        return self.run.head

    def artifact(self, path: str | Path) -> Artifact:
        """Describe a file, hashed now: by template (`{record}/evidence/…`, `{artifact_path}/…`) or by its path on this machine."""
        workflow = self.run.started.workflow
        places = artifacts.Places(root=self._root, record=self.record_directory, slug=workflow.slug, artifact_path=workflow.artifact_path)
        return places.describe(path if isinstance(path, str) else self._template(path))

    def evidence(self, below: str = "") -> list[Artifact]:
        """Every file of the evidence directory (below one of its folders), sorted by path, described and hashed now."""
        start = self.evidence_directory / below
        return [self.artifact(Path(folder) / name) for folder, _, names in sorted(os.walk(start)) for name in sorted(names)]

    def gate_started(  # noqa: PLR0913  # what an attempt is started with, all but two by default
        self,
        gate: str,
        agent: str,
        *,
        window_id: str | None = None,
        prompt_sha256: str | None = None,
        required_outputs: Sequence[str] = (),
        contract: Contract | None = None,
        executor: str | None = None,
        inputs: Sequence[Artifact] = (),
        packet: Callable[[int], bytes] | None = None,
    ) -> int:
        """Begin the next attempt at a gate and return its number; raises Refused while another attempt runs.

        `packet(attempt)`: the prompt packet of that attempt, bound to it; else `prompt_sha256` names a text that was bound before,
        as `contract` does.
        """
        for what, digest in (("prompt packet", prompt_sha256), ("contract", contract.sha256 if contract else None)):
            if digest and self.run.version > 1 and not (self.record_directory / bound.path(digest)).is_file():
                raise Refused(f"gate {gate}: the {what} {digest[:12]}… is not bound to the run; bind it first")

        def started(run: state.Run) -> Event:
            attempt = len(run.gates[gate].attempts) + 1 if gate in run.gates else 1
            event = events.GateStarted(
                at=self._now(),
                gate=gate,
                attempt=attempt,
                agent=agent,
                window_id=window_id,
                prompt_sha256=prompt_sha256,
                required_outputs=tuple(required_outputs),
                contract=contract,
                executor=executor,
                inputs=tuple(inputs),
                out_of_order=run.is_out_of_order(gate),
            )
            if packet is None:
                return event
            state.apply(run, event, version=run.version)  # refuses first: the packet of an attempt that never was would stay behind
            return replace(event, prompt_sha256=bound.put(self.record_directory, packet(attempt)))

        return len(self._act(started).gates[gate].attempts)

    def gate_finished(
        self,
        gate: str,
        status: GateVerdict,
        *,
        validations: Sequence[Mapping[str, Any]],
        artifacts: Sequence[Artifact] = (),
        failure_reason: str | None = None,
        window_id: str | None = None,
    ) -> None:
        """End the gate's running attempt, for good.

        Each validation has `type` and `pass`. Raises Refused without a running attempt; for a PASS with nothing checked, with
        a failed check (severity `warning` apart) or with a reason; and for a FAIL without one. Artifacts that lie in the record are
        made durable first: an entry names nothing that a power loss could still take.
        """
        inside = (artifact.carried for artifact in artifacts if artifact.exists)
        files.fsync_below(self.record_directory, [self.record_directory / path for path in inside if path is not None])

        def finished(run: state.Run) -> Event:
            return events.GateFinished(
                at=self._now(),
                gate=gate,
                attempt=max(1, len(run.gates[gate].attempts)) if gate in run.gates else 1,
                status=status,
                artifacts=tuple(artifacts),
                validations=tuple(dict(validation) for validation in validations),
                failure_reason=failure_reason,
                window_id=window_id,
            )

        self._act(finished)

    def invocation_recorded(  # noqa: PLR0913  # what the seed's records tell of an invocation
        self,
        gate: str,
        agent: str,
        *,
        status: InvocationVerdict = "SUCCESS",
        model: str = "unknown",
        started_at: str | None = None,
        duration_ms: int = 0,
        input_refs: Sequence[str] = (),
        output_refs: Sequence[str] = (),
        tokens_in: int | None = None,
        tokens_out: int | None = None,
        cost_usd: float | None = None,
    ) -> str:
        """Record that an agent was invoked for a gate, and return the invocation's id; it belongs to the gate's newest attempt.

        `started_at` as `instants.stamp` writes it, now by default; `duration_ms`: milliseconds; `cost_usd`: US dollars.
        """
        if cost_usd is not None and not math.isfinite(cost_usd):
            raise Refused(f"cost {cost_usd}: must be a finite number of US dollars")

        def invoked(run: state.Run) -> Event:
            at = self._clock()
            return events.InvocationRecorded(
                at=instants.stamp(at),
                invocation_id=layout.invocation_id(at, self._random),
                gate=gate,
                attempt=(len(run.gates[gate].attempts) or None) if gate in run.gates else None,
                agent=agent,
                model=model,
                started_at=started_at or instants.stamp(at),
                finished_at=instants.stamp(at),
                duration_ms=duration_ms,
                status=status,
                input_refs=tuple(input_refs),
                output_refs=tuple(output_refs),
                tokens_in=tokens_in,
                tokens_out=tokens_out,
                cost_usd=cost_usd,
            )

        recorded = self._act(invoked).invocations[-1]
        folder = self.logs_directory / layout.INVOCATIONS
        folder.mkdir(parents=True, exist_ok=True)
        files.replace(folder / f"{recorded.invocation_id}.json", views.invocation_file(recorded), durable=False)
        return recorded.invocation_id

    def gate_approved(
        self, gate: str, attempt: int, envelope: Mapping[str, Any], *, who: str, key_id: str, nonce: str, expires_at: str, keys: bytes
    ) -> None:
        """Record an approval of the gate's running attempt, with the `keys` file (its bytes) that it was held against.

        Raises Refused when that attempt is not running any more, and when the nonce was used before.
        """
        keys_sha256 = self.bind(keys)
        self._act(
            lambda _: events.GateApproved(
                at=self._now(),
                gate=gate,
                attempt=attempt,
                who=who,
                key_id=key_id,
                nonce=nonce,
                expires_at=expires_at,
                keys_sha256=keys_sha256,
                envelope=dict(envelope),
            )
        )

    def resumed(self, gate: str, reason: str) -> None:
        """Record that work on the run goes on from `gate`."""
        self._act(lambda _: events.RunResumed(at=self._now(), gate=gate, reason=reason))

    def bind(self, content: bytes) -> str:
        """Carry a text in the record under its SHA-256, which is returned; the next act may name it."""
        with self._guard, locks.exclusive(self.record_directory):  # another writer removes the drafts that it finds
            return bound.put(self.record_directory, content)

    def window_opened(self, window_id: str, services: Sequence[str], deadline: str) -> None:
        """Record that services were opened; `deadline` as `instants.stamp` writes it."""
        self._act(lambda _: events.WindowOpened(at=self._now(), window_id=window_id, services=tuple(services), deadline=deadline))

    def window_closed(self, window_id: str, services: Sequence[str], *, state: str = "closed", reason: str) -> None:
        """Record a window's end: the services whose stop was observed, and `closed` or `stuck`."""
        self._act(lambda _: events.WindowClosed(at=self._now(), window_id=window_id, services=tuple(services), state=state, reason=reason))

    def event(self, name: str, message: str, *, gate: str | None = None, details: Mapping[str, Any] | None = None) -> None:
        """Record something worth telling; `name` in capitals and none of the journal's own."""
        self._act(lambda _: events.Note(at=self._now(), name=name, message=message, gate=gate, details=dict(details or {})))

    def complete(self, status: RunVerdict) -> None:
        """End the run, for good. PASSED is refused unless every gate passed; otherwise an attempt still running is failed first."""

        def next_step(run: state.Run) -> Event:
            if run.running and status != "PASSED" and not run.completed:
                left = run.running[0]
                return events.GateFinished(
                    at=self._now(),
                    gate=left.gate,
                    attempt=left.attempt,
                    status="FAIL",
                    artifacts=(),
                    validations=(),
                    failure_reason=f"the run ended ({status}) while this attempt was running",
                    window_id=None,
                )
            return events.RunCompleted(at=self._now(), status=status)

        while not self._act(next_step).completed:
            pass

    def _act(self, decide: Callable[[state.Run], Event]) -> state.Run:
        with self._guard, locks.exclusive(self.record_directory):
            self._follow_others()
            event = decide(self.run)
            fields = journal.write(event, self.run.version)
            told = journal.read(fields)
            state.apply(self.run, told, version=self.run.version)  # refuses before anything is written
            self._take(fields, told, self._log.append(fields))
            self._behind = True
            shown.show(self.record_directory, self.run, event)
            self._behind = False
            return self.run

    def _take(self, fields: Mapping[str, Any], told: Event, digest: str) -> None:
        """Follow our own entry: under the lock nothing came between it and the last one."""
        last = self._last
        if last is None:
            raise UnusableRecord(f"{self._log.path}: the journal is empty")
        self._before, self._run = self._run, state.apply(self._run, told, digest, self.run.version)
        self._last = chain.Entry(seq=last.seq + 1, prev=last.hash, hash=digest, fields=dict(fields), start=last.end, end=self._log.size)

    def _follow_others(self) -> None:
        self._log.mend()
        if self._follow() or self._behind:
            shown.mend_attempt(self.record_directory, self._before, self.run)
        if self._behind:  # the next entry must not come before the views have caught up: two behind is what no kill explains
            shown.mend_run(self.record_directory, self._before, self.run)
            self._behind = False

    def _follow(self) -> bool:
        known = self._last
        scan = chain.scan(self._log.read(known.end if known else 0), after=known)
        for broken in scan.breaks:
            raise UnusableRecord(f"{self._log.path}: line {broken.line} (bytes {broken.start} to {broken.end}): {broken.reason}")
        for entry in scan.entries:
            try:
                self._before, self._run = self._run, state.follow(self._run, entry)
            except Refused as refusal:
                raise UnusableRecord(f"{self._log.path}: entry {entry.seq} (bytes {entry.start} to {entry.end}): {refusal}") from refusal
            self._last = entry
        return bool(scan.entries)

    def _template(self, path: Path) -> str:
        place = Path(os.path.abspath(path))  # noqa: PTH100  # links are not followed
        record, root = Path(os.path.abspath(self.record_directory)), Path(os.path.abspath(self._root))  # noqa: PTH100  # as above
        if place.is_relative_to(record):
            return artifacts.IN_RECORD + place.relative_to(record).as_posix()
        if place.is_relative_to(root):
            return place.relative_to(root).as_posix()
        raise Refused(f"{path}: lies outside the project's root")

    def _now(self) -> str:
        return instants.stamp(self._clock())


def _lay_out(directory: Path, started: Mapping[str, Any], carried: Iterable[bytes]) -> None:
    """Write a new run's directories, its first entry and RUN.json, all durable but for the directory's own name."""
    record = directory / layout.RECORD
    for folder in (directory, directory / layout.LOGS, record, record / layout.GATES, record / layout.EVIDENCE):
        folder.mkdir()
    for content in carried:
        bound.put(record, content)
    with chain.ChainedLog(record / layout.JOURNAL) as log:
        log.append(started)
        run = state.fold(chain.scan(log.read()).entries)
    if run is None:
        raise UnusableRecord(f"{record}: the first entry can't be read back")
    files.replace(record / layout.RUN, views.run_file(run))
    files.fsync_directory(directory)
