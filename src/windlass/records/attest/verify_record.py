"""Verifies the record of a run that lies beside this file, offline, with nothing but Python 3.8 or later: `python3 verify_record.py`.

It says what `windlass verify` says, and shares no line with it: chain, rules, views, files, bound texts, approvals and their Ed25519
signatures are all checked here by themselves. Exit code 0 intact, 1 damaged, 2 not a record. With `--head HASH` (the hash of an entry,
from somebody who kept it) a cut end, a rollback and a whole rewrite show too; without it the word `unanchored` says that they would not.
"""

# ruff: noqa: FURB162, PTH100, PTH112, PTH113, PTH114, PTH116, PTH118, PTH119, PTH120, PTH123, T201, UP006, UP017, UP035, UP037, UP045
# (a program that prints, of one file, for Python 3.8 and its standard library alone)

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import json.encoder
import os
import re
import stat
import sys
import unicodedata
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

GENESIS = "0" * 64
NEWEST_SCHEMA = 2
LARGEST = 512 * 1024 * 1024
MAX_BREAKS = 1000


class Damage(Exception):
    """Something in the record is not what it must be."""


class Finding(NamedTuple):
    """What was found in which file."""

    file: str
    reason: str


class Report(NamedTuple):
    """What a verification came to."""

    anchored: bool
    problems: List[Finding]
    warnings: List[Finding]
    entries: int
    head: str

    @property
    def verdict(self) -> str:
        """The word that `windlass verify` has for it."""
        if self.problems:
            return "damaged"
        return "intact" if self.anchored else "intact, unanchored"


# ---------------------------------------------------------------------------------------------------------------------- the chain


class Entry(NamedTuple):
    """One sound line of the journal; `end` is its end in the file."""

    seq: int
    prev: str
    hash: str
    fields: Dict[str, Any]
    end: int


class Scan(NamedTuple):
    """The sound entries of a log, what is wrong with it, and the length of a torn last line."""

    entries: List[Entry]
    breaks: List[str]
    torn: int


class Number(str):
    """A number with a point or an exponent, as it is written: no digit of it changes on its way into a view."""

    __slots__ = ()


def loads(content: bytes) -> Any:
    """The values of a JSON text; raises ValueError for what only Python takes for JSON."""

    def refuse(word: str) -> Any:
        raise ValueError(word)

    text = content.decode("utf-8")
    found = json.loads(text, parse_float=Number, parse_constant=refuse)
    json.dumps(found, ensure_ascii=False).encode("utf-8")  # half a surrogate pair is no text
    return found


def scan(content: bytes) -> Scan:
    """Read a chained log: each line holds the hash of the line before it, and ends with its own."""
    entries: List[Entry] = []
    breaks: List[str] = []
    prev: Optional[str] = GENESIS
    seq, start, line = 0, 0, 0
    while True:
        newline = content.find(b"\n", start)
        if newline < 0:
            break
        line += 1
        entry, reason = read_line(content[start : newline + 1], newline + 1)
        if entry is None:
            prev = None
        else:
            follows = entry.seq >= seq if prev is None else (entry.seq, entry.prev) == (seq, prev)
            if not follows:
                reason = f"entry {entry.seq} does not follow what stands before it"
            entries.append(entry)
            prev, seq = entry.hash, entry.seq + 1
        if reason:
            breaks.append(f"line {line}: {reason}")
        start = newline + 1
        if len(breaks) == MAX_BREAKS and start < len(content):
            breaks.append(f"what follows {MAX_BREAKS} lines that do not hold is not read")
            return Scan(entries, breaks, 0)
    tail = content[start:]
    sealed = sealed_length(tail)
    if sealed is not None and tail[sealed:] not in (b"", b"\0"):
        breaks.append("line %s: a whole entry is not ended by a newline, but by other bytes" % (line + 1))
        tail = b""
    return Scan(entries, breaks, len(tail))


def sealed_length(tail: bytes) -> Optional[int]:
    """The length of the whole entry that `tail` begins with, its newline not counted."""
    hashed, length = hashlib.sha256(), 0
    for end in re.finditer(rb',"hash":"([0-9a-f]{64})"\}', tail):
        hashed.update(tail[length : end.start()])
        length = end.start()
        if hashed.hexdigest().encode() == end.group(1):
            return end.end()
    return None


def read_line(line: bytes, end: int) -> Tuple[Optional[Entry], str]:
    """The entry of a line, or None and why it is none."""
    body, tail = line[:-76], line[-76:]
    if not re.fullmatch(rb',"hash":".{64}"\}\n', tail, re.DOTALL):
        return None, "does not end with its hash"
    digest = hashlib.sha256(body).hexdigest()
    if tail[9:73] != digest.encode():
        return None, "hashes to {}..., but says {}...".format(digest[:12], tail[9:21].decode("ascii", "replace"))
    try:
        fields = loads(body + b"}")
    except (ValueError, RecursionError):
        return None, "is not JSON"
    if not isinstance(fields, dict) or type(fields.get("seq")) is not int or not isinstance(fields.get("prev"), str):
        return None, "is not an entry of a chain"
    return Entry(fields.pop("seq"), fields.pop("prev"), digest, fields, end), ""


# ---------------------------------------------------------------------------------------------------------------------- the shapes of entries

SHA256 = re.compile(r"[0-9a-f]{64}")
INSTANT = re.compile(r"\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\d\.\d{3}Z")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
RUN_ID = re.compile(r"run_\d{8}T\d{6}(?:\d{3})?Z_[a-z0-9][a-z0-9-]{0,63}_[a-z0-9]{6,32}")
WORD = re.compile(r"[a-z][a-z0-9_-]{0,63}")
NOTE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
INVOCATION = re.compile(r"inv_\d{10,16}_[a-z0-9]{4,32}")
DRAFT = re.compile(r"\..+\.[0-9a-f]{12}\.tmp")
BOUND = "evidence/bound/"

Kind = Callable[[Any], bool]


def text(pattern: Optional["re.Pattern[str]"] = None) -> Kind:
    """A text that is not empty, wholly of the pattern."""
    return lambda value: type(value) is str and bool(value) and (pattern is None or pattern.fullmatch(value) is not None)


def maybe(kind: Kind) -> Kind:
    """That, or null."""
    return lambda value: value is None or kind(value)


def words(*known: str) -> Kind:
    """One of these words."""
    return lambda value: type(value) is str and value in known


def number(least: int) -> Kind:
    """A whole number."""
    return lambda value: type(value) is int and value >= least


def amount(value: Any) -> bool:
    """A number of at least 0."""
    return (type(value) is int or isinstance(value, Number)) and 0 <= float(value) < float("inf")


def truth(value: Any) -> bool:
    """True or false."""
    return isinstance(value, bool)


