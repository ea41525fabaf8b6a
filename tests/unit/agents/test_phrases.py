from __future__ import annotations

import time

import pytest

from windlass.agents.phrases import Phrases


def found(text: str, *phrases: str) -> list[tuple[str, str]]:
    return [(place.phrase, text[place.start : place.end]) for place in Phrases(phrases).places(text)]


def test_whole_words_are_found_whatever_parts_them_and_whatever_their_case():
    assert found("A Double-Blind trial; doubleblind not.", "double blind", "blind trial") == [
        ("double blind", "Double-Blind"),
        ("blind trial", "Blind trial"),
    ]


def test_a_star_stands_for_any_ending_and_a_hash_for_a_digit():
    text = "Randomisation and randomized lists of 2012, 201 and 20123."
    assert found(text, "randomi*", "20##") == [("randomi*", "Randomisation"), ("randomi*", "randomized"), ("20##", "2012")]


def test_overlapping_phrases_and_repeated_beginnings_are_all_found():
    assert [piece for _, piece in found("in line in line with it", "in line with", "line")] == ["line", "line", "in line with"]


def test_only_the_asked_part_of_the_text_is_read():
    text = "blind blind blind"
    assert [place.start for place in Phrases(["blind"]).places(text, 6, 11)] == [6]


def test_a_phrase_without_a_word_is_refused():
    with pytest.raises(ValueError, match="holds no word"):
        Phrases(["--"])


def test_ten_megabytes_are_read_in_a_few_seconds():
    phrases = Phrases(["a a a b", "randomi*"])
    began = time.monotonic()
    assert list(phrases.places("a " * 200_000 + "x" * 10_000_000)) == []
    assert time.monotonic() - began < 3
