"""Reads bibliographies as reference managers and databases export them: JSONL, RIS, BibTeX and PubMed XML, into paper records.

Every record keeps what the file says, under our names (`title`, `abstract`, `year`, `journal`, `authors`, `doi`, `id`, `keywords`); nothing is
completed or guessed. A record without a title is no paper and is refused with its place. Formats: RIS as rispy reads it, BibTeX as
bibtexparser does, PubMed's XML by the elements of NLM's DTD (PubmedArticleSet, 2024).
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

import orjson

from windlass.errors import AgentError

Form = Literal["jsonl", "ris", "bibtex", "pubmed-xml"]
SUFFIXES: Mapping[str, Form] = {".jsonl": "jsonl", ".ris": "ris", ".bib": "bibtex", ".xml": "pubmed-xml"}
MOST_RECORDS = 50_000
Record = dict[str, Any]
Check = Callable[[], None]

_YEAR = re.compile(r"(?<!\d)(1[5-9]\d\d|20\d\d)(?!\d)")
_DECLARATION = re.compile(rb"<!(?:ENTITY|ATTLIST|ELEMENT|NOTATION)", re.IGNORECASE)


def parse(content: bytes, form: Form, check: Check) -> list[Record]:
    """The records of a bibliography, in order; raises AgentError CORPUS_UNREADABLE that names the format and the place."""
    text = _text(content, form)
    readers: Mapping[Form, Callable[[str, Check], Iterable[Record]]] = {"jsonl": _jsonl, "ris": _ris, "bibtex": _bibtex, "pubmed-xml": _pubmed}
    records: list[Record] = []
    for number, record in enumerate(readers[form](text, check), 1):
        check()
        if number > MOST_RECORDS:
            raise _unreadable(form, f"has more than {MOST_RECORDS} records")
        if not str(record.get("title") or "").strip():
            raise _unreadable(form, f"record {number} has no title")
        records.append({key: value for key, value in record.items() if value not in (None, "", [])})
    if not records:
        raise _unreadable(form, "holds no record")
    return records


def _unreadable(form: str, reason: str) -> AgentError:
    message = f"the corpus ({form}) {reason}"
    return AgentError("CORPUS_UNREADABLE", message, {"fieldErrors": {"corpus": [message]}})


def _text(content: bytes, form: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        raise _unreadable(form, f"is not UTF-8 at byte {failure.start}") from failure


def _jsonl(text: str, check: Check) -> Iterator[Record]:
    for number, line in enumerate(text.split("\n"), 1):
        check()
        if not line.strip():
            continue
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError as failure:
            raise _unreadable("jsonl", f"line {number} is not JSON: {failure}") from failure
        if not isinstance(record, dict):
            raise _unreadable("jsonl", f"line {number} is not a JSON object")
        yield record


def _ris(text: str, _check: Check) -> Iterator[Record]:
    import rispy  # noqa: PLC0415  # loaded where a RIS file is read

    try:
        entries = rispy.loads(text)
    except (OSError, ValueError, KeyError, TypeError) as failure:
        raise _unreadable("ris", f"can't be read: {failure}") from failure
    for entry in entries:
        year = _year(entry.get("year") or entry.get("publication_year") or entry.get("date"))
        journal = next((entry[key] for key in ("journal_name", "secondary_title", "alternate_title3", "alternate_title1") if entry.get(key)), None)
        yield {
            "id": entry.get("id") or entry.get("accession_number"),
            "title": entry.get("title") or entry.get("primary_title"),
            "abstract": entry.get("abstract") or entry.get("notes_abstract"),
            "year": year,
            "journal": journal,
            "authors": list(entry.get("authors") or entry.get("first_authors") or ()),
            "doi": entry.get("doi"),
            "keywords": list(entry.get("keywords") or ()),
        }


def _bibtex(text: str, _check: Check) -> Iterator[Record]:
    from bibtexparser import entrypoint, middlewares  # noqa: PLC0415  # loaded where a BibTeX file is read

    library = entrypoint.parse_string(text, append_middleware=[middlewares.LatexDecodingMiddleware()])
    if library.failed_blocks:
        failed = library.failed_blocks[0]
        raise _unreadable("bibtex", f"line {(failed.start_line or 0) + 1} can't be read: {str(failed.error)[:200]}")
    for entry in library.entries:
        fields = {field.key.lower(): str(field.value) for field in entry.fields}
        yield {
            "id": entry.key,
            "title": _unbraced(fields.get("title", "")),
            "abstract": _unbraced(fields.get("abstract", "")),
            "year": _year(fields.get("year") or fields.get("date")),
            "journal": _unbraced(fields.get("journal") or fields.get("journaltitle") or fields.get("booktitle") or ""),
            "authors": [_unbraced(name.strip()) for name in re.split(r"\s+and\s+", fields.get("author", "")) if name.strip()],
            "doi": fields.get("doi"),
            "keywords": [word.strip() for word in re.split(r"[,;]", fields.get("keywords", "")) if word.strip()],
        }


def _pubmed(text: str, check: Check) -> Iterator[Record]:
    if _DECLARATION.search(text[:10_000].encode()):
        raise _unreadable("pubmed-xml", "declares entities or elements of its own, which no export of PubMed does")
    try:
        for _, element in ET.iterparse(io.StringIO(text), events=("end",)):  # noqa: S314  # expat expands no entity here: none can be declared
            if element.tag == "PubmedArticle":
                check()
                yield _article(element)
                element.clear()
    except ET.ParseError as failure:
        raise _unreadable("pubmed-xml", f"is not well-formed: {failure}") from failure


def _article(article: ET.Element) -> Record:
    def text(path: str) -> str:
        found = article.find(path)
        return " ".join("".join(found.itertext()).split()) if found is not None else ""

    abstract = []
    for part in article.findall("MedlineCitation/Article/Abstract/AbstractText"):
        words = " ".join("".join(part.itertext()).split())
        abstract.append(f"{part.get('Label')}: {words}" if part.get("Label") else words)
    dois = [node.text for node in article.findall("PubmedData/ArticleIdList/ArticleId") if node.get("IdType") == "doi"]
    dois += [node.text for node in article.findall("MedlineCitation/Article/ELocationID") if node.get("EIdType") == "doi"]
    types = [node.text or "" for node in article.findall("MedlineCitation/Article/PublicationTypeList/PublicationType")]
    date = "MedlineCitation/Article/Journal/JournalIssue/PubDate/"
    return {
        "id": text("MedlineCitation/PMID"),
        "title": text("MedlineCitation/Article/ArticleTitle"),
        "abstract": " ".join(abstract),
        "year": _year(text(date + "Year") or text(date + "MedlineDate")),
        "journal": text("MedlineCitation/Article/Journal/Title"),
        "authors": [_author(node) for node in article.findall("MedlineCitation/Article/AuthorList/Author")],
        "doi": next((doi for doi in dois if doi), None),
        "keywords": [" ".join("".join(node.itertext()).split()) for node in article.findall("MedlineCitation/KeywordList/Keyword")],
        "publication_types": types,
    }


def _author(node: ET.Element) -> str:
    family, given = node.findtext("LastName") or "", node.findtext("ForeName") or node.findtext("Initials") or ""
    return ", ".join(part for part in (family, given) if part) or (node.findtext("CollectiveName") or "").strip()


def _year(value: Any) -> int | None:
    found = _YEAR.search(str(value or ""))
    return int(found.group(1)) if found else None


def _unbraced(value: str) -> str:
    """BibTeX braces protect case; they are no part of the text."""
    return " ".join(value.replace("{", "").replace("}", "").split())
