"""Changes to a text that can be told and taken back: each says what stood where, and what stands there now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from windlass.agents.agent import Item


class Edit(Item):
    """One change: `before` stood at `start:end` of the text as given, `after` stands at `at` of the changed text."""

    rule: str
    line: int
    start: int
    end: int
    before: str
    after: str
    at: int


def applied(text: str, changes: Iterable[tuple[str, int, int, int, str]]) -> tuple[str, list[Edit]]:
    """The changed text and its edits; a change is (rule, line, start, end, after). Raises ValueError where two overlap."""
    pieces: list[str] = []
    edits: list[Edit] = []
    place = length = 0
    for rule, line, start, end, after in sorted(changes, key=lambda change: change[2:4]):
        if start < place:
            raise ValueError(f"two changes overlap at character {start}")
        pieces += [text[place:start], after]
        length += start - place
        edits.append(Edit(rule=rule, line=line, start=start, end=end, before=text[start:end], after=after, at=length))
        length += len(after)
        place = end
    pieces.append(text[place:])
    return "".join(pieces), edits


def undone(changed: str, edits: Sequence[Edit]) -> str:
    """The text as it was given; raises ValueError where the changed text is not what the edits say."""
    pieces: list[str] = []
    place = 0
    for edit in sorted(edits, key=lambda one: one.at):
        if changed[edit.at : edit.at + len(edit.after)] != edit.after:
            raise ValueError(f"the text at character {edit.at} is not what the edit put there")
        pieces += [changed[place : edit.at], edit.before]
        place = edit.at + len(edit.after)
    return "".join([*pieces, changed[place:]])
