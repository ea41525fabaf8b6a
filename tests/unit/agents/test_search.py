"""Ranked search: what is found, in which order, and what can't break it."""

import math
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents import search


def test_the_text_that_speaks_most_of_the_query_comes_first():
    texts = ["nothing of the kind", "blood pressure in adults", "blood", "blood pressure, blood pressure, blood pressure"]
    assert [position for position, _score in search.rank("blood pressure", texts, 10)] == [3, 1, 2]


def test_equal_scores_keep_the_order_of_the_texts():
    found = search.rank("stroke", ["a stroke", "other", "a stroke", "a stroke"], 10)
    assert [position for position, _score in found] == [0, 2, 3]
    assert len({score for _position, score in found}) == 1


@pytest.mark.parametrize(
    ("query", "texts", "limit"),
    [
        ("", ["a word"], 5),
        ("word", [], 5),
        ("word", ["", "  ", "—"], 5),
        ("the of and", ["the of and"], 5),
        ("word", ["word"], 0),
        ("absent", ["word"], 5),
    ],
)
def test_where_nothing_can_be_found_nothing_is(query, texts, limit):
    assert search.rank(query, texts, limit) == []


def test_a_single_text_and_a_limit_of_one_work():
    assert [position for position, _score in search.rank("word", ["word"], 1)] == [0]
    assert len(search.rank("word", ["word"] * 9, 4)) == 4


def test_a_repeated_word_of_the_query_counts_once():
    texts = ["alpha", "beta beta", "gamma"]
    assert search.rank("alpha alpha alpha beta", texts, 5) == search.rank("alpha beta", texts, 5)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("randomised", "randomized"), ("tumours", "tumor"), ("haemoglobin", "hemoglobin"), ("Müller", "muller"), ("trials", "Trial"),
        ("patient's", "patients"), ("double-blind", "double blind"), ("reduces", "reduced"), ("hospitalisation", "hospitalization"),
    ],
)  # fmt: skip
def test_spelling_accents_and_endings_do_not_hide_a_text(one, other):
    assert search.rank(one, [f"speaks of {other} here", "of nothing"], 5)[0][0] == 0
    assert search.normal(one) == search.normal(other)


@pytest.mark.parametrize(
    ("query", "text"),
    [("高血压", "老年高血压患者的治疗"), ("고혈압", "고혈압환자"), ("гипертония", "артериальная гипертония"), ("โรคหัวใจ", "ผู้ป่วยโรคหัวใจ")],
)
def test_other_scripts_are_found_too(query, text):
    assert [position for position, _score in search.rank(query, ["something else", text], 5)] == [1]


def test_a_phrase_is_found_at_whole_words_only():
    assert search.normal("heart failure") in search.normal("Acute heart failures, in women")
    assert search.normal("art fail") not in search.normal("Acute heart failures, in women")


def test_matched_words_are_those_of_the_query_each_once_in_its_order():
    assert search.matched("Trials of statins, a trial, in stroke", "Stroke and statin use; no trial") == ["trials", "statins", "stroke"]


def test_the_caller_can_stop_a_long_search():
    def stop():
        raise TimeoutError

    with pytest.raises(TimeoutError):
        search.rank("word", ["word"], 5, stop)


def test_a_query_without_a_word_is_refused():
    assert search.searchable("heart") == "heart"
    with pytest.raises(ValueError, match="no word to search for"):
        search.searchable("the — of ?!")


def test_importing_search_does_not_load_the_index():
    program = "import sys, windlass.agents.search; sys.exit('numpy' in sys.modules or 'bm25s' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


words = st.lists(st.sampled_from([f"{letter}{letter}o" for letter in "bdgkm"]), min_size=1, max_size=12)


@settings(max_examples=30, deadline=None)
@given(query=words, texts=st.lists(words, min_size=1, max_size=12), limit=st.integers(1, 12))
def test_scores_are_those_of_the_bm25_formula(query, texts, limit):
    """Lucene's BM25: idf ln(1 + (N − n + ½) / (n + ½)), term weight f / (f + 1.5 · (0.25 + 0.75 · length / mean length))."""
    mean = sum(map(len, texts)) / len(texts)
    expected = []
    for position, text in enumerate(texts):
        score = 0.0
        for word in sorted(set(query) & set(text)):
            holding = sum(word in other for other in texts)
            often = text.count(word)
            score += math.log(1 + (len(texts) - holding + 0.5) / (holding + 0.5)) * often / (often + 1.5 * (0.25 + 0.75 * len(text) / mean))
        if score:
            expected.append((position, score))
    found = search.rank(" ".join(query), [" ".join(text) for text in texts], limit)
    assert len(found) == min(limit, len(expected))
    for (position, score), best in zip(found, sorted((score for _position, score in expected), reverse=True), strict=False):
        assert score == pytest.approx(dict(expected)[position], rel=1e-9)
        assert score == pytest.approx(best, rel=1e-9)


@settings(max_examples=30, deadline=None)
@given(query=st.text(max_size=40), texts=st.lists(st.text(max_size=60), max_size=6))
def test_no_text_can_break_a_search(query, texts):
    found = search.rank(query, texts, 6)
    assert all(score > 0 and 0 <= position < len(texts) for position, score in found)
    assert found == sorted(found, key=lambda hit: (-hit[1], hit[0]))
