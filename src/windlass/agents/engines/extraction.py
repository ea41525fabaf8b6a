"""The model engine of STAGE2_EXTRACT: the findings that the grammar did not read, added to its rows when the paper bears them out.

What the grammar read stays as it is. An addition is a verbatim quote that holds the measure's name, every number as it is printed and, for an
interval, what it calls itself; values are computed from the printed numbers here. A number that the grammar refused stays refused: it has more
than one reading whoever reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Protocol

from pydantic import Field

from windlass.agents import extraction_checks, measure_names, sample_sizes, text, written_numbers
from windlass.agents.agent import Context
from windlass.agents.engines import support
from windlass.agents.extraction_rows import Cited, Count, Effect, Endpoint, Measure, Place, Row
from windlass.agents.modelling import Draft, ModelEngine
from windlass.agents.papers import Paper

MOST_PAPERS = 200
Quoted = Annotated[str, Field(min_length=1, max_length=600)]

_PEOPLE = re.compile(
    r"\b(?:participants?|patients?|adults?|women|men|children|infants?|subjects?|individuals|persons?|people|volunteers|respondents|adolescents|"
    r"couples|dyads|families|eyes|animals|mice|rats|students|residents|cases|controls|caregivers)\b|\b[nN] ?=",
)
_ROLES = {"primary": re.compile(r"\b(?:primary|main|principal)\b", re.IGNORECASE), "secondary": re.compile(r"\bsecondary\b", re.IGNORECASE)}
_KINDS = {"confidence": re.compile(r"\bCIs?\b|confidence", re.IGNORECASE), "credible": re.compile(r"\bCrIs?\b|credible", re.IGNORECASE)}


class _Inputs(Protocol):
    @property
    def records(self) -> list[Paper]:
        """The papers, in order."""


class AddedEffect(Draft):
    """An effect estimate: a verbatim quote that holds the measure's name and the numbers, these as printed (estimate, then low and high)."""

    citation_key: str
    quote: Quoted
    measure: Literal["HR", "OR", "RR", "IRR", "RD", "MD", "SMD"]
    numbers: Annotated[list[str], Field(min_length=1, max_length=3)]
    level_percent: float | None
    interval: Literal["confidence", "credible", "unlabelled"] | None
    endpoint: Quoted | None


class AddedCount(Draft):
    """A number of participants: a verbatim quote that holds the number and whom it counts."""

    citation_key: str
    quote: Quoted
    value: Annotated[int, Field(ge=1, le=10**12)]


class AddedEndpoint(Draft):
    """A primary or secondary endpoint: its words, and the sentence that calls it so, both verbatim."""

    citation_key: str
    quote: Quoted
    sentence: Quoted
    role: Literal["primary", "secondary"]


class ExtractionDraft(Draft):
    """What the grammar did not read; empty lists where it read everything."""

    effects: Annotated[list[AddedEffect], Field(max_length=500)]
    sample_sizes: Annotated[list[AddedCount], Field(max_length=500)]
    endpoints: Annotated[list[AddedEndpoint], Field(max_length=500)]


def _material(inputs: _Inputs, work: Mapping[str, Any]) -> Mapping[str, Any] | None:
    with_text = [(row, paper) for row, paper in zip(work["rows"], inputs.records, strict=True) if row["has_text"]]
    if not with_text or len(with_text) > MOST_PAPERS:
        return None
    kinds = ("effects", "sample_sizes", "endpoints", "unread")
    return {
        "papers": [
            {
                "citation_key": row["citation_key"],
                "abstract": paper.abstract,
                "already_read": {kind: [found["quote"] for found in row[kind]] for kind in kinds},
            }
            for row, paper in with_text
        ]
    }


