"""Where the contract of a gate lies: the workflow's own, the project's, else the one that ships."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from windlass.errors import Refused
from windlass.records import artifacts, layout
from windlass.records.contracts.problems import MAX_SIZE
from windlass.records.projects import Project

SHIPPED = "shipped:"


def contract(project: Project, workflow: str, gate: str) -> tuple[bytes, str] | None:
    """The contract's bytes and its path relative to the root (`shipped:<name>` for one that ships), or None.

    Raises Refused for one that can't be read.
    """
    if not layout.NAME.fullmatch(workflow) or not layout.NAME.fullmatch(gate):
        return None
    name = f"{gate}.contract.json"
    for place in (project.workflows / workflow / "contracts", project.contracts):
        found = beneath(project.root, place / name)
        if found is not None:
            return found, (place / name).relative_to(project.root).as_posix()
    return shipped("contracts", name)


def workflow(project: Project, name: str) -> tuple[bytes, str] | None:
    """The workflow's bytes and its path, as `contract` gives them."""
    if not layout.NAME.fullmatch(name):
        return None
    place = project.workflows / f"{name}.json"
    found = beneath(project.root, place)
    if found is not None:
        return found, place.relative_to(project.root).as_posix()
    return shipped("workflows", f"{name}.json")


def beneath(root: Path, path: Path) -> bytes | None:
    """The bytes of a file beneath the root, None where there is none; no link is followed. Raises Refused for anything but a regular file."""
    try:
        return artifacts.content(root, path.relative_to(root).as_posix(), MAX_SIZE)
    except FileNotFoundError:
        return None
    except OSError as failure:
        raise Refused(f"{path}: {failure.strerror}") from failure


def shipped(kind: str, name: str) -> tuple[bytes, str] | None:
    """A file that ships with Windlass."""
    file = resources.files("windlass.records") / "shipped" / kind / name
    return (file.read_bytes(), f"{SHIPPED}{kind}/{name}") if file.is_file() else None