def listed(kind: Kind) -> Kind:
    """A list of them."""
    return lambda value: isinstance(value, list) and all(map(kind, value))


def any_text(value: Any) -> bool:
    """A text, an empty one too."""
    return type(value) is str


def free(value: Any) -> bool:
    """An object with keys of its writer's own."""
    return isinstance(value, dict)


def part(**kinds: Kind) -> Kind:
    """An object with these keys and no other."""
    return lambda value: isinstance(value, dict) and value.keys() == kinds.keys() and all(kind(value[key]) for key, kind in kinds.items())


def is_relative(path: str) -> bool:
    """Whether a path stays below where it begins."""
    return not ("\0" in path or "\\" in path or any(step in ("", ".", "..") for step in path.split("/")))


def artifact(value: Any) -> bool:
    """A file as a gate saw it."""
    kinds = part(path=text(), resolved_path=text(), sha256=maybe(text(SHA256)), size=maybe(number(0)), exists=truth)
    if not kinds(value) or (value["sha256"] is None) is value["exists"] or (value["size"] is None) is value["exists"]:
        return False
    path = carried(value)
    return is_relative(value["resolved_path"] if path is None else path or value["resolved_path"]) and (not path or path.startswith("evidence/"))


def carried(found: Dict[str, Any]) -> Optional[str]:
    """The path of a file inside the record, None for one outside."""
    path: str = found["resolved_path"]
    return path[len("{record}/") :] if path.startswith("{record}/") else None


def validation(value: Any) -> bool:
    """The result of a check."""
    return isinstance(value, dict) and text()(value.get("type")) and truth(value.get("pass"))


def workflow(value: Any) -> bool:
    """What a run works on."""
    kinds = part(name=text(NAME), version=text(), slug=text(SLUG), artifact_path=text())
    return kinds(value) and not value["artifact_path"].startswith("/") and ".." not in value["artifact_path"].split("/")


AT = {"at": text(INSTANT)}
GATE = {"gate": text(NAME), "attempt": number(1)}
SHAPES: Dict[str, Dict[str, Kind]] = {
    "run.started": dict(
        AT,
        run_id=text(RUN_ID),
        workflow=workflow,
        depth=words("quick", "standard", "deep"),
        prompt=maybe(text()),
        gates=listed(part(gate=text(NAME), name=text())),
        git_commit=maybe(text()),
        workflow_sha256=maybe(text(SHA256)),
        topic_sha256=maybe(text(SHA256)),
        windlass_version=maybe(text()),
    ),
    "gate.started": dict(
        AT,
        **GATE,
        agent=text(),
        window_id=maybe(text()),
        prompt_sha256=maybe(text(SHA256)),
        required_outputs=listed(any_text),
        contract=maybe(part(sha256=text(SHA256), version=text())),
        executor=maybe(text(WORD)),
        inputs=listed(artifact),
        out_of_order=truth,
    ),
    "gate.finished": dict(
        AT,
        **GATE,
        status=words("PASS", "FAIL"),
        artifacts=listed(artifact),
        validations=listed(validation),
        failure_reason=maybe(text()),
        window_id=maybe(text()),
    ),
    "invocation.recorded": dict(
        AT,
        invocation_id=text(INVOCATION),
        gate=text(NAME),
        attempt=maybe(number(1)),
        agent=text(),
        model=text(),
        started_at=text(INSTANT),
        finished_at=text(INSTANT),
        duration_ms=number(0),
        status=words("SUCCESS", "FAIL"),
        input_refs=listed(any_text),
        output_refs=listed(any_text),
        tokens_in=maybe(number(0)),
        tokens_out=maybe(number(0)),
        cost_usd=maybe(amount),
    ),
    "gate.approved": dict(AT, **GATE, who=text(), key_id=text(), nonce=text(), expires_at=text(INSTANT), keys_sha256=text(SHA256), envelope=free),
    "run.resumed": dict(AT, gate=text(NAME), reason=text()),
    "window.opened": dict(AT, window_id=text(), services=listed(any_text), deadline=text(INSTANT)),
    "window.closed": dict(AT, window_id=text(), services=listed(any_text), state=words("closed", "stuck"), reason=text()),
    "note": dict(AT, name=text(NOTE), message=text(), gate=maybe(text(NAME)), details=free),
    "run.completed": dict(AT, status=words("PASSED", "FAILED", "CANCELED")),
}
NEW_TYPES = ("invocation.recorded", "gate.approved", "run.resumed")
NEW_KEYS = {"run.started": ("topic_sha256", "windlass_version"), "gate.started": ("executor", "inputs", "out_of_order")}
"""What schema 2 has and schema 1 has not."""
OWN_NOTES = set(
    "RUN_STARTED GATE_STARTED GATE_PASSED GATE_FAILED GATE_APPROVED RUN_RESUMED WINDOW_OPENED WINDOW_CLOSED RUN_COMPLETED INVOCATION_RECORDED".split()
)


def event_of(entry: Entry) -> Dict[str, Any]:
    """The event of an entry; raises Damage for one that nobody may have written."""
    event = dict(entry.fields)
    kind, version = event.pop("type", None), event.pop("v", None)
    if type(version) is not int or not 1 <= version <= NEWEST_SCHEMA:
        raise Damage("is of a schema that this program does not know")
    if not isinstance(kind, str) or kind not in SHAPES or (version < 2 and kind in NEW_TYPES):
        raise Damage("is of no known type")
    new = NEW_KEYS.get(kind, ()) if version < 2 else ()
    shape = {key: is_kind for key, is_kind in SHAPES[kind].items() if key not in new}
    if event.keys() != shape.keys():
        raise Damage("{}: keys are missing, or not known: {}".format(kind, ", ".join(sorted(event.keys() ^ shape.keys()))))
    for key, is_kind in shape.items():
        if not is_kind(event[key]):
            raise Damage(f"{kind}: /{key} is not what it must be")
    return dict(event, type=kind, v=version)


# ---------------------------------------------------------------------------------------------------------------------- the rules of a run


