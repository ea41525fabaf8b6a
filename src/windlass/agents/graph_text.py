"""Reads a graph from text: the arrows of a Mermaid flowchart (as LangGraph draws it) and lines such as `search: timeout_s=5, retries=2, external`.

A line is an arrow, a node with what is stated of it, or nothing that a graph is made of; the numbers of the latter are kept. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_ARROW = re.compile(r"\s*(?:-->|-\.->|==>|->)\s*(?:\|[^|]{0,200}\|\s*)?|\s*-\.\s[^.]{0,200}\s\.->\s*|\s*--\s[^-]{0,200}\s-->\s*")
_NAME = re.compile(r"([\w.\-]{1,200}?)(?:\s*(?:\[.{0,300}\]|\(.{0,300}\)|\{.{0,300}\}))?(?::::?\w+)?$")
_STATED = re.compile(r"([\w.\-]{1,200})\s*:\s+(\S.{0,1000})$")
_FLAG = re.compile(r"(\w+)(?:\s*=\s*([\w.\-]+))?$")
_SHAPED = re.compile(r"([\w.\-]{1,200})\s*(?:\[.{0,300}\]|\(.{0,300}\)|\{.{0,300}\})(?::::?\w+)?$")
_NOISE = re.compile(r"(?:(?:graph|flowchart)\b|classDef\b|class\b|style\b|linkStyle\b|subgraph\b|direction\b|end$)")
LONGEST = 5000
"""Characters of a line that are read."""
_WORDS = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True, kw_only=True)
class Read:
    """What a text says: nodes and edges as plain keys, and the lines that say something else (numbers from 1). Lives as long as the run."""

    nodes: dict[str, dict[str, Any]]
    edges: tuple[dict[str, Any], ...]
    not_read: tuple[int, ...]


def read(text: str, check: Callable[[], None] = lambda: None) -> Read:
    """The graph of a text; `check` is called for every line."""
    nodes: dict[str, dict[str, Any]] = {}
    edges: list[dict[str, Any]] = []
    not_read: list[int] = []
    lines = text.split("\n")
    for number, raw in enumerate(lines[(first := _heading(lines)) :], first + 1):
        check()
        line = raw.strip().rstrip(";").strip()[:LONGEST]
        if line and not line.startswith("%%") and not (_arrows(line, nodes, edges) or _NOISE.match(line) or _statement(line, nodes)):
            not_read.append(number)
    return Read(nodes=nodes, edges=tuple(edges), not_read=tuple(not_read))


def _heading(lines: list[str]) -> int:
    """How many lines the drawing's own settings take: those between two lines of three hyphens, at the beginning."""
    marks = [number for number, line in enumerate(lines[:50]) if line.strip() == "---"][:2]
    return marks[1] + 1 if len(marks) == 2 and not any(line.strip() for line in lines[: marks[0]]) else 0


def _arrows(line: str, nodes: dict[str, dict[str, Any]], edges: list[dict[str, Any]]) -> bool:
    parts = _ARROW.split(line)
    names = [_NAME.match(part.strip()) for part in parts]
    if len(parts) < 2 or any(name is None for name in names):
        return False
    ids = [name.group(1) for name in names if name is not None]
    for one in ids:
        nodes.setdefault(one, {})
    marks = [mark.group() for mark in _ARROW.finditer(line)]
    edges += [
        {"source": source, "target": target, "conditional": "." in mark or "|" in mark}
        for source, target, mark in zip(ids, ids[1:], marks, strict=False)
    ]
    return True


def _statement(line: str, nodes: dict[str, dict[str, Any]]) -> bool:
    shaped, stated = _SHAPED.match(line), _STATED.match(line)
    if shaped is not None:
        nodes.setdefault(shaped.group(1), {})
        return True
    if stated is None:
        return False
    flags = [_FLAG.match(part.strip()) for part in stated.group(2).split(",")]
    if any(flag is None or flag.group(1) == "id" for flag in flags):
        return False
    node = nodes.setdefault(stated.group(1), {})
    node.update({flag.group(1): _value(flag.group(2)) for flag in flags if flag is not None})
    return True


def _value(word: str | None) -> Any:
    if word is None:
        return True
    if word.casefold() in _WORDS:
        return _WORDS[word.casefold()]
    try:
        return int(word)
    except ValueError:
        pass
    try:
        return float(word)
    except ValueError:
        return word
