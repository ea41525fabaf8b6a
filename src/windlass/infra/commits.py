"""What a git repository holds of a file over its history, and refs of our own in it. Plumbing only.

No filter, hook, pager, replacement ref or network has a part in it, no program that the repository's configuration names, and no
variable that names another repository.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from windlass.errors import Refused, Unavailable

TIMEOUT_S = 60
_OBJECT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_STILL = {"GIT_NO_REPLACE_OBJECTS": "1", "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
_NO_NETWORK = {"GIT_ALLOW_PROTOCOL": "none"}
"""A git older than 2.45 knows no GIT_NO_LAZY_FETCH, and would ask the remote of a partial clone for what is missing."""
_NO_PROGRAM = ("--no-pager", "-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false")
"""`update-ref` runs the hook reference-transaction otherwise."""
_NAMES, _ADDRESSES = ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), ("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL")
_WHO = dict.fromkeys(_NAMES, "windlass") | dict.fromkeys(_ADDRESSES, "windlass@localhost")
"""A commit of ours needs no identity to be configured, and says nothing about a person."""


def in_repository(directory: Path) -> bool:
    """Whether a directory lies in a working tree of git: told by what lies there, so that no process is started where there is none."""
    here = directory.resolve()
    return any((above / ".git").exists() for above in (here, *here.parents))


def doubt(directory: Path) -> str | None:
    """Why what git says of this directory is not the whole truth: it refuses the repository, or has only the end of its history."""
    done = _done(directory, ("rev-parse", "--is-shallow-repository"), b"")
    if done.returncode:
        reason = done.stderr.decode("utf-8", "replace").strip().splitlines()
        return f"git does not read this repository, so nothing in it is an anchor: {reason[0] if reason else 'it said nothing'}"
    if done.stdout.strip() == b"true":
        return "the repository is a shallow clone: what older commits have of the record was not compared (`git fetch --unshallow` brings them)"
    return None


def versions(directory: Path, name: str) -> list[tuple[str, bytes]]:
    """Each content that the file `name` of a directory had in a commit that HEAD descends from, with one such commit; newest first."""
    commits = _lines(directory, "rev-list", "--full-history", "HEAD", "--", name)
    return list(_contents(directory, [(commit, f"{commit}:./{name}") for commit in commits]))


def kept(directory: Path, ref: str, name: str) -> list[tuple[str, bytes]]:
    """Each content that the file `name` had in the commits of a ref of ours; newest first."""
    commits = _lines(directory, "rev-list", ref, "--") if _run(directory, "rev-parse", "--verify", "--quiet", ref) else []
    return list(_contents(directory, [(commit, f"{commit}:{name}") for commit in commits]))


def keep(directory: Path, ref: str, name: str, content: bytes, message: str) -> str:
    """Add a commit to a ref of ours that holds the one file `name`, and return its id; raises Refused where git does not take it.

    Nothing of the working tree, the index or a branch is touched. Two writers at once: one is refused.
    """
    before = (_run(directory, "rev-parse", "--verify", "--quiet", ref) or b"").decode().strip()
    blob = _asked(directory, "hash-object", "-w", "--stdin", given=content)
    tree = _asked(directory, "mktree", given=f"100644 blob {blob}\t{name}\n".encode())
    commit = _asked(directory, "commit-tree", tree, *(("-p", before) if before else ()), "-m", message)
    _asked(directory, "update-ref", "-m", message, ref, commit, before or "0" * len(commit), answer=False)
    return commit


def _contents(directory: Path, wanted: Sequence[tuple[str, str]]) -> Iterator[tuple[str, bytes]]:
    """The distinct contents of these objects, the first that names each; what is missing in a commit is no content."""
    asked = "".join(f"{name}\n" for _, name in wanted).encode()
    found = (_run(directory, "cat-file", "--batch-check", given=asked) or b"").decode().splitlines() if wanted else []
    blobs: dict[str, str] = {}
    for (commit, _), line in zip(wanted, found, strict=False):
        blob, _, kind = line.partition(" ")
        if _OBJECT.fullmatch(blob) and kind.startswith("blob "):
            blobs.setdefault(blob, commit)
    for blob, commit in blobs.items():
        content = _run(directory, "cat-file", "blob", blob)
        if content is not None:
            yield commit, content


def _lines(directory: Path, *order: str) -> list[str]:
    return [line for line in (_run(directory, *order) or b"").decode("ascii", "replace").split("\n") if _OBJECT.fullmatch(line)]


def _asked(directory: Path, *order: str, given: bytes = b"", answer: bool = True) -> str:
    done = _done(directory, order, given)
    said = done.stdout.decode("ascii", "replace").strip()
    if done.returncode or (answer and not _OBJECT.fullmatch(said)):
        reason = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise Refused(f"{directory}: git {order[0]} did not take it: {reason[-1] if reason else 'it said nothing'}")
    return said


def _run(directory: Path, *order: str, given: bytes = b"") -> bytes | None:
    done = _done(directory, order, given)
    return done.stdout if done.returncode == 0 else None


def _done(directory: Path, order: Sequence[str], given: bytes) -> subprocess.CompletedProcess[bytes]:
    own = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        return subprocess.run(
            ["git", *_NO_PROGRAM, "-C", str(directory), *order],
            input=given,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            env=own | _STILL | _NO_NETWORK | _WHO,
        )
    except FileNotFoundError as failure:
        raise Unavailable("git is not installed, so what was committed can't be told") from failure
    except (OSError, subprocess.TimeoutExpired) as failure:
        raise Unavailable(f"{directory}: git did not answer: {failure}") from failure