class Run:
    """A run as its journal tells it, entry by entry; `copy` is what it was before the next one."""

    def __init__(self, started: Dict[str, Any], head: str) -> None:
        """Begin with the first entry."""
        if started["type"] != "run.started":
            raise Damage("a run begins with run.started")
        names = [gate["gate"] for gate in started["gates"]]
        if len(set(names)) < len(names):
            raise Damage("a gate is named twice")
        self.started, self.version, self.head = started, started["v"], head
        self.attempts: Dict[str, List[Dict[str, Any]]] = {name: [] for name in names}
        self.titles = {gate["gate"]: gate["name"] for gate in started["gates"]}
        self.windows: Set[str] = set()
        self.happened = [started]
        self.completed: Optional[Dict[str, Any]] = None

    def copy(self) -> Run:
        """The run as it is now, untouched by what follows."""
        other = Run(self.started, self.head)
        other.attempts = {gate: [dict(attempt) for attempt in attempts] for gate, attempts in self.attempts.items()}
        other.windows, other.happened, other.completed = set(self.windows), list(self.happened), self.completed
        return other

    def status_of(self, gate: str) -> str:
        """The newest attempt's."""
        if not self.attempts[gate]:
            return "NOT_STARTED"
        finished = self.attempts[gate][-1]["finished"]
        return str(finished["status"]) if finished else "RUNNING"

    @property
    def running(self) -> List[str]:
        """The gates with an attempt that has not finished."""
        return [gate for gate in self.attempts if self.status_of(gate) == "RUNNING"]

    @property
    def status(self) -> str:
        """The run's own word."""
        if self.completed:
            return str(self.completed["status"])
        if not any(self.attempts.values()):
            return "QUEUED"
        stopped = not self.running and any(self.status_of(gate) == "FAIL" for gate in self.attempts)
        return "FAILED" if stopped and self.version > 1 else "RUNNING"

    def of(self, kind: str) -> List[Dict[str, Any]]:
        """The events of a type, oldest first."""
        return [event for event in self.happened if event["type"] == kind]

    def follow(self, event: Dict[str, Any], head: str) -> None:
        """Take one more event, or raise Damage when it may not follow."""
        if event["v"] != self.version:
            raise Damage("is of another schema than the run")
        if self.completed:
            raise Damage("follows the run's completion")
        getattr(self, "_" + event["type"].replace(".", "_"))(event, head)
        self.happened.append(event)
        self.head = head

    def _newest(self, gate: str) -> List[Dict[str, Any]]:
        if gate not in self.attempts:
            raise Damage(f"gate {gate} is not in the workflow")
        return self.attempts[gate]

    def _run_started(self, _event: Dict[str, Any], _head: str) -> None:
        raise Damage("the run has started already")

    def _gate_started(self, event: Dict[str, Any], head: str) -> None:
        attempts = self._newest(event["gate"])
        if self.status_of(event["gate"]) == "RUNNING" or event["attempt"] != len(attempts) + 1:
            raise Damage("attempt {} of {} can't begin here".format(event["attempt"], event["gate"]))
        attempts.append({"started": event, "finished": None, "head": head})

    def _gate_finished(self, event: Dict[str, Any], _head: str) -> None:
        attempts = self._newest(event["gate"])
        if self.status_of(event["gate"]) != "RUNNING" or event["attempt"] != len(attempts):
            raise Damage("attempt {} of {} is not running".format(event["attempt"], event["gate"]))
        check_verdict(event)
        window = attempts[-1]["started"]["window_id"]
        if event["window_id"] and window not in (None, event["window_id"]):
            raise Damage("the attempt ends in another window than it began in")
        attempts[-1] = dict(attempts[-1], finished=event)

    def _window_opened(self, event: Dict[str, Any], _head: str) -> None:
        if event["window_id"] in self.windows:
            raise Damage("the window is open already")
        self.windows.add(event["window_id"])

    def _window_closed(self, event: Dict[str, Any], _head: str) -> None:
        if event["window_id"] not in self.windows:
            raise Damage("the window is not open")
        self.windows.remove(event["window_id"])

    def _invocation_recorded(self, event: Dict[str, Any], _head: str) -> None:
        if event["attempt"] != (len(self._newest(event["gate"])) or None):
            raise Damage("the invocation is not of the gate's newest attempt")
        if any(earlier["invocation_id"] == event["invocation_id"] for earlier in self.of("invocation.recorded")):
            raise Damage("the invocation is recorded already")

    def _gate_approved(self, event: Dict[str, Any], _head: str) -> None:
        attempts = self._newest(event["gate"])
        if self.status_of(event["gate"]) != "RUNNING" or event["attempt"] != len(attempts):
            raise Damage("what is approved is not running")
        if any(earlier["nonce"] == event["nonce"] for earlier in self.of("gate.approved")):
            raise Damage("the approval was used already")

    def _run_resumed(self, event: Dict[str, Any], _head: str) -> None:
        self._newest(event["gate"])

    def _note(self, event: Dict[str, Any], _head: str) -> None:
        if event["name"] in OWN_NOTES:
            raise Damage("a note passes for one of the journal's own events")
        if event["gate"] is not None:
            self._newest(event["gate"])

    def _run_completed(self, event: Dict[str, Any], _head: str) -> None:
        if self.running:
            raise Damage("an attempt is still running")
        if event["status"] == "PASSED" and (not self.attempts or any(self.status_of(gate) != "PASS" for gate in self.attempts)):
            raise Damage("not every gate passed, and that is no PASSED")
        self.completed = event


def check_verdict(event: Dict[str, Any]) -> None:
    """Raise Damage for a FAIL without a reason, and for a PASS that nothing carries."""
    if event["status"] == "FAIL":
        if not event["failure_reason"]:
            raise Damage("a FAIL says why")
        return
    checks = [check for check in event["validations"] if check.get("severity") != "warning"]
    if event["failure_reason"] or not checks or not all(check["pass"] for check in checks):
        raise Damage("a PASS without a check, with a failed check or with a reason is none")


# ---------------------------------------------------------------------------------------------------------------------- the views


def views(run: Run) -> Dict[str, bytes]:
    """Every view of the run as its writer writes it, byte for byte: path in the record → content."""
    invoked: Dict[Tuple[str, Optional[int]], List[str]] = {}
    for event in run.of("invocation.recorded"):
        invoked.setdefault((event["gate"], event["attempt"]), []).append(event["invocation_id"])
    told = {gate: [attempt_view(run, attempt, invoked) for attempt in attempts] for gate, attempts in run.attempts.items()}
    shown = {"gates/{}/attempt-{}.json".format(gate, view["attempt"]): document(view) for gate, each in told.items() for view in each}
    shown["RUN.json"] = document(run_view(run, told))
    return shown


def run_view(run: Run, told: Dict[str, List[Dict[str, Any]]]) -> Dict[str, Any]:
    """RUN.json."""
    started, work = run.started, run.started["workflow"]
    own = {
        "schema_version": run.version,
        "journal_head": run.head,
        "git_commit": started["git_commit"],
        "workflow_sha256": started["workflow_sha256"],
    }
    if run.version > 1:
        own.update(topic_sha256=started["topic_sha256"], version=started["windlass_version"])
    return {
        "run_id": started["run_id"],
        "workflow": {key: work[key] for key in ("name", "version", "slug", "artifact_path")},
        "depth": started["depth"],
        "prompt": started["prompt"],
        "status": run.status,
        "started_at": started["at"],
        "finished_at": run.completed["at"] if run.completed else None,
        "gates": [{"gate": gate, "name": run.titles[gate], "status": run.status_of(gate), "attempts": told[gate]} for gate in run.attempts],
        "invocations": [invocation_view(event) for event in run.of("invocation.recorded")],
        "artifacts_index": index(run) if run.version > 1 else index_of_1(run),
        "validations": [],
        "events": [happened(event) for event in run.happened],
        "windlass": own,
    }


