"""Which reporting standard a report calls for, by the words of its design: in the title first, else by how often they stand in the text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from windlass.agents.text import Span

Standard = Literal["CONSORT", "PRISMA", "STROBE"]

_DESIGNS: tuple[tuple[Standard, re.Pattern[str]], ...] = (
    ("PRISMA", re.compile(r"\b(?:systematic (?:literature )?review|meta-?analys[ie]s)\b", re.IGNORECASE)),
    ("CONSORT", re.compile(r"\b(?:randomi[sz]ed|randomi[sz]ation|randomly (?:assigned|allocated)|rct)\b", re.IGNORECASE)),
    (
        "STROBE",
        re.compile(
            r"\b(?:cohort|case-control|cross-sectional|observational|registry-based|longitudinal) (?:study|studies|analysis|design|survey)\b",
            re.IGNORECASE,
        ),
    ),
)
"""In the order in which they count within one title: a review of randomised trials is a review."""
_FILLED = re.compile(r"\S[^\n]{0,500}")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A standard and the words that call for it. Lives as long as the run."""

    standard: Standard
    reason: str
    evidence: Span


def choose(report: str) -> Choice | None:
    """The standard that the report's own words call for; None where no word names a design."""
    title = _FILLED.search(report)
    if title is None:
        return None
    for standard, pattern in _DESIGNS:
        match = pattern.search(report, title.start(), title.end())
        if match:
            return Choice(standard=standard, reason="the title names the design", evidence=_span(match))
    found = [(standard, list(pattern.finditer(report))) for standard, pattern in _DESIGNS]
    standard, matches = max(found, key=lambda entry: len(entry[1]))
    if not matches:
        return None
    return Choice(standard=standard, reason=f"the text names the design most often ({len(matches)} times)", evidence=_span(matches[0]))


def _span(match: re.Match[str]) -> Span:
    return Span(text=match.group(), start=match.start(), end=match.end())
