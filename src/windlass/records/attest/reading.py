"""Reads a record that is to be shown to others: it is verified first, and what is told ends where the verification did."""

from __future__ import annotations

import hashlib
from pathlib import Path

from windlass.errors import GivenUp, Refused, UnusableRecord
from windlass.infra import chain
from windlass.records import artifacts, layout, state, verify
from windlass.records.attest import told
from windlass.records.attest.told import Story
from windlass.records.report import Report


def record_of(path: Path) -> Path:
    """The record's directory of a run's directory, or of itself; raises UnusableRecord for anything else."""
    for record in (path / layout.RECORD, path):
        if (record / layout.JOURNAL).is_file():
            return record
    if any((record / layout.RUN).is_file() for record in (path / layout.RECORD, path)):
        raise UnusableRecord(f"{path}: has no {layout.JOURNAL}; a record of the original runner kept none, and nothing vouches for it")
    if path.is_file() and _is_bundle(path):
        raise UnusableRecord(f"{path}: is a bundle; `tar xf` unpacks the run's directory, and `windlass verify` checks a bundle as it is")
    raise UnusableRecord(f"{path}: holds no record ({layout.JOURNAL})")


def check_outside(record: Path, out: Path | None, option: str) -> None:
    """Raise Refused for a place in the record itself, where whatever is written is damage."""
    if out is not None and out.absolute().parent.resolve().is_relative_to(record.resolve()):
        raise Refused(f"{option} {out}: lies in the record, which holds only what its journal tells of")


def _is_bundle(path: Path) -> bool:
    from windlass.records.attest import bundle  # noqa: PLC0415  # tarfile is slow to import

    return bundle.is_bundle(path)


def read(path: Path, head: str | None = None) -> Story:
    """The story of the run at `path`.

    Raises UnusableRecord where there is no record with a journal, and GivenUp when the record is damaged: what does not hold is not
    dressed up in a standard format.
    """
    record = record_of(path)
    report = verify.verify(path, head)
    if report.problems:
        raise GivenUp(f"{path}: the record is damaged ({report.problems[0]}); nothing is told of it, `windlass verify` says more")
    return tell(record, report)


def tell(record: Path, report: Report) -> Story:
    """The story up to the entry that `report` ends at, which the journal may have outgrown since."""
    content = artifacts.content(record, layout.JOURNAL)
    entries = chain.scan(content).entries[: report.entries]
    run = state.fold(entries)
    if run is None or run.head != report.head:
        raise UnusableRecord(f"{record / layout.JOURNAL}: changed while it was read")
    return told.tell(run, verdict=report.verdict, journal_sha256=hashlib.sha256(content[: entries[-1].end]).hexdigest(), entries=len(entries))
