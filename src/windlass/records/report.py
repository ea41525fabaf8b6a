"""What a verification found, as values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["intact", "intact, unanchored", "damaged"]
SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was found: the file (relative to what was verified), its byte range and JSON pointer where they are known, and what."""

    file: str
    reason: str
    start: int | None = None
    end: int | None = None
    pointer: str | None = None

    def __str__(self) -> str:
        """`RUN.json bytes 120 to 126 at /status: is "PASSED", the journal says "FAILED"`, for one line of output."""
        place = "" if self.start is None else f" bytes {self.start} to {self.end}"
        return f"{self.file}{place}: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class Report:
    """The outcome of one verification. Problems are damage; warnings are what an honest kill or an unfinished run leaves."""

    path: str
    anchored: bool
    problems: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    entries: int
    head: str
    """The hash of the newest sound entry: what to keep elsewhere, to verify against later."""
    artifacts_checked: int = 0
    artifacts_outside: int = 0
    """Recorded files that lie outside the record, which it can't carry."""
    bodies_checked: int = 0
    bodies_not_carried: int = 0
    """Response bodies whose hashes the record keeps and whose bytes are not here."""
    signed_by: tuple[str, ...] = ()
    """Who of the known keys signed the statement of a bundle."""
    anchored_by: tuple[str, ...] = ()
    """What vouches for the chain from outside of it, and how far."""

    @property
    def verdict(self) -> Verdict:
        """Damaged as soon as there is one problem; without an anchor a whole rewrite or a cut end would not show, and the word says so."""
        if self.problems:
            return "damaged"
        return "intact" if self.anchored else "intact, unanchored"

    def as_json(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        fields = asdict(self)
        fields["problems"] = list(fields["problems"])
        fields["warnings"] = list(fields["warnings"])
        fields["signed_by"] = list(fields["signed_by"])
        fields["anchored_by"] = list(fields["anchored_by"])
        return {"schema_version": SCHEMA_VERSION, "verdict": self.verdict, **fields}
