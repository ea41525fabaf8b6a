"""Bibliographies as they are exported become paper records; what can't be read is refused with its place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents import bibliography
from windlass.errors import AgentError

RIS = """TY  - JOUR
TI  - Exercise against fatigue
AU  - Müller, Eva
AU  - Doe, Jane
PY  - 2019/03//
JO  - J Things
T2  - Journal of Things
DO  - 10.5555/a.1
AB  - A trial of 120 patients.
KW  - fatigue
KW  - exercise
ER  -

TY  - JOUR
TI  - Second paper
ER  -
"""
BIB = r"""@article{mueller2019,
  title = {Exercise against {Fatigue} in M{\"u}nchen},
  author = {M{\"u}ller, Eva and Doe, Jane},
  journal = "Journal of Things",
  year = 2019,
  doi = {10.5555/a.1},
  keywords = {fatigue; exercise},
}
"""
PUBMED = """<?xml version="1.0"?>
<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2024//EN" "https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_240101.dtd">
<PubmedArticleSet><PubmedArticle>
<MedlineCitation><PMID Version="1">31000001</PMID><Article>
<Journal><JournalIssue><PubDate><MedlineDate>2019 Mar-Apr</MedlineDate></PubDate></JournalIssue><Title>Journal of Things</Title></Journal>
<ArticleTitle>Exercise against <i>fatigue</i>.</ArticleTitle>
<Abstract><AbstractText Label="METHODS">A trial of <b>120</b> patients.</AbstractText>
<AbstractText Label="RESULTS">It helped.</AbstractText></Abstract>
<AuthorList><Author><LastName>Müller</LastName><ForeName>Eva</ForeName></Author>
<Author><CollectiveName>Trial Group</CollectiveName></Author></AuthorList>
<PublicationTypeList><PublicationType>Randomized Controlled Trial</PublicationType></PublicationTypeList>
</Article><KeywordList><Keyword>fatigue</Keyword></KeywordList></MedlineCitation>
<PubmedData><ArticleIdList><ArticleId IdType="pubmed">31000001</ArticleId><ArticleId IdType="doi">10.5555/a.1</ArticleId></ArticleIdList></PubmedData>
</PubmedArticle></PubmedArticleSet>
"""


def parse(content: str | bytes, form: bibliography.Form) -> list[bibliography.Record]:
    return bibliography.parse(content if isinstance(content, bytes) else content.encode(), form, lambda: None)


def test_ris() -> None:
    first, second = parse(RIS, "ris")
    assert first["title"] == "Exercise against fatigue"
    assert first["authors"] == ["Müller, Eva", "Doe, Jane"]
    assert (first["year"], first["doi"], first["keywords"]) == (2019, "10.5555/a.1", ["fatigue", "exercise"])
    assert second == {"title": "Second paper"}


def test_bibtex_with_latex_in_it() -> None:
    (paper,) = parse(BIB, "bibtex")
    assert paper == {
        "id": "mueller2019",
        "title": "Exercise against Fatigue in München",
        "authors": ["Müller, Eva", "Doe, Jane"],
        "journal": "Journal of Things",
        "year": 2019,
        "doi": "10.5555/a.1",
        "keywords": ["fatigue", "exercise"],
    }


def test_pubmed_xml() -> None:
    (paper,) = parse(PUBMED, "pubmed-xml")
    assert paper == {
        "id": "31000001",
        "title": "Exercise against fatigue.",
        "abstract": "METHODS: A trial of 120 patients. RESULTS: It helped.",
        "year": 2019,
        "journal": "Journal of Things",
        "authors": ["Müller, Eva", "Trial Group"],
        "doi": "10.5555/a.1",
        "keywords": ["fatigue"],
        "publication_types": ["Randomized Controlled Trial"],
    }


def test_jsonl_keeps_keys_of_the_users_own() -> None:
    assert parse('\ufeff{"title": "A", "lab": 7}\n\n{"title": "B"}\n', "jsonl") == [{"title": "A", "lab": 7}, {"title": "B"}]


@pytest.mark.parametrize(
    ("content", "form", "said"),
    [
        (b"\xff\xfe", "jsonl", "UTF-8"),
        ("", "jsonl", "no record"),
        ('{"title": "A"}\n{"title": ', "jsonl", "line 2"),
        ("[1]", "jsonl", "line 1"),
        ('{"title": "A"}\n{"name": "B"}', "jsonl", "record 2 has no title"),
        ("not RIS", "ris", "ris"),
        ("TY  - JOUR\nAU  - X\nER  -\n", "ris", "record 1 has no title"),
        ("@article{a, title = {open", "bibtex", "bibtex"),
        ("no entry at all", "bibtex", "no record"),
        ("<PubmedArticleSet><PubmedArticle>", "pubmed-xml", "well-formed"),
        ("<x/>", "pubmed-xml", "no record"),
        ('<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>', "pubmed-xml", "declares entities"),
        ('<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>', "pubmed-xml", "declares entities"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(content: str | bytes, form: bibliography.Form, said: str) -> None:
    with pytest.raises(AgentError) as refused:
        parse(content, form)
    assert refused.value.code == "CORPUS_UNREADABLE"
    assert said in refused.value.message
    assert "corpus" in refused.value.details["fieldErrors"]


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=400), form=st.sampled_from(["jsonl", "ris", "bibtex", "pubmed-xml"]))
def test_any_text_is_read_or_refused(text: str, form: bibliography.Form) -> None:
    def attempt() -> str:
        try:
            records = parse(text.encode("utf-8", "replace"), form)
        except AgentError as refused:
            return refused.code
        return "read" if all(record["title"] for record in records) else "a record without a title was let through"

    assert attempt() in {"read", "CORPUS_UNREADABLE"}