def attempt_view(run: Run, attempt: Dict[str, Any], invoked: Dict[Tuple[str, Optional[int]], List[str]]) -> Dict[str, Any]:
    """One attempt's file."""
    started, finished = attempt["started"], attempt["finished"]
    contract = started["contract"]
    view = {
        "attempt": started["attempt"],
        "status": finished["status"] if finished else "RUNNING",
        "started_at": started["at"],
        "finished_at": finished["at"] if finished else None,
        "agent": started["agent"],
        "prompt_sha256": started["prompt_sha256"],
        "invocation_ids": invoked.get((started["gate"], started["attempt"]), []),
        "required_outputs": started["required_outputs"],
        "artifacts": [artifact_view(found) for found in finished["artifacts"]] if finished else [],
        "validations": [validation_view(check) for check in finished["validations"]] if finished else [],
        "failure_reason": finished["failure_reason"] if finished else None,
        "contract": {"sha256": contract["sha256"], "version": contract["version"]} if contract else None,
        "window_id": started["window_id"] or (finished["window_id"] if finished else None),
    }
    if run.version > 1:
        view["executor"] = started["executor"]
        view["inputs"] = [artifact_view(found) for found in started["inputs"]]
        view["out_of_order"] = started["out_of_order"]
        view["approvals"] = [{key: event[key] for key in ("who", "key_id", "at", "expires_at")} for event in approvals_of(run, started)]
    return view


def approvals_of(run: Run, started: Dict[str, Any]) -> List[Dict[str, Any]]:
    """The approvals that were recorded for an attempt."""
    return [event for event in run.of("gate.approved") if (event["gate"], event["attempt"]) == (started["gate"], started["attempt"])]


def validation_view(check: Dict[str, Any]) -> Dict[str, Any]:
    """A check's result, its type and verdict first."""
    return dict({"type": check["type"], "pass": check["pass"]}, **{key: check[key] for key in check if key not in ("type", "pass")})


def invocation_view(event: Dict[str, Any]) -> Dict[str, Any]:
    """One invocation."""
    order = "invocation_id gate agent model started_at finished_at duration_ms status input_refs output_refs attempt tokens_in tokens_out"
    cost = event["cost_usd"]
    return dict({key: event[key] for key in order.split()}, cost_usd=decimal(cost) if type(cost) is int else cost)


def decimal(value: int) -> Number:
    """A whole number as it is written once it counts as a decimal one."""
    return Number(repr(float(value)))


def artifact_view(found: Dict[str, Any]) -> Dict[str, Any]:
    """One file as a gate saw it."""
    return {key: found[key] for key in ("path", "resolved_path", "sha256", "size", "exists")}


def index(run: Run) -> List[Dict[str, Any]]:
    """Each file once, as an attempt saw it last."""
    lines: Dict[str, Dict[str, Any]] = {}
    for event, found in recorded(run):
        line = {key: found[key] for key in ("path", "resolved_path", "sha256", "size")}
        line["gate"] = event["gate"]
        earlier = lines.get(found["path"])
        line["recorded_at"] = earlier["recorded_at"] if earlier else event["at"]
        if earlier:
            line["updated_at"] = event["at"]
        lines[found["path"]] = line
    return list(lines.values())


def index_of_1(run: Run) -> List[Dict[str, Any]]:
    """Schema 1 told the files of each gate's newest pass only."""
    lines = []
    for gate, attempts in run.attempts.items():
        passed = [attempt["finished"] for attempt in attempts if attempt["finished"] and attempt["finished"]["status"] == "PASS"]
        for found in passed[-1]["artifacts"] if passed else []:
            if found["exists"]:
                line = {key: found[key] for key in ("path", "resolved_path", "sha256", "size")}
                lines.append(dict(line, gate=gate, recorded_at=passed[-1]["at"]))
    return lines


def recorded(run: Run) -> Iterator[Tuple[Dict[str, Any], Dict[str, Any]]]:
    """Every file that an attempt found, in the order of the journal."""
    return ((event, found) for event in run.of("gate.finished") for found in event["artifacts"] if found["exists"])


def happened(event: Dict[str, Any]) -> Dict[str, Any]:
    """One line of RUN.json's events."""
    kind, at = event["type"], event["at"]
    gate, attempt = event.get("gate"), event.get("attempt")
    if kind == "run.started":
        return line(at, "RUN_STARTED", "Run initialized for {}/{}".format(event["workflow"]["name"], event["workflow"]["slug"]))
    if kind == "gate.started":
        message = "Gate {} attempt {} started with agent {}".format(gate, attempt, event["agent"])
        return line(at, "GATE_STARTED", message, gate=gate, attempt=attempt, agent=event["agent"])
    if kind == "gate.finished" and event["status"] == "PASS":
        return line(at, "GATE_PASSED", f"Gate {gate} passed on attempt {attempt}", gate=gate, attempt=attempt)
    if kind == "gate.finished":
        return line(at, "GATE_FAILED", "Gate {} failed: {}".format(gate, event["failure_reason"]), gate=gate, attempt=attempt)
    if kind == "invocation.recorded":
        told = {key: event[key] for key in ("invocation_id", "gate", "agent")}
        return dict({"timestamp": at, "type": "INVOCATION_RECORDED"}, **told)
    if kind == "gate.approved":
        message = "Gate {} attempt {} approved by {}".format(gate, attempt, event["who"])
        return line(at, "GATE_APPROVED", message, gate=gate, attempt=attempt, who=event["who"], key_id=event["key_id"])
    if kind == "run.resumed":
        return line(at, "RUN_RESUMED", "Run resumed from gate {}: {}".format(gate, event["reason"]), gate=gate)
    if kind == "window.opened":
        message = "Window {} opened until {}".format(event["window_id"], event["deadline"])
        return line(at, "WINDOW_OPENED", message, window_id=event["window_id"], services=event["services"], deadline=event["deadline"])
    if kind == "window.closed":
        message = "Window {} {}: {}".format(event["window_id"], event["state"], event["reason"])
        return line(at, "WINDOW_CLOSED", message, window_id=event["window_id"], services=event["services"], state=event["state"])
    if kind == "note":
        return line(at, event["name"], event["message"], **dict({"gate": gate} if gate else {}, details=event["details"]))
    return line(at, "RUN_COMPLETED", "Run completed: {}".format(event["status"]))


def line(at: str, kind: str, message: str, **fields: Any) -> Dict[str, Any]:
    """The shape that all of them have."""
    return dict({"timestamp": at, "type": kind}, **dict(fields, message=message))


def document(value: Any) -> bytes:
    """JSON, two spaces deep, as the views are written: numbers keep the digits that the journal has."""
    return (dumped(value, "\n") + "\n").encode("utf-8")


def dumped(value: Any, newline: str) -> str:
    """One value; `newline` begins a line at its depth."""
    inner = newline + "  "
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return json.encoder.encode_basestring(value)
    if isinstance(value, dict):
        each = [inner + json.encoder.encode_basestring(key) + ": " + dumped(below, inner) for key, below in value.items()]
        return "{" + ",".join(each) + newline + "}" if each else "{}"
    if isinstance(value, list):
        return "[" + ",".join(inner + dumped(below, inner) for below in value) + newline + "]" if value else "[]"
    return json.dumps(value)


# ---------------------------------------------------------------------------------------------------------------------- the files


def read(record: str, path: str, at_most: int = LARGEST) -> bytes:
    """The bytes of a regular file of the record; raises Damage. No link is followed."""
    place, kind = record, 0
    for step in path.split("/"):
        place = os.path.join(place, step)
        try:
            kind = os.lstat(place).st_mode
        except (OSError, ValueError):
            raise Damage("is missing") from None
        if stat.S_ISLNK(kind):
            raise Damage(f"{step} is a symbolic link, and none is followed")
    if not stat.S_ISREG(kind):
        raise Damage("is not a regular file")
    try:
        if os.stat(place).st_size > at_most:
            raise Damage(f"is larger than {at_most} bytes, and is not read")
        with open(place, "rb") as stream:
            return stream.read()
    except OSError as failure:
        raise Damage(str(failure.strerror)) from None


def read_bound(record: str, digest: str) -> bytes:
    """A text that the journal names by its hash."""
    content = read(record, BOUND + digest, 16 * 1024 * 1024)
    if hashlib.sha256(content).hexdigest() != digest:
        raise Damage("is not what it is named after")
    return content


def named_texts(run: Run) -> Dict[str, str]:
    """The hash of every text that the journal binds → what it is."""
    named: Dict[str, str] = {}
    if run.version < 2:
        return named
    for event in run.happened:
        if event["type"] == "run.started":
            named.update({event[key]: what for key, what in (("workflow_sha256", "the workflow"), ("topic_sha256", "the topic")) if event[key]})
        if event["type"] == "gate.started":
            if event["prompt_sha256"]:
                named[event["prompt_sha256"]] = "the packet of {}".format(event["gate"])
            if event["contract"]:
                named[event["contract"]["sha256"]] = "the contract of {}".format(event["gate"])
        if event["type"] == "gate.approved":
            named[event["keys_sha256"]] = "the keys of an approval of {}".format(event["gate"])
    return named


def walk(directory: str) -> Iterator[str]:
    """Everything below a directory that is none itself, as relative paths; links are not followed."""
    for folder, folders, names in os.walk(directory):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in sorted(names + links):
            yield os.path.relpath(os.path.join(folder, name), directory).replace(os.sep, "/")


def check_artifacts(record: str, run: Run) -> Iterator[Finding]:
    """Each recorded file must be what was recorded last, and begin with what was recorded before."""
    told: Dict[str, List[Tuple[Dict[str, Any], Dict[str, Any]]]] = {}
    for event, found in recorded(run):
        path = carried(found)
        if path is not None:
            told.setdefault(path, []).append((event, found))
    for path, tellings in told.items():
        event, newest = tellings[-1]
        try:
            content = read(record, path, max(newest["size"], 0))
        except Damage as damage:
            yield Finding(path, "{}; {} attempt {} recorded it".format(damage, event["gate"], event["attempt"]))
            continue
        if (len(content), hashlib.sha256(content).hexdigest()) != (newest["size"], newest["sha256"]):
            yield Finding(path, "is not what {} attempt {} recorded".format(event["gate"], event["attempt"]))
            continue
        for earlier, before in tellings[:-1]:
            if hashlib.sha256(content[: before["size"]]).hexdigest() != before["sha256"] or before["size"] > len(content):
                yield Finding(path, "what {} attempt {} recorded was overwritten".format(earlier["gate"], earlier["attempt"]))
        if path.endswith(".jsonl") and is_log(content):
            for reason in scan(content).breaks:
                yield Finding(path, reason)


def is_log(content: bytes) -> bool:
    """Whether the first or the last line is sealed as those of a chained log are."""
    lines = content.split(b"\n")
    ends = [one for one in (lines[0], lines[-2] if len(lines) > 1 else b"") if one]
    return any(re.search(rb',"hash":"[0-9a-f]{64}"\}\s*$', one) for one in ends)


def check_bodies(record: str, run: Run) -> Tuple[List[Finding], Set[str]]:
    """Every stored response body must hash to its name; those in the record that a sweep names are covered by it."""
    named: Set[str] = set()
    for path in {carried(found) for _, found in recorded(run)} - {None}:
        if path and path.rpartition("/")[2] == "sweep.json":
            try:
                waiting = [loads(read(record, path))]
            except (Damage, ValueError, RecursionError):
                continue
            while waiting:
                value = waiting.pop()
                if isinstance(value, dict):
                    name = value.get("response_sha256")
                    if isinstance(name, str) and SHA256.fullmatch(name):
                        named.add(name)
                    waiting.extend(value.values())
                elif isinstance(value, list):
                    waiting.extend(value)
    problems: List[Finding] = []
    covered: Set[str] = set()
    logs = os.path.join(os.path.dirname(record), "logs")
    beside = os.path.basename(record) == "record" and os.path.isdir(logs) and not os.path.islink(logs)
    for base in [record, logs] if beside else [record]:
        for path in walk(base):
            folder, _, name = path.rpartition("/")
            if folder.rpartition("/")[2] == "bodies" and SHA256.fullmatch(name):
                if base == record and name in named:
                    covered.add(path)
                try:
                    if hashlib.sha256(read(base, path)).hexdigest() != name:
                        problems.append(Finding(path, "is not what it is named after"))
                except Damage as damage:
                    problems.append(Finding(path, str(damage)))
    return problems, covered


def check_strangers(record: str, known: Set[str], run: Run) -> Tuple[List[Finding], List[Finding]]:
    """Problems and warnings: what lies in the record and is told of nowhere."""
    problems: List[Finding] = []
    warnings: List[Finding] = []
    for path in walk(record):
        if path in known:
            continue
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
        in_evidence, is_bound = path.startswith("evidence/"), path.startswith(BOUND)
        if DRAFT.fullmatch(path.rpartition("/")[2]) and (is_bound or not in_evidence):
            warnings.append(Finding(shown, "a draft that a killed writer left"))
        elif is_bound and is_itself(record, path.rpartition("/")[2]):
            warnings.append(Finding(shown, "a text that was bound by an act which never happened"))
        elif run.running and in_evidence:
            warnings.append(Finding(shown, f"not recorded yet: {run.running[0]} is running"))
        else:
            problems.append(Finding(shown, "is in the record, and no entry of the journal tells of it"))
    return problems, warnings


