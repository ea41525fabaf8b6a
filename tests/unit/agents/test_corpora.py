"""Where papers come from: handed in, a file of the operator's, text, live sources; never an invented paper in LIVE mode."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.unit.agents.test_bibliography import BIB, PUBMED, RIS
from windlass.agents import corpora, papers
from windlass.agents.agent import Context
from windlass.agents.papers import Paper
from windlass.errors import AgentError


def context(store: Path, **more: Any) -> Context:
    fields: dict[str, Any] = {
        "request_id": "r",
        "mode": "DEMO",
        "risk_tier": "NON_SENSITIVE",
        "store": store,
        "deadline": time.monotonic() + 60,
        "timeout_ms": 60_000,
    }
    return Context(**(fields | more))


def titles(given: Any, where: Context, live: Any = None) -> list[str]:
    work = corpora.choose(given, live, "fatigue", 5, where)
    orjson.dumps(work)
    found = [paper.title for paper in corpora.kept(given, work)]
    assert work["corpus_size"] == len(found)
    return found


def refusal(given: Any, where: Context, live: Any = None) -> AgentError:
    with pytest.raises(AgentError) as refused:
        corpora.choose(given, live, "fatigue", 5, where)
    return refused.value


def test_a_list_a_text_and_a_file_are_the_same_thing(tmp_path: Path) -> None:
    folder = tmp_path / corpora.FOLDER
    folder.mkdir()
    for name, content in (("a.ris", RIS), ("b.bib", BIB), ("c.xml", PUBMED), ("d.jsonl", '{"title": "One"}\n')):
        (folder / name).write_text(content)
    where = context(tmp_path, mode="LIVE")
    assert titles([Paper(title="One")], where) == ["One"]
    assert titles(corpora.CorpusText(format="ris", text=RIS), where) == ["Exercise against fatigue", "Second paper"]
    assert titles(corpora.CorpusFile(file="a.ris"), where) == ["Exercise against fatigue", "Second paper"]
    assert titles(corpora.CorpusFile(file="b.bib"), where) == ["Exercise against Fatigue in München"]
    assert titles(corpora.CorpusFile(file="c.xml"), where) == ["Exercise against fatigue."]
    assert titles(corpora.CorpusFile(file="d.jsonl"), where) == ["One"]


def test_without_papers_demo_searches_the_shipped_ones_and_live_refuses(tmp_path: Path) -> None:
    assert titles(None, context(tmp_path)) == [paper.title for paper in papers.shipped()]
    refused = refusal(None, context(tmp_path, mode="LIVE"))
    assert refused.code == "CORPUS_REQUIRED"
    assert "WINDLASS_LIVE_SOURCES" in refused.message


@pytest.mark.parametrize("name", ["../secret.ris", "/etc/passwd", ".hidden.ris", "a.txt", "a/b.ris", "a.ris\n", ""])
def test_a_file_is_named_and_never_a_path(name: str) -> None:
    with pytest.raises(ValueError, match="file"):
        corpora.CorpusFile(file=name)


def test_a_missing_file_is_answered_with_those_that_are_there_and_no_link_is_followed(tmp_path: Path) -> None:
    folder = tmp_path / corpora.FOLDER
    folder.mkdir()
    (folder / "there.ris").write_text(RIS)
    (tmp_path / "outside.ris").write_text(RIS)
    (folder / "link.ris").symlink_to(tmp_path / "outside.ris")
    os.mkfifo(folder / "pipe.ris")
    refused = refusal(corpora.CorpusFile(file="missing.ris"), context(tmp_path))
    assert refused.code == "CORPUS_NOT_FOUND"
    assert "there.ris" in refused.message
    assert refusal(corpora.CorpusFile(file="link.ris"), context(tmp_path)).code == "CORPUS_NOT_FOUND"
    assert refusal(corpora.CorpusFile(file="pipe.ris"), context(tmp_path)).code == "CORPUS_UNREADABLE"


def test_a_record_that_does_not_fit_is_named(tmp_path: Path) -> None:
    refused = refusal(corpora.CorpusText(format="jsonl", text='{"title": "A"}\n{"title": "B", "year": "soon"}'), context(tmp_path))
    assert refused.code == "CORPUS_UNREADABLE"
    assert "record 2" in refused.message
    assert "year" in refused.message


OPENALEX = {
    "results": [
        {
            "id": "https://openalex.org/W1",
            "display_name": "Exercise against fatigue",
            "publication_year": 2019,
            "doi": "https://doi.org/10.5555/a.1",
            "cited_by_count": 7,
            "primary_location": {"source": {"display_name": "Journal of Things"}},
            "authorships": [{"author": {"display_name": "Eva Müller"}}],
            "abstract_inverted_index": {"helped": [1], "It": [0]},
        },
        {"id": "https://openalex.org/W2", "display_name": "Another", "primary_location": None, "authorships": []},
        {"id": "https://openalex.org/W3", "display_name": None},
    ]
}


class Library:
    """Both sources in one function: PubMed finds the one article, OpenAlex the same and another."""

    def __init__(self, **answers: Any) -> None:
        self.asked: list[str] = []
        self._answers: dict[str, bytes] = {
            "esearch": orjson.dumps({"esearchresult": {"idlist": ["31000001"]}}),
            "efetch": PUBMED.encode(),
            "works": orjson.dumps(OPENALEX),
        } | answers

    def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        return self._answers[next(key for key in self._answers if key in url)]


SOURCES = {"pubmed": "http://p", "openalex": "http://o"}


def test_live_sources_are_asked_and_their_duplicates_folded(tmp_path: Path) -> None:
    library = Library()
    where = context(tmp_path, mode="LIVE", sources=SOURCES, fetch=library)
    work = corpora.choose(None, None, "fatigue & more", 5, where)
    found = corpora.kept(None, work)
    assert [paper.title for paper in found] == ["Exercise against fatigue.", "Another"]
    assert found[0].model_extra == {"source": "pubmed", "publication_types": ["Randomized Controlled Trial"]}
    assert work["source"] == "live"
    assert [url.partition("?")[0] for url in library.asked] == ["http://p/esearch.fcgi", "http://p/efetch.fcgi", "http://o/works"]
    assert "fatigue+%26+more" in library.asked[0]
    work = corpora.choose(None, ["openalex"], "fatigue", 5, where)
    first = corpora.kept(None, work)[0]
    assert (first.abstract, first.year, first.citation_count, first.doi) == ("It helped", 2019, 7, "10.5555/a.1")


def test_protected_queries_and_other_sources_are_not_sent(tmp_path: Path) -> None:
    library = Library()
    assert refusal(None, context(tmp_path, mode="LIVE", risk_tier="PHI", sources=SOURCES, fetch=library)).code == "RISK_TIER_NOT_ALLOWED"
    only = context(tmp_path, mode="LIVE", sources={"pubmed": "http://p"}, fetch=library)
    assert refusal(None, only, ["openalex"]).code == "SOURCE_NOT_ALLOWED"
    assert library.asked == []


@pytest.mark.parametrize(
    "answers",
    [
        {"esearch": b"<html>"},
        {"esearch": b"[]"},
        {"esearch": b"{}"},
        {"esearch": b'{"esearchresult": {"idlist": "x"}}'},
        {"esearch": b'{"esearchresult": {"idlist": ["1 OR 2"]}}'},
        {"works": b'{"results": 7}'},
        {"works": b""},
    ],
)
def test_a_source_that_answers_otherwise_is_unavailable_not_empty(tmp_path: Path, answers: Any) -> None:
    assert refusal(None, context(tmp_path, mode="LIVE", sources=SOURCES, fetch=Library(**answers))).code == "SOURCE_UNAVAILABLE"


def test_nothing_found_is_an_honest_nothing(tmp_path: Path) -> None:
    library = Library(esearch=b'{"esearchresult": {"idlist": []}}', works=b'{"results": []}')
    assert titles(None, context(tmp_path, mode="LIVE", sources=SOURCES, fetch=library)) == []
