"""Takes out of a seed document what a client could rely on: commands, routes, headers, names, defaults, paths, fields, rows, columns. Pure.

The documents are not in this repository; what is taken out of them is, as short strings, in `ledger.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST = 200
"""Characters of one entry; the rest of a longer one is cut, and that it was cut shows."""

_FENCE = re.compile(r"^\s*```(\w*)\s*$")
_INLINE = re.compile(r"`([^`\n]+)`")
_ROUTE = re.compile(r"\b(GET|POST|PUT|DELETE) (/[\w/{}<>.-]+)")
_VARIABLE = re.compile(r"(?<![\w/.-])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?![\w(.])")
_SINGLE_WORD_VARIABLE = re.compile(r"(?:-e |export |^\s*[-*] `)([A-Z]{4,})(?==|`)")
_DEFAULT = re.compile(r"`([A-Z][A-Z0-9_]+)`.*\(.*?default: `?([^`)]+?)`?[,)]")
_PATH = re.compile(
    r"(?<![\w:/$.>-])(?:\.{1,2}/|/|~/)?[\w.{}<>*$-]+(?:/[\w.{}<>*$()+%-]+)+/?|(?<![\w/.-])[\w-]+\.(?:md|py|js|json|sh|sql|tsv|ya?ml)\b"
)
_TREE = re.compile(r"^([│ ]*)(?:├──|└──) (\S+)")
_FIELD = re.compile(r'^\s*"([a-z_]+)":')
_SHELLS = {"bash", "sh", "dockerfile"}
_HEADER = re.compile(r"\bx-[a-z0-9]+(?:-[a-z0-9]+)+\b", re.IGNORECASE)
_LISTED = re.compile(r"^\s*- ([a-z]\w+(?: \(core\))?)$")
_STATE = re.compile(r"^([A-Z_]{4,})(?: \(.*\))?$")
_OTHERS = (
    (re.compile(r"/opt/researchflow/ROS_FLOW_2_1/researchflow-production-main|/root/development/bizmatters"), "<checkout>"),
    (re.compile(r"\b\d+\.\d+\.\d+\.\d+:30500|registry\.bizmatters\.dev"), "<registry>"),
)
"""Places on machines of other people; what is taken out holds a word for them."""
_COMMANDS = ("docker ", "kubectl ", "./scripts/", "poetry ", "python3 ", "node ")


@dataclass(frozen=True, kw_only=True, order=True)
class Entry:
    """One thing that a seed says. `kind`: command, route, header, variable, default, path, field, row, columns, service or state."""

    kind: str
    text: str


def entries(document: str) -> set[Entry]:
    """Everything that is taken out of one document."""
    return {Entry(kind=kind, text=_short(text)) for kind, text in _found(document) if text.strip()}


def _short(text: str) -> str:
    plain = " ".join(text.split())
    for pattern, word in _OTHERS:
        plain = pattern.sub(word, plain)
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "…"


def _found(document: str) -> Iterator[tuple[str, str]]:
    for language, block in _blocks(document):
        if language in _SHELLS:
            yield from (("command", command) for command in _commands(block))
        elif language == "json":
            yield from (("field", match[1]) for line in block.splitlines() if (match := _FIELD.match(line)))
        else:
            yield from _drawn(block)
        yield from _tree(block)
        yield from _names(block)
    prose = _without_blocks(document)
    for line in prose.splitlines():
        yield from _rows(line)
        yield from (("default", f"{match[1]} = {match[2]}") for match in _DEFAULT.finditer(line))
        yield from (("service", match[1]) for match in _LISTED.finditer(line))
        yield from (("header", name) for name in _HEADER.findall(line))
    for code in _INLINE.findall(prose):
        if code.startswith(_COMMANDS):
            yield "command", code
        yield from _names(code)
    yield from _names_in_prose(prose)


def _blocks(document: str) -> Iterator[tuple[str, str]]:
    language: str | None = None
    lines: list[str] = []
    for line in document.splitlines():
        fence = _FENCE.match(line)
        if not fence:
            lines.append(line)
        elif language is None:
            language, lines = fence[1].lower(), []
        else:
            yield language, "\n".join(lines)
            language = None


def _without_blocks(document: str) -> str:
    return re.sub(r"^\s*```\w*\s*$.*?^\s*```\s*$", "", document, flags=re.MULTILINE | re.DOTALL)


def _commands(block: str) -> Iterator[str]:
    for line in block.replace("\\\n", " ").splitlines():
        bare = line.strip()
        if bare and not bare.startswith("#"):
            yield bare


def _drawn(block: str) -> Iterator[tuple[str, str]]:
    """What stands in a block of no language: the states of a diagram, the commands on its arrows, the columns of a table of tabs."""
    for line in block.splitlines():
        bare = line.strip().lstrip("→↓ ")
        if bare.startswith(_COMMANDS):
            yield "command", bare
        elif line.count("\t") > 3:
            yield "columns", line.replace("\t", " ")
        elif match := _STATE.match(bare):
            yield "state", match[1]


def _tree(block: str) -> Iterator[tuple[str, str]]:
    """The paths of a drawn directory tree, whole: a line's parents are the lines above it that stand further left."""
    root = next((line.strip() for line in block.splitlines() if line.strip().endswith("/")), "")
    parents: list[str] = []
    for line in block.splitlines():
        match = _TREE.match(line)
        if match:
            depth = len(match[1]) // 4
            parents = [*parents[:depth], match[2]]
            yield "path", root + "".join(parents)


def _names(code: str) -> Iterator[tuple[str, str]]:
    yield from (("route", f"{match[1]} {match[2]}") for match in _ROUTE.finditer(code))
    yield from (("variable", name) for name in _VARIABLE.findall(code))
    yield from (("variable", name) for name in _SINGLE_WORD_VARIABLE.findall(code))
    yield from (("path", path) for path in _PATH.findall(_ROUTE.sub("", code)) if not _is_noise(path))


def _names_in_prose(prose: str) -> Iterator[tuple[str, str]]:
    yield from (("variable", name) for line in prose.splitlines() for name in _SINGLE_WORD_VARIABLE.findall(line))


def _is_noise(path: str) -> bool:
    """Words with a slash between them, images, dates and the like: no path that a client opens."""
    return bool(re.fullmatch(r"[A-Za-z]+/[A-Za-z]+", path)) or path.startswith(("<", "$(", "2>")) or not re.search(r"[A-Za-z]{2}", path)


def _rows(line: str) -> Iterator[tuple[str, str]]:
    bare = line.strip()
    if bare.startswith("|") and bare.endswith("|") and re.search("[A-Za-z]{2}", bare):
        yield "row", " | ".join(cell.strip() for cell in bare.strip("|").split("|"))
