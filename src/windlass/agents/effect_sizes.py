"""Effect estimates and their intervals in a paper's words: which forms are read, and what is refused.

Two anchors, each with bounded looks to either side, so that the time is linear in the text: an interval that says what it is
(`95% CI 0.62–0.91`), before which an estimate and a measure are looked for; and a measure followed at once by its estimate
(`OR = 1.8 [1.1, 2.9]`). An estimate outside its interval, limits out of order, a ratio that is not positive, decimal commas: all are
refused with the reason, never repaired.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from windlass.agents import measure_names, stated_endpoints, written_numbers
from windlass.agents.extraction_rows import RATIOS, Effect, FieldName, Measure, Unread
from windlass.agents.measure_names import Name
from windlass.agents.written_numbers import ANY, END, PLAIN

_LABEL = re.compile(
    r"(?:(?<![\w.,])(?P<level>\d{2}(?:\.\d{1,2})?) ?% ?-?)?(?<![A-Za-z])"
    r"(?:(?P<confidence>CIs?\b|C\.I\.|(?i:confidence intervals?))|(?P<credible>CrIs?\b|(?i:credible intervals?)))"
    r"(?: ?[(\[](?:\d{2} ?% ?)?(?:CI|CrI)s?[)\]])?(?: (?:of|was|from|is))?[ :=,;(\[]{0,4}"
)
_LIMITS = (
    rf"(?P<low>[-+]?{PLAIN})(?P<low_unit> ?%)?(?P<gap> ?(?:to|through|and|-|;) ?| ?, |,(?=[-+]?\d{{0,9}}\.\d))"
    rf"(?P<high>[-+]?{PLAIN})(?P<high_unit> ?%)?{END}"
)
_LABELLED = re.compile(_LIMITS)
_BRACKETED = re.compile(rf"(?: [A-Za-z/°]{{1,12}}){{0,2}} ?[(\[] ?{_LIMITS} ?[)\]]")
_LOOSE = re.compile(rf"[-+]?(?P<low>{ANY}) ?%? ?(?:to|and|-|;|,)? ?[-+]?(?P<high>{ANY})")
_ESTIMATE = re.compile(
    rf"(?<![\w.,\x7f])(?P<value>[-+]?{ANY})(?P<unit> ?%)?(?: [A-Za-z/°]{{1,12}}){{0,5}} ?[(\[,;:]? ?"
    r"(?:[Pp] ?[=<>] ?0?\.\d{1,6} ?[;,] ?)?(?:with )?(?:an? )?(?:adjusted )?$"
)
_TIGHT = re.compile(
    r"(?: ?[(\[][A-Za-z]{2,5}[)\]])?(?: (?:for|of|in) [^.;:()\[\]0-9]{2,80}?)?(?P<link> ?[=:,] ?| (?:was|were|is|of|at) | )"
    rf"(?P<value>[-+]?{ANY})(?P<unit> ?%| ?(?:bpm|beats|breaths|mm ?Hg|/ ?min)\b)?"
)
_AFTER = re.compile(END)
_LOOK_BACK = 170


@dataclass(frozen=True, kw_only=True)
class Found:
    """The effects of a text, and what was not read. Lives as long as the run."""

    effects: list[Effect]
    unread: list[Unread]


@dataclass(frozen=True, kw_only=True)
class _Passage:
    """A text, its flat form and the field that it is. Lives as long as the text is read."""

    text: str
    flat: str
    field: FieldName

    def unread(self, start: int, end: int, reason: str) -> Unread:
        return Unread(field=self.field, start=start, end=end, quote=self.text[start:end], reason=reason)


@dataclass(frozen=True, kw_only=True)
class _Interval:
    """An interval as found. Lives as long as its effect is made."""

    groups: Mapping[str, str | None]
    end: int
    level: float | None
    kind: Literal["confidence", "credible", "unlabelled"]


def read(text: str, flat: str, field: FieldName, check: Callable[[], None]) -> Found:
    """Every effect of a text in order of place; `flat` is `written_numbers.flat(text)`."""
    passage = _Passage(text=text, flat=flat, field=field)
    names = list(measure_names.find(flat, check))
    found: list[Effect | Unread] = []
    taken: set[int] = set()
    for label in _LABEL.finditer(flat):
        check()
        entry = _labelled(passage, names, label, found[-1].end if found else 0)
        if entry is not None:
            found.append(entry)
            taken.add(entry.start)
    for name in names:
        check()
        if name.start not in taken and (entry := _followed(passage, name)) is not None:
            found.append(entry)
    found.sort(key=lambda entry: entry.start)
    return Found(
        effects=[entry for entry in found if isinstance(entry, Effect)],
        unread=[entry for entry in found if isinstance(entry, Unread)],
    )


def _labelled(passage: _Passage, names: Sequence[Name], label: re.Match[str], last: int) -> Effect | Unread | None:
    """The effect whose interval stands behind `label`; nothing before `last`, the end of the effect before, belongs to it."""
    limits = _LABELLED.match(passage.flat, label.end())
    loose = None if limits else _LOOSE.match(passage.flat, label.end())
    if not (limits or loose):
        return None
    floor = max(last, label.start() - _LOOK_BACK)
    before = passage.flat[floor : label.start()]
    estimate = _ESTIMATE.search(before, max(0, len(before) - 110))
    at = floor + estimate.start("value") if estimate else label.start()
    name = measure_names.nearest(passage.flat, names, floor, at) if estimate else None
    start = name.start if name else at
    if loose:
        odd = next((side for side in loose.group("low", "high") if written_numbers.decimal(side) is None), loose.group())
        return passage.unread(start, loose.end(), written_numbers.refusal(odd))
    if limits is None or estimate is None:
        return passage.unread(start, limits.end() if limits else label.end(), "no estimate stands beside this interval")
    level = float(label["level"]) if label["level"] else None
    if level is not None and not 50 <= level < 100:
        return passage.unread(start, limits.end(), f"an interval of {label['level']}% is not one that is in use")
    interval = _Interval(groups=limits.groupdict(), end=limits.end(), level=level, kind="credible" if label["credible"] else "confidence")
    return _effect(passage, name, estimate["value"], at, estimate["unit"], interval)


def _followed(passage: _Passage, name: Name) -> Effect | Unread | None:
    """The effect whose estimate follows the measure's name at once, with or without an interval in brackets."""
    found = _TIGHT.match(passage.flat, name.end)
    if found is None:
        return None
    value, unit = found["value"], found["unit"]
    plain = written_numbers.decimal(value) is not None
    if (found["link"] == " " and value.lstrip("-+").isdigit()) or (unit and (name.measure in RATIOS or "%" not in unit)):
        return None  # `OR 3`, `HR 72 bpm`, `HR 95% …`: too little says that this is an estimate
    if plain and not _AFTER.match(passage.flat, found.end("value")):
        return passage.unread(name.start, found.end("value"), written_numbers.refusal(written_numbers.HIDDEN))
    bracketed = _BRACKETED.match(passage.flat, found.end())
    interval = _Interval(groups=bracketed.groupdict(), end=bracketed.end(), level=None, kind="unlabelled") if bracketed else None
    return _effect(passage, name, value, found.start("value"), unit, interval)