def _complaints(inputs: _Inputs, work: Mapping[str, Any], draft: ExtractionDraft, context: Context) -> list[str]:
    known = dict(zip((row["citation_key"] for row in work["rows"]), inputs.records, strict=True))
    found: list[str] = []
    every: list[AddedEffect | AddedCount | AddedEndpoint] = [*draft.effects, *draft.sample_sizes, *draft.endpoints]
    for added in every:
        context.check()
        shown = f"{added.citation_key[:60]}: {added.quote[:120]!r}"
        paper = known.get(added.citation_key)
        if paper is None:
            found.append(f"there is no paper {added.citation_key[:60]!r}")
        elif support.place(paper.abstract or "", added.quote) is None:
            found.append(f"this quote does not stand in the abstract: {shown}")
        else:
            found.extend(f"{reason}: {shown}" for reason in _faults(added, paper))
    if found:
        return found
    for row, paper in zip(_merged(inputs, work, draft), inputs.records, strict=True):
        context.check()
        if reason := extraction_checks.unsupported(row, paper):
            found.append(f"{row.citation_key}: {reason}")
    return found


def _faults(added: AddedEffect | AddedCount | AddedEndpoint, paper: Paper) -> Iterator[str]:
    if isinstance(added, AddedEffect):
        yield from _effect_faults(added, paper)
    elif isinstance(added, AddedCount):
        if not _PEOPLE.search(added.quote):
            yield "the quote does not say whom the number counts"
    else:
        abstract = paper.abstract or ""
        if added.quote not in added.sentence or added.sentence not in abstract:
            yield "the sentence does not stand in the abstract, or does not hold the endpoint"
        if not _ROLES[added.role].search(added.sentence):
            yield f"the sentence does not call it {added.role}"


def _effect_faults(added: AddedEffect, paper: Paper) -> Iterator[str]:
    named = {name.measure for name in measure_names.find(written_numbers.flat(added.quote), _never)}
    if named != {added.measure}:
        yield f"the quote names {', '.join(sorted(named)) or 'no measure'}, not {added.measure} alone"
    if len(added.numbers) == 2 or any(not _is_number(number) for number in added.numbers):
        yield "numbers are the estimate, or the estimate and both limits, as printed and without units"
    if (len(added.numbers) == 3) != (added.interval is not None) or (added.level_percent is not None and added.interval is None):
        yield "an interval has both limits and a kind, and an estimate alone has neither"
    if added.interval in _KINDS and not _KINDS[added.interval].search(added.quote):
        yield f"the quote does not call the interval a {added.interval} interval"
    if added.endpoint is not None and not any(
        added.quote in sentence.text and added.endpoint in sentence.text for sentence in text.sentences(paper.abstract or "")
    ):
        yield "the endpoint does not stand in the sentence of its estimate"


def _is_number(printed: str) -> bool:
    try:
        float(printed)
    except ValueError:
        return False
    return True


def _assemble(inputs: _Inputs, work: Mapping[str, Any], draft: ExtractionDraft, _context: Context) -> Mapping[str, Any]:
    rows = _merged(inputs, work, draft)
    citations = [Cited.model_validate(citation) for citation in work["citations"]]
    added = sum(len(after.effects) + len(after.sample_sizes) + len(after.endpoints) for after in rows) - sum(
        len(row[kind]) for row in work["rows"] for kind in ("effects", "sample_sizes", "endpoints")
    )
    counts = {
        **work["outputs"]["counts"],
        "with_n": sum(row.n is not None for row in rows),
        "with_effect": sum(bool(row.effects) for row in rows),
        "with_interval": sum(any(effect.interval for effect in row.effects) for row in rows),
        "effects": sum(len(row.effects) for row in rows),
        "endpoints": sum(len(row.endpoints) for row in rows),
    }
    return {
        "outputs": {
            "rows": [row.model_dump() for row in rows],
            "citations": [citation.model_dump() for citation in citations],
            "counts": counts,
        },
        "grounding": {"papers": len(rows), "quotes": sum(len(row.effects) + len(row.p_values) + len(row.sample_sizes) for row in rows)},
        "warnings": [f"{added} findings were added by the model, each a verbatim quote; the others were read by grammar"],
    }


