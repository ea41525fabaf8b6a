"""Live literature sources: how PubMed's E-utilities and OpenAlex are asked, and what papers their answers hold. Pure but for `fetch`.

Source: NCBI's E-utilities (esearch, efetch; the NLM asks for `tool` and at most three requests a second without a key) and OpenAlex's
`/works` (2026). Which sources there are, and where they answer, the executor decides; an agent can reach nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal
from urllib.parse import urlencode

import orjson

from windlass.agents import bibliography
from windlass.agents.bibliography import Check, Record
from windlass.errors import AgentError

Source = Literal["pubmed", "openalex"]
Fetch = Callable[[str], bytes]
"""GET one URL of an allowed source; raises AgentError SOURCE_UNAVAILABLE."""
PUBLIC: Mapping[Source, str] = {"pubmed": "https://eutils.ncbi.nlm.nih.gov/entrez/eutils", "openalex": "https://api.openalex.org"}
_TOOL = "windlass"


def search(source: Source, base: str, query: str, limit: int, fetch: Fetch, check: Check) -> list[Record]:
    """At most `limit` papers that a source finds for a query, in its own order; each says where it comes from in `source`.

    Raises AgentError SOURCE_UNAVAILABLE when the source does not answer as documented.
    """
    found = _pubmed(base, query, limit, fetch, check) if source == "pubmed" else _openalex(base, query, limit, fetch)
    return [{**record, "source": source} for record in found]


def _pubmed(base: str, query: str, limit: int, fetch: Fetch, check: Check) -> list[Record]:
    asked = urlencode({"db": "pubmed", "term": query, "retmax": limit, "retmode": "json", "sort": "relevance", "tool": _TOOL})
    answer = _object("pubmed", fetch(f"{base}/esearch.fcgi?{asked}"))
    ids = _field("pubmed", answer, "esearchresult", "idlist")
    if not isinstance(ids, list) or not all(isinstance(one, str) and one.isdigit() for one in ids):
        raise _unavailable("pubmed", "esearchresult.idlist is not a list of ids")
    if not ids:
        return []
    wanted = urlencode({"db": "pubmed", "id": ",".join(ids[:limit]), "retmode": "xml", "tool": _TOOL})
    records = bibliography.parse(fetch(f"{base}/efetch.fcgi?{wanted}"), "pubmed-xml", check)
    place = {one: number for number, one in enumerate(ids)}
    return sorted((record for record in records if record.get("id") in place), key=lambda record: place[record["id"]])


def _openalex(base: str, query: str, limit: int, fetch: Fetch) -> list[Record]:
    asked = urlencode({"search": query, "per-page": min(limit, 200)})
    works = _field("openalex", _object("openalex", fetch(f"{base}/works?{asked}")), "results")
    if not isinstance(works, list):
        raise _unavailable("openalex", "results is not a list")
    return [_work(work) for work in works if isinstance(work, dict) and str(work.get("display_name") or "").strip()]


def _work(work: Mapping[str, Any]) -> Record:
    place = (work.get("primary_location") or {}).get("source") or {}
    names = [((one or {}).get("author") or {}).get("display_name") for one in work.get("authorships") or ()]
    record = {
        "id": str(work.get("id") or "").removeprefix("https://openalex.org/"),
        "title": work["display_name"],
        "abstract": _abstract(work.get("abstract_inverted_index") or {}),
        "year": work.get("publication_year"),
        "journal": place.get("display_name"),
        "authors": [name for name in names if name],
        "doi": str(work.get("doi") or "").removeprefix("https://doi.org/"),
        "citation_count": work.get("cited_by_count"),
    }
    return {key: value for key, value in record.items() if value not in (None, "", [])}


def _abstract(index: Mapping[str, Any]) -> str:
    """OpenAlex gives an abstract as word → places."""
    places = [(place, word) for word, found in index.items() if isinstance(found, list) for place in found if isinstance(place, int)]
    return " ".join(word for _, word in sorted(places))


def _object(source: Source, content: bytes) -> Mapping[str, Any]:
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError as failure:
        raise _unavailable(source, f"the answer is not JSON: {failure}") from failure
    if not isinstance(answer, dict):
        raise _unavailable(source, "the answer is not a JSON object")
    return answer


def _field(source: Source, answer: Mapping[str, Any], *path: str) -> Any:
    found: Any = answer
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    if found is None:
        raise _unavailable(source, f"the answer has no {'.'.join(path)}")
    return found


def _unavailable(source: Source, reason: str) -> AgentError:
    return AgentError("SOURCE_UNAVAILABLE", f"{source}: {reason}", {"source": source})
