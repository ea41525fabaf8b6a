"""A disk that keeps no more than POSIX asks for, and what it may hold after a power loss at any moment of a command.

What a command did to its project is read from strace: every create, write, rename, mkdir, unlink and fsync, with the bytes. A write is sure
once its file was synced after it; a name is sure once its directory was. Of everything else any part may have reached the disk, in any
order: single sectors of a write, zeros where a file grew and its bytes did not come, a rename without the create before it. One change of
a directory is atomic. What `write` to standard output says counts as told to the user at that moment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

from tests.promises import faults

SECTOR = 512
_CALLS = "openat,creat,write,pwrite64,lseek,fsync,fdatasync,ftruncate,rename,renameat,renameat2,mkdir,mkdirat,unlink,unlinkat,rmdir,link,linkat"
_LINE = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += (-?\d+)")
_UNFINISHED = re.compile(r"^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. \w+ resumed>(.*)$")
_QUOTED = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_HELD = re.compile(r"(\d+|AT_FDCWD)<((?:\\x[0-9a-f]{2})*)>")


class Node:
    """A file or a directory, as it was before the command. Known by identity; lives as long as its disk."""

    def __init__(self, content: bytes | None) -> None:
        self.content = content
        self.names: dict[str, Node] | None = {} if content is None else None


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that the command did: `node` is the file, or the directory whose names change (`other` the one that a rename leaves)."""

    kind: str
    node: Node
    name: str = ""
    child: Node | None = None
    other: Node | None = None
    other_name: str = ""
    offset: int = 0
    content: bytes = b""


