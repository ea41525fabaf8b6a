r"""Path templates of contracts: `{slug}`, `{artifact_path}` and the wildcards `*`, `?`, `**`; expanded beneath a directory, following no link.

Every other character is itself, `[` too: folders are called `[slug]` where web frameworks take their routes from names. What a
variable stands for is itself as well. The work is bounded by counting: names that are looked at, files that match, levels.
"""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice

from windlass.errors import Refused

VARIABLES = ("slug", "artifact_path")
IN_RECORD = "{record}/"
RUNS = "orchestration/runs"
MAX_MATCHES = 100_000
MAX_LOOKED_AT = 250_000
MAX_LEVELS = 64
_MAX_WILDCARDS = 16
_VARIABLE = re.compile(r"\{([^{}]*)\}")
_WILDCARD = re.compile(r"\*+|\?")
_UNESCAPED = re.compile(r"(?<!\\)[*?]")


class NotExpanded(Refused):
    """A glob can't be expanded; `code` says why for programs."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


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
    if len(_WILDCARD.findall(plain)) > _MAX_WILDCARDS:
        yield f"has more than {_MAX_WILDCARDS} wildcards"


def is_glob(path: str) -> bool:
    """Whether a template has a wildcard: `*`, `?` or `**`."""
    return bool(_WILDCARD.search(path))


def covering(templates: Iterable[str]) -> Callable[[str], bool]:
    """Whether one of these templates covers a check's target: all of them are asked at once, in time linear in the target."""
    globs = [pattern for pattern in templates if is_glob(pattern)]
    if not globs:
        return lambda _target: False
    import re2  # noqa: PLC0415  # few contracts have wildcards, and every command reads contracts

    options = re2.Options()
    options.max_mem = 256 * 1024 * 1024
    options.dot_nl = True
    known = re2.compile("|".join(map(_translated, globs)), options)
    return lambda target: known.fullmatch(target) is not None


def _translated(pattern: str) -> str:
    parts = re.split(r"(\\.|[*?])", pattern)
    return "".join({"*": ".*", "?": "."}.get(part) or re.escape(part.replace("\\", "")) for part in parts)


def _runs_below(place: str) -> str | None:
    """Where the project's runs lie, seen from a directory below its root: what is recorded of work is no output of work."""
    if not place:
        return RUNS
    return RUNS.removeprefix(f"{place}/") if RUNS.startswith(f"{place}/") else None


def segments(template: str, *, slug: str, artifact_path: str) -> tuple[str, ...]:
    r"""The parts of a template as `expanded` takes them: wildcards that stand in a variable's value are `\*` and `\?`."""
    values = {"slug": slug, "artifact_path": artifact_path}
    named = _VARIABLE.sub(lambda variable: _UNESCAPED.sub(r"\\\g<0>", values[variable[1]]), template.removeprefix(IN_RECORD))
    return tuple(part for part in named.split("/") if part not in ("", "."))


def expanded(held: int, parts: Sequence[str]) -> list[str]:
    """The files that a glob means beneath an open directory, relative to it, sorted; a link that matches is among them.

    No link is followed, and names that begin with a dot are matched only by a dot. Raises NotExpanded for a name that no record can
    hold, a directory that can't be looked into, and for more work than `MAX_MATCHES`, `MAX_LOOKED_AT` and `MAX_LEVELS` allow.
    """
    return sorted(path for path, _ in _matches(held, parts))


def counted(held: int, parts: Sequence[str], place: str) -> int:
    """How many files that are not empty a glob means beneath an open directory, which is `place` below the root; raises as `expanded` does."""
    return sum(stat.S_ISREG(found.st_mode) and found.st_size > 0 for _, found in _matches(held, parts, place))


def _matches(held: int, parts: Sequence[str], place: str = "") -> Iterator[tuple[str, os.stat_result]]:
    matched = 0
    for looked, (path, found) in enumerate(_Walk(parts, _runs_below(place)).beneath(held, "", frozenset({0}), 0), 1):
        if looked > MAX_LOOKED_AT:
            raise NotExpanded("TOO_LARGE", f"{'/'.join(parts)}: more than {MAX_LOOKED_AT:,} names would have to be looked at")
        if found is not None:
            matched += 1
            if matched > MAX_MATCHES:
                raise NotExpanded("TOO_LARGE", f"{'/'.join(parts)}: more than {MAX_MATCHES:,} files match")
            yield path, found


