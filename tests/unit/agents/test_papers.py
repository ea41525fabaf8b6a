"""Papers: what makes two records one paper, and what the shipped corpus says of itself."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents import papers
from windlass.agents.papers import Paper


def paper(**fields: Any) -> Paper:
    return Paper.model_validate({"title": "A long enough title", **fields})


def repeats(*records: Paper) -> dict[int, tuple[int, str]]:
    found = papers.duplicates(records, lambda: None)
    return {position: (repeat.of, repeat.by) for position, repeat in found.items()}


@pytest.mark.parametrize(
    "spelling",
    [
        "10.5555/ABC.1",
        "https://doi.org/10.5555/abc.1",
        "http://dx.doi.org/10.5555%2Fabc.1",
        "doi: 10.5555/abc.1",
        " DOI:10.5555/Abc.1. ",
        "doi.org/10.5555/abc.1",
    ],
)
def test_every_spelling_of_a_doi_is_one_key(spelling):
    assert papers.doi_key(spelling) == "10.5555/abc.1"


@pytest.mark.parametrize("other", [None, "", "n/a", "PMC12345", "https://example.org/paper", "10.5555", "10.5555/"])
def test_what_is_not_a_doi_has_no_key(other):
    assert papers.doi_key(other) is None


def test_the_same_doi_is_the_same_paper_whatever_the_title():
    assert repeats(paper(doi="10.5555/a"), paper(doi="https://doi.org/10.5555/A", title="Otherwise")) == {1: (0, "doi")}


def test_different_dois_are_different_papers_whatever_the_title():
    assert repeats(paper(doi="10.5555/a", year=2020), paper(doi="10.5555/b", year=2020)) == {}


@pytest.mark.parametrize("author", ["Müller, Eva", "Müller E", "Muller EK", "Eva Müller"])
def test_without_a_doi_title_first_author_and_year_decide(author):
    first = paper(title="Effect of <i>valoxin</i> on sleep", authors=["Müller E", "Other X"], year=2020, doi="10.5555/a")
    again = paper(title="EFFECT OF VALOXIN ON SLEEP.", authors=[author], year=2020)
    assert repeats(first, again) == {1: (0, "title")}
    assert repeats(again, first) == {1: (0, "title")}


@pytest.mark.parametrize("change", [{"year": 2021}, {"authors": ["Someone Else"]}, {"title": "Another title altogether"}])
def test_another_year_author_or_title_is_another_paper(change):
    record = {"title": "A long enough title", "authors": ["Roe J"], "year": 2020}
    assert repeats(paper(**record), paper(**{**record, **change})) == {}


def test_short_titles_alone_do_not_make_one_paper():
    assert repeats(paper(title="Editorial"), paper(title="Editorial")) == {}
    assert repeats(paper(title="Sleep after heart surgery"), paper(title="Sleep after heart surgery")) == {1: (0, "title")}


def test_a_record_without_doi_joins_two_spellings_only_once():
    """The record without DOI takes the first DOI that joins it; a second, different DOI is another paper."""
    same = {"title": "A long enough title", "year": 2020}
    assert repeats(paper(**same), paper(**same, doi="10.5555/a"), paper(**same, doi="10.5555/b"), paper(**same, doi="10.5555/A")) == {
        1: (0, "title"),
        3: (0, "doi"),
    }


records = st.lists(
    st.builds(
        lambda title, year, doi: paper(title=title, year=year, doi=doi),
        st.sampled_from(["One title of four", "ONE title – of four!", "Two", "Trois études du sommeil"]),
        st.sampled_from([None, 2020, 2021]),
        st.sampled_from([None, "10.5555/a", "doi:10.5555/A", "10.5555/b"]),
    ),
    max_size=12,
)


@settings(max_examples=30, deadline=None)
@given(records)
def test_a_duplicate_always_points_to_an_earlier_record_that_stays(given_records):
    found = papers.duplicates(given_records, lambda: None)
    assert all(repeat.of < position and repeat.of not in found for position, repeat in found.items())
    known = {repeat.of: given_records[position].doi for position, repeat in found.items() if given_records[position].doi}
    merged = [record.model_copy(update={"doi": record.doi or known.get(position)}) for position, record in enumerate(given_records)]
    kept = [record for position, record in enumerate(merged) if position not in found]
    assert papers.duplicates(kept, lambda: None) == {}  # with the DOI that a repeat of theirs brought


def test_a_record_without_a_doi_takes_the_first_that_a_repeat_brings_and_no_other():
    given_records = [paper(title="One title of four", doi=doi) for doi in (None, "10.5555/a", "10.5555/b", "10.5555/A")]
    found = papers.duplicates(given_records, lambda: None)
    assert {position: (repeat.of, repeat.by) for position, repeat in found.items()} == {1: (0, "title"), 3: (0, "doi")}


def test_an_export_is_read_as_it_is():
    record = paper(id=31415, authors="Roe J; Doe A", cited_by_count=7, keywords="sleep; pain", abstract=None, shelf="B4")
    assert (papers.name(record, 3), papers.authors(record), record.citation_count) == ("31415", ["Roe J", "Doe A"], 7)
    assert "sleep" in papers.wording(record)
    assert papers.name(paper(), 3) == "paper-4"


def test_every_shipped_paper_says_that_it_is_synthetic():
    corpus = papers.shipped()
    assert len(corpus) >= 60
    assert all(record.synthetic is True and "invented" in (record.model_extra or {})["note"] for record in corpus)
    assert all((record.doi or "").startswith("10.5555/") for record in corpus)
    assert len({record.id for record in corpus}) == len({record.title for record in corpus}) == len({record.doi for record in corpus}) == len(corpus)
    assert all(record.abstract and record.year and record.journal and record.authors and record.study_type for record in corpus)
    assert papers.duplicates(corpus, lambda: None) == {}


@pytest.mark.parametrize(
    ("key", "meant"), [("abstrcat", "abstract"), ("Abstract", "abstract"), ("author", "authors"), ("shelf", None), ("jounral", "journal")]
)
def test_a_key_that_is_nearly_ours_is_refused_where_ours_is_missing(key, meant):
    record = {"title": "A", key: "x"}
    if meant is None:
        assert papers.Paper.model_validate(record).model_extra == {key: "x"}
        return
    with pytest.raises(ValueError, match=f"did you mean '{meant}'"):
        papers.Paper.model_validate(record)
    beside = {**record, meant: {"authors": ["y"], "citation_count": 7}.get(meant, "y")}
    assert papers.Paper.model_validate(beside).model_extra == {key: "x"}, "beside the field itself it is the user's own"
