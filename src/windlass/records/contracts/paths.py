"""Path templates of contracts: `{slug}`, `{artifact_path}`, globs; expanded beneath the root, without following any link. Bounded."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator
from pathlib import Path

from windlass.errors import Refused

VARIABLES = ("slug", "artifact_path")
IN_RECORD = "{record}/"
MAX_MATCHES = 200_000
MAX_LOOKED_AT = 2_000_000
_VARIABLE = re.compile(r"\{([^{}]*)\}")
_GLOB = re.compile(r"[*?\[]")


def problems(template: str, *, globs: bool) -> Iterator[str]:
    """Why a template can't be used, if it can't."""
    if len(template) > 4096:
        yield "is longer than 4096 characters"
    for name in _VARIABLE.findall(template.removeprefix(IN_RECORD)):
        if name not in VARIABLES:
            yield f"{{{name}}} is not a path variable; known are {', '.join(f'{{{one}}}' for one in VARIABLES)}, and {IN_RECORD} in front"
    plain = _VARIABLE.sub("x", template.removeprefix(IN_RECORD))
    if "{" in plain or "}" in plain:
        yield "has a brace that belongs to no variable"
    if any(part in ("", ".", "..") for part in plain.split("/")) or "\\" in plain or "\0" in plain:
        yield r"must be relative to the project's root, without '..', '.', '\' or an empty part"
    if not globs and is_glob(plain):
        yield "must name one file, not a glob"
    if plain.count("**") > 2:
        yield "has more than two **"


def is_glob(path: str) -> bool:
    """Whether a path has a wildcard: * ? [ or **."""
    return bool(_GLOB.search(path))


def covers(pattern: str, target: str) -> bool:
    """Whether an output's template covers a check's target."""
    return is_glob(pattern) and fnmatch.fnmatchcase(target, pattern)


def expanded(base: Path, pattern: str) -> list[str]:
    """The files that a glob means beneath `base`, relative to it, sorted.

    No link is followed, and names that begin with a dot are matched only by a dot.

    Raises Refused when more than `MAX_MATCHES` match or more than `MAX_LOOKED_AT` names must be looked at.
    """
    found: list[str] = []
    looked = 0
    waiting: list[tuple[str, tuple[str, ...]]] = [("", tuple(pattern.split("/")))]
    seen: set[tuple[str, tuple[str, ...]]] = set()
    while waiting:
        step = waiting.pop()
        if step in seen:
            continue
        seen.add(step)
        below, (part, *rest) = step
        if part == "**" and rest:
            waiting.append((below, tuple(rest)))
        for entry in _entries(base / below):
            looked += 1
            if looked > MAX_LOOKED_AT:
                raise Refused(f"{pattern}: more than {MAX_LOOKED_AT} names would have to be looked at")
            path = f"{below}/{entry.name}" if below else entry.name
            folder = entry.is_dir(follow_symlinks=False)
            if part == "**" and folder and not entry.name.startswith("."):
                waiting.append((path, step[1]))
            if not _matches(entry.name, "*" if part == "**" else part):
                continue
            if rest and folder and part != "**":
                waiting.append((path, tuple(rest)))
            elif not rest and not folder:
                found.append(path)
                if len(found) > MAX_MATCHES:
                    raise Refused(f"{pattern}: more than {MAX_MATCHES} files match")
    return sorted(set(found))


def _matches(name: str, pattern: str) -> bool:
    if name.startswith(".") and not pattern.startswith("."):
        return False
    return name == pattern if not is_glob(pattern) else fnmatch.fnmatchcase(name, pattern)


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return []
    try:
        with os.scandir(descriptor) as found:
            return sorted(found, key=lambda entry: entry.name)
    finally:
        os.close(descriptor)
