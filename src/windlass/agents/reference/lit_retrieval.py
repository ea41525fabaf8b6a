"""LIT_RETRIEVAL: which papers of a corpus speak most of a query?

Ranked full-text search (BM25) over title, abstract and keywords of the papers that were handed in as `corpus`: a list, a bibliography
as text, or a file of the operator's. Without any, DEMO mode searches the shipped corpus, whose every record says that it is synthetic;
LIVE mode asks the live sources that the operator allows, and refuses where there are none. A paper that shares no word with the
query is not in the answer, however few there are.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from windlass.agents import corpora, papers, search
from windlass.agents.agent import Agent, Context, Inputs, Outputs, Probe, Step, Work
from windlass.agents.sources import Source


class LitRetrievalInputs(Inputs):
    """A query in plain words, and the papers to search."""

    query: search.Query
    max_results: Annotated[int, Field(ge=1, le=200)] = 25
    corpus: corpora.Corpus | None = None
    sources: Annotated[list[Source], Field(min_length=1)] | None = None
    """LIVE mode only: which of the allowed live sources to ask; all without it."""


class RankedPaper(papers.Citation):
    """A paper that was found, and why it stands here."""

    rank: int
    score: float
    matched_terms: list[str]
    """Words of the query that the paper holds, in the query's order."""


class LitRetrievalOutputs(Outputs):
    """The best papers, best first; ties in the order of the corpus. `total_matches` counts those beyond `max_results` too."""

    papers: list[RankedPaper]
    total_matches: int
    corpus_size: int
    source: corpora.Origin
    synthetic_count: int
    """How many of the papers above are synthetic."""


def choose(inputs: LitRetrievalInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """Which corpus is searched; LIVE mode without one is refused."""
    return corpora.choose(inputs.corpus, inputs.sources, inputs.query, inputs.max_results, context)


def rank(inputs: LitRetrievalInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """Position and score of every paper that shares a word with the query, best first."""
    corpus = corpora.kept(inputs.corpus, work)
    found = search.rank(inputs.query, [papers.wording(paper) for paper in corpus], len(corpus), context.check)
    return {"hits": [[position, score] for position, score in found]}


def present(inputs: LitRetrievalInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """The records of the best hits, each with the words that it shares with the query."""
    corpus = corpora.kept(inputs.corpus, work)
    ranked: list[dict[str, Any]] = []
    for place, (position, score) in enumerate(work["hits"][: inputs.max_results], 1):
        context.check()
        paper = corpus[position]
        words = search.matched(inputs.query, papers.wording(paper))
        ranked.append({"rank": place, "score": round(score, 6), "matched_terms": words, **papers.citation(paper, position)})
    synthetic = sum(paper["synthetic"] for paper in ranked)
    nothing = [] if ranked else [f"none of the {work['corpus_size']} papers shares a word with the query"]
    return {
        "outputs": {
            "papers": ranked,
            "total_matches": len(work["hits"]),
            "corpus_size": work["corpus_size"],
            "source": work["source"],
            "synthetic_count": synthetic,
        },
        "warnings": [*papers.synthetic_notice(synthetic, len(ranked)), *nothing],
    }


def _make(seed: int) -> dict[str, Any]:
    """Papers of random words, a query of five of these words and one that is nowhere; the first paper holds none of them."""
    rng = random.Random(seed)
    pool = list(dict.fromkeys("".join(rng.choice("bdgkmprtvz") + rng.choice("aou") for _ in range(4)) for _ in range(48)))
    query, rest = pool[:5], pool[5:]
    corpus = []
    for place in range(rng.randrange(14, 22)):
        pieces = [rng.choice(rest) for _ in range(rng.randrange(12, 40))]
        if place:
            pieces += [word for word in rng.sample(query, rng.randrange(4)) for _ in range(rng.randrange(1, 4))]
        rng.shuffle(pieces)
        corpus.append({"id": f"p{rng.randrange(10**8)}-{place}", "title": " ".join(pieces[:6]), "abstract": " ".join(pieces[6:]), "lab": place})
    return {"query": " ".join([*query, "nowhereword"]), "max_results": rng.randrange(4, 9), "corpus": corpus}


def _check(_seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    """Scores every paper by the formula itself and holds ranking, scores, counts and matched words against that."""
    texts = {paper["id"]: f"{paper['title']} {paper['abstract']}".split() for paper in inputs["corpus"]}
    query, mean = inputs["query"].split(), sum(map(len, texts.values())) / len(texts)
    scores: dict[str, float] = {}
    for word in query:
        holding = [name for name, words in texts.items() if word in words]
        for name in holding:
            often = texts[name].count(word)
            rarity = math.log(1 + (len(texts) - len(holding) + 0.5) / (len(holding) + 0.5))
            weight = often / (often + 1.5 * (0.25 + 0.75 * len(texts[name]) / mean))
            scores[name] = scores.get(name, 0.0) + rarity * weight
    given = outputs.get("papers")
    if not isinstance(given, list) or len(given) != min(inputs["max_results"], len(scores)):
        return "the answer does not hold as many papers as match, up to max_results"
    if (outputs.get("total_matches"), outputs.get("corpus_size")) != (len(scores), len(texts)):
        return "the counts are not those of the corpus"
    best = sorted(scores.values(), reverse=True)
    for place, paper in enumerate(given):
        name = paper.get("id")
        if name not in scores or abs(paper.get("score", -1.0) - scores[name]) > 1e-4 or abs(scores[name] - best[place]) > 1e-4:
            return f"place {place + 1} of the ranking does not go to the paper that the formula puts there"
        if paper.get("rank") != place + 1 or paper.get("matched_terms") != [word for word in query if word in texts[name]]:
            return f"the words that {name} shares with the query are not those that it is said to share"
    return "a paper stands in the answer twice" if len({paper["id"] for paper in given}) < len(given) else None


AGENT = Agent(
    name="agent-lit-retrieval",
    task_types=("LIT_RETRIEVAL",),
    summary="Ranks the papers of a corpus by how much they speak of a query (BM25), with the words that each shares with it.",
    version="1.0.0",
    inputs=LitRetrievalInputs,
    outputs=LitRetrievalOutputs,
    steps=(Step(name="choose", run=choose), Step(name="rank", run=rank), Step(name="present", run=present)),
    example={"query": "randomised trial of exercise against fatigue in breast cancer", "max_results": 5},
    probe=Probe(make=_make, check=_check),
)
