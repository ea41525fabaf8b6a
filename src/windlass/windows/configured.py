"""`[windows]` of windlass.toml, as far as it says where the services are and which of them may be touched. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windlass import model
from windlass.errors import Refused
from windlass.windows.compose.compose import Place

_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_SHOWN = 80
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A Compose project and who of it is who. Lives as long as whoever works on it."""

    project: str
    files: tuple[str, ...]
    directory: Path
    core: tuple[str, ...]
    allowlist: tuple[str, ...]

    @property
    def place(self) -> Place:
        """Where its backend works."""
        return Place(project=self.project, files=self.files, directory=self.directory)


def stack(table: Mapping[str, Any], source: str, root: Path) -> Stack:
    """The stack in the table `[windows]`; `root` is what its paths are relative to. Raises Refused naming the file and the field."""
    if (kind := table.get("backend", "compose")) != "compose":
        raise Refused(f'{source}: windows.backend: this needs "compose", not {kind!r}')
    project = project_name(table, f"{source}: windows")
    given = table.get("directory", ".")
    if not isinstance(given, str) or not given or "\0" in given:
        raise Refused(f"{source}: windows.directory: needs the path of a directory")
    directory = root / given
    if not is_directory(directory):
        raise Refused(f"{source}: windows.directory: {model.clip(given, _SHOWN)} is not a directory")
    files = _strings(table, "files", source, ("compose.yaml",))
    for number, name in enumerate(files):
        if not name or "\0" in name or name == "-" or not is_file(directory / name):
            raise Refused(f"{source}: windows.files[{number}]: {model.clip(repr(name), _SHOWN)} is not a file in {model.clip(given, _SHOWN)}")
    allowed = dict.fromkeys([*_strings(table, "allowlist", source, ()), *_service_tables(table, source)])
    core = _strings(table, "core", source, ())
    for field, names in (("core", core), ("allowlist", tuple(allowed))):
        for name in names:
            service_name(name, f"{source}: windows.{field}")
    return Stack(project=project, files=tuple(str(directory / name) for name in files), directory=directory, core=core, allowlist=tuple(allowed))


def is_directory(path: Path) -> bool:
    """Whether there is such a directory; a name that no file system takes is none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file system takes is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def project_name(table: Mapping[str, Any], where: str) -> str:
    """The project's name; raises Refused for what can't name one."""
    project = table.get("project")
    if not isinstance(project, str) or not _PROJECT.fullmatch(project):
        raise Refused(f"{where}.project: needs the project's name: lower-case letters, digits, '_' and '-'")
    return project


def service_name(name: str, where: str) -> str:
    """The name itself; raises Refused for what can't name a service."""
    if not _SERVICE.fullmatch(name):
        raise Refused(f"{where}: {model.clip(repr(name), _SHOWN)} can't name a service")
    return name


def _strings(table: Mapping[str, Any], field: str, source: str, default: tuple[str, ...]) -> tuple[str, ...]:
    value = table.get(field, default)
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise Refused(f"{source}: windows.{field}: needs a list of names")
    return tuple(dict.fromkeys(value))


def _service_tables(table: Mapping[str, Any], source: str) -> tuple[str, ...]:
    services = table.get("services", {})
    if not isinstance(services, Mapping) or not all(isinstance(one, Mapping) for one in services.values()):
        raise Refused(f"{source}: windows.services: needs a table per service, [windows.services.<name>]")
    return tuple(services)
