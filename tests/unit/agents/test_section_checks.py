"""A section cites what it lists, lists what it cites, and holds no number of its own."""

import pytest

from windlass.agents import citation_keys, section_checks
from windlass.agents.markdown_cell import escaped
from windlass.agents.papers import Paper


def test_the_keys_of_a_text_are_found_in_order_and_once():
    assert section_checks.cited_keys("A [@b2; @a1]. B [@a1]. C [@c].") == ["b2", "a1", "c"]


def test_a_user_s_own_brackets_are_no_citation():
    assert section_checks.cited_keys(escaped("see [@forged2020] and \\[@other]")) == []


@pytest.mark.parametrize(
    ("cited", "references", "reason"),
    [
        (["a", "b"], ["a", "b"], None),
        (["a", "x"], ["a"], "'x' has no reference"),
        (["a"], ["a", "b"], "'b' is never cited"),
        (["a"], ["a", "a"], "listed twice"),
        ([], [], None),
    ],
)
def test_citations_and_references_go_together(cited, references, reason):
    found = section_checks.dangling(cited, references)
    assert found is None if reason is None else reason in (found or "")


@pytest.mark.parametrize(
    ("sentence", "evidence", "counted", "number"),
    [
        ("HR of 0.75 (95% CI 0.62 to 0.91)", ["HR 0·75 (95% CI 0·62–0·91)"], [], None),
        ("n = 1204", ["1\u202f204 adults"], [], None),
        ("n = 1204", ["1,204 adults"], [], None),
        ("n = 1205", ["1,204 adults"], [], "1205"),
        ("of 3 papers", [], [3], None),
        ("of 3 papers", ["0.3"], [], "3"),
        ("HR of 0.76", ["HR 0.75"], [], "0.76"),
        ("no number", [], [], None),
    ],
)
def test_a_number_without_evidence_is_named(sentence, evidence, counted, number):
    found = section_checks.invented_number(sentence, evidence, counted)
    assert found is None if number is None else f"the number {number} " in (found or "")


def test_keys_are_unique_and_plain_whatever_the_names():
    authors = [["Müller E"], ["Müller, Eva"], ["van der Berg, A"], ["王伟"], [], ["[@x] $1 <b>"], ["roe b"], ["Roe"], ["Roe"]]
    keys = citation_keys.of_papers([Paper(title="x", year=2020, authors=given) for given in authors])
    assert keys == ["muller2020", "muller2020b", "berg2020", "paper4", "paper5", "b2020", "b2020b", "roe2020", "roe2020b"]
    assert len(set(citation_keys.unique(["a"] * 800 + ["ab"] * 3))) == 803
