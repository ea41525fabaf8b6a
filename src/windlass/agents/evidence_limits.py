"""Limitations of a synthesis that its own data show; nothing general, each counted or named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from windlass.agents import pooling
from windlass.agents.evidence_rating import Assessment
from windlass.agents.extraction_rows import Row

Code = Literal[
    "NO_EVIDENCE",
    "LEFT_OUT",
    "NO_ABSTRACT",
    "UNREAD",
    "OFF_QUESTION",
    "SINGLE_STUDY",
    "OUTCOME_NOT_STATED",
    "NOT_POOLED",
    "HETEROGENEITY",
    "PARTICIPANTS_UNKNOWN",
    "LOPSIDED_INTERVAL",
    "NOT_JUDGED",
    "ABSTRACTS_ONLY",
]
_LOPSIDED = 0.05
"""On the scale of pooling: the estimate's distance from the middle of its interval, beyond rounding, that is worth a second look."""


@dataclass(frozen=True, kw_only=True)
class Limitation:
    """One limitation; `rows` are the positions of the papers that it is about, empty for all. Lives as long as the run."""

    code: Code
    text: str
    rows: tuple[int, ...] = ()


def of(rows: Sequence[Row], assessments: Sequence[Assessment], left_out: Mapping[int, str], shared: Sequence[Sequence[str]]) -> list[Limitation]:
    """What the data say against the synthesis; `shared` are the words that each paper shares with the question."""
    return [*_papers(rows, left_out, shared), *(limit for assessed in assessments for limit in _body(assessed)), *_reading(assessments)]


def _papers(rows: Sequence[Row], left_out: Mapping[int, str], shared: Sequence[Sequence[str]]) -> list[Limitation]:
    no_text = tuple(row.position for row in rows if not row.has_text)
    odd = tuple(row.position for row in rows if row.unread)
    off = tuple(position for position, words in enumerate(shared) if not words)
    pieces = sum(len(row.unread) for row in rows)
    found = [
        Limitation(code="LEFT_OUT", rows=tuple(left_out), text=f"{len(left_out)} of {len(rows)} papers are in no body of evidence"),
        Limitation(code="NO_ABSTRACT", rows=no_text, text=f"{len(no_text)} of {len(rows)} papers have no abstract to read"),
        Limitation(code="UNREAD", rows=odd, text=f"{pieces} pieces of text look like findings and have no single reading"),
        Limitation(code="OFF_QUESTION", rows=off, text=f"{len(off)} of {len(rows)} papers share no word with the question"),
    ]
    return [limit for limit in found if limit.rows]


def _body(assessed: Assessment) -> list[Limitation]:
    body, pooled = assessed.body, assessed.pooled
    topic = f"{body.measure} for {body.endpoint or 'an outcome that is not stated'} ({body.stream})"
    found: list[Limitation] = []
    if len(body.members) == 1:
        found.append(Limitation(code="SINGLE_STUDY", rows=body.members, text=f"{topic} rests on one study"))
    if not body.endpoint:
        found.append(Limitation(code="OUTCOME_NOT_STATED", rows=body.members, text=f"{topic}: these studies may have measured different outcomes"))
    if len(body.members) > 1 and assessed.not_pooled:
        rows = tuple(assessed.not_pooled)
        found.append(Limitation(code="NOT_POOLED", rows=rows, text=f"{topic}: {len(rows)} of {len(body.members)} studies could not be pooled"))
    if pooled and pooled.i_squared >= 50:
        told = f"{topic}: I² is {pooled.i_squared:.1f}%, and a fixed effect assumes that the studies estimate one value"
        found.append(Limitation(code="HETEROGENEITY", rows=assessed.pooled_members, text=told))
    if assessed.participants is None:
        told = f"{topic}: a study does not state one number of participants, so whether there are enough is not judged"
        found.append(Limitation(code="PARTICIPANTS_UNKNOWN", rows=body.members, text=told))
    lopsided = tuple(
        position
        for position, effect in zip(body.members, body.effects, strict=True)
        if not pooling.unusable(effect) and pooling.asymmetry(effect) > _LOPSIDED * _scale(assessed)
    )
    if lopsided:
        told = f"{topic}: an estimate does not lie in the middle of its interval; read it again in the paper"
        found.append(Limitation(code="LOPSIDED_INTERVAL", rows=lopsided, text=told))
    return found


def _scale(assessed: Assessment) -> float:
    """One for ratios, whose logarithms are comparable; the widest interval's standard error for differences, which have units."""
    if pooling.no_effect(assessed.body.measure) == 1:
        return 1.0
    return max(pooling.standard_error(effect) for effect in assessed.body.effects if not pooling.unusable(effect))


def _reading(assessments: Sequence[Assessment]) -> list[Limitation]:
    if not assessments:
        return [Limitation(code="NO_EVIDENCE", text="no body of evidence: no primary study reports a named effect estimate that could be read")]
    open_domains = sorted({domain for assessed in assessments for domain in assessed.rating.not_judged})
    judged = [Limitation(code="NOT_JUDGED", text=f"nobody judged: {', '.join(domain.replace('_', ' ') for domain in open_domains)}")]
    return [*(judged if open_domains else []), Limitation(code="ABSTRACTS_ONLY", text="what was read is what the abstracts state")]
