"""STAGE2_SYNTHESIZE: a section on what the papers report, built only from extraction rows, with keyed citations and their references.

The rows are those handed in (each is first held against its paper) or are read here by the same grammar. Every sentence cites the papers
that it is built from; every number in it stands in a quote of theirs or was counted from the rows. A citation without its reference, a
reference that nobody cites or a number without evidence is an error, never an answer.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from windlass.agents import citation_keys, extraction, extraction_checks, papers, search, section_checks, synthesis_sentences
from windlass.agents.agent import Agent, Context, Inputs, Item, Outputs, Probe, Step, Work
from windlass.agents.engines import synthesis
from windlass.agents.extraction_rows import Cited, Place, Row
from windlass.agents.markdown_cell import escaped
from windlass.agents.readable_papers import ReadablePaper, cited, require_evidence
from windlass.agents.synthesis_sentences import Sentence
from windlass.errors import AgentError

_SHOWN = 600
"""Characters of a sentence in the Markdown."""


class Stage2SynthesizeInputs(Inputs):
    """The papers, in the order of `rows` where those are handed in; the question becomes the section's title."""

    papers: Annotated[list[ReadablePaper], Field(min_length=1, max_length=5_000)]
    research_question: search.Query | None = None
    rows: Annotated[list[Row], Field(min_length=1, max_length=5_000)] | None = None
    """As STAGE2_EXTRACT answered them for these papers."""

    @model_validator(mode="after")
    def _one_row_per_paper(self) -> Self:
        if self.rows is not None and len(self.rows) != len(self.papers):
            raise ValueError(f"rows: {len(self.rows)} rows stand beside {len(self.papers)} papers")
        return self


class Quote(Place):
    """A verbatim piece of the paper that the key cites."""

    citation_key: str


class DraftedSentence(Item):
    """A sentence, what it cites, the quotes that bear it out, and the numbers in it that were counted from the rows."""

    text: str
    citation_keys: list[str]
    quotes: list[Quote]
    counted: list[int]


class Section(Item):
    """The section as sentences in order, and as Markdown with `[@key]` citations and the references."""

    title: str
    sentences: list[DraftedSentence]
    markdown: str


class Reference(Item):
    """What the paper's record says of itself."""

    key: str
    text: str


class Counts(Item):
    """What the section rests on."""

    papers: int
    estimates: int
    topics: int
    """Measures by endpoint."""
    without_estimate: int
    sentences: int


class Stage2SynthesizeOutputs(Outputs):
    """The section, and one reference per paper, in order; every key that is cited is a reference's, and every reference is cited."""

    section: Section
    references: list[Reference]
    counts: Counts