def is_itself(record: str, name: str) -> bool:
    """Whether a bound text that nobody names is what it is named after."""
    try:
        read_bound(record, name)
    except Damage:
        return False
    return SHA256.fullmatch(name) is not None


# ---------------------------------------------------------------------------------------------------------------------- Ed25519 (RFC 8032)

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)
Point = Tuple[int, int, int, int]


def recovered(y: int, sign: int) -> Optional[int]:
    """The x of a point, or None when there is none."""
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if square == 0:
        return None if sign else 0
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P:
        return None
    return P - x if x & 1 != sign else x


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE_X = recovered(BASE_Y, 0) or 0
BASE: Point = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)


def added(one: Point, other: Point) -> Point:
    """The sum of two points."""
    a, b = (one[1] - one[0]) * (other[1] - other[0]) % P, (one[1] + one[0]) * (other[1] + other[0]) % P
    c, d = 2 * one[3] * other[3] * D % P, 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(factor: int, point: Point) -> Point:
    """A point, that many times."""
    total: Point = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            total = added(total, point)
        point = added(point, point)
        factor >>= 1
    return total


def signature_holds(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether an Ed25519 signature holds (RFC 8032, 5.1.7)."""
    if len(public) != 32 or len(signature) != 64:
        return False
    packed = int.from_bytes(public, "little")
    y, sign = packed & ((1 << 255) - 1), packed >> 255
    x, s = recovered(y, sign), int.from_bytes(signature[32:], "little")
    if x is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    found = added(times(s, BASE), times(k, (P - x, y, 1, (P - x) * y % P)))
    inverse = pow(found[2], P - 2, P)
    encoded = (found[1] * inverse % P) | ((found[0] * inverse % P & 1) << 255)
    return encoded.to_bytes(32, "little") == signature[:32]


# ---------------------------------------------------------------------------------------------------------------------- the approvals

PAYLOAD_TYPE = "application/vnd.windlass.gate-approval+json"
PAYLOAD = {
    "schema_version": number(1),
    "purpose": words("windlass.gate.approval"),
    "run_id": text(RUN_ID),
    "gate": text(NAME),
    "attempt": number(1),
    "journal_head_at_start": text(SHA256),
    "contract_sha256": maybe(text(SHA256)),
    "prompt_sha256": maybe(text(SHA256)),
    "artifacts_sha256": text(SHA256),
    "who": text(),
    "role": text(NAME),
    "nonce": text(re.compile(r"[0-9a-f]{32}")),
    "issued_at": text(INSTANT),
    "expires_at": text(INSTANT),
}


class Signed(NamedTuple):
    """An approval as it was signed."""

    payload: Dict[str, Any]
    key_id: str
    signature: bytes
    message: bytes


def canonical(value: Any) -> bytes:
    """Canonical JSON (RFC 8785) of texts, whole numbers, null, lists and objects."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return b"{" + b",".join(canonical(key) + b":" + canonical(value[key]) for key in keys) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(canonical, value)) + b"]"
    return json.dumps(value, ensure_ascii=False).encode("utf-8")


def unpacked(value: Any) -> bytes:
    """The bytes of a text of base64 in its one right form."""
    try:
        content = base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise Damage("is not base64") from None
    if base64.b64encode(content).decode() != value:
        raise Damage("is base64 with bits that mean nothing")
    return content


def opened(envelope: Any) -> Signed:
    """What an approval's envelope says; raises Damage for anything but one in its one right form."""
    one = part(keyid=text(SHA256), sig=text())
    if not part(payload=text(), payloadType=words(PAYLOAD_TYPE), signatures=listed(one))(envelope) or len(envelope["signatures"]) != 1:
        raise Damage("is no approval")
    content, signature = unpacked(envelope["payload"]), unpacked(envelope["signatures"][0]["sig"])
    try:
        payload = loads(content)
    except (ValueError, RecursionError):
        raise Damage("is no approval") from None
    if len(content) > 16 * 1024 or len(signature) != 64 or not part(**PAYLOAD)(payload) or payload["schema_version"] != 1:
        raise Damage("is no approval")
    if canonical(payload) != content:
        raise Damage("is not in canonical form")
    instant(payload["issued_at"])
    instant(payload["expires_at"])
    kind = PAYLOAD_TYPE.encode()
    message = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(content), content)
    return Signed(payload, envelope["signatures"][0]["keyid"], signature, message)


def instant(value: str) -> datetime:
    """The instant that a text names."""
    try:
        moment = datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ")  # noqa: DTZ007  # the line below says which zone Z is
    except ValueError:
        raise Damage(f"{value} is no instant") from None
    return moment.replace(tzinfo=timezone.utc)


def keys_of(content: bytes) -> Dict[str, Dict[str, Any]]:
    """The keys of a keys file by their ids, each with the 32 bytes of its public key."""
    try:
        listed_keys = loads(content)["keys"]
        keys = {}
        for key in listed_keys:
            public = public_key(key["public_key"])
            if hashlib.sha256(public).hexdigest() != key["key_id"]:
                raise Damage("the keys file names a key by another's id")
            keys[key["key_id"]] = dict(key, public=public, not_after=until(key.get("not_after")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Damage("the keys file can't be read") from None
    return keys


def until(value: Optional[str]) -> Optional[datetime]:
    """When a key ends to count."""
    if value is None:
        return None
    moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError(value)
    return moment


def public_key(value: str) -> bytes:
    """The 32 bytes of a key, from a line of OpenSSH or from base64."""
    kind, _, rest = value.strip().partition(" ")
    content = unpacked(rest.split()[0] if rest else kind)
    head = b"\0\0\0\x0bssh-ed25519\0\0\0\x20"
    if rest and (kind != "ssh-ed25519" or not content.startswith(head)):
        raise Damage("is no ssh-ed25519 key")
    public = content[len(head) :] if rest else content
    if len(public) != 32:
        raise Damage("is no Ed25519 key")
    return public


def person(name: str) -> str:
    """What stays of a name without case, accents, spaces, punctuation and look-alikes: two names with the same are one person's."""
    capitals = str.maketrans("АВЕІКМНОРСТУХЅЈԚԜѴΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹ", "ABEIKMHOPCTYXSJQWVABEZHIKMNOPTYXC")
    small = str.maketrans("авеікмнорстухѕјһԁԛԝӏԍѵαβεηικνορτυχωϲɑɡı", "abeikmhopctyxsjhdqwlgvabenikvoptuxwcagi")
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).translate(capitals).casefold()).translate(small)
    return "".join(character for character in plain if unicodedata.category(character)[0] in "LN")


