"""How a run id or a path leads to a run."""

from __future__ import annotations

import os
from pathlib import Path

from windlass.errors import Refused


def near(path: Path) -> Path:
    """The path as a person would type it from here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def found(where: str) -> Path:
    """The path itself where it exists, or the directory of the run with this id; raises Refused that lists where it was looked for."""
    if not where:
        raise Refused("the run or file to look at is empty")
    if _is_there(Path(where)):
        return Path(where)
    from windlass import model, settings

    state = Path(settings.Settings.load(Path.cwd()).required(settings.STATE_DIR))
    candidates = [state / "prove" / where, state / "pipelines" / where, Path("orchestration/runs") / where] if os.sep not in where else []
    for directory in candidates:
        if _is_there(directory):
            return directory
    looked = ", ".join(model.clip(str(path), 200) for path in (Path(where), *candidates))
    raise Refused(f"{model.clip(where, 200)!r}: there is no such run or file; looked for {looked}")


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that no file can have
        return False