def _effect(passage: _Passage, name: Name | None, value: str, at: int, unit: str | None, interval: _Interval | None) -> Effect | Unread:
    start = name.start if name else at
    end = interval.end if interval else at + len(value)
    estimate = written_numbers.decimal(value)
    if estimate is None:
        return passage.unread(start, end, written_numbers.refusal(value.lstrip("-+")))
    low, high = (float(interval.groups[side] or "nan") for side in ("low", "high")) if interval else (None, None)
    measure: Measure = name.measure if name else "unnamed"
    if reason := _doubt(measure, estimate, low, high, unit, interval):
        return passage.unread(start, end, reason)
    numbers = [value, *((interval.groups["low"] or "", interval.groups["high"] or "") if interval else ())]
    told = (passage.text, passage.flat, passage.field)
    endpoint = stated_endpoints.before_estimate(*told, name.end, at, ratio=measure in RATIOS) if name else None
    return Effect(
        field=passage.field,
        start=start,
        end=end,
        quote=passage.text[start:end],
        measure=measure,
        adjusted=name.adjusted if name else False,
        estimate=estimate,
        low=low,
        high=high,
        level=interval.level if interval else None,
        interval=interval.kind if interval else None,
        unit="%" if unit else None,
        numbers=numbers,
        endpoint=endpoint or (stated_endpoints.after_estimate(*told, end) if name else None),
    )


def _doubt(measure: Measure, estimate: float, low: float | None, high: float | None, unit: str | None, interval: _Interval | None) -> str | None:
    """Why these numbers can't be what they look like, or None."""
    if measure in RATIOS and (estimate <= 0 or (low is not None and low < 0)):
        return "a ratio is greater than zero"
    if measure in RATIOS and unit:
        return "a ratio carries no percent sign"
    if interval is None or low is None or high is None:
        return None
    if measure not in RATIOS and interval.groups["gap"] == " -":
        return "a dash may be a minus sign or stand between the limits: this interval is not guessed"
    if not unit and (interval.groups["low_unit"] or interval.groups["high_unit"]):
        return "the interval is in percent and the estimate is not"
    if low > high:
        return "the limits are out of order"
    return None if low <= estimate <= high else "the estimate lies outside its interval"
