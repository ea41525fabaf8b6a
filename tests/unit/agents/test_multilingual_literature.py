from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents import languages, recurring_terms, signatures
from windlass.agents.reference.multilingual_literature import AGENT

from . import probing, runs

SENTENCES = {
    "en": "Statins reduced mortality by 12% in the trial.",
    "de": "Statine senkten die Sterblichkeit in der Studie um 12%.",
    "fr": "Les statines ont réduit la mortalité de 12% dans l'essai.",
    "es": "Las estatinas redujeron la mortalidad en un 12% en el ensayo.",
    "pt": "As estatinas reduziram a mortalidade em 12% no ensaio.",
    "it": "Le statine hanno ridotto la mortalità del 12% nello studio.",
    "nl": "Statines verminderden de sterfte in het onderzoek met 12%.",
    "pl": "Statyny zmniejszyły śmiertelność w badaniu o 12%.",
    "ru": "Статины снизили смертность в исследовании на 12%.",
    "zh": "他汀类药物在试验中使死亡率降低了12%。",
    "ja": "スタチンは試験で死亡率を12%低下させた。",
    "ko": "스타틴은 임상시험에서 사망률을 12% 감소시켰다.",
    "ar": "خفضت الستاتينات معدل الوفيات بنسبة 12٪ في التجربة.",
    "tr": "Statinler çalışmada mortaliteyi %12 azalttı.",
    "el": "Οι στατίνες μείωσαν τη θνησιμότητα κατά 12% στη μελέτη.",
}


def test_a_sentence_of_each_language_is_identified(tmp_path):
    outputs = runs.outputs(AGENT, {"texts": list(SENTENCES.values())}, tmp_path)
    assert [one["language"] for one in outputs["texts"]] == list(SENTENCES)
    assert {one["language"]: one["script"] for one in outputs["texts"] if one["script"] != "Latin" and one["language"] != "ja"} == {
        "ru": "Cyrillic",
        "zh": "Han",
        "ko": "Hangul",
        "ar": "Arabic",
        "el": "Greek",
    }
    assert set(outputs["texts"][10]["scripts"]) == {"Hiragana", "Katakana", "Han"}


def test_what_is_too_little_to_tell_stays_unknown(tmp_path):
    answer = runs.answer(AGENT, {"texts": ["123 456", "aspirin", "p<0.05", "— ·"]}, tmp_path)
    assert {one["language"] for one in answer["outputs"]["texts"]} == {"und"}
    assert any("could not be told" in warning for warning in answer["warnings"])


def test_one_work_in_two_languages_is_found_by_its_numbers_and_names(tmp_path):
    texts = [
        {"id": "en", "text": "We enrolled 1,240 patients; HbA1c fell by 0.82 and mortality was 12.5% (ICU only)."},
        {"id": "fr", "text": "Les patients ont été suivis pendant deux ans dans trois hôpitaux de la région."},
        {"id": "de", "text": "Aufgenommen wurden 1.240 Patienten; HbA1c sank um 0,82 und die Sterblichkeit betrug 12,5 % (nur ICU)."},
    ]
    answer = runs.answer(AGENT, {"texts": texts}, tmp_path)
    assert answer["outputs"]["duplicates"] == [
        {"id": "de", "of": "en", "by": "numbers", "shared": ["0.82", "12.5%", "1240", "hba1c", "icu"], "across": True}
    ]
    assert answer["outputs"]["distinct"] == 2
    assert any("look at them" in warning for warning in answer["warnings"])


def test_different_dois_are_different_works_whatever_the_numbers(tmp_path):
    wording = "We enrolled 1,240 patients; HbA1c fell by 0.82 and mortality was 12.5%."
    texts = [{"text": wording, "doi": "10.5555/a"}, {"text": wording, "doi": "10.5555/b"}, {"text": "x", "doi": "https://doi.org/10.5555/A"}]
    outputs = runs.outputs(AGENT, {"texts": texts}, tmp_path)
    assert [(one["id"], one["of"], one["by"]) for one in outputs["duplicates"]] == [("text-3", "text-1", "doi")]


def test_a_translation_is_refused_by_name_and_the_rest_is_done(tmp_path):
    answer = runs.answer(AGENT, {"texts": list(SENTENCES.values())[:2], "translate_to": "en"}, tmp_path)
    assert answer["status"] == "ok"
    assert answer["outputs"]["translation"]["code"] == "MODEL_REQUIRED"
    assert answer["outputs"]["translation"]["done"] is False
    assert [one["language"] for one in answer["outputs"]["texts"]] == ["en", "de"]


