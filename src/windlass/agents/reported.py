"""Holds a reported statistic and its p-value against each other, as `statcheck` does: the p is recomputed from statistic and degrees of freedom.

The rule of rounding: a statistic stated as 2.20 stands for anything from 2.195 to 2.205, and a p stated as .03 for .025 to .035; the report is
consistent when some unrounded statistic gives some p that may be stated so. A decision error is an inconsistency that moves the result over alpha
(p = alpha counts as significant). A p of exactly 0 is never consistent. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import re2

from windlass.agents import distributions, stated
from windlass.agents.agent import Item
from windlass.agents.stated import Figure

Statistic = Literal["t", "F", "chi2", "z", "r"]
Relation = Literal["=", "<", ">"]
DEGREES = {"t": 1, "F": 2, "chi2": 1, "z": 0, "r": 1}
"""How many degrees of freedom each statistic has; r has n − 2."""
READ_AT_MOST = 1000
"""Statistics that are read from one text at most."""

_SPACE = r"[ \t\x{A0}]{0,3}"
_NUMBER = r"[-−]?(?:\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})"
_APA = (
    rf"(?:\b([tFrzZ])|((?:χ|\bX|\b[Cc]hi){_SPACE}-?(?:2|²|\^2)|\b[Cc]hi-?[Ss]quared?))"
    rf"{_SPACE}(?:\({_SPACE}({_NUMBER}){_SPACE}(?:,{_SPACE}(?:[Nn]{_SPACE}={_SPACE})?([\d.,]{{1,12}}){_SPACE})?\))?"
    rf"{_SPACE}={_SPACE}({_NUMBER}){_SPACE}[,;]{_SPACE}"
    rf"(?:[pP]{_SPACE}([<>=]){_SPACE}(\d?\.\d{{1,9}}|[01])\b|(ns\b|n\.s\.))"
)


@dataclass(frozen=True, kw_only=True)
class Report:
    """A statistic with its degrees of freedom and its p as stated. Lives as long as the run."""

    statistic: Statistic
    value: Figure
    df: tuple[float, ...]
    p: Figure
    relation: Relation


@dataclass(frozen=True, kw_only=True)
class Place:
    """A report that stands in a text: `text[start:end] == quote`. Lives as long as the run."""

    report: Report
    start: int
    end: int
    quote: str


class Check(Item):
    """A reported figure beside what it must be: `recomputed` from the stated figures, `low` to `high` over what their rounding allows."""

    subject: Literal["p", "statistic", "interval low", "interval high"]
    reported: str
    recomputed: float
    low: float
    high: float
    by: str
    consistent: bool
    one_sided: bool
    """The reported p is consistent with half of the two-sided one."""
    decision_error: bool
    quote: str | None
    start: int | None
    end: int | None


def p_range(report: Report) -> tuple[float, float, float]:
    """The two-sided p of the stated statistic, and the smallest and greatest that its rounding allows."""
    size, half = abs(stated.value(report.value)), stated.half_unit(report.value)
    most = size + half if report.statistic != "r" else min(size + half, 1.0)
    return _p(report, size), _p(report, most), _p(report, max(0.0, size - half))


def check(report: Report, alpha: float) -> Check:
    """The verdict on a report."""
    return judged(report.p, report.relation, p_range(report), alpha, by=report.statistic)


def judged(p: Figure, relation: Relation, recomputed: tuple[float, float, float], alpha: float, *, by: str) -> Check:
    """The verdict on a p stated as `relation p`, where `recomputed` is the exact p and its range."""
    exact, low, high = recomputed
    consistent = _fits(p, relation, low, high)
    return Check(
        subject="p",
        reported=f"{relation} {p}",
        recomputed=exact,
        low=low,
        high=high,
        by=by,
        consistent=consistent,
        one_sided=not consistent and _fits(p, relation, low / 2, high / 2),
        decision_error=not consistent and _other_side(p, relation, low, high, alpha),
        quote=None,
        start=None,
        end=None,
    )


def places(text: str, alpha: float) -> Iterator[Place]:
    """The reports of a text in APA form, such as `t(28) = 2.20, p = .036`; `ns` reads as p > alpha. At most READ_AT_MOST of them."""
    for number, match in enumerate(_pattern().finditer(text)):
        if number >= READ_AT_MOST:
            return
        report = _report(match.groups(), alpha)
        if report is not None:
            yield Place(report=report, start=match.start(), end=match.end(), quote=match.group())


def misfit(report: Report) -> str | None:
    """Why a report can't be one: a wrong number of degrees of freedom, an impossible value; None where it can."""
    if len(report.df) != DEGREES[report.statistic]:
        return f"{report.statistic} takes {DEGREES[report.statistic]} degrees of freedom, {len(report.df)} are given"
    if any(df <= 0 for df in report.df):
        return "degrees of freedom are above 0"
    number = stated.value(report.value)
    if report.statistic == "r" and abs(number) > 1:
        return "r lies from -1 to 1"
    if report.statistic in {"F", "chi2"} and number < 0:
        return f"{report.statistic} is not negative"
    return None if 0 <= stated.value(report.p) <= 1 else "p lies from 0 to 1"


def _p(report: Report, size: float) -> float:
    match report.statistic:
        case "t":
            return distributions.t_two_sided(size, report.df[0])
        case "F":
            return distributions.f_upper(size, report.df[0], report.df[1])
        case "chi2":
            return distributions.chi2_upper(size, report.df[0])
        case "z":
            return distributions.z_two_sided(size)
        case "r":
            return 0.0 if size >= 1 else distributions.t_two_sided(size * math.sqrt(report.df[0] / (1 - size * size)), report.df[0])


def _fits(p: Figure, relation: Relation, low: float, high: float) -> bool:
    number = stated.value(p)
    if relation == "=":
        return number > 0 and stated.may_round_to(low, high, p)
    return low < number if relation == "<" else high > number


def _other_side(p: Figure, relation: Relation, low: float, high: float, alpha: float) -> bool:
    number = stated.value(p)
    said_significant = number <= alpha if relation != ">" else None
    said_not = number > alpha if relation == "=" else number >= alpha if relation == ">" else None
    return (said_significant is True and low > alpha) or (said_not is True and high <= alpha)


def _report(groups: tuple[str | None, ...], alpha: float) -> Report | None:
    letter, _chi, first, second, value, relation, p, _ns = groups
    statistic: Any = "chi2" if letter is None else letter.lower() if letter in "zZ" else letter
    degrees = [first] if statistic in {"t", "r", "chi2"} else [first, second] if statistic == "F" else []
    if any(one is None for one in degrees) or (statistic == "z" and first is not None):
        return None
    try:
        df = tuple(float((one or "").replace("−", "-").replace(",", "")) for one in degrees)
    except ValueError:
        return None
    sign: Any = relation or ">"
    report = Report(statistic=statistic, value=value or "", df=df, p=p or str(alpha), relation=sign)
    return None if misfit(report) else report


def _pattern() -> Any:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(_APA, options)
