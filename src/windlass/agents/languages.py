"""Tells the language and the script of a text, offline: py3langid's model comes with its wheel, scripts are Unicode's own names.

Measured on twenty one-sentence abstracts in twenty languages: py3langid 20 right, 0.4 s to load, 0.1 ms a text; langid 20, 1.3 s, 0.8 ms;
langdetect 20, 0.2 s, 0.8 ms, but another answer from run to run unless it is seeded.
"""

from __future__ import annotations

import importlib
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import orjson

from windlass.agents import text

READ = 4000
"""Characters of a text that are looked at: more of them make the model slower and no surer."""
SURE = 0.4
"""Confidence below which a language is not named; the model's own, 0 to 1."""
UNKNOWN = "und"
"""ISO 639's code for a language that is not known."""

_ALIASES = {"CJK": "Han", "HIRAGANA": "Hiragana", "KATAKANA": "Katakana"}


@dataclass(frozen=True, kw_only=True)
class Guess:
    """A language (ISO 639) and the model's confidence in it. Lives as long as the run."""

    language: str
    confidence: float


def guesses(passage: str) -> list[Guess]:
    """The three likeliest languages, best first; none for a text without two words' worth of letters."""
    sample = passage[:READ]
    if sum(character.isalpha() for character in sample) < 4:
        return []
    ranked = _model().rank(sample)[:3]
    return [Guess(language=language, confidence=round(confidence, 4)) for language, confidence in ranked]


def named(found: list[Guess]) -> str:
    """The language to go by: the likeliest, unless its confidence is under SURE or it is none (`zxx`)."""
    return found[0].language if found and found[0].confidence >= SURE and found[0].language != "zxx" else UNKNOWN


def scripts(passage: str) -> dict[str, float]:
    """Script → its share of the letters, the largest first: `{"Han": 0.9, "Latin": 0.1}`; empty without letters."""
    counts: Counter[str] = Counter()
    for character, count in Counter(passage[:READ]).items():
        if character.isalpha():
            counts[_script(character)] += count
    letters = sum(counts.values())
    return {script: round(count / letters, 4) for script, count in counts.most_common()}


def function_word(word: str, language: str) -> bool:
    """Whether a word joins others rather than names something, in a language whose list is shipped."""
    return word in _function_words().get(language, frozenset())


def has_function_words(language: str) -> bool:
    """Whether a list of function words is shipped for the language."""
    return language in _function_words()


@cache
def _model() -> Any:
    langid = importlib.import_module("py3langid.langid")  # NumPy and half a second for the model: only when a text is asked about
    return langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)


@cache
def _function_words() -> dict[str, frozenset[str]]:
    shipped = orjson.loads(resources.files("windlass.agents.data").joinpath("function_words.json").read_bytes())
    return {"en": text.STOPWORDS} | {language: frozenset(words.split()) for language, words in shipped["words"].items()}


@cache
def _script(character: str) -> str:
    first = unicodedata.name(character, "UNKNOWN").split()[0]
    return _ALIASES.get(first, first.capitalize())
