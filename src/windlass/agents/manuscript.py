"""Reads a manuscript's plain text or Markdown: its sections, lines, sentences, captions and reference list, each with its place.

A heading is a Markdown heading, or a line that holds nothing but a name that sections have (`2. Methods`, `**Results**`, `REFERENCES:`).
A heading below another one belongs to it, so a structured abstract stays one abstract.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from windlass.agents.text import Span

MOST = 1_000_000
"""Characters of a manuscript that are read: some hundred and fifty thousand words."""
MOST_SECTIONS = 10_000
"""Headings that are read; a line after them is text."""

_NAMES = {
    "abstract": "abstract|summary|structured abstract",
    "keywords": "keywords|key words",
    "introduction": "introduction|background|background and objectives|introduction and background",
    "methods": "methods|method|methodology|materials and methods|patients and methods|subjects and methods|participants and methods|aims",
    "results": "results|findings|application|simulation",
    "case": "case presentation|case report|case description",
    "discussion": "discussion|results and discussion|comment",
    "conclusion": "conclusion|conclusions|implications",
    "limitations": "limitations|strengths and limitations|study limitations",
    "references": "references|bibliography|literature cited|works cited|reference list",
    "ethics": "ethics|ethics approval|ethical approval|ethics statement|ethics approval and consent to participate|ethical considerations",
    "funding": "funding|funding statement|financial support|sources of funding",
    "registration": "registration|trial registration|protocol registration|registration and protocol",
    "data": "data availability|data availability statement|availability of data and materials|data sharing|data sharing statement",
    "interests": "competing interests|conflict of interest|conflicts of interest|declaration of interests|declaration of interest|disclosures",
    "thanks": "acknowledgements|acknowledgments|author contributions|authors' contributions|contributors",
    "appendix": "appendix|appendices|supplementary material|supplementary materials|figure legends|tables|figures",
}
KINDS = {name: kind for kind, names in _NAMES.items() for name in names.split("|")}
MAIN = frozenset({"introduction", "methods", "results", "case", "discussion", "conclusion", "limitations", "other"})
"""The kinds of section that are the manuscript's own text."""

_LINE = re.compile(r"[^\n]*")
_MARKDOWN = re.compile(r"[ ]{0,3}(#{1,6})[ \t]+(\S.*)")
_MARKS = re.compile(r"^[ ]{0,3}#{1,6}[ \t]+", re.MULTILINE)
_NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,3})\.?[ \t]+")
_INLINE = re.compile(r"[ \t*_]{0,4}(abstract|summary|keywords|key words)[ \t*_]{0,4}:[ \t*_]{0,4}(?=\S)", re.IGNORECASE)
_LONGEST_HEADING = 80
_END = re.compile(r"[.!?][\"'”’)\]]{0,3}(?=\s+[\"'“‘(\[]?[A-ZÀ-ÞА-Я0-9])")
_ABBREVIATION = re.compile(r"(?:\b(?:al|vs|Fig|Figs|Dr|Prof|cf|e\.g|i\.e|approx|No|Eq|Ref|Refs|St)|\b[A-Z])\.$")
_CAPTION = re.compile(r"[ \t*_>]{0,6}(fig(?:ure|\.)?|table)[ \t]{1,3}(S?\d{1,4})\b", re.IGNORECASE)
_ENTRY = re.compile(r"[ \t]{0,8}(?:\[(\d{1,5})\]|(\d{1,5})[.)])[ \t]+(?=\S)")


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading and what stands below it up to the next heading: `text[start:end]`. Lives as long as the run."""

    kind: str
    title: str
    line: int
    start: int
    end: int
    level: int


@dataclass(frozen=True, kw_only=True)
class Caption:
    """A line that names a figure or a table: `number` as written. Lives as long as the run."""

    kind: str
    number: str
    line: int


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of the reference list: `number` is the printed one, None where the list has none. Lives as long as the run."""

    number: int | None
    span: Span
    line: int