def _merged(inputs: _Inputs, work: Mapping[str, Any], draft: ExtractionDraft) -> list[Row]:
    """The grammar's rows with the additions that overlap none of its findings of their kind."""
    merged = []
    for given, paper in zip(work["rows"], inputs.records, strict=True):
        row = Row.model_validate(given)
        abstract, key = paper.abstract or "", row.citation_key
        effects = [_effect(added, abstract) for added in draft.effects if added.citation_key == key]
        counts = [
            Count(**_place(added.quote, abstract), value=added.value, enrolled=False) for added in draft.sample_sizes if added.citation_key == key
        ]
        ends = [_endpoint(added, abstract) for added in draft.endpoints if added.citation_key == key]
        together = _with(row.sample_sizes, counts)
        n, rule = sample_sizes.total(together) if len(together) > len(row.sample_sizes) else (row.n, row.n_rule)
        merged.append(
            row.model_copy(
                update={
                    "effects": _with(row.effects, effects),
                    "sample_sizes": together,
                    "endpoints": _with(row.endpoints, ends),
                    "n": n,
                    "n_rule": rule,
                }
            )
        )
    return merged


def _with(read: list[Any], added: list[Any]) -> list[Any]:
    """In order of place; an addition that overlaps what is there already is the same finding."""
    kept = list(read)
    for one in added:
        if all(one.end <= other.start or other.end <= one.start for other in kept if other.field == one.field):
            kept.append(one)
    return sorted(kept, key=lambda one: (one.start, one.end))


def _effect(added: AddedEffect, abstract: str) -> Effect:
    values = [float(number) for number in added.numbers]
    low, high = (values[1], values[2]) if len(values) == 3 else (None, None)
    names = list(measure_names.find(written_numbers.flat(added.quote), _never))
    measure: Measure = added.measure
    return Effect(
        **_place(added.quote, abstract),
        measure=measure,
        adjusted=any(name.adjusted for name in names),
        estimate=values[0],
        low=low,
        high=high,
        level=added.level_percent,
        interval=added.interval,
        unit="%" if re.search(rf"{re.escape(added.numbers[0])} ?%", written_numbers.flat(added.quote)) else None,
        numbers=added.numbers,
        endpoint=Place(**_endpoint_place(added, abstract)) if added.endpoint is not None else None,
    )


def _endpoint_place(added: AddedEffect, abstract: str) -> dict[str, Any]:
    """The endpoint's place in the sentence of its estimate."""
    for sentence in text.sentences(abstract):
        if added.endpoint and added.quote in sentence.text and added.endpoint in sentence.text:
            start = sentence.start + sentence.text.index(added.endpoint)
            return {"field": "abstract", "start": start, "end": start + len(added.endpoint), "quote": added.endpoint}
    return {"field": "abstract", "start": 0, "end": 0, "quote": added.endpoint or ""}


def _endpoint(added: AddedEndpoint, abstract: str) -> Endpoint:
    start = abstract.index(added.sentence) + added.sentence.index(added.quote)
    return Endpoint(field="abstract", start=start, end=start + len(added.quote), quote=added.quote, role=added.role)


def _place(quote: str, abstract: str) -> dict[str, Any]:
    start, end = support.place(abstract, quote) or (0, 0)
    return {"field": "abstract", "start": start, "end": end, "quote": quote}


def _never() -> None:
    """Quotes are short: nothing here runs long enough to be stopped."""


ENGINE = ModelEngine(
    instructions=(
        "You read abstracts of studies and report the findings that a grammar missed: effect estimates, numbers of participants, primary and "
        "secondary endpoints. `already_read` is what it has, and what it refused as having more than one reading: repeat neither. Every finding is a "
        "quote of one abstract, copied letter by letter and as short as it can be while it holds the measure's name, the numbers and the interval's "
        "name. Give numbers as they are printed. Where nothing was missed, answer with empty lists."
    ),
    material=_material,
    draft=ExtractionDraft,
    complaints=_complaints,
    assemble=_assemble,
)