def same_person(one: str, other: str) -> bool:
    """Whether both names may be one person's."""
    return person(one) == person(other) if person(one) or person(other) else one.strip() == other.strip()


def check_approvals(record: str, run: Run, outside: Optional[Dict[str, Dict[str, Any]]]) -> Iterator[Finding]:
    """Each approval is its key's, for its attempt; each PASS that needed approvals had them, for what was recorded."""
    if not run.of("gate.approved") and not asks_for_approvals(record, run):
        return
    for event in run.of("gate.approved"):
        reason = wrong_approval(record, run, event, outside)
        if reason:
            yield Finding("journal.jsonl", "{}'s approval of {} attempt {}: {}".format(event["who"], event["gate"], event["attempt"], reason))
    for gate, attempts in run.attempts.items():
        for attempt in attempts:
            if attempt["finished"] and attempt["finished"]["status"] == "PASS":
                reason = missing_approvals(record, run, attempt, outside)
                if reason:
                    yield Finding("journal.jsonl", "{} attempt {}: {}".format(gate, attempt["started"]["attempt"], reason))


def asks_for_approvals(record: str, run: Run) -> bool:
    """Whether a contract of the run has the word in it."""
    contracts = [event["contract"]["sha256"] for event in run.of("gate.started") if event["contract"]] if run.version > 1 else []
    for digest in contracts:
        try:
            if b'"approvals"' in read_bound(record, digest):
                return True
        except Damage:
            continue
    return False


def wrong_approval(record: str, run: Run, event: Dict[str, Any], outside: Optional[Dict[str, Dict[str, Any]]]) -> Optional[str]:
    """Why a recorded approval is not what it says, or None."""
    try:
        signed = opened(event["envelope"])
        bound = keys_of(read_bound(record, event["keys_sha256"]))
    except Damage as damage:
        return str(damage)
    told = (signed.payload["who"], signed.key_id, signed.payload["nonce"], signed.payload["expires_at"])
    if told != (event["who"], event["key_id"], event["nonce"], event["expires_at"]):
        return "the signed approval says something else than the entry"
    attempt = run.attempts[event["gate"]][event["attempt"] - 1]
    if any(signed.payload[key] != value for key, value in content_of(run, attempt).items()):
        return "was signed for another attempt"
    for keys in [bound] + ([outside] if outside is not None else []):
        reason = unauthentic(signed, keys)
        if reason:
            return reason
    return None


def content_of(run: Run, attempt: Dict[str, Any]) -> Dict[str, Any]:
    """What an approval of an attempt repeats, its outputs apart."""
    started = attempt["started"]
    return {
        "run_id": run.started["run_id"],
        "gate": started["gate"],
        "attempt": started["attempt"],
        "journal_head_at_start": attempt["head"],
        "contract_sha256": started["contract"]["sha256"] if started["contract"] else None,
        "prompt_sha256": started["prompt_sha256"],
    }


def unauthentic(signed: Signed, keys: Dict[str, Dict[str, Any]]) -> Optional[str]:
    """Why an approval is not the work of one of the keys, or None."""
    key = keys.get(signed.key_id)
    if key is None:
        return "its key is not in the keys file"
    if not signature_holds(key["public"], signed.signature, signed.message):
        return "the signature does not hold"
    if signed.payload["who"] != key["who"] or signed.payload["role"] not in key["roles"]:
        return "the key is another person's, or has another role"
    return None


def missing_approvals(record: str, run: Run, attempt: Dict[str, Any], outside: Optional[Dict[str, Dict[str, Any]]]) -> Optional[str]:
    """How a PASS lacks the approvals that its contract asks for, or None."""
    started, finished = attempt["started"], attempt["finished"]
    if not started["contract"] or run.version < 2:
        return None
    try:
        rule = loads(read_bound(record, started["contract"]["sha256"])).get("approvals")
        if not rule:
            return None
        given = [
            (event["envelope"], keys_of(read_bound(record, event["keys_sha256"])) if outside is None else outside)
            for event in approvals_of(run, started)
        ]
    except Damage as damage:
        return str(damage)
    except (ValueError, AttributeError, RecursionError):
        return "its contract can't be read"
    files = sorted({(found["resolved_path"], found["sha256"] or "") for found in finished["artifacts"]})
    digest = hashlib.sha256(canonical([{"path": path, "sha256": found or None} for path, found in files])).hexdigest()
    valid: List[Tuple[Signed, Dict[str, Any]]] = []
    for envelope, keys in given:
        try:
            signed = opened(envelope)
        except Damage:
            continue
        expected = dict(content_of(run, attempt), artifacts_sha256=digest)
        if unauthentic(signed, keys) is None and all(signed.payload[name] == value for name, value in expected.items()):
            key = keys[signed.key_id]
            if fits(signed, key, rule, started["agent"]) and is_timely(signed, key, rule, instant(finished["at"])) and is_new(signed, key, valid):
                valid.append((signed, key))
    quorum = rule.get("quorum", 1)
    return None if len(valid) >= quorum else f"PASS with {len(valid)} of {quorum} approvals"


def fits(signed: Signed, key: Dict[str, Any], rule: Dict[str, Any], agent: str) -> bool:
    """Whether this person may approve this at all."""
    return "producer" not in key["roles"] and signed.payload["role"] in rule.get("roles", ["approver"]) and not same_person(key["who"], agent)


def is_timely(signed: Signed, key: Dict[str, Any], rule: Dict[str, Any], now: datetime) -> bool:
    """Whether it was in force when it was counted; a minute is granted."""
    issued, expires, minute = instant(signed.payload["issued_at"]), instant(signed.payload["expires_at"]), timedelta(seconds=60)
    not_after = key["not_after"]
    if not_after and (now > not_after + minute or issued > not_after):
        return False
    lasts = timedelta(seconds=rule.get("expires_in_s", 86_400))
    return issued <= now + minute and issued < expires and expires + minute > now and expires - issued <= lasts


def is_new(signed: Signed, key: Dict[str, Any], valid: List[Tuple[Signed, Dict[str, Any]]]) -> bool:
    """Whether neither approval, key nor person was counted before."""
    return not any(
        earlier.payload["nonce"] == signed.payload["nonce"] or other["key_id"] == key["key_id"] or same_person(other["who"], key["who"])
        for earlier, other in valid
    )


# ---------------------------------------------------------------------------------------------------------------------- all of it


