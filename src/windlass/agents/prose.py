"""The sentences of a text without the headings that stand before them: `Methods` on a line of its own is no part of what follows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from windlass.agents import text
from windlass.agents.text import Span

_HEADING = re.compile(
    r"[ \t]*(?:\#{1,6}[ \t][^\n]{0,200}|[*_\d. \t]{0,10}(?:abstract|summary|introduction|background|rationale|aims?|objectives?|hypothesis|methods?"
    r"|materials and methods|patients and methods|study design|trial design|design|setting|participants|patients|interventions?|outcomes?"
    r"|outcome measures|measures|measurements|statistical analys[ie]s|statistics|results|main results|findings|main findings|discussion"
    r"|interpretation|limitations|strengths and limitations|conclusions?|implications|funding|registration|trial registration|ethics)[*_: \t]{0,10})"
    r"(?:(?:\r?\n)+\s*|\Z)",
    re.IGNORECASE,
)
"""A line that is a Markdown heading or one of the headings that papers have; any other short line may be the first of a sentence."""


def sentences(passage: str) -> Iterator[Span]:
    """The sentences, verbatim, each from behind the headings before it; a heading alone is none."""
    for span in text.sentences(passage):
        start = span.start
        while heading := _HEADING.match(passage, start, span.end):
            start = heading.end()
        if start < span.end:
            yield span if start == span.start else Span(text=passage[start : span.end], start=start, end=span.end)
