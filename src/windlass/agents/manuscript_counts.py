"""Counts what a journal's rules bound: words, abstract words, references, figures, tables, keywords; and names the sections."""

from __future__ import annotations

from collections.abc import Sequence

from windlass.agents import guideline_rules, manuscript, text
from windlass.agents.csl import Reference


def measured(read: manuscript.Manuscript, references: Sequence[Reference] | None, style: str | None) -> guideline_rules.Manuscript:
    """What a manuscript has; null where it has no such part.

    Words are those of the own text (citations included; headings, captions, table rows, front and back matter, abstract and list not), figures and
    tables the numbers that captions have, references those handed in, else the list's entries.
    """
    captions = manuscript.captions(read)
    listed = manuscript.references(read)
    keywords = [word for piece in read.wording("keywords").splitlines() for word in piece.replace(";", ",").split(",") if word.strip(" .*_")]
    has = {section.kind for section in read.sections}
    return guideline_rules.Manuscript(
        words=sum(len(text.words(line.text)) for line in manuscript.own_lines(read)),
        abstract_words=len(text.words(read.wording("abstract"))) if "abstract" in has else None,
        references=len(references) if references is not None else len(listed) if "references" in has else None,
        figures=sum(caption.kind == "figure" for caption in captions),
        tables=sum(caption.kind == "table" for caption in captions),
        keywords=len(keywords) if "keywords" in has else None,
        reference_style=style,
        sections=list(dict.fromkeys(section.title[:300] for section in read.sections if section.title and section.kind != "title"))[:1000],
    )
