"""Where a paper says what kind of study it is: the kind by the rules of `eligibility`, and the words that say so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from windlass.agents import eligibility
from windlass.agents.extraction_rows import Design, FieldName, Place
from windlass.agents.papers import Paper
from windlass.model import clip

_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "study protocol": r"(?:study |trial )?protocols?",
        "meta-analysis": r"meta-? ?analy(?:sis|ses|tic)",
        "systematic review": r"systematic (?:literature )?reviews?",
        "scoping review": r"scoping reviews?",
        "non-randomized trial": r"non-? ?randomi[sz]ed|quasi-experimental",
        "randomized controlled trial": (
            r"RCTs?|(?:cluster-)?randomi[sz]ed(?: controlled| clinical)? trials?|randomi[sz]ed controlled|randomly (?:assigned|allocated)|"
            r"randomi[sz]ed to|cluster-randomi[sz]ed|placebo-controlled trials?"
        ),
        "case-control study": r"case-control(?: stud(?:y|ies))?",
        "cross-sectional study": r"cross-sectional(?: stud(?:y|ies)| survey)?",
        "cohort study": r"cohorts?(?: stud(?:y|ies))?|(?:longitudinal|prospective|retrospective|follow-up) stud(?:y|ies)",
        "case report": r"case (?:reports?|series)",
        "qualitative study": r"qualitative(?: study)?|focus groups|semi-structured interviews",
        "animal study": r"in (?:mice|rats)|(?:mouse|rat|animal) models?|animal stud(?:y|ies)",
        "in vitro study": r"in vitro",
        "clinical trial": r"(?:clinical|controlled|single-arm|open-label) trials?",
        "observational study": r"observational(?: stud(?:y|ies))?|registry stud(?:y|ies)",
        "guideline": r"guidelines?|consensus statement",
        "editorial": r"editorial|commentary|letter to the editor",
        "narrative review": r"(?:narrative |literature )?reviews?",
    }
)
_PATTERNS = {kind: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for kind, words in _WORDS.items()}


def read(paper: Paper) -> Design:
    """The paper's design; `place` is null where nothing says it, or where the words that say it could not be pinned to one place."""
    kind = eligibility.study_type(paper)
    name = clip(kind.names[0], 100) if kind.names and kind.names[0] else "unknown"
    field, text = _told(paper, kind.source)
    if field is None or not text:
        return Design(kind=name, source=kind.source, place=None)
    if kind.source == "record":
        return Design(kind=name, source="record", place=Place(field=field, start=0, end=len(text), quote=text))
    found = _PATTERNS[name].search(text) if name in _PATTERNS else None
    place = Place(field=field, start=found.start(), end=found.end(), quote=found.group()) if found else None
    return Design(kind=name, source=kind.source, place=place)


def _told(paper: Paper, source: str) -> tuple[FieldName | None, str | None]:
    if source == "record":
        return "study_type", paper.study_type
    if source == "title":
        return "title", paper.title
    return ("abstract", paper.abstract) if source == "abstract" else (None, None)