@dataclass(kw_only=True)
class Disk:
    """The project before the command, and its changes in order. Lives as long as a scenario's states are made."""

    root: Node
    changes: list[Change] = field(default_factory=list)
    told_at: list[int] = field(default_factory=list)
    """After how many changes the user was told something."""

    def states(self, random: Random, count: int) -> Iterator[tuple[str, int, Callable[[Path], None]]]:
        """What to call it, how many changes had been made when the user was told something last, and what writes the state below a directory."""
        moments = range(len(self.changes) + 1)
        extremes = [(moment, how) for moment in moments for how in ("nothing more", "all", "names only", "bytes only")]
        chosen = random.sample(extremes, min(len(extremes), count // 2))
        chosen += [(random.choice(moments), "some") for _ in range(count - len(chosen))]
        for moment, how in chosen:
            seed = random.getrandbits(64)
            what = f"power lost after change {moment} of {moments[-1]}, {how} (state {seed})"
            told = max((at for at in self.told_at if at <= moment), default=0)
            yield what, told, partial(self._write, moment, how, Random(seed))

    def as_told(self, moment: int, place: Path) -> None:
        """Write what there was at that moment, for whoever was told of it."""
        self._write(moment, "all", Random(0), place)

    def _write(self, moment: int, how: str, random: Random, place: Path) -> None:
        files: dict[Node, bytearray] = {}
        names: dict[Node, dict[str, Node]] = {}
        sure = self._sure(moment)
        for number, change in enumerate(self.changes[:moment]):
            if change.kind == "sync":
                continue
            of_names = change.kind not in {"write", "truncate"}
            kept = number in sure or {"nothing more": False, "all": True, "names only": of_names, "bytes only": not of_names}.get(how)
            if kept is None:
                kept = random.random() < 0.5
            torn = number not in sure and how == "some" and random.random() < 0.5
            if kept:
                _apply(change, files, names, random if torn else None)
        _materialize(self.root, place, files, names)

    def _sure(self, moment: int) -> frozenset[int]:
        """The changes that a sync made sure before that moment. A rename needs both of its directories synced."""
        waiting: dict[int, set[Node]] = {}
        sure = set()
        for number, change in enumerate(self.changes[:moment]):
            if change.kind != "sync":
                waiting[number] = {change.node} | ({change.other} if change.other else set())
                continue
            for earlier, nodes in list(waiting.items()):
                nodes.discard(change.node)
                if not nodes:
                    sure.add(earlier)
                    del waiting[earlier]
        return frozenset(sure)


def recorded(project: Path, arguments: tuple[str, ...], code: int, trace: Path, program: tuple[str, ...] = faults.WINDLASS) -> Disk:
    """The disk under `project`, and what the command (or another program of Python's) did to it; it is really run there."""
    disk = Disk(root=_read(project))
    options = ["-y", "-xx", "-s", "16777216", "-e", f"trace={_CALLS}", "-o", str(trace)]
    ended = faults.struck(project, arguments, options, program)
    assert ended.returncode == code, ended.stderr
    _Reader(disk, project.resolve()).read(trace)
    return disk


class _Reader:
    """Turns a trace into changes. Lives as long as one trace is read."""

    def __init__(self, disk: Disk, project: Path) -> None:
        self._disk = disk
        self._project = project
        self._live: dict[str, Node] = {}
        self._sizes: dict[Node, int] = {}
        self._offsets: dict[tuple[str, str], int | None] = {}
        """Process and its descriptor → where the next write goes; None, and for what a process was born with, at the end of the file."""
        self._process = ""
        self._first = ""
        self._walk("", disk.root)

    def read(self, trace: Path) -> None:
        begun: dict[str, str] = {}
        for line in trace.read_text().splitlines():
            if match := _UNFINISHED.match(line):
                begun[match[1]] = f"{match[1]} {match[2]}({match[3]}"
                continue
            whole = line
            if match := _RESUMED.match(line):
                whole = begun.pop(match[1]) + match[2].replace(" <... resumed>", "")
            self._process = whole.partition(" ")[0]
            self._first = self._first or self._process
            if (found := _LINE.match(whole)) and int(found[3]) >= 0:
                self._call(found[1], found[2], int(found[3]), whole)

    def _walk(self, path: str, node: Node) -> None:
        self._live[path] = node
        if node.content is not None:
            self._sizes[node] = len(node.content)
        for name, child in (node.names or {}).items():
            self._walk(f"{path}/{name}".lstrip("/"), child)

    def _call(self, name: str, words: str, answer: int, line: str) -> None:
        if name in {"write", "pwrite64"}:
            self._wrote(words, answer, positioned=name == "pwrite64")
        elif name in {"fsync", "fdatasync"}:
            if (node := self._held(words)) is not None:
                self._disk.changes.append(Change(kind="sync", node=node))
        elif name == "ftruncate":
            if (node := self._held(words)) is not None:
                size = int(words.rpartition(",")[2])
                self._disk.changes.append(Change(kind="truncate", node=node, offset=size))
                self._sizes[node] = size
        elif name == "lseek":
            self._offsets[self._process, words.partition("<")[0]] = answer
        elif name in {"openat", "creat"}:
            self._opened(words, line)
        else:
            self._named(name, words)

    def _opened(self, words: str, line: str) -> None:
        held = _HELD.search(line.rpartition("=")[2])
        if held is None:
            return
        path = self._inside(_text(held[2]))
        self._offsets[self._process, held[1]] = None if "O_APPEND" in words else 0
        if path is None:
            return
        if "O_CREAT" in words and path not in self._live:
            self._new(path, Node(b""))
        elif "O_TRUNC" in words and path in self._live:
            node = self._live[path]
            self._disk.changes.append(Change(kind="truncate", node=node))
            self._sizes[node] = 0

    def _wrote(self, words: str, answer: int, *, positioned: bool) -> None:
        number = words.partition("<")[0]
        if number == "1" and self._process == self._first:
            self._disk.told_at.append(len(self._disk.changes))
        node = self._held(words)
        if node is None:
            return
        quoted = _QUOTED.search(words)
        assert quoted, words[:200]
        content = _bytes(quoted[1])[:answer]
        offset = int(words.rpartition(",")[2]) if positioned else self._offsets.get((self._process, number))
        at = self._sizes[node] if offset is None else offset
        self._disk.changes.append(Change(kind="write", node=node, offset=at, content=content))
        self._sizes[node] = max(self._sizes[node], at + len(content))
        if not positioned and offset is not None:
            self._offsets[self._process, number] = at + len(content)

    def _named(self, name: str, words: str) -> None:
        paths = self._paths(words)
        first = self._inside(paths[0])
        if name.startswith("mkdir") and first is not None:
            self._new(first, Node(None))
        elif name in {"unlink", "unlinkat", "rmdir"} and first is not None:
            parent, own = self._parent(first)
            del self._live[first]
            self._disk.changes.append(Change(kind="remove", node=parent, name=own))
        elif name.startswith(("rename", "link")):
            second = self._inside(paths[1])
            assert first is not None, words
            assert second is not None, words
            self._moved(first, second, keeps=name.startswith("link"))

    def _new(self, path: str, node: Node) -> None:
        parent, own = self._parent(path)
        self._live[path] = node
        self._sizes[node] = 0
        self._disk.changes.append(Change(kind="name", node=parent, name=own, child=node))

    def _moved(self, first: str, second: str, *, keeps: bool) -> None:
        (source, name), (target, new) = self._parent(first), self._parent(second)
        child = self._live[first]
        if keeps:
            self._live[second] = child
            self._disk.changes.append(Change(kind="name", node=target, name=new, child=child))
            return
        for path in [path for path in self._live if path == first or path.startswith(f"{first}/")]:
            self._live[second + path[len(first) :]] = self._live.pop(path)
        other = source if source is not target else None
        self._disk.changes.append(Change(kind="rename", node=target, name=new, child=child, other=other, other_name=name))

    def _parent(self, path: str) -> tuple[Node, str]:
        above, _, own = path.rpartition("/")
        return self._live[above], own

    def _held(self, words: str) -> Node | None:
        match = _HELD.match(words)
        path = self._inside(_text(match[2])) if match else None
        return None if path is None else self._live.get(path)

    def _paths(self, words: str) -> list[str]:
        """The paths of a call, absolute: each beside the directory that it is relative to."""
        found = []
        directory = str(self._project)
        for match in re.finditer(rf"{_HELD.pattern}|{_QUOTED.pattern}", words):
            if match[1] is not None:
                directory = _text(match[2])
            else:
                found.append(os.path.normpath(Path(directory) / _text(match[3])))
                directory = str(self._project)
        return found

    def _inside(self, path: str) -> str | None:
        path = path.removesuffix(" (deleted)")
        return os.path.relpath(path, self._project) if path.startswith(f"{self._project}/") else "" if path == str(self._project) else None


def _bytes(quoted: str) -> bytes:
    return bytes.fromhex(quoted.replace("\\x", ""))


def _text(quoted: str) -> str:
    return os.fsdecode(_bytes(quoted))


def _read(path: Path) -> Node:
    if not path.is_dir():
        return Node(path.read_bytes())
    node = Node(None)
    node.names = {child.name: _read(child) for child in sorted(path.iterdir())}
    return node


def _apply(change: Change, files: dict[Node, bytearray], names: dict[Node, dict[str, Node]], torn: Random | None) -> None:
    if change.kind in {"write", "truncate"}:
        held = files.setdefault(change.node, bytearray(change.node.content or b""))
        if change.kind == "truncate":
            held[:] = held[: change.offset].ljust(change.offset, b"\0")
        else:
            _put(held, change.offset, change.content, torn)
        return
    own = names.setdefault(change.node, dict(change.node.names or {}))
    if change.kind == "remove":
        own.pop(change.name, None)
        return
    if change.kind == "rename":
        left = names.setdefault(change.other, dict(change.other.names or {})) if change.other else own
        if left.get(change.other_name) is change.child:
            del left[change.other_name]
    assert change.child is not None
    own[change.name] = change.child


def _put(held: bytearray, offset: int, content: bytes, torn: Random | None) -> None:
    """A write, whole or in some of its sectors; the file may have grown though its bytes did not come."""
    end = offset + len(content)
    if torn is None:
        held[:] = held.ljust(offset, b"\0")
        held[offset:end] = content
        return
    grown = torn.choice((True, False))
    if grown:
        held[:] = held.ljust(end, b"\0")
    start = offset
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        if torn.random() < 0.5 and (grown or start <= len(held)):
            held[start:stop] = content[start - offset : stop - offset]
        elif not grown:
            return  # what the file does not reach is not there
        start = stop


def _materialize(node: Node, place: Path, files: dict[Node, bytearray], names: dict[Node, dict[str, Node]]) -> None:
    if node.content is not None:
        place.write_bytes(bytes(files.get(node, node.content)))
        return
    place.mkdir()
    for name, child in names.get(node, node.names or {}).items():
        _materialize(child, place / name, files, names)