def gather(inputs: Stage2SynthesizeInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """Rows and citations: those handed in, once the papers bear them out, else read here. Raises AgentError for a row that is not borne out."""
    require_evidence(inputs.papers, context.mode)
    keys = citation_keys.of_papers(inputs.papers)
    citations = [cited(paper, position, key) for position, (paper, key) in enumerate(zip(inputs.papers, keys, strict=True))]
    rows: list[Row] = []
    for position, (paper, key) in enumerate(zip(inputs.papers, keys, strict=True)):
        context.check()
        if inputs.rows is None:
            rows.append(extraction.read(paper, position, key, context.check))
        elif reason := extraction_checks.unsupported(inputs.rows[position], paper):
            raise _refused(f"rows.{position}", reason)
        else:
            rows.append(inputs.rows[position])
    if reason := extraction_checks.not_aligned(rows, [Cited.model_validate(citation) for citation in citations]):
        raise _refused("rows", reason)
    return {"rows": [row.model_dump() for row in rows], "citations": citations}


def draft(_inputs: Stage2SynthesizeInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """The sentences, by topic: an overview, each estimate, how those of a topic compare, and the papers without one."""
    rows = [Row.model_validate(row) for row in work["rows"]]
    citations = [Cited.model_validate(citation) for citation in work["citations"]]
    topics = synthesis_sentences.topics(rows, context.check)
    told: list[tuple[str, list[Sentence]]] = [("Evidence", [synthesis_sentences.overview(rows)])]
    for topic in topics:
        context.check()
        one_by_one = [synthesis_sentences.estimate(rows[row], rows[row].effects[place], citations[row]) for row, place in topic.members]
        together = synthesis_sentences.comparison(topic, rows, context.check)
        heading = f"{synthesis_sentences.NAMES[topic.measure].capitalize()}: {topic.endpoint or 'endpoint not stated'}"
        told.append((heading, [*one_by_one, *([together] if together else [])]))
    silent = [row for row in rows if not row.effects]
    if silent:
        told.append(("Without an effect estimate", [synthesis_sentences.without_estimate(row, citations[row.position]) for row in silent]))
    return {
        "paragraphs": [{"heading": heading, "sentences": [_drafted(sentence, citations) for sentence in sentences]} for heading, sentences in told],
        "topics": len(topics),
        "without_estimate": len(silent),
    }


def bind(inputs: Stage2SynthesizeInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """The section with its references, once every citation, quote and number in it holds; raises AgentError UNSUPPORTED_SENTENCE otherwise."""
    citations = [Cited.model_validate(citation) for citation in work["citations"]]
    known = {citation.key: (citation, paper) for citation, paper in zip(citations, inputs.papers, strict=True)}
    sentences = [sentence for paragraph in work["paragraphs"] for sentence in paragraph["sentences"]]
    for sentence in sentences:
        context.check()
        if reason := _unsupported(DraftedSentence.model_validate(sentence), known):
            raise AgentError("UNSUPPORTED_SENTENCE", f"{reason}: {sentence['text'][:200]}")
    title = f"Synthesis: {inputs.research_question}" if inputs.research_question else "Synthesis"
    references = [{"key": citation.key, "text": _reference(citation)} for citation in citations]
    markdown = _markdown(title, work["paragraphs"], references)
    in_sentences = [key for sentence in sentences for key in sentence["citation_keys"]]
    listed = [reference["key"] for reference in references]
    for keys in (in_sentences, section_checks.cited_keys(markdown)):
        if reason := section_checks.dangling(keys, listed):
            raise AgentError("DANGLING_CITATION", reason)
    counts = {"papers": len(citations), "estimates": sum(len(row["effects"]) for row in work["rows"]), "sentences": len(sentences)}
    return {
        "outputs": {
            "section": {"title": title, "sentences": sentences, "markdown": markdown},
            "references": references,
            "counts": {**counts, "topics": work["topics"], "without_estimate": work["without_estimate"]},
        },
        "grounding": {"papers": len(citations), "quotes": sum(len(sentence["quotes"]) for sentence in sentences)},
        "warnings": papers.synthetic_notice(sum(citation.synthetic for citation in citations), len(citations)),
    }


def _refused(field: str, reason: str) -> AgentError:
    return AgentError("VALIDATION_ERROR", f"{field}: {reason}", {"fieldErrors": {field: [reason]}})


def _drafted(sentence: Sentence, citations: Sequence[Cited]) -> dict[str, Any]:
    """A sentence over one paper quotes that paper; the quotes of a comparison are those of its members, which quote them already."""
    quotes = [{**place.model_dump(), "citation_key": citations[sentence.rows[0]].key} for place in sentence.quotes] if len(sentence.rows) == 1 else []
    return {
        "text": sentence.text,
        "citation_keys": [citations[row].key for row in sentence.rows],
        "quotes": quotes,
        "counted": list(sentence.counted),
    }


def _unsupported(sentence: DraftedSentence, known: Mapping[str, tuple[Cited, ReadablePaper]]) -> str | None:
    """Why the sentence can't stand: it cites nothing or an unknown key, misquotes, or holds a number of its own."""
    if not sentence.citation_keys or not set(sentence.citation_keys) <= known.keys():
        return "a sentence that cites no known paper"
    for quote in sentence.quotes:
        if quote.citation_key not in sentence.citation_keys:
            return "a quote of a paper that is not cited"
        if reason := extraction_checks.misquoted(quote, known[quote.citation_key][1]):
            return reason
    records = [known[key] for key in sentence.citation_keys]
    told = [paper.study_type or "" for _citation, paper in records]  # a design of the user's own may hold a number: `phase 3 trial`
    named = [synthesis_sentences.label(citation) for citation, _paper in records] if len(records) == 1 else []
    return section_checks.invented_number(sentence.text, [*named, *told, *(quote.quote for quote in sentence.quotes)], sentence.counted)


def _reference(citation: Cited) -> str:
    """Authors. Title. Journal. Year. doi — whichever the record gives, as it gives them."""
    authors = ", ".join(citation.authors[:6]) + (" et al." if len(citation.authors) > 6 else "")
    doi = f"doi:{citation.doi}" if citation.doi else None
    parts = [authors, citation.title, citation.journal, str(citation.year) if citation.year else None, doi]
    return ". ".join(part.rstrip(". ") for part in parts if part) + ("; synthetic record" if citation.synthetic else "")


def _markdown(title: str, paragraphs: Sequence[Mapping[str, Any]], references: Sequence[Mapping[str, str]]) -> str:
    lines = [f"## {escaped(title)}", ""]
    for paragraph in paragraphs:
        told = (f"{escaped(sentence['text'], _SHOWN)} [@{'; @'.join(sentence['citation_keys'])}]." for sentence in paragraph["sentences"])
        lines += [f"### {escaped(paragraph['heading'])}", "", " ".join(told), ""]
    lines += ["### References", ""]
    lines += [f"- **{reference['key']}**: {escaped(reference['text'], _SHOWN)}" for reference in references]
    return "\n".join(lines) + "\n"


_DRUGS = ("valoxin", "termudan", "corvetil", "ismaprel", "dorvatan", "kelpramide")


def _make(seed: int) -> dict[str, Any]:
    """Papers on one endpoint, each with a random hazard ratio; one reports only a p-value, one nothing at all."""
    rng = random.Random(seed)
    endpoint = f"{rng.choice(('early', 'late', 'first'))} {rng.choice(('mortality', 'relapse', 'bleeding', 'dyspnoea'))}"
    made = []
    for place in range(rng.randrange(4, 7)):
        low, value, high = (f"{number / 100:.2f}" for number in sorted(rng.sample(range(20, 480), 3)))
        n = rng.randrange(1000, 9999)
        told = f"We randomly assigned {n} patients. The hazard ratio for {endpoint} was {value} (95% CI {low} to {high})."
        if place == 1:
            told = f"In a cohort study, {n} patients were followed and recovered sooner (p = 0.{rng.randrange(100, 999)})."
        if place == 2:
            told = "A cohort study of which little is told."
        author = "".join(rng.choice("bdgkmprtvz") + rng.choice("aou") for _ in range(3)).capitalize()
        year = rng.randrange(1950, 2030)
        made.append(
            {
                "id": f"y{rng.randrange(10**8)}-{place}",
                "title": f"On {rng.choice(_DRUGS)}",
                "abstract": told,
                "year": year,
                "authors": [f"{author} Q"],
            }
        )
    return {"papers": made, "research_question": f"Does {rng.choice(_DRUGS)} prevent {endpoint} ({rng.randrange(10**6)})?"}


def _check(seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    """Reads the numbers off the papers by knowing how they are written, and follows every citation to its reference."""
    try:
        return _wrong(seed, inputs, outputs)
    except (AttributeError, IndexError, KeyError, StopIteration, TypeError, ValueError) as odd:
        return f"the outputs do not have their shape: {odd!r}"


def _wrong(_seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    section, references, given = outputs["section"], outputs["references"], inputs["papers"]
    if inputs["research_question"] not in section["title"]:
        return "the section is not on the question"
    if len(references) != len(given) or any(
        paper["title"] not in listed["text"] or paper["authors"][0] not in listed["text"] for paper, listed in zip(given, references, strict=True)
    ):
        return "the references are not the papers, in their order"
    keys = [listed["key"] for listed in references]
    cited = set(re.findall(r"@([a-z0-9]+)", section["markdown"].replace("\\@", "")))
    in_sentences = {key for sentence in section["sentences"] for key in sentence["citation_keys"]}
    if cited != set(keys) or in_sentences != set(keys) or len(set(keys)) != len(keys):
        return "the citations are not those of the references"
    ratios = []
    for key, paper in zip(keys, given, strict=True):
        alone = [sentence for sentence in section["sentences"] if sentence["citation_keys"] == [key]]
        expected = re.findall(r"\d+\.\d\d\d?", paper["abstract"]) + re.findall(r"\d{4}(?= patients)", paper["abstract"])
        if len(alone) != 1 or any(number not in alone[0]["text"] for number in expected):
            return f"no sentence says what {paper['id']} reports"
        if re.findall(r"\d+\.\d\d\d?", alone[0]["text"]) != re.findall(r"\d+\.\d\d\d?", paper["abstract"]):
            return f"the sentence on {paper['id']} holds other numbers than its paper"
        if any(paper[quote["field"]][quote["start"] : quote["end"]] != quote["quote"] for quote in alone[0]["quotes"]):
            return "a quote does not stand where it is said to stand"
        if "hazard" in paper["abstract"]:
            ratios.append(float(expected[0]))
    together = next(sentence for sentence in section["sentences"][1:] if len(sentence["citation_keys"]) > 1)
    below = sum(ratio < 1 for ratio in ratios)
    if len(together["citation_keys"]) != len(ratios) or f" {below} lie below" not in together["text"]:
        return "the estimates are not compared as they lie"
    return None if outputs["counts"]["estimates"] == len(ratios) and outputs["counts"]["papers"] == len(given) else "the counts are wrong"


AGENT = Agent(
    name="agent-stage2-synthesize",
    task_types=("STAGE2_SYNTHESIZE",),
    summary="Writes a section on what the papers report, built only from extraction rows, every sentence cited and every number quoted.",
    version="1.0.0",
    inputs=Stage2SynthesizeInputs,
    outputs=Stage2SynthesizeOutputs,
    steps=(Step(name="gather", run=gather), Step(name="draft", run=draft), Step(name="bind", run=bind)),
    example={
        "research_question": "Does exercise reduce fatigue?",
        "papers": [
            {
                "title": "Exercise against fatigue",
                "abstract": "We randomly assigned 1,204 adults. The risk ratio for fatigue was 0.75 (95% CI 0.62–0.91).",
                "year": 2021,
                "authors": ["Roe J"],
            },
            {
                "title": "Walking and fatigue: a cohort study",
                "abstract": "We followed 880 adults. The adjusted risk ratio for fatigue was 1.10 (95% CI 0.90 to 1.34).",
                "year": 2022,
                "authors": ["Doe K"],
            },
        ],
    },
    probe=Probe(make=_make, check=_check),
    model=synthesis.ENGINE,
)