def test_a_query_alone_is_identified_and_beside_texts_names_those_that_hold_its_words(tmp_path):
    alone = runs.outputs(AGENT, {"query": "Sterblichkeit nach einem Schlaganfall bei älteren Menschen"}, tmp_path)
    assert (alone["query"]["language"], alone["texts"], alone["distinct"]) == ("de", [], 0)
    both = runs.outputs(AGENT, {"query": "Sterblichkeit Statine", "texts": [SENTENCES["de"], SENTENCES["en"]]}, tmp_path)
    assert [one["query_words"] for one in both["texts"]] == [["sterblichkeit", "statine"], ["statine"]]


def test_recurring_terms_leave_function_words_out_and_have_a_place(tmp_path):
    texts = ["Die Behandlung wurde zwischen 2020 und 2022 geprüft.", "Diese Behandlung war zwischen den Gruppen gleich."]
    outputs = runs.outputs(AGENT, {"texts": texts}, tmp_path)
    group = outputs["glossary"][0]
    assert (group["language"], group["function_words"]) == ("de", True)
    assert [(term["term"], term["count"], term["texts"]) for term in group["terms"]] == [("behandlung", 2, ["text-1", "text-2"])]
    term = group["terms"][0]
    assert texts[0][term["start"] : term["end"]] == term["stands"] == "Behandlung"


def test_a_script_without_spaces_gives_pairs_of_characters():
    terms = recurring_terms.recurring([(0, "死亡率が低下した。死亡率。")], "ja", 5, lambda: None)
    assert [(term.term, term.count) for term in terms] == [("亡率", 2), ("死亡", 2)]


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("1,200", ["1200"]),
        ("1.200", ["1200"]),
        ("1\u00a0200", ["1200"]),
        ("0,825", ["0.825"]),
        ("12,5 %", ["12.5%"]),
        ("١٢٫٥٪", ["12.5%"]),
        ("12", []),
        ("死亡率12%低下", ["12%"]),
        ("v1.2", []),
    ],
)
def test_numbers_have_one_form_in_all_languages(written, form):
    assert list(signatures.numbers(written)) == form


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "texts or query is required"),
        ({"text": ["x"]}, "did you mean 'texts'"),
        ({"querry": "x"}, "did you mean 'query'"),
        ({"texts": []}, "texts"),
        ({"texts": ["", "x"]}, "texts"),
        ({"texts": [3]}, "texts"),
        ({"texts": [{"id": "a", "text": "x"}, {"id": "a", "text": "y"}]}, "same id"),
        ({"texts": ["x"], "translate_to": "English"}, "translate_to"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_by_name(tmp_path, inputs, said):
    error = runs.refusal(AGENT, inputs, tmp_path)
    assert error["code"] == "VALIDATION_ERROR"
    assert said in error["message"]


@pytest.mark.parametrize("piece", ["die Studie 12.5 % ", "x", "1,234.", "水", "1.", "A-"])
def test_a_huge_text_is_handled_in_time(tmp_path, piece):
    runs.outputs(AGENT, {"texts": [piece * (3_000_000 // len(piece.encode()))]}, tmp_path, budgets={"timeout_ms": 15_000})


def test_thousands_of_texts_that_share_their_numbers_are_compared_in_time(tmp_path):
    texts = [f"In 1240 patients of NCT99999 the ICU rate was 12.5% at site AB{place} and XY{place * 7} and {place + 1000}." for place in range(3000)]
    outputs = runs.outputs(AGENT, {"texts": texts}, tmp_path, budgets={"timeout_ms": 15_000})
    assert len(outputs["texts"]) == 3000


@settings(max_examples=20, deadline=None)
@given(texts=st.lists(st.sampled_from([*SENTENCES.values(), "İstanbul İSTANBUL ǅ ß ẞ", "10.5555/ab 10.5555/AB"]), min_size=1, max_size=6))
def test_every_term_stands_where_it_is_said_to_and_the_counts_add_up(tmp_path_factory, texts):
    outputs = runs.outputs(AGENT, {"texts": texts}, tmp_path_factory.getbasetemp())
    assert sum(outputs["languages"].values()) == len(texts) == outputs["distinct"] + len(outputs["duplicates"])
    for group in outputs["glossary"]:
        for term in group["terms"]:
            wording = texts[int(term["first"].removeprefix("text-")) - 1]
            assert wording[term["start"] : term["end"]] == term["stands"]
            assert term["stands"].casefold() == term["term"]
    for one in outputs["duplicates"]:
        for token in one["shared"]:
            assert token.rstrip("%") in texts[int(one["id"].removeprefix("text-")) - 1].casefold()


def test_shares_of_scripts_add_up():
    assert languages.scripts("abc где 水") == {"Latin": 0.4286, "Cyrillic": 0.4286, "Han": 0.1429}
    assert languages.scripts("12 — %") == {}


def test_the_probe_passes_for_real_work(tmp_path):
    probing.passes(AGENT, tmp_path)


def test_the_probe_rejects_canned_answers(tmp_path):
    probing.rejects_canned_answers(AGENT, tmp_path)


def test_the_probe_needs_every_step(tmp_path):
    probing.needs_every_step(AGENT, tmp_path)
