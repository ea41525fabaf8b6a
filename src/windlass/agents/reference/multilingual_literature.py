"""MULTILINGUAL_LITERATURE_PROCESSING: the language and script of each text, which texts are one work in two languages, and recurring terms.

A translation needs a model (`engines/translation`); without one, a request for it is answered by `MODEL_REQUIRED` in `translation`, beside all
the rest. Two texts are called one work only by what translation leaves alone (see `signatures`); where numbers alone say so, the shared tokens
are shown.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from windlass.agents import languages, recurring_terms, search, signatures
from windlass.agents.agent import Agent, Context, Inputs, Item, Outputs, Probe, Step, Work
from windlass.agents.engines import translation

Text = Annotated[str, Field(min_length=1, max_length=10_000_000, pattern=r"\S")]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]


class TextItem(Item):
    """A text with an id and, where it is known, its DOI."""

    id: Annotated[str, Field(min_length=1, max_length=300, pattern=r"\S")] | None = None
    text: Text
    doi: Annotated[str, Field(max_length=2000)] | None = None


class MultilingualLiteratureInputs(Inputs):
    """Texts, or a query, or both: with both, the texts that hold words of the query are named. `translate_to` is an ISO 639 code."""

    texts: Annotated[list[Text | TextItem], Field(min_length=1, max_length=10_000)] | None = None
    query: Annotated[str, Field(min_length=1, max_length=10_000, pattern=r"\S")] | None = None
    translate_to: Language | None = None
    max_terms: Annotated[int, Field(ge=0, le=200)] = 20

    @model_validator(mode="after")
    def _given(self) -> MultilingualLiteratureInputs:
        if self.texts is None and self.query is None:
            raise ValueError("texts or query is required")
        ids = [_id(item, place) for place, item in enumerate(self.texts or ())]
        if len(set(ids)) < len(ids):
            raise ValueError("texts: two texts have the same id")
        return self

    @property
    def wordings(self) -> list[str]:
        """The texts themselves, in order."""
        return [_wording(item) for item in self.texts or ()]


class Guess(Item):
    """A language (ISO 639) and the model's confidence in it, 0 to 1."""

    language: str
    confidence: float


class Identified(Item):
    """One text: `language` is `und` where no guess is sure enough; `scripts` are shares of its letters."""

    id: str
    language: str
    confidence: float
    alternatives: list[Guess]
    script: str | None
    scripts: dict[str, float]
    query_words: list[str]


class Repeated(Item):
    """A text that reports the same work as an earlier one, and what shows it; `across` when their languages differ."""

    id: str
    of: str
    by: Literal["doi", "wording", "registration", "numbers"]
    shared: list[str]
    across: bool


class GlossaryTerm(Item):
    """A recurring term: the text `first` has it, whatever its case, at `start:end` (`stands` verbatim)."""

    term: str
    count: int
    texts: list[str]
    first: str
    start: int
    end: int
    stands: str


class Glossary(Item):
    """The recurring terms of one language. `function_words` says whether its function words were left out by a list."""

    language: str
    texts: int
    function_words: bool
    terms: list[GlossaryTerm]


class TranslatedText(Item):
    """A text in the language asked for; `language` is the one that it was written in."""

    id: str
    language: str
    text: str


class Translation(Item):
    """What became of the request for a translation; `texts` where a model did it."""

    requested: str
    done: bool
    code: Literal["MODEL_REQUIRED"] | None
    message: str
    texts: list[TranslatedText] = Field(default_factory=list)


class MultilingualLiteratureOutputs(Outputs):
    """`distinct` is how many works the texts report; `languages` counts texts. Without texts, only the query is looked at."""

    texts: list[Identified]
    query: Identified | None
    languages: dict[str, int]
    duplicates: list[Repeated]
    distinct: int
    glossary: list[Glossary]
    translation: Translation | None