@dataclass(frozen=True, kw_only=True)
class Manuscript:
    """A text and its sections in order. Lives as long as the run."""

    text: str
    sections: tuple[Section, ...]
    starts: tuple[int, ...]
    """Where each line begins."""

    def line_of(self, place: int) -> int:
        """The number of the line, from 1, that holds this character."""
        return bisect_right(self.starts, place)

    def line(self, number: int) -> Span:
        """A line without its end."""
        start = self.starts[number - 1]
        end = self.starts[number] - 1 if number < len(self.starts) else len(self.text)
        return Span(text=self.text[start:end].rstrip("\r"), start=start, end=start + len(self.text[start:end].rstrip("\r")))

    def parts(self, *kinds: str) -> Iterator[Section]:
        """The sections of these kinds, in order."""
        return (section for section in self.sections if section.kind in kinds)

    def wording(self, *kinds: str) -> str:
        """The text of the sections of these kinds, joined by blank lines."""
        return "\n\n".join(self.text[section.start : section.end] for section in self.parts(*kinds))


def read(text: str) -> Manuscript:
    """The sections of a text; what stands before the first heading is a section of the kind `front`, without headings `other`."""
    starts = tuple(match.start() for match in _LINE.finditer(text) if match.start() == 0 or text[match.start() - 1] == "\n")
    headings: list[Section] = []
    above: list[tuple[int, str]] = []
    for number, start in enumerate(starts, 1):
        end = starts[number] - 1 if number < len(starts) else len(text)
        found = _heading(text, start, end)
        if found is None:
            continue
        if len(headings) == MOST_SECTIONS:
            break
        level, title, content = found
        above = [(depth, kind) for depth, kind in above if depth < level]
        kind = _kind(title, [kind for _, kind in above], first=not headings and not text[:start].strip())
        above.append((level, kind))
        headings.append(Section(kind=kind, title=title, line=number, start=content, end=end, level=level))
    if not headings:
        return Manuscript(text=text, sections=(Section(kind="other", title="", line=1, start=0, end=len(text), level=1),), starts=starts)
    ends = [*(starts[section.line - 1] for section in headings[1:]), len(text)]
    front = starts[headings[0].line - 1]
    before = [Section(kind="front", title="", line=1, start=0, end=front, level=1)] if text[:front].strip() else []
    sections = [
        Section(kind=one.kind, title=one.title, line=one.line, start=min(one.start, end), end=end, level=one.level)
        for one, end in zip(headings, ends, strict=True)
    ]
    return Manuscript(text=text, sections=(*before, *_keyword_lines(text, sections)), starts=starts)


def sentences(manuscript: Manuscript, section: Section) -> Iterator[Span]:
    """The sentences of a section, verbatim; blank lines and table rows end one, a line's end does not."""
    for begin, end in _blocks(manuscript, section):
        start = begin
        for boundary in _END.finditer(manuscript.text, begin, end):
            if _ABBREVIATION.search(manuscript.text, max(start, boundary.end() - 12), boundary.end()):
                continue
            yield from _filled(manuscript.text, start, boundary.end())
            start = boundary.end()
        yield from _filled(manuscript.text, start, end)


def captions(manuscript: Manuscript) -> list[Caption]:
    """The captions of figures and tables, the first line of each number."""
    found: dict[tuple[str, str], Caption] = {}
    for number, start in enumerate(manuscript.starts, 1):
        match = _CAPTION.match(manuscript.text, start)
        if match and _captions(manuscript.text, match.end()):
            kind = "table" if match.group(1).lower() == "table" else "figure"
            found.setdefault((kind, match.group(2).upper()), Caption(kind=kind, number=match.group(2).upper(), line=number))
    return list(found.values())


def own_lines(manuscript: Manuscript) -> Iterator[Span]:
    """The lines of the manuscript's own text: neither headings, captions, table rows, front matter, abstract, references nor back matter."""
    for section in manuscript.parts(*MAIN):
        for _, line in _lines(manuscript, section):
            match = _CAPTION.match(line.text)
            if not line.text.lstrip().startswith("|") and not (match and _captions(line.text, match.end())):
                yield line


def references(manuscript: Manuscript) -> list[Entry]:
    """The entries of the reference list: numbered ones with the lines that follow, else paragraphs, else lines."""
    entries: list[Entry] = []
    for section in manuscript.parts("references"):
        lines = list(_lines(manuscript, section))
        numbered = any(_ENTRY.match(line.text) for _, line in lines)
        spaced = any(following != here + 1 for (here, _), (following, _) in pairwise(lines))
        opened: list[tuple[int | None, int, int, int]] = []
        last = -1
        for here, line in lines:
            match = _ENTRY.match(line.text)
            apart = match is not None if numbered else not spaced or here != last + 1
            last = here
            if apart:
                number = int(match.group(1) or match.group(2)) if match else None
                indent = match.end() if match else len(line.text) - len(line.text.lstrip(" \t-*•"))
                opened.append((number, here, line.start + indent, line.end))
            elif opened:
                opened[-1] = (*opened[-1][:3], line.end)
        entries += [
            Entry(number=number, line=line, span=Span(text=manuscript.text[start:end], start=start, end=end)) for number, line, start, end in opened
        ]
    return entries


