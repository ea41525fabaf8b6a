"""Where sweeps leave their evidence, and how a run id, a sweep id or a path leads to it."""

from __future__ import annotations

import os
import secrets
import shlex
from datetime import datetime
from pathlib import Path
from typing import Any

from windlass import model
from windlass.errors import Refused, UnusableRecord
from windlass.infra import git, instants
from windlass.sweep import conduct, evidence
from windlass.sweep.plan import Terms

_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
EVIDENCE_IN_RUN = Path("record/evidence/sweep")


def new_id(now: datetime) -> str:
    """`sweep_20261120T221404512Z_k3f9x2m8qa1cz`: sortable, and unguessable by 67 bits."""
    return f"sweep_{instants.compact_ms(now)}_{''.join(secrets.choice(_ALPHABET) for _ in range(13))}"


def standalone(directory: Path, *, keep_bodies: bool) -> conduct.Place:
    """The place of a sweep that belongs to no run: bodies lie beside the evidence, and git ignores them unless they are kept."""
    bodies = directory / "bodies"
    try:
        bodies.mkdir(parents=True, exist_ok=True)
        if not keep_bodies:
            (bodies / ".gitignore").write_text("*\n")
    except OSError as failure:
        raise Refused(f"--out {directory}: can't be made: {failure.strerror}") from failure
    return conduct.Place(
        directory=directory,
        bodies=bodies,
        bodies_from_directory="bodies",
        show=f"windlass sweep show {shlex.quote(str(directory))}",
        git_commit=git.head_commit(Path.cwd()),
    )


def committed(directory: Path) -> tuple[str, str, Terms]:
    """The id, nonce and terms that a begun sweep committed to; raises UnusableRecord where none was begun."""
    expectation: Any = evidence.read_json(directory / evidence.EXPECTATION)
    try:
        terms = Terms(gate=expectation["gate"], mode=expectation["mode"], risk_tier=expectation["risk_tier"])
        return expectation["sweep_id"], expectation["nonce"], terms
    except (KeyError, TypeError) as failure:
        raise UnusableRecord(f"{directory / evidence.EXPECTATION}: is not the expectation of a sweep") from failure


def newest_unfinished(sweeps: Path) -> Path | None:
    """The newest sweep below a directory that was begun and never finished."""
    begun = sorted((path.parent for path in sweeps.glob(f"*/{evidence.EXPECTATION}")), reverse=True)
    return next((path for path in begun if not _finished(path)), None)


def _finished(directory: Path) -> bool:
    path = directory / evidence.SWEEP
    return path.exists() and not conduct.load(directory)["interrupted"]


def found(where: str, state: Path) -> Path:
    """The evidence directory that a path, a run id or a sweep id means; raises Refused that lists where it was looked for."""
    if not where:
        raise Refused("the sweep to look at is empty; give a run id, a sweep id or a directory")
    candidates = [Path(where), Path(where) / EVIDENCE_IN_RUN, Path(where) / "evidence/sweep"]
    if os.sep not in where:
        candidates += [state / "prove" / where / EVIDENCE_IN_RUN, state / "sweeps" / where, Path("orchestration/runs") / where / EVIDENCE_IN_RUN]
    for directory in candidates:
        try:
            there = (directory / evidence.EXPECTATION).is_file() or (directory / evidence.SWEEP).is_file()
        except (OSError, ValueError):  # a name that no file can have
            continue
        if there:
            return directory
    looked = ", ".join(model.clip(str(path), 200) for path in candidates)
    raise Refused(f"{model.clip(where, 200)}: no evidence of a sweep there; looked in {looked}")