def verify(record: str, head: Optional[str] = None, keys: Optional[bytes] = None) -> Report:
    """Verify the record in a directory. `head`: the anchor; `keys`: a keys file from outside, which approvals must hold against too."""
    record = os.path.abspath(record)
    outside = None if keys is None else keys_of(keys)
    problems: List[Finding] = []
    warnings: List[Finding] = []
    try:
        journal = read(record, "journal.jsonl")
    except Damage as damage:
        problems.append(Finding("journal.jsonl", str(damage)))
        journal = b""
    found = scan(journal)
    problems.extend(Finding("journal.jsonl", reason) for reason in found.breaks)
    if found.torn:
        warnings.append(Finding("journal.jsonl", f"torn tail of {found.torn} bytes, never acknowledged"))
    if head is not None and head.lower() not in [entry.hash for entry in found.entries]:
        problems.append(Finding("journal.jsonl", f"the anchor {head[:12]}... is not in the chain: its end was cut, or it was rewritten"))
    run, before, legal = replay(found, problems)
    if run is None:
        if not problems:
            problems.append(Finding("journal.jsonl", "no entry of it can be read as the start of a run"))
    else:
        whole = legal and not found.breaks
        shown = views(run) if whole else {}
        check_views(record, shown, views(before) if whole and before else {}, problems, warnings)
        place = os.path.basename(os.path.dirname(record))
        if os.path.basename(record) == "record" and RUN_ID.fullmatch(place) and place != run.started["run_id"]:
            problems.append(Finding("journal.jsonl", "is the journal of {}, in the place of {}".format(run.started["run_id"], place)))
        check_carried(record, run, set(shown) if whole else None, problems, warnings)
        problems.extend(check_approvals(record, run, outside))
    return Report(head is not None, problems, warnings, len(found.entries), found.entries[-1].hash if found.entries else GENESIS)


def replay(found: Scan, problems: List[Finding]) -> Tuple[Optional[Run], Optional[Run], bool]:
    """The run after its last legal entry, what it was before that, and whether every entry was legal."""
    run: Optional[Run] = None
    before: Optional[Run] = None
    for place, entry in enumerate(found.entries):
        try:
            event = event_of(entry)
            if run is None:
                run = Run(event, entry.hash)
                continue
            if place == len(found.entries) - 1:
                before = run.copy()
            run.follow(event, entry.hash)
        except Damage as damage:
            if not found.breaks:
                problems.append(Finding("journal.jsonl", f"entry {entry.seq}: {damage}"))
            return run, None, False
    return run, before, True


def check_views(record: str, shown: Dict[str, bytes], earlier: Dict[str, bytes], problems: List[Finding], warnings: List[Finding]) -> None:
    """Each view must be what the journal says, or what it said one entry ago."""
    for path, content in shown.items():
        try:
            there: Optional[bytes] = read(record, path)
        except Damage as damage:
            if str(damage) != "is missing":
                problems.append(Finding(path, str(damage)))
                continue
            there = None
        if there == content:
            continue
        if earlier and there == earlier.get(path):
            warnings.append(Finding(path, "is one entry behind the journal, as a kill leaves it"))
        else:
            problems.append(Finding(path, "is missing" if there is None else "is not what the journal says"))


def check_carried(record: str, run: Run, shown: Optional[Set[str]], problems: List[Finding], warnings: List[Finding]) -> None:
    """Artifacts, bodies, bound texts, and, when the journal is whole, what nobody tells of."""
    problems.extend(check_artifacts(record, run))
    wrong, covered = check_bodies(record, run)
    problems.extend(wrong)
    named = named_texts(run)
    for digest, what in named.items():
        try:
            read_bound(record, digest)
        except Damage as damage:
            problems.append(Finding(BOUND + digest, f"{damage}; the journal binds the run to it as {what}"))
    if shown is not None:
        files = {path for path in (carried(found) for _, found in recorded(run)) if path}
        strange = check_strangers(record, {"journal.jsonl"} | shown | files | covered | {BOUND + digest for digest in named}, run)
        problems.extend(strange[0])
        warnings.extend(strange[1])


def check_statement(path: str, report: Report, keys: Optional[Dict[str, Dict[str, Any]]]) -> Tuple[List[Finding], List[Finding]]:
    """Problems and warnings of the in-toto statement that lies beside a record: it must be about this journal, and signed by a key that is given."""
    name = os.path.basename(path)
    try:
        with open(path, "rb") as stream:
            statement = loads(stream.read())
        is_envelope = "payload" in statement
        content = unpacked(statement["payload"]) if is_envelope else b""
        subject = (loads(content) if is_envelope else statement)["subject"][0]
        if subject["digest"]["windlassJournalHead"] != report.head:
            return [Finding(name, "is about another journal, or about another state of it")], []
        if not is_envelope:
            return [], [Finding(name, "is not signed")]
        if keys is None:
            return [], [Finding(name, "its signature was not checked: --keys names those that you trust")]
        kind = statement["payloadType"].encode()
        message = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(content), content)
        for one in statement["signatures"]:
            key = keys.get(one["keyid"])
            if key and signature_holds(key["public"], unpacked(one["sig"]), message):
                return [], []
    except (Damage, OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return [Finding(name, "can't be read as a statement")], []
    return [Finding(name, "is signed by none of the keys, or its signature does not hold")], []


def main() -> int:
    """Verify, print what was found, and return the exit code."""
    parser = argparse.ArgumentParser(description="Verify the record of a run offline.")
    parser.add_argument("record", nargs="?", help="the record's directory; the one beside this file by default")
    parser.add_argument("--head", help="the hash of a journal entry that was kept elsewhere")
    parser.add_argument("--keys", help="a keys file from elsewhere, which approvals must hold against too")
    asked = parser.parse_args()
    here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "record")
    record = asked.record or here
    if os.path.isfile(os.path.join(record, "record", "journal.jsonl")):
        record = os.path.join(record, "record")
    if not os.path.isfile(os.path.join(record, "journal.jsonl")) and not os.path.isfile(os.path.join(record, "RUN.json")):
        print(f"error: {record}: holds no record (journal.jsonl)", file=sys.stderr)
        return 2
    if asked.head is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", asked.head):
        print("error: --head: must be the hash of an entry, 64 hex digits", file=sys.stderr)
        return 2
    try:
        keys = None
        if asked.keys is not None:
            with open(asked.keys, "rb") as stream:
                keys = stream.read()
        report = verify(record, asked.head, keys)
        statement = os.path.join(os.path.dirname(os.path.abspath(record)), "statement.json")
        if os.path.lexists(statement):
            problems, warnings = check_statement(statement, report, None if keys is None else keys_of(keys))
            report.problems.extend(problems)
            report.warnings.extend(warnings)
    except (OSError, Damage) as failure:
        print(f"error: --keys: {failure}", file=sys.stderr)
        return 2
    for word, findings in (("damaged", report.problems), ("warning", report.warnings)):
        for finding in findings:
            print(ascii(f"{word}  {finding.file}: {finding.reason}")[1:-1])
    print(f"{report.verdict}: {report.entries} entries, head {report.head}")
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