def identify(inputs: MultilingualLiteratureInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """Language and script of every text and of the query."""
    found = []
    for place, item in enumerate(inputs.texts or ()):
        context.check()
        found.append(_identified(_id(item, place), _wording(item), inputs.query))
    query = _identified("query", inputs.query, None) if inputs.query is not None else None
    return {"identified": found, "query": query}


def deduplicate(inputs: MultilingualLiteratureInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """The texts that repeat an earlier one's work."""
    items = inputs.texts or []
    read = []
    for item in items:
        context.check()
        read.append(signatures.read(_wording(item), item.doi if isinstance(item, TextItem) else None))
    repeated = []
    for position, twin in signatures.twins(read, context.check).items():
        mine, other = work["identified"][position], work["identified"][twin.of]
        across = mine["language"] != other["language"] and languages.UNKNOWN not in {mine["language"], other["language"]}
        repeated.append({"id": mine["id"], "of": other["id"], "by": twin.by, "shared": list(twin.shared), "across": across})
    return {"duplicates": repeated}


def gather_terms(inputs: MultilingualLiteratureInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """The recurring terms of each language, over all its texts."""
    groups: dict[str, list[int]] = defaultdict(list)
    for position, one in enumerate(work["identified"]):
        groups[one["language"]].append(position)
    wording = [_wording(item) for item in inputs.texts or ()]
    glossary = []
    for language in sorted(groups, key=lambda name: (-len(groups[name]), name)):
        passages = [(position, wording[position]) for position in groups[language]]
        terms = [
            {
                "term": term.term,
                "count": term.count,
                "texts": [work["identified"][position]["id"] for position in term.texts],
                "first": work["identified"][term.texts[0]]["id"],
                "start": term.start,
                "end": term.end,
                "stands": wording[term.texts[0]][term.start : term.end],
            }
            for term in recurring_terms.recurring(passages, language, inputs.max_terms, context.check)
        ]
        known = languages.has_function_words(language)
        glossary.append({"language": language, "texts": len(passages), "function_words": known, "terms": terms})
    return {"glossary": glossary}


def conclude(inputs: MultilingualLiteratureInputs, work: Work, _context: Context) -> Mapping[str, Any]:
    """Counts, and what can't be done without a model."""
    counts: dict[str, int] = {one["language"]: one["texts"] for one in work["glossary"]}
    translation, warnings = None, []
    if inputs.translate_to is not None:
        message = f"translation into {inputs.translate_to!r} needs a model, and this engine has none; everything else was done"
        translation = {"requested": inputs.translate_to, "done": False, "code": "MODEL_REQUIRED", "message": message}
        warnings.append(f"MODEL_REQUIRED: {message}")
    if counts.get(languages.UNKNOWN):
        warnings.append(f"the language of {counts[languages.UNKNOWN]} texts could not be told with a confidence of {languages.SURE}")
    by_numbers = sum(one["by"] == "numbers" for one in work["duplicates"])
    if by_numbers:
        warnings.append(f"{by_numbers} texts were called repeated by shared numbers and names alone; look at them")
    return {
        "outputs": {
            "texts": work["identified"],
            "query": work["query"],
            "languages": counts,
            "duplicates": work["duplicates"],
            "distinct": len(work["identified"]) - len(work["duplicates"]),
            "glossary": work["glossary"],
            "translation": translation,
        },
        "warnings": warnings,
    }


def _id(item: str | TextItem, place: int) -> str:
    return item.id if isinstance(item, TextItem) and item.id else f"text-{place + 1}"


def _wording(item: str | TextItem) -> str:
    return item if isinstance(item, str) else item.text


def _identified(name: str, wording: str, query: str | None) -> dict[str, Any]:
    guesses, scripts = languages.guesses(wording), languages.scripts(wording)
    return {
        "id": name,
        "language": languages.named(guesses),
        "confidence": guesses[0].confidence if guesses else 0.0,
        "alternatives": [{"language": guess.language, "confidence": guess.confidence} for guess in guesses[1:]],
        "script": next(iter(scripts), None),
        "scripts": scripts,
        "query_words": search.matched(query, wording) if query is not None else [],
    }


_SAID: dict[str, tuple[str, str]] = {
    "en": (
        "Latin",
        "The study included {a} patients with {x} and the primary outcome was observed in {b}% of them; the treatment {x} was safe ({c}).",
    ),
    "de": (
        "Latin",
        "Die Studie umfasste {a} Patienten mit {x}, und der primäre Endpunkt trat bei {b} % von ihnen auf; die Behandlung {x} war sicher ({c}).",
    ),
    "fr": (
        "Latin",
        "L'étude a inclus {a} patients avec {x} et le critère principal a été observé chez {b} % d'entre eux; le traitement {x} était sûr ({c}).",
    ),
    "es": (
        "Latin",
        "El estudio incluyó a {a} pacientes con {x} y el resultado principal se observó en el {b} % de ellos; el tratamiento {x} fue seguro ({c}).",
    ),
    "ru": (
        "Cyrillic",
        "В исследование были включены {a} пациентов с {x}, основной исход наблюдался у {b}% из них; лечение {x} было безопасным ({c}).",
    ),
    "el": ("Greek", "Η μελέτη περιέλαβε {a} ασθενείς με {x} και η κύρια έκβαση παρατηρήθηκε στο {b}% από αυτούς· η θεραπεία {x} ήταν ασφαλής ({c})."),
    "zh": ("Han", "该研究纳入了{a}名患有{x}的患者，其中{b}%的患者观察到主要结局；{x}治疗是安全的（{c}）。"),
    "ko": ("Hangul", "이 연구에는 {x} 환자 {a}명이 포함되었으며 그중 {b}%에서 주요 결과가 관찰되었다. {x} 치료는 안전하였다 ({c})."),
}
_COMMAS = frozenset({"de", "fr", "es", "ru", "el"})


def _plan(seed: int) -> tuple[random.Random, list[dict[str, Any]]]:
    """Works, each told in one to three languages with the same numbers and names: `work` is the place of the text that tells it first."""
    rng = random.Random(seed)
    told: list[dict[str, Any]] = []
    for work in range(rng.randrange(2, 5)):
        term = "".join(rng.choices("aeiou", k=1) + rng.choices("bdfglmnprstvz", k=1) + rng.choices("aeiou", k=1) + rng.choices("lmnr", k=1)) + "omil"
        numbers = {"a": rng.randrange(100, 999), "b": f"{rng.randrange(10, 99)}.{rng.randrange(1, 9)}", "c": f"ZQ-{rng.randrange(10**4, 10**5)}"}
        told += [{"work": work, "language": language, "x": term, **numbers} for language in rng.sample(sorted(_SAID), rng.randrange(1, 4))]
    rng.shuffle(told)
    return rng, told


def _make(seed: int) -> dict[str, Any]:
    rng, told = _plan(seed)
    items: list[Any] = []
    for one in told:
        numbers = {"a": one["a"], "b": one["b"].replace(".", ",") if one["language"] in _COMMAS else one["b"], "c": one["c"]}
        items.append({"id": f"t{rng.randrange(10**9)}", "text": _SAID[one["language"]][1].format(x=one["x"], **numbers)})
    return {"texts": items, "max_terms": 200} | ({"translate_to": rng.choice(["en", "de", "ja"])} if rng.random() < 0.5 else {})


def _check(seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    _, told = _plan(seed)
    ids = [item["id"] for item in inputs["texts"]]
    if [one["id"] for one in outputs["texts"]] != ids:
        return "the texts are not those that were given, in their order"
    for one, given in zip(told, outputs["texts"], strict=True):
        if given["language"] != one["language"]:
            return f"a text in {one['language']} was taken for {given['language']}"
        if given["script"] not in {_SAID[one["language"]][0], *({"Latin"} if one["language"] in {"zh", "ko"} else set())} or not given["scripts"]:
            return f"the script of a text in {one['language']} was told wrongly"
    first: dict[int, int] = {}
    wanted = {}
    for place, one in enumerate(told):
        if first.setdefault(one["work"], place) != place:
            wanted[ids[place]] = (ids[first[one["work"]]], told[first[one["work"]]]["language"] != one["language"])
    if {one["id"]: (one["of"], one["across"]) for one in outputs["duplicates"]} != wanted:
        return "the repeated works are not those that were told more than once"
    if outputs["distinct"] != len(first):
        return f"{outputs['distinct']} works were counted, there are {len(first)}"
    counts: dict[str, int] = defaultdict(int)
    for one in told:
        counts[one["language"]] += 1
    if outputs["languages"] != counts:
        return "the languages are not counted right"
    requested = inputs.get("translate_to")
    if (outputs["translation"] or {}).get("requested") != requested or not _holds(told, ids, outputs["translation"]):
        return "a translation is said to be what it is not"
    return _check_glossary(told, inputs["texts"], outputs["glossary"])


def _holds(told: Sequence[Mapping[str, Any]], ids: Sequence[str], translation: Mapping[str, Any] | None) -> bool:
    """Whether a translation that is said to be done has every text of another language, with its invented word and its numbers."""
    if not (translation or {}).get("done"):
        return True
    texts = {one["id"]: one["text"] for one in (translation or {})["texts"]}
    foreign = {name: one for name, one in zip(ids, told, strict=True) if one["language"] != (translation or {})["requested"]}
    return texts.keys() == foreign.keys() and all(str(one[key]) in texts[name] for name, one in foreign.items() for key in ("a", "c", "x"))


def _check_glossary(told: Sequence[Mapping[str, Any]], items: Sequence[Mapping[str, Any]], glossary: Sequence[Mapping[str, Any]]) -> str | None:
    wording = {item["id"]: item["text"] for item in items}
    for group in glossary:
        terms = {term["term"]: term for term in group["terms"]}
        for one in told:
            if one["language"] != group["language"] or group["language"] in {"zh", "ko"}:
                continue  # there the invented word touches letters of the script
            holding = [
                item["id"] for item, other in zip(items, told, strict=True) if other["language"] == one["language"] and one["x"] in item["text"]
            ]
            count = sum(len(re.findall(one["x"], wording[name])) for name in holding)
            term = terms.get(one["x"])
            if term is None or term["count"] != count or term["texts"] != holding:
                return f"the recurring term {one['x']} is not counted right"
        if any(wording[term["first"]][term["start"] : term["end"]] != term["stands"] or not term["stands"] for term in group["terms"]):
            return "a term does not stand where it is said to"
    return None


AGENT = Agent(
    name="agent-multilingual-literature-processor-proxy",
    task_types=("MULTILINGUAL_LITERATURE_PROCESSING",),
    summary="Identifies languages and scripts, finds one work told in several languages by numbers and names, and lists recurring terms.",
    version="1.0.0",
    inputs=MultilingualLiteratureInputs,
    outputs=MultilingualLiteratureOutputs,
    steps=(
        Step(name="identify", run=identify),
        Step(name="deduplicate", run=deduplicate),
        Step(name="gather_terms", run=gather_terms),
        Step(name="conclude", run=conclude),
    ),
    example={
        "texts": [
            "The trial (NCT00000000) enrolled 1,240 patients; mortality fell to 12.5% with treatment.",
            "In die Studie (NCT00000000) wurden 1.240 Patienten aufgenommen; die Sterblichkeit sank unter Behandlung auf 12,5 %.",
            "Les patients ont été suivis pendant deux ans dans trois hôpitaux.",
        ],
        "translate_to": "en",
    },
    probe=Probe(make=_make, check=_check),
    model=translation.ENGINE,
)
