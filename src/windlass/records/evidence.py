"""Checks what a record carries besides its journal and views: recorded artifacts, chained logs, response bodies, strange files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from windlass.errors import Refused
from windlass.infra import chain
from windlass.records import artifacts, layout
from windlass.records.artifacts import Artifact, Digests
from windlass.records.events import GateFinished
from windlass.records.fields import SHA256
from windlass.records.report import Finding

BODIES = "bodies"
_SEALED = re.compile(rb',"hash":"[0-9a-f]{64}"\}\s*$')


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What the check of a record's evidence gave."""

    problems: tuple[Finding, ...]
    checked: int
    outside: int


@dataclass(frozen=True, kw_only=True)
class Bodies:
    """What the check of the stored response bodies gave; `covered` are those inside the record that its evidence names."""

    problems: tuple[Finding, ...]
    checked: int
    not_carried: int
    covered: frozenset[str]


def check_artifacts(record: Path, recorded: Iterable[tuple[GateFinished, Artifact]]) -> Carried:
    """Hold every artifact inside the record against its recorded hash.

    A file recorded more than once must be what was recorded last, and must begin with what was recorded before: a log that
    grew is honest, a file that was overwritten lost an attempt's evidence.
    """
    told: dict[str, list[tuple[GateFinished, Artifact]]] = {}
    outside = 0
    for event, artifact in recorded:
        if artifact.carried is None:
            outside += 1
        else:
            told.setdefault(artifact.carried, []).append((event, artifact))
    problems = [problem for path, tellings in told.items() for problem in _artifact(record, path, tellings)]
    return Carried(problems=tuple(problems), checked=len(told), outside=outside)


def _artifact(record: Path, path: str, tellings: list[tuple[GateFinished, Artifact]]) -> Iterator[Finding]:
    event, newest = tellings[-1]
    try:
        with artifacts.opened(record, path) as descriptor:
            size = os.fstat(descriptor).st_size
            if size != newest.size:  # said without reading what may be terabytes of nothing
                yield Finding(file=path, start=0, end=size, reason=f"is {size} bytes; {_source(event)} recorded {_short(newest)}")
                return
            found = artifacts.digests(descriptor, [artifact.size or 0 for _, artifact in tellings])
    except (OSError, Refused) as failure:
        reason = "is missing" if isinstance(failure, FileNotFoundError) else str(failure)
        yield Finding(file=path, reason=f"{reason}; {_source(event)} recorded it as {_short(newest)}")
        return
    if (found.sha256, found.size) != (newest.sha256, newest.size):
        yield Finding(file=path, start=0, end=found.size, reason=f"is {_short(found)}; {_source(event)} recorded {_short(newest)}")
        return
    for earlier, artifact in tellings[:-1]:
        if found.prefixes.get(artifact.size or 0) != artifact.sha256:
            reason = f"the {_short(artifact)} that {_source(earlier)} recorded was overwritten before {_source(event)}"
            yield Finding(file=path, start=0, end=found.size, reason=reason)


def check_logs(record: Path, paths: Iterable[str]) -> Iterator[Finding]:
    """Scan each of the record's files that is a chained log, so that damage in one is placed by bytes."""
    for path in paths:
        if path.endswith(".jsonl"):
            try:
                content = artifacts.content(record, path)
            except (OSError, Refused):
                continue  # the check of the artifact says so, or it is too large to be placed by lines
            if is_log(content):
                yield from log_problems(path, chain.scan(content))


def is_log(content: bytes) -> bool:
    """Whether the first or the last line is sealed as those of a chained log are."""
    lines = content.split(b"\n")
    whole = [line for line in (lines[0], lines[-2] if len(lines) > 1 else b"") if line]
    return any(_SEALED.search(line) for line in whole)


def log_problems(path: str, scan: chain.Scan) -> Iterator[Finding]:
    """The breaks of a chained log."""
    for broken in scan.breaks:
        yield Finding(file=path, start=broken.start, end=broken.end, reason=f"line {broken.line}: {broken.reason}")


def check_bodies(record: Path, logs: Path | None, recorded: AbstractSet[str]) -> Bodies:
    """Hash every stored response body: a file in a folder named `bodies` whose name is 64 hex digits must hash to its name.

    `recorded`: the artifacts whose sweeps name the bodies that should exist. Those that lie nowhere are counted, not blamed:
    bodies may hold what must not be committed, so a record is whole without them.
    """
    named = {name for path in recorded if Path(path).name == "sweep.json" for name in _named(record, path)}
    problems: list[Finding] = []
    found: set[str] = set()
    covered: set[str] = set()
    for base, prefix in [(record, ""), *([(logs, f"../{layout.LOGS}/")] if logs else [])]:
        for path in walk(base):
            folder, _, name = path.rpartition("/")
            if folder.rpartition("/")[2] != BODIES or not SHA256.fullmatch(name):
                continue
            found.add(name)
            if base is record and name in named:
                covered.add(path)
            problems.extend(_body(base, path, prefix + path, name))
    return Bodies(problems=tuple(problems), checked=len(found), not_carried=len(named - found), covered=frozenset(covered))


def _body(base: Path, path: str, shown: str, name: str) -> Iterator[Finding]:
    try:
        with artifacts.opened(base, path) as descriptor:
            size = os.fstat(descriptor).st_size
            if size > artifacts.MAX_CONTENT:
                yield Finding(file=shown, start=0, end=size, reason=f"is larger than any body: {size} bytes")
                return
            found = artifacts.digests(descriptor)
    except (OSError, Refused) as failure:
        yield Finding(file=shown, reason=str(failure))
        return
    if found.sha256 != name:
        yield Finding(file=shown, start=0, end=found.size, reason=f"is {_short(found)}, which is not what it is named after")


def _named(record: Path, path: str) -> Iterator[str]:
    try:
        content = orjson.loads(artifacts.content(record, path))
    except (OSError, Refused, orjson.JSONDecodeError):
        return  # the check of the artifact says so
    waiting: list[Any] = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            name = value.get("response_sha256")
            if isinstance(name, str) and SHA256.fullmatch(name):
                yield name
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def walk(directory: Path) -> Iterator[str]:
    """Everything below `directory` that is not a directory, as relative paths, sorted; links are not followed."""
    waiting = [""]
    while waiting:
        below = waiting.pop()
        try:
            with os.scandir(directory / below) as found:
                inside = sorted(found, key=lambda entry: entry.name)
        except FileNotFoundError:
            continue
        except OSError:
            yield below or "."  # what can't be looked into is told of as it is
            continue
        for entry in inside:
            path = f"{below}/{entry.name}" if below else entry.name
            if entry.is_dir(follow_symlinks=False):
                waiting.append(path)
            else:
                yield path


def _source(event: GateFinished) -> str:
    return f"{event.gate} attempt {event.attempt}"


def _short(found: Artifact | Digests) -> str:
    return f"{found.size} bytes of hash {(found.sha256 or '')[:12]}…"
