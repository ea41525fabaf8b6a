"""A small rule language for policies: one rule looks at one attribute of a resource, or at the lines of a policy text.

A rule has an effect (`allow`, `deny`, `require`) and exactly one subject: `field` with `op` and `value`, or `pattern` (RE2), or `terms`
(whole words or phrases, any of them, case ignored). Whether it matches is decided here; what follows from that is the caller's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal, Protocol

import orjson
import re2
from pydantic import Field, model_validator

from windlass.agents.agent import Item

Outcome = Literal["matched", "not_matched", "not_evaluable"]
Effect = Literal["allow", "deny", "require"]
Severity = Literal["low", "medium", "high", "critical"]
Text = Annotated[str, Field(min_length=1, max_length=10_000, pattern=r"\S")]
Scalar = bool | int | Annotated[float, Field(allow_inf_nan=False)] | Annotated[str, Field(max_length=10_000)]
Attribute = Scalar | Annotated[list[Scalar], Field(max_length=10_000)] | None
"""An attribute of a resource; null is the same as absent."""

EVIDENCE_LINES = 20
"""Lines of a text that a rule quotes at most; it stops looking after them."""
QUOTE_CHARACTERS = 300
"""Characters that one quote holds at most."""

_OPTIONS = re2.Options()
_OPTIONS.never_nl = True  # a match never crosses the end of a line, so that a line number tells the whole place
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 4 << 20


class Rule(Item):
    """One rule: an effect and one subject. Lives as long as the run."""

    id: Text
    effect: Effect
    field: Text | None = None
    op: Literal["equals", "in", "contains", "matches", "gt", "lt", "present"] | None = None
    value: Attribute = None
    pattern: Annotated[str, Field(min_length=1, max_length=2000)] | None = None
    terms: Annotated[list[Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]], Field(min_length=1, max_length=200)] | None = None
    severity: Severity = "medium"
    description: Text | None = None

    @model_validator(mode="after")
    def _fits(self) -> Rule:
        subjects = [name for name in ("field", "pattern", "terms") if getattr(self, name) is not None]
        if len(subjects) != 1:
            raise ValueError(f"a rule has exactly one of field, pattern and terms, this one has {' and '.join(subjects) or 'none'}")
        problem = _misfit(self) if self.field else "op and value go with a field" if self.op or self.value is not None else None
        if problem:
            raise ValueError(problem)
        source = self.value if self.op == "matches" else None if self.field else _pattern(self)
        if isinstance(source, str):
            _must_compile(source)
        return self


class LineEvidence(Item):
    """A verbatim piece of a line: `line` counts from 1, `start` and `end` are positions in that line."""

    line: int
    start: int
    end: int
    quote: str


class FieldEvidence(Item):
    """The attribute that a rule looked at, and its value (null: absent)."""

    field: str
    value: Attribute


class Clock(Protocol):
    """Says when time is up: `check()` raises then. A `Context` is one."""

    def check(self) -> None:
        """Raise when time is up."""


def evaluate(rule: Rule, attributes: Mapping[str, Any], policy_text: str | None, clock: Clock) -> tuple[Outcome, list[LineEvidence | FieldEvidence]]:
    """Whether the rule matches, with evidence; `not_evaluable` where its attribute or the policy text is missing or of another type.

    The lines of `policy_text` end in line feeds alone.
    """
    if rule.field is not None:
        value = attributes.get(rule.field)
        return _compare(rule, value), [FieldEvidence(field=rule.field, value=value)]
    if policy_text is None:
        return "not_evaluable", []
    places = list(_places(rule, policy_text, clock))
    return ("matched" if places else "not_matched"), [*places]


@cache
def built_in(domain: str) -> Sequence[Mapping[str, Any]]:
    """The shipped example rules of a domain, each with its `subject` (`resource` or `policy_text`); empty for an unknown domain."""
    records = orjson.loads(resources.files("windlass.agents.data").joinpath("policy_rules.json").read_bytes())
    return tuple(record for record in records if record["domain"] == domain)


def _misfit(rule: Rule) -> str | None:
    value = rule.value
    fits = {
        None: False,
        "present": value is None,
        "equals": value is not None and not isinstance(value, list),
        "contains": value is not None and not isinstance(value, list),
        "in": isinstance(value, list) and bool(value),
        "matches": isinstance(value, str) and 0 < len(value) <= 2000,
        "gt": _number(value) is not None,
        "lt": _number(value) is not None,
    }
    wanted = {"present": "no value", "in": "a list that is not empty", "matches": "an RE2 pattern of at most 2000 characters", "gt": "a number"}
    if rule.op is None:
        return "a rule on a field needs an op: equals, in, contains, matches, gt, lt or present"
    return None if fits[rule.op] else f"op {rule.op!r} takes {wanted.get('gt' if rule.op == 'lt' else rule.op, 'one value')} as value"


def _must_compile(pattern: str) -> None:
    try:
        re2.compile(f"(?m){pattern}", _OPTIONS)
    except re2.error as problem:
        reason = problem.args[0].decode("utf-8", "replace") if problem.args and isinstance(problem.args[0], bytes) else str(problem)
        raise ValueError(f"the pattern is not a valid RE2 expression: {reason}") from problem


def _pattern(rule: Rule) -> str:
    """The RE2 pattern of a rule on text; one of terms has one group per term, which is what is quoted."""
    return rule.pattern if rule.pattern is not None else "(?i)" + "|".join(_bounded(term) for term in rule.terms or ())


def _bounded(term: str) -> str:
    """The term as a pattern: any white space between its words, whole words only where the script parts words by spaces."""
    words = term.split()
    before = r"(?:^|[^\pL\pN_])" if _parted(words[0][0]) else ""
    after = r"(?:[^\pL\pN_]|$)" if _parted(words[-1][-1]) else ""
    return before + "(" + r"\s+".join(re2.escape(word) for word in words) + ")" + after


def _parted(character: str) -> bool:
    return character.isalnum() and ord(character) < 0x2E80


def _compare(rule: Rule, value: Any) -> Outcome:
    if rule.op == "present":
        return "matched" if value not in (None, "", []) else "not_matched"
    if value is None:
        return "not_evaluable"
    found: bool | None
    match rule.op:
        case "equals":
            found = None if isinstance(value, list) else _among(_kinds(value), _kinds(rule.value))
        case "in":
            found = _among(_kinds(value), _kinds(rule.value))
        case "contains":
            found = _contains(value, rule.value)
        case "matches":
            found = re2.compile(f"(?m){rule.value}", _OPTIONS).search(value) is not None if isinstance(value, str) else None
        case _:
            mine, limit = _number(value), _number(rule.value)
            found = None if mine is None or limit is None else mine > limit if rule.op == "gt" else mine < limit
    return "not_evaluable" if found is None else "matched" if found else "not_matched"


def _contains(value: Any, wanted: Any) -> bool | None:
    if isinstance(value, list):
        return _among(_kinds(wanted), _kinds(value)) if value else False
    return wanted in value if isinstance(value, str) and isinstance(wanted, str) else None


def _among(values: frozenset[tuple[str, Any]], options: frozenset[tuple[str, Any]]) -> bool | None:
    """Whether one of the values is an option; None where they can't be compared: the string "true" does not clear a rule on `true`."""
    if values & options:
        return True
    return False if {kind for kind, _ in values} <= {kind for kind, _ in options} else None


def _kinds(value: Any) -> frozenset[tuple[str, Any]]:
    """Each value with its kind, so that `true` is not 1."""
    return frozenset((_kind(one), one) for one in (value if isinstance(value, list) else [value]))


def _kind(value: Any) -> str:
    return "boolean" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) else None


def _places(rule: Rule, policy_text: str, clock: Clock) -> Iterator[LineEvidence]:
    """The first match of each line that has one; at most EVIDENCE_LINES."""
    compiled = re2.compile(f"(?m){_pattern(rule)}", _OPTIONS)
    position, line, counted = 0, 1, 0
    for _ in range(EVIDENCE_LINES):
        clock.check()
        match = compiled.search(policy_text, position)
        if match is None:
            return
        start, end = match.span(match.lastindex or 0) if rule.terms else match.span()
        line += policy_text.count("\n", counted, start)
        counted = start
        first = policy_text.rfind("\n", 0, start) + 1
        end = min(end, start + QUOTE_CHARACTERS)
        yield LineEvidence(line=line, start=start - first, end=end - first, quote=policy_text[start:end])
        position = policy_text.find("\n", start) + 1
        if position == 0:
            return
