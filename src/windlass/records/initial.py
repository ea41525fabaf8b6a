"""What a new project begins with: a workflow, its contracts, and the files that tell git what a record is."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from importlib import resources

from windlass.errors import Refused
from windlass.infra.files import write_all
from windlass.records.projects import Project

GITIGNORE = "# Verbose output, prompts and temporary files of runs; their records are kept.\nruns/*/logs/\nruns/.*.tmp/\n"
GITATTRIBUTES = "# A record is verified byte by byte: no checkout may change a line's end.\nruns/*/record/** -text\n"


README = """# Gates

`contracts/<G>.contract.json` says what a gate must leave and what is checked on it. `windlass contract lint` checks the contracts.

```sh
windlass run visual-essay --slug my-topic --artifact-path essays/my-topic   # the whole workflow, a person at each gate
windlass run list                                                           # every run and how its gates stand
windlass verify RUN                                                         # does the record still say what was written?
```

Path variables: `{slug}` and `{artifact_path}`. A workflow may keep contracts of its own in `../workflows/<name>/contracts/`.
"""


@dataclass(frozen=True, kw_only=True)
class Written:
    """What was written and what was there already; paths relative to the root."""

    written: list[str]
    kept: list[str]


def write(project: Project) -> Written:
    """Write what is missing; nothing is overwritten, and no link is followed. Raises Refused where a directory can't be made."""
    done = Written(written=[], kept=[])
    for path, content in _files().items():
        place = project.orchestration / path
        shown = place.relative_to(project.root).as_posix()
        try:
            _make_parents(project, path)
            descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            done.kept.append(shown)
            continue
        except OSError as failure:
            raise Refused(f"{shown}: {failure.strerror}") from failure
        try:
            write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        done.written.append(shown)
    return done


def _files() -> dict[str, bytes]:
    shipped = resources.files("windlass.records") / "shipped"
    gates = ("G1", "G2", "G3")
    return {
        "workflows/visual-essay.json": (shipped / "workflows" / "visual-essay.json").read_bytes(),
        **{f"gates/contracts/{gate}.contract.json": (shipped / "contracts" / f"{gate}.contract.json").read_bytes() for gate in gates},
        "gates/README.md": README.encode(),
        ".gitignore": GITIGNORE.encode(),
        ".gitattributes": GITATTRIBUTES.encode(),
    }


def _make_parents(project: Project, path: str) -> None:
    held = project.root
    for part in ("orchestration", *path.split("/")[:-1]):
        held /= part
        if held.is_symlink():
            raise OSError(errno.ELOOP, "is a symbolic link, and none is followed")
        held.mkdir(exist_ok=True)