def parted(text: str) -> str:
    """The text, as long as before, with line ends in place of heading marks, so that no sentence runs through a heading."""
    return _MARKS.sub(lambda mark: "\n" * len(mark.group()), text)


def _heading(text: str, start: int, end: int) -> tuple[int, str, int] | None:
    """Level, title and where the content begins, if this line is a heading."""
    if end - start < 3:
        return None
    if end - start > _LONGEST_HEADING:
        inline = _INLINE.match(text, start, end)
        return (2, inline.group(1), inline.end()) if inline else None
    line = text[start:end]
    markdown = _MARKDOWN.match(line)
    if markdown:
        return len(markdown.group(1)), _plain(markdown.group(2)), min(end + 1, len(text))
    inline = _INLINE.match(line)
    if inline:
        return 2, inline.group(1), start + inline.end()
    number = _NUMBERED.match(line.strip())
    if _plain(line).casefold() in KINDS:
        return 2 + (number.group(1).count(".") if number else 0), _plain(line), min(end + 1, len(text))
    return None


def _plain(wording: str) -> str:
    bare = wording.strip().strip("#*_ \t").rstrip(":").strip("*_ \t")
    return _NUMBERED.sub("", bare, count=1) if _NUMBERED.match(bare) else bare


def _kind(name: str, above: Sequence[str], *, first: bool) -> str:
    if "abstract" in above:
        return "abstract"
    known = KINDS.get(name.casefold())
    if known:
        return known
    inherited = [kind for kind in above if kind != "title"]
    return inherited[-1] if inherited else "title" if first else "other"


def _keyword_lines(text: str, sections: Sequence[Section]) -> Iterator[Section]:
    """`Keywords: a, b` is a section of one line: what follows belongs to nobody, and is front matter."""
    for section in sections:
        end = text.find("\n", section.start)
        if section.kind != "keywords" or not text[section.start : section.end].strip() or not 0 <= end < section.end:
            yield section
            continue
        filled = section.start + len(text[section.start : section.end]) - len(text[section.start : section.end].lstrip())
        end = text.find("\n", filled)
        end = section.end if end < 0 else min(end, section.end)
        yield Section(kind="keywords", title=section.title, line=section.line, start=section.start, end=end, level=section.level)
        if text[end : section.end].strip():
            yield Section(kind="front", title="", line=section.line + 1, start=end, end=section.end, level=section.level)


def _lines(manuscript: Manuscript, section: Section) -> Iterator[tuple[int, Span]]:
    """The lines of a section that are not empty, each with its number."""
    if section.start >= section.end:
        return
    text, starts = manuscript.text, manuscript.starts
    first, last = manuscript.line_of(section.start), manuscript.line_of(section.end - 1)
    for number in range(first, last + 1):
        start = max(starts[number - 1], section.start)
        end = min(starts[number] - 1, section.end) if number < len(starts) else section.end
        if end > start and not text[start:end].isspace():
            bare = text[start:end].rstrip("\r\n")
            yield number, Span(text=bare, start=start, end=start + len(bare))


def _blocks(manuscript: Manuscript, section: Section) -> Iterator[tuple[int, int]]:
    """Start and end of runs of lines that are neither empty nor rows of a table."""
    begin, end, last = -1, -1, -1
    for number, line in _lines(manuscript, section):
        row = line.text.lstrip().startswith("|")
        if begin >= 0 and (row or number != last + 1):
            yield begin, end
            begin = -1
        if not row:
            begin, end, last = line.start if begin < 0 else begin, line.end, number
    if begin >= 0:
        yield begin, end


def _filled(text: str, start: int, end: int) -> Iterator[Span]:
    piece = text[start:end]
    stripped = piece.strip()
    if stripped:
        begin = start + len(piece) - len(piece.lstrip())
        yield Span(text=stripped, start=begin, end=begin + len(stripped))


def _captions(text: str, place: int) -> bool:
    """Whether what follows a number makes the line a caption: a stop, a colon, a bar, a dash, or the line's end."""
    following = text[place : place + 4].lstrip(" \t*_")[:1]
    return following in {"", ".", ":", "|", "–", "—", "-", "\n", "\r"}
