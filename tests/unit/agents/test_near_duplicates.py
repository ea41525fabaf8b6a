from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents import near_duplicates


def pairs(texts: list[str], groups: str) -> list[tuple[int, int, float]]:
    return [(pair.first, pair.second, round(pair.likeness, 3)) for pair in near_duplicates.across(texts, list(groups)).pairs]


LONG = " ".join(f"word{number}" for number in range(40))


def test_one_changed_word_of_forty_leaves_two_texts_alike():
    assert pairs([LONG, LONG.replace("word20 ", "other ")], "ab") == [(0, 1, 0.854)]


def test_only_texts_of_different_groups_are_paired():
    assert pairs([LONG, LONG, LONG], "aab") == [(0, 2, 1.0), (1, 2, 1.0)]


def test_short_texts_are_alike_when_their_words_are():
    assert pairs(["Yes", "yes!", "no", "!", "?"], "ababa") == [(0, 1, 1.0)]


def test_scripts_without_spaces_are_compared_by_character():
    text = "患者は発熱と咳を訴えて来院した。胸部の聴診では異常を認めなかった。血液検査を行った。"
    assert len(pairs([text, text.replace("血液", "尿")], "ab")) == 1


def test_the_search_finds_what_comparing_all_pairs_finds():
    rng = random.Random(7)
    texts = []
    for _ in range(60):
        words = [f"w{rng.randrange(400)}" for _ in range(60)]
        texts += [" ".join(words), " ".join(words[: rng.randrange(40, 60)])]
    prints = [near_duplicates.fingerprints(text) for text in texts]
    every = [
        (one, other)
        for one in range(len(texts))
        for other in range(one + 1, len(texts))
        if one % 2 != other % 2 and near_duplicates.jaccard(prints[one], prints[other]) >= near_duplicates.ALIKE
    ]
    assert len(every) > 10
    assert [(one, other) for one, other, _ in pairs(texts, "ab" * 60)] == every


def test_boilerplate_does_not_make_the_search_endless():
    texts = [f"the same opening of every note {number}" for number in range(2000)]
    found = near_duplicates.across(texts, ["a", "b"] * 1000)
    assert found.complete is False


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=200))
def test_a_text_is_like_itself_unless_it_has_no_words(text):
    prints = near_duplicates.fingerprints(text)
    assert near_duplicates.jaccard(prints, prints) == (1.0 if prints else 0.0)
