"""A record as one file that checks itself: a tar of the record and a program of the standard library that verifies it offline.

The same record gives the same bytes, whenever and wherever it is bundled. A bundle is read back strictly: regular files and
directories of one run, nothing that leads elsewhere, no more than fits.
"""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import IO, cast

from windlass.errors import Refused, UnusableRecord
from windlass.records import artifacts, evidence, layout, locks

VERIFIER = "verify_record.py"
STATEMENT = "statement.json"
"""The in-toto statement beside the record, in its envelope or bare."""
MOST_FILES = 100_000
MOST_BYTES = 4 * 1024**3
MOST_AT_ONCE = 1024 * 1024
"""Bytes of a header; what `write` writes has some hundred."""
_BESIDE = {VERIFIER, STATEMENT}
_GZIP = b"\x1f\x8b"
_TAR_MAGIC, _TAR_AT = b"ustar", 257
_MODE = 0o644


def write(record: Path, run_id: str, out: IO[bytes], *, compressed: bool = False, beside: Mapping[str, bytes] | None = None) -> None:
    """Write the bundle of a verified record to `out`; `beside`: other files that lie next to `record/`, by name.

    Raises Refused for a record with a file that no bundle carries: a link, a device, a name that is no text.
    """
    every = {VERIFIER: resources.files(__package__).joinpath(VERIFIER).read_bytes(), **(beside or {})}
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=0) if compressed else nullcontext(out) as target,
        tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT) as tar,
        locks.shared(record),
    ):
        for name in sorted(every):
            _add(tar, f"{run_id}/{name}", io.BytesIO(every[name]), len(every[name]))
        for path in sorted(evidence.walk(record)):
            _add_from(tar, record, path, f"{run_id}/{layout.RECORD}/{path}")


def is_bundle(path: Path) -> bool:
    """Whether a file looks like a bundle; a chained log never does."""
    try:
        with path.open("rb") as file:
            head = file.read(_TAR_AT + len(_TAR_MAGIC))
    except OSError:
        return False
    return head.startswith(_GZIP) or head[_TAR_AT:] == _TAR_MAGIC


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """The run's directory in a bundle, unpacked for as long as it is looked at; raises UnusableRecord for what is no bundle of one run."""
    with tempfile.TemporaryDirectory(prefix="windlass-bundle-") as unpacked:
        try:
            with _bytes_of(path) as content, tarfile.open(fileobj=_Bounded(content), mode="r:") as tar:
                run_id = _unpack(tar, Path(unpacked))
        except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError) as failure:
            raise UnusableRecord(f"{path}: can't be read as a bundle: {failure}") from failure
        except Refused as refusal:
            raise UnusableRecord(f"{path}: {refusal}") from refusal
        yield Path(unpacked) / run_id


def has_our_verifier(directory: Path) -> bool:
    """Whether the program in an unpacked bundle is the one of this Windlass; nobody should run another one unread."""
    program = directory / VERIFIER
    return program.is_file() and program.read_bytes() == resources.files(__package__).joinpath(VERIFIER).read_bytes()


def _bytes_of(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        compressed = file.read(len(_GZIP)) == _GZIP
    return cast("IO[bytes]", gzip.open(path, "rb")) if compressed else path.open("rb")


class _Bounded(io.RawIOBase):
    """A stream of which nobody takes much at once: tarfile reads a whole header into memory, as long as it says to be. Lives as long as its tar."""

    def __init__(self, content: IO[bytes]) -> None:
        super().__init__()
        self._content = content

    def read(self, size: int = -1, /) -> bytes:
        if not 0 <= size <= MOST_AT_ONCE:
            raise Refused(f"has a header of more than {MOST_AT_ONCE} bytes")
        return self._content.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._content.seek(offset, whence)

    def tell(self) -> int:
        return self._content.tell()


def _unpack(tar: tarfile.TarFile, into: Path) -> str:
    """Write what a tar holds below `into`, and return the one run id that it is of. Nothing of a member but its name and bytes is taken over."""
    run_ids: set[str] = set()
    seen: set[str] = set()
    total = 0
    for number, member in enumerate(tar):
        if number == MOST_FILES:
            raise Refused(f"holds more than {MOST_FILES} files")
        name = _checked(member)
        run_ids.add(name.parts[0])
        if len(run_ids) > 1:
            raise Refused("holds more than one run")
        if member.isdir():
            continue
        if str(name) in seen:
            raise Refused(f"{name}: is in it twice")
        seen.add(str(name))
        total += member.size
        if total > MOST_BYTES:
            raise Refused(f"holds more than {MOST_BYTES} bytes")
        place = into / name
        place.parent.mkdir(parents=True, exist_ok=True)
        content = tar.extractfile(member)
        with place.open("xb") as file:
            if content is not None:
                shutil.copyfileobj(content, file)
        if place.stat().st_size != member.size:
            raise Refused(f"{name}: is cut short")
    if not run_ids or not any(PurePosixPath(name).parts[1] == layout.RECORD for name in seen):
        raise Refused("holds no record")
    return run_ids.pop()


def _checked(member: tarfile.TarInfo) -> PurePosixPath:
    """A member's name, if it is one that `write` may have written; `/`, `..`, links and devices are not."""
    shown = member.name[:200].encode("utf-8", "backslashreplace").decode()
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise Refused(f"{shown}: is neither a plain file nor a directory")
    parts = member.name.rstrip("/").split("/") if member.isdir() else member.name.split("/")
    if "\0" in member.name or "\\" in member.name or any(part in ("", ".", "..") for part in parts):
        raise Refused(f"{shown}: leads out of the bundle")
    if not layout.RUN_ID.fullmatch(parts[0]):
        raise Refused(f"{shown}: does not lie in the directory of a run")
    if len(parts) > 1 and parts[1] != layout.RECORD and not (len(parts) == 2 and member.isreg() and parts[1] in _BESIDE):
        raise Refused(f"{shown}: belongs to no bundle")
    if member.isreg() and (len(parts) < 2 or (len(parts) == 2 and parts[1] == layout.RECORD)):
        raise Refused(f"{shown}: is a file in the place of a directory")
    return PurePosixPath(*parts)


def _add_from(tar: tarfile.TarFile, record: Path, path: str, name: str) -> None:
    try:
        path.encode("utf-8")
        with artifacts.opened(record, path) as descriptor, open(descriptor, "rb", closefd=False) as stream:
            stream.seek(0, io.SEEK_END)
            size = stream.tell()
            stream.seek(0)
            _add(tar, name, stream, size)
    except (UnicodeEncodeError, FileNotFoundError) as failure:
        raise Refused(f"{path!r}: can't be bundled: {failure}") from failure


def _add(tar: tarfile.TarFile, name: str, content: IO[bytes], size: int) -> None:
    """Owner, mode and time of what is bundled are its maker's business: they are the same for every file."""
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, _MODE, 0
    tar.addfile(member, content)
