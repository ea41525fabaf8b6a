"""What a reviewer may say: a remark that names a rule and either the words it fired on or a thing that is missing, and nothing else.

`unsupported` is the check that every remark must pass, whoever wrote it, a rule or later a model.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from windlass.agents import verbatim
from windlass.agents.agent import Item
from windlass.agents.manuscript import Manuscript

Persona = Literal["methodologist", "statistician", "reader", "editor"]
PERSONAS: tuple[Persona, ...] = ("methodologist", "statistician", "reader", "editor")
Severity = Literal["major", "minor"]
QUOTED = 300
"""Characters of a quote at most."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What a reviewer looks for. Lives as long as the process."""

    persona: Persona
    severity: Severity
    looks_for: str


RULES: Mapping[str, Rule] = {
    "p_without_effect": Rule(persona="statistician", severity="major", looks_for="a p-value in a sentence without an effect size, interval or rates"),
    "p_zero": Rule(persona="statistician", severity="minor", looks_for="a p-value given as zero"),
    "percent_mismatch": Rule(persona="statistician", severity="major", looks_for="a percentage that is not n/N, to the decimals given"),
    "estimate_outside_interval": Rule(persona="statistician", severity="major", looks_for="an estimate outside its own confidence interval"),
    "p_contradicts_interval": Rule(persona="statistician", severity="major", looks_for="a ratio whose 95% interval and p-value disagree at 0.05"),
    "estimate_without_interval": Rule(persona="statistician", severity="minor", looks_for="a ratio in a sentence without a confidence interval"),
    "trend_language": Rule(persona="statistician", severity="minor", looks_for="words that make a result nearly significant"),
    "causal_word": Rule(persona="methodologist", severity="major", looks_for="a causal word beside an observational design"),
    "item_missing": Rule(
        persona="methodologist", severity="minor", looks_for="an item of the design's reporting checklist that no sentence speaks of"
    ),
    "relative_only": Rule(persona="reader", severity="minor", looks_for="a relative change without absolute figures in the sentence"),
    "overclaim": Rule(persona="reader", severity="minor", looks_for="a word that claims more than a study can show"),
    "long_sentence": Rule(persona="reader", severity="minor", looks_for="a sentence of more than 60 words"),
    "abbreviation": Rule(persona="reader", severity="minor", looks_for="an abbreviation that is used twice or more and nowhere spelled out"),
    "limitations_missing": Rule(persona="reader", severity="major", looks_for="no word on limitations"),
    "abstract_number": Rule(persona="editor", severity="major", looks_for="a number of the abstract that the body does not have"),
    "section_missing": Rule(persona="editor", severity="major", looks_for="no abstract, methods, results, discussion or references"),
    "statement_missing": Rule(
        persona="editor", severity="minor", looks_for="no statement on ethics, registration (trials, reviews), data, funding or interests"
    ),
    "citation": Rule(persona="editor", severity="minor", looks_for="a citation without an entry, or an entry that is not cited"),
    "left_over": Rule(persona="editor", severity="major", looks_for="a note to oneself that was left in the text"),
}


class Remark(Item):
    """One remark: `quote` is the manuscript's `start:end` in `line`, or `missing` names what was looked for and not found."""

    rule: str
    persona: Persona
    severity: Severity
    message: str
    line: int | None = None
    start: int | None = None
    end: int | None = None
    quote: str | None = None
    missing: str | None = None


def on(rule: str, read: Manuscript, start: int, end: int, message: str) -> Remark:
    """A remark on words of the manuscript; a long quote is cut."""
    end = min(end, start + QUOTED)
    known = RULES[rule]
    return Remark(
        rule=rule,
        persona=known.persona,
        severity=known.severity,
        message=message,
        line=read.line_of(start),
        start=start,
        end=end,
        quote=read.text[start:end],
    )


def lacking(rule: str, missing: str, message: str, persona: Persona | None = None) -> Remark:
    """A remark on what the manuscript does not have."""
    known = RULES[rule]
    return Remark(rule=rule, persona=persona or known.persona, severity=known.severity, message=message, missing=missing)


def unsupported(remark: Remark, read: Manuscript, missing: Collection[str]) -> str | None:
    """None for a remark that its words or a missing thing carry, else the reason why not; `missing` is all that the manuscript lacks."""
    if remark.rule not in RULES:
        return f"there is no rule {remark.rule!r}"
    if remark.quote is None:
        return None if remark.missing in missing else f"{remark.missing!r} is not among what is missing"
    if remark.start is None or remark.end is None:
        return "the quote has no place"
    problem = verbatim.misquoted(read.text, remark.quote, remark.start, remark.end)
    if problem is None and read.line_of(remark.start) != remark.line:
        return "the quote stands in another line"
    return problem
