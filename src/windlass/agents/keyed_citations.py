"""Citations by key in a manuscript (`[@roe2020; @doe2021]`), and the place where a reference list can be put."""

from __future__ import annotations

import re
from collections.abc import Sequence

from windlass.agents import manuscript
from windlass.agents.agent import Context
from windlass.errors import AgentError

MOST = 20_000
"""Citations of one manuscript that are read."""

KEYED = re.compile(r"\[@([^\s\[\];,@]{1,200}(?:[ ]{0,3};[ ]{0,3}@[^\s\[\];,@]{1,200}){0,60})\]")


def groups(source: str, context: Context) -> list[tuple[int, int, tuple[str, ...]]]:
    """Start, end and keys of every citation by key; refuses more than MOST."""
    found = []
    for match in KEYED.finditer(source):
        context.check()
        found.append((match.start(), match.end(), tuple(piece.strip(" @") for piece in match.group(1).split(";"))))
        if len(found) > MOST:
            message = f"holds more than {MOST} citations by key"
            raise AgentError("VALIDATION_ERROR", f"manuscript_text: {message}", {"fieldErrors": {"manuscript_text": [message]}})
    return found


def reference_list(read: manuscript.Manuscript, entries: Sequence[str]) -> list[tuple[str, int, int, int, str]]:
    """The change that puts the list where none stands: below an empty heading for it, else at the end; no change where there is a list."""
    if manuscript.references(read):
        return []
    wording = "\n".join(entries)
    empty = next(read.parts("references"), None)
    if empty is not None:
        return [("reference_list", empty.line, empty.start, empty.start, f"\n{wording}\n")]
    markdown = any(read.line(section.line).text.lstrip().startswith("#") for section in read.sections)
    end = len(read.text)
    return [("reference_list", len(read.starts), end, end, f"\n\n{'## ' if markdown else ''}References\n\n{wording}\n")]
