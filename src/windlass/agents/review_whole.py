"""The reviewers' rules that look at a manuscript as a whole: what is missing, and what one part says and another does not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from windlass.agents import checklists, citation_checks, manuscript, review_remarks
from windlass.agents.manuscript import Manuscript
from windlass.agents.review_remarks import Persona, Remark

_STATEMENTS: Mapping[str, tuple[str, re.Pattern[str]]] = {
    "ethics": ("ethics approval or consent", re.compile(r"ethic|review board|\bIRB\b|informed consent|Helsinki", re.IGNORECASE)),
    "registration": ("registration", re.compile(r"\bregist(?:ered|ration)|NCT\d{8}|ISRCTN\d|PROSPERO|CRD42\d", re.IGNORECASE)),
    "data": ("where the data are", re.compile(r"data availab|availability of data|data (?:are|is) available|data sharing|on request", re.IGNORECASE)),
    "funding": ("funding", re.compile(r"\bfund(?:ed|ing|ers?)\b|financial support|\bgrants?\b", re.IGNORECASE)),
    "interests": ("competing interests", re.compile(r"(?:competing|conflicts? of|declaration of) interest|disclosure", re.IGNORECASE)),
}
_LIMITATIONS = re.compile(r"\blimitations?\b|\blimited by\b|\bweakness", re.IGNORECASE)
_REGISTERED = frozenset({"CONSORT", "PRISMA"})
_SECTIONS = ("abstract", "methods", "results", "discussion", "references")
_NUMBER = re.compile(r"(?<![\w.,])\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|(?<![\w.,])\d+(?:\.\d+)?(?!\d)")
_SHORT = re.compile(r"(?<![\w-])[A-Z]{3,6}(?![\w-])")
_KNOWN = frozenset(
    "DNA RNA HIV AIDS COVID USA UK WHO ANOVA ANCOVA CONSORT STROBE PRISMA SPIRIT GRADE PROSPERO DOI URL PDF MEDLINE EMBASE CENTRAL IBM SPSS SAS TODO "
    "TBD FIXME XXX XXXX FDA NIH ISRCTN NOT AND THE FOR ALL".split()
)
_SPEAKS: Mapping[str, Persona] = {"Methods": "methodologist", "Results": "statistician", "Discussion": "reader"}


def remarks(read: Manuscript, standard: str | None, check: Callable[[], None]) -> Iterator[Remark]:
    """What the rules say of the whole; `standard` is the reporting standard of the design, None where no design is known."""
    missing = lacks(read, standard, check)
    for name in missing:
        yield _lacking(name)
    yield from _abstract(read)
    yield from _abbreviations(read, check)
    for finding in citation_checks.findings(read, None, check):
        if finding.rule != "order_of_first_citation" and finding.start is not None and finding.end is not None:
            yield review_remarks.on("citation", read, finding.start, finding.end, finding.message)


def lacks(read: Manuscript, standard: str | None, check: Callable[[], None]) -> list[str]:
    """The names of all that the manuscript lacks: `section:methods`, `statement:ethics`, `statement:limitations`, `CONSORT:8a`."""
    has = {section.kind for section in read.sections}
    found = [f"section:{kind}" for kind in _SECTIONS if kind not in has]
    for name, (_, pattern) in _STATEMENTS.items():
        if (name != "registration" or standard in _REGISTERED) and not pattern.search(read.text):
            found.append(f"statement:{name}")
    if "limitations" not in has and not _LIMITATIONS.search(read.text):
        found.append("statement:limitations")
    if standard is not None:
        asked = checklists.part(checklists.load(standard), *_SPEAKS)
        found += [f"{standard}:{one.item.id}" for one in checklists.found(asked, manuscript.parted(read.text), check) if not one.found]
    return found


def _lacking(name: str) -> Remark:
    group, _, part = name.partition(":")
    if group == "section":
        return review_remarks.lacking("section_missing", name, f"no section with the heading of {part} was found")
    if name == "statement:limitations":
        return review_remarks.lacking("limitations_missing", name, "no sentence speaks of limitations")
    if group == "statement":
        return review_remarks.lacking("statement_missing", name, f"no sentence speaks of {_STATEMENTS[part][0]}")
    item = next(item for item in checklists.load(group).items if item.id == part)
    persona = _SPEAKS.get(item.section.partition(":")[0], "methodologist")
    return review_remarks.lacking("item_missing", name, f"{group} {part}: no sentence speaks of it. {item.text}", persona)


def _abstract(read: Manuscript) -> Iterator[Remark]:
    """Numbers of two digits and more, and decimals, of the abstract that no other part but the references has."""
    others = [section for section in read.sections if section.kind not in {"abstract", "references", "title", "front", "keywords"}]
    if not others:
        return
    body = {_plain(match.group()) for section in others for match in _NUMBER.finditer(read.text, section.start, section.end)}
    for section in read.parts("abstract"):
        for match in _NUMBER.finditer(read.text, section.start, section.end):
            number = _plain(match.group())
            if len(number) > 1 and number not in body:
                body.add(number)
                yield review_remarks.on(
                    "abstract_number", read, match.start(), match.end(), f"{match.group()} stands in the abstract and not in the body"
                )


def _abbreviations(read: Manuscript, check: Callable[[], None]) -> Iterator[Remark]:
    counts: Counter[str] = Counter()
    first: dict[str, tuple[int, int]] = {}
    for section in read.sections:
        if section.kind in {"references", "front", "keywords", "appendix"}:
            continue
        check()
        for sentence in manuscript.sentences(read, section):
            if not sentence.text.isupper():
                for match in _SHORT.finditer(sentence.text):
                    counts[match.group()] += 1
                    first.setdefault(match.group(), (sentence.start + match.start(), sentence.start + match.end()))
    for word in _unexplained(read.text, [word for word, count in counts.items() if count > 1 and word not in _KNOWN]):
        yield review_remarks.on("abbreviation", read, *first[word], f"{word} is used {counts[word]} times and nowhere spelled out in brackets")


def _unexplained(text: str, words: Sequence[str]) -> Iterator[str]:
    """Those words that stand nowhere in brackets (`body mass index (BMI)`) or before a bracket (`BMI (body mass index)`)."""
    explained = set(re.findall(r"[(\[]\s?([A-Z]{3,6})s?\s?[;,)\]]", text)) | set(re.findall(r"(?<![\w-])([A-Z]{3,6}) [(\[][a-z]", text))
    return (word for word in words if word not in explained)


def _plain(number: str) -> str:
    plain = number.replace(",", "")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain
