"""The stage-2 hand-over: the four agents in a row pass the checks, and every break between two of them is named."""

import copy
from typing import Any

import pytest

from windlass.agents import papers, stage2_checks
from windlass.agents.reference import stage2_extract, stage2_lit, stage2_screen, stage2_synthesize

from . import runs

QUESTION = "Does valoxin reduce hospital readmission in adults with chronic heart failure?"
CORPUS = [paper.model_dump(exclude_none=True) for paper in papers.shipped()]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory) -> dict[str, Any]:
    """What each of the four agents answered, run one after the other on the shipped corpus."""
    store = tmp_path_factory.mktemp("store")
    reviewed = runs.outputs(stage2_lit.AGENT, {"research_question": QUESTION, "max_results": 10}, store)
    places = stage2_checks.positions(reviewed["papers"], CORPUS)
    assert places is not None
    found = [CORPUS[place] for place in places]
    found.append({**found[0], "id": "again"})
    criteria = {"include_keywords": ["valoxin"], "study_types": ["randomized controlled trial", "cohort study", "case-control study"]}
    screened = runs.outputs(stage2_screen.AGENT, {"papers": found, "criteria": criteria}, store)
    included = [found[place] for place in screened["included"]]
    extracted = runs.outputs(stage2_extract.AGENT, {"papers": included}, store)
    synthesized = runs.outputs(stage2_synthesize.AGENT, {"papers": included, "rows": extracted["rows"], "research_question": QUESTION}, store)
    return {"reviewed": reviewed, "found": found, "screened": screened, "included": included, "extracted": extracted, "synthesized": synthesized}


def test_the_four_agents_in_a_row_pass_every_check(pipeline):
    assert len(pipeline["included"]) >= 2
    assert stage2_checks.after_review(pipeline["reviewed"]) is None
    assert stage2_checks.after_screen(pipeline["found"], pipeline["screened"]) is None
    assert stage2_checks.clean_end(pipeline["screened"]) is None
    assert stage2_checks.after_extract(pipeline["included"], pipeline["extracted"]) is None
    assert stage2_checks.after_synthesize(pipeline["extracted"], pipeline["synthesized"]) is None
    assert "valoxin" not in pipeline["screened"]["prisma"]
    assert pipeline["screened"]["prisma"]["duplicates"] == 1


def test_a_screen_that_includes_nothing_is_a_clean_end_with_its_counts(pipeline, tmp_path):
    screened = runs.outputs(stage2_screen.AGENT, {"papers": pipeline["found"], "criteria": {"include_keywords": ["unicorn"]}}, tmp_path)
    assert stage2_checks.after_screen(pipeline["found"], screened) is None
    assert stage2_checks.clean_end(screened) == screened["prisma"]
    assert screened["prisma"]["included"] == 0


def test_a_review_that_finds_nothing_does_not_go_on(tmp_path):
    reviewed = runs.outputs(stage2_lit.AGENT, {"research_question": "Do unicorns graze?"}, tmp_path)
    assert stage2_checks.after_review(reviewed) == "the literature review found no paper"


def broken(outputs: dict[str, Any], *path: Any, to: Any) -> dict[str, Any]:
    """A copy of the outputs with the value at `path` replaced."""
    changed = copy.deepcopy(outputs)
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return changed


@pytest.mark.parametrize(
    ("path", "to", "named"),
    [
        (("prisma", "duplicates"), 0, "are not the"),
        (("prisma", "identified"), 3, "are not the"),
        (("decisions",), [], "one by one"),
        (("decisions", 0, "title"), "Other", "another paper"),
        (("decisions", 0, "decision"), "exclude", "not those of the decisions"),
        (("included",), [], "not those that were decided"),
        (("prisma",), None, "shape"),
        (("decisions", 0), None, "shape"),
    ],
)
def test_a_screen_that_does_not_add_up_is_named(pipeline, path, to, named):
    assert named in (stage2_checks.after_screen(pipeline["found"], broken(pipeline["screened"], *path, to=to)) or "")


def test_a_screen_of_other_papers_is_named(pipeline):
    assert "one by one" in (stage2_checks.after_screen(pipeline["found"][1:], pipeline["screened"]) or "")
    assert "another paper" in (stage2_checks.after_screen(pipeline["found"][::-1], pipeline["screened"]) or "")


@pytest.mark.parametrize(
    ("path", "to", "named"),
    [
        (("rows",), [], "0 rows"),
        (("citations",), [], "0 citations"),
        (("rows", 0, "citation_key"), "other", "does not belong"),
        (("rows", 0, "position"), 1, "does not belong"),
        (("citations", 0, "title"), "Other", "another paper"),
        (("rows",), None, "shape"),
    ],
)
def test_rows_that_are_not_the_citations_are_named(pipeline, path, to, named):
    assert named in (stage2_checks.after_extract(pipeline["included"], broken(pipeline["extracted"], *path, to=to)) or "")


def test_a_key_used_twice_is_named(pipeline):
    extracted = pipeline["extracted"]
    key = extracted["citations"][0]["key"]
    changed = broken(broken(extracted, "rows", 1, "citation_key", to=key), "citations", 1, "key", to=key)
    assert stage2_checks.after_extract(pipeline["included"], changed) == f"the citation key {key!r} is used twice"


@pytest.mark.parametrize(
    ("path", "to", "named"),
    [
        (("references",), [], "has no reference"),
        (("section", "sentences", 0, "citation_keys"), ["ghost"], "has no reference"),
        (("section", "sentences", 0, "citation_keys"), [], "cites nothing"),
        (("section", "sentences"), [], "says nothing"),
        (("section", "markdown"), "Only [@ghost].", "has no reference"),
        (("section", "markdown"), "", "never cited"),
        (("section",), None, "shape"),
    ],
)
def test_a_dangling_citation_is_named(pipeline, path, to, named):
    assert named in (stage2_checks.after_synthesize(pipeline["extracted"], broken(pipeline["synthesized"], *path, to=to)) or "")


def test_references_in_another_order_than_the_rows_are_named(pipeline):
    changed = broken(pipeline["synthesized"], "references", to=pipeline["synthesized"]["references"][::-1])
    assert stage2_checks.after_synthesize(pipeline["extracted"], changed) == "the references are not the citations of the extraction"


@pytest.mark.parametrize(
    ("path", "to", "named"),
    [(("papers",), [], "no paper"), (("counts", "returned"), 99, "counts 99"), (("counts", "corpus"), 1, "add up"), (("counts",), 5, "shape")],
)
def test_a_review_that_miscounts_is_named(pipeline, path, to, named):
    assert named in (stage2_checks.after_review(broken(pipeline["reviewed"], *path, to=to)) or "")


def test_records_are_found_again_in_the_corpus_in_the_review_s_order():
    twice: dict[str, Any] = {"id": 7, "title": "y", "year": 2000}
    corpus = [{"title": "x"}, twice, twice]
    listed: dict[str, Any] = {"id": "7", "title": "y", "year": 2000, "doi": None}
    found = [listed, {"id": "paper-1", "title": "x", "year": None, "doi": None}, listed]
    assert stage2_checks.positions(found, corpus) == [1, 0, 2]
    assert stage2_checks.positions([{"id": "8", "title": "y"}], corpus) is None
    assert stage2_checks.positions([*found, listed], corpus) is None