class _Walk:
    """One expansion: each directory is listed once, for all the parts that may begin in it. Lives as long as the expansion."""

    def __init__(self, parts: Sequence[str], runs: str | None) -> None:
        self._parts = tuple(parts)
        self._runs = runs
        self._matchers = [_matcher("*" if part == "**" else part) for part in parts]

    def beneath(self, held: int, below: str, begun: frozenset[int], level: int) -> Iterator[tuple[str, os.stat_result | None]]:
        """Every name that is looked at, with its state where it is a match."""
        parts = self._parts
        active = begun | {place + 1 for place in begun if parts[place] == "**" and place + 1 < len(parts)}
        active |= {place + 1 for place in active if parts[place] == "**" and place + 1 < len(parts)}
        for name, found in self._names(held, active, below):
            path = f"{below}/{name}" if below else name
            if path == self._runs:
                continue
            further, hit = self._further(name, active, folder=stat.S_ISDIR(found.st_mode))
            if hit or further:
                _check_name(path)
            yield path, found if hit else None
            if further:
                yield from self._inside(held, name, path, further, level + 1)

    def _inside(self, held: int, name: str, path: str, further: frozenset[int], level: int) -> Iterator[tuple[str, os.stat_result | None]]:
        if level > MAX_LEVELS:
            raise NotExpanded("TOO_LARGE", f"{path}: lies more than {MAX_LEVELS} levels deep")
        try:
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=held)
        except (FileNotFoundError, NotADirectoryError):
            return  # somebody put something else there meanwhile, and a link is not followed
        except OSError as failure:
            raise NotExpanded("UNREADABLE", f"{path}: can't be looked into: {failure.strerror}") from failure
        try:
            yield from self.beneath(inner, path, further, level)
        finally:
            os.close(inner)

    def _further(self, name: str, active: frozenset[int], *, folder: bool) -> tuple[frozenset[int], bool]:
        """The parts that go on inside a name, and whether it is itself what is looked for."""
        further, hit = set(), False
        for place in active:
            part, last = self._parts[place], place + 1 == len(self._parts)
            if name.startswith(".") and not part.startswith("."):
                continue
            if part == "**":
                if folder:
                    further.add(place)
                hit |= last and not folder
            elif self._matchers[place](name):
                if folder and not last:
                    further.add(place + 1)
                hit |= last and not folder
        return frozenset(further), hit

    def _names(self, held: int, active: frozenset[int], below: str) -> Iterator[tuple[str, os.stat_result]]:
        plain = [self._parts[place] for place in active]
        if not any(_UNESCAPED.search(part) for part in plain):  # one name each: the directory, large perhaps, is not listed
            names = sorted({part.replace("\\", "") for part in plain})
        else:
            with os.scandir(held) as entries:
                names = [entry.name for entry in islice(entries, MAX_LOOKED_AT + 1)]
            if len(names) > MAX_LOOKED_AT:
                raise NotExpanded("TOO_LARGE", f"{below or 'the directory'}: has more than {MAX_LOOKED_AT:,} names")
            names.sort()
        for name in names:
            try:
                yield name, os.stat(name, dir_fd=held, follow_symlinks=False)
            except FileNotFoundError:
                continue
            except OSError as failure:
                raise NotExpanded("UNREADABLE", f"{below}/{name[:80]!r}: {failure.strerror}") from failure


def _check_name(path: str) -> None:
    if "\\" in path or any("\ud800" <= character <= "\udfff" for character in path):
        raise NotExpanded("UNREADABLE", f"{path.encode('utf-8', 'backslashreplace').decode()}: no record can hold this name")


@lru_cache(maxsize=1024)
def _matcher(part: str) -> Callable[[str], re.Match[str] | None]:
    """Matches one name; the pattern that `fnmatch` writes does not run away."""
    written = re.sub(r"\\(.)|\[", lambda found: f"[{found[1] or '['}]", part)
    return re.compile(fnmatch.translate(written)).match
