"""Holds a record's approvals against what it carries: offline, with the keys that were bound with each, and with a keys file from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from windlass.errors import Refused
from windlass.infra import instants
from windlass.records import layout
from windlass.records.approvals import content as contents
from windlass.records.approvals import envelope, keys, tally
from windlass.records.approvals.keys import Keys
from windlass.records.contracts import contract as contracts
from windlass.records.contracts import problems
from windlass.records.contracts.contract import ApprovalRule
from windlass.records.events import GateApproved, GateFinished
from windlass.records.report import Finding
from windlass.records.state import Attempt, Run

ReadBound = Callable[[str], bytes]
"""Of the SHA-256 of a bound text, its bytes; raises Refused when it is missing or is something else."""


def check(run: Run, read_bound: ReadBound, outside_keys: Keys | None = None) -> Iterator[Finding]:
    """Everything that is wrong with the approvals of a run.

    Each recorded approval is the work of a key that was bound with it, and belongs to the attempt that it is recorded for. Each PASS
    under a contract that asks for approvals had enough of them when it was recorded, for the very artifacts that were recorded.
    With `outside_keys` the bound keys are believed only as far as that file has them too.
    """
    for event in run.happened:
        if isinstance(event, GateApproved):
            yield from (_finding(event, reason) for reason in _wrong(run, event, read_bound, outside_keys))
    for gate in run.gates.values():
        for attempt in gate.attempts:
            if attempt.finished and attempt.status == "PASS":
                yield from _unapproved(run, attempt, attempt.finished, read_bound, outside_keys)


def _wrong(run: Run, event: GateApproved, read_bound: ReadBound, outside: Keys | None) -> Iterator[str]:
    try:
        signed = envelope.opened(event.envelope)
        bound = _bound_keys(event, read_bound)
    except Refused as refusal:
        yield str(refusal)
        return
    payload = signed.payload
    told = {"who": payload.who, "key_id": signed.key_id, "nonce": payload.nonce, "expires_at": instants.stamp(payload.expires_at)}
    for name, value in told.items():
        if getattr(event, name) != value:
            yield f"/{name}: is {getattr(event, name)!r}, and the signed approval says {value!r}"
    own = contents.of(run, event.gate, event.attempt, ()).bound()
    for name in own.keys() - {"artifacts_sha256"}:  # the outputs may have changed after it, and then it did not count
        if getattr(payload, name) != own[name]:
            yield f"was signed for another attempt: its {name} is {getattr(payload, name)!r}, this attempt's {own[name]!r}"
    for believed in (bound, *([outside] if outside else [])):
        key = believed.find(signed.key_id)
        reason = f"its key is not in {believed.path}" if key is None else tally.authentic(signed, key)
        if reason:
            yield f"{reason} [{believed.path}]"


def _unapproved(run: Run, attempt: Attempt, finished: GateFinished, read_bound: ReadBound, outside: Keys | None) -> Iterator[Finding]:
    gate, number = attempt.started.gate, attempt.started.attempt
    try:
        rule = _rule(attempt, read_bound)
        if rule is None:
            return
        approvals = [(event.envelope, outside or _bound_keys(event, read_bound)) for event in run.approvals(gate, number)]
    except Refused as refusal:
        yield _finding(finished, str(refusal))
        return
    content = contents.of(run, gate, number, finished.artifacts)
    counted = tally.count_each(approvals, rule, content, instants.parse(finished.at), grace=tally.CLOCK_TOLERANCE)  # counted, then recorded
    if counted.missing:
        reasons = "; ".join(rejected.reason for rejected in counted.rejected)
        yield _finding(finished, f"PASS with {counted}, and the contract asks for {rule.quorum}" + (f": {reasons}" if reasons else ""))


def _rule(attempt: Attempt, read_bound: ReadBound) -> ApprovalRule | None:
    """Who had to approve by the contract that is bound to the attempt; raises Refused when that can't be read."""
    bound = attempt.started.contract
    if bound is None:
        return None
    content, name = read_bound(bound.sha256), f"contract {bound.sha256[:12]}…"
    if not problems.parsed(content, name).get("approvals"):
        return None  # whatever else a newer lint may have against an old contract
    return contracts.read(content, name).approvals


def _bound_keys(event: GateApproved, read_bound: ReadBound) -> Keys:
    return keys.read(read_bound(event.keys_sha256), f"keys {event.keys_sha256[:12]}… of the record")


def _finding(event: GateApproved | GateFinished, reason: str) -> Finding:
    what = f"{event.who}'s approval of {event.gate}" if isinstance(event, GateApproved) else event.gate
    return Finding(file=layout.JOURNAL, reason=f"{what} attempt {event.attempt}: {reason}")
