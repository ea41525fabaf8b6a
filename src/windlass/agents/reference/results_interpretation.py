"""RESULTS_INTERPRETATION and STATISTICAL_ANALYSIS: recomputes results from their own figures and says what they show, and whether reports fit.

Nothing is looked up: every number in an answer is one of the inputs' or is computed from them, and names its method. p-values are two-sided unless
the test has one tail (F, chi-square); p = alpha counts as significant.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import NormalDist
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from windlass.agents import interpretation, multiple, report_checks, reported, result_kinds
from windlass.agents.agent import Agent, Context, Inputs, Item, Outputs, Probe, Step, Work
from windlass.agents.figures import Estimate, Measures, Test
from windlass.agents.interpretation import Sentence
from windlass.agents.reported import Check
from windlass.agents.result_kinds import Reported, Result


class ResultsInterpretationInputs(Inputs):
    """Results of one study or several; `alpha` and `confidence` hold for all of them."""

    results_data: Annotated[list[Result], Field(min_length=1, max_length=5000)]
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    confidence: Annotated[float, Field(ge=0.5, le=0.9999)] = 0.95

    @model_validator(mode="after")
    def _named_once(self) -> ResultsInterpretationInputs:
        names = [_name(number, result) for number, result in enumerate(self.results_data, 1)]
        twice = next((name for place, name in enumerate(names) if name in set(names[:place])), None) if len(set(names)) < len(names) else None
        if twice is not None:
            raise ValueError(f"results_data: the id {twice!r} stands there twice")
        return self


class Interpreted(Item):
    """A result with what was recomputed of it; the first test is the one that `interpretation` and the correction read."""

    id: str
    kind: str
    tests: list[Test]
    estimates: list[Estimate]
    checks: list[Check]
    consistent: bool | None
    interpretation: list[Sentence]
    notes: list[str]


class Corrected(Item):
    """A result's first test within the family of all of them."""

    id: str
    test: str
    p: float
    adjusted_p: float
    rejected: bool


class Family(Item):
    """All first tests, corrected together by Holm's rule; `note` says whether that is needed."""

    method: Literal["Holm"]
    tests: list[Corrected]
    note: str


class Inconsistency(Item):
    """A reported figure that the result's own figures do not give."""

    id: str
    check: Check
    finding: str


class ResultsInterpretationOutputs(Outputs):
    """The results in their order, what does not fit in them, and the correction for several tests."""

    results: list[Interpreted]
    inconsistencies: list[Inconsistency]
    multiple_comparisons: Family
    counts: dict[str, int]
    alpha: float
    confidence: float


def measure(inputs: ResultsInterpretationInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """Tests and estimates of each result, from its figures alone; none for what was only reported."""
    measured: list[dict[str, Any]] = []
    for result in inputs.results_data:
        context.check()
        measures = Measures(tests=[], estimates=[], notes=[]) if isinstance(result, Reported) else result_kinds.measures(result, inputs.confidence)
        measured.append(measures.model_dump())
    return {"measures": measured}


def check(inputs: ResultsInterpretationInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """What was reported of each result, held against its own figures."""
    checked: list[list[dict[str, Any]]] = []
    for result in inputs.results_data:
        context.check()
        checked.append([one.model_dump() for one in _checks(result, inputs)])
    return {"checks": checked}


def correct(inputs: ResultsInterpretationInputs, work: Work, _context: Context) -> Mapping[str, Any]:
    """Holm's correction over the first test of every result, and over every p that was reported with its statistic."""
    names: list[tuple[str, str, float]] = []
    for number, (result, measures, checks) in enumerate(zip(inputs.results_data, work["measures"], work["checks"], strict=True), 1):
        name = _name(number, result)
        if isinstance(result, Reported):
            several = len(checks) > 1
            names += [(f"{name}.{place}" if several else name, one["by"], one["recomputed"]) for place, one in enumerate(checks, 1)]
        else:
            names += [(name, test["name"], test["p"]) for test in measures["tests"][:1]]
    adjusted = multiple.holm([p for _, _, p in names])
    return {
        "family": [
            {"id": name, "test": test, "p": p, "adjusted_p": after, "rejected": after <= inputs.alpha}
            for (name, test, p), after in zip(names, adjusted, strict=True)
        ]
    }


def interpret(inputs: ResultsInterpretationInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """Sentences tied to the numbers, and the list of what does not fit."""
    results: list[dict[str, Any]] = []
    inconsistencies: list[dict[str, Any]] = []
    for number, (result, found, checks) in enumerate(zip(inputs.results_data, work["measures"], work["checks"], strict=True), 1):
        context.check()
        name = _name(number, result)
        measures = Measures.model_validate(found)
        notes = [*measures.notes, *(_reading(len(checks)) if isinstance(result, Reported) else [])]
        results.append(
            {
                "id": name,
                "kind": result.kind,
                **found,
                "notes": notes,
                "checks": checks,
                "consistent": all(one["consistent"] for one in checks) if checks else None,
                "interpretation": [one.model_dump() for one in interpretation.sentences(measures, inputs.alpha, inputs.confidence)],
            }
        )
        inconsistencies += [{"id": name, "check": one, "finding": _finding(one)} for one in checks if not one["consistent"]]
    family = work["family"]
    outputs = {
        "results": results,
        "inconsistencies": inconsistencies,
        "multiple_comparisons": {"method": "Holm", "tests": family, "note": _note(family, inputs.alpha)},
        "counts": {
            "results": len(results),
            "tests": len(family),
            "checks": sum(len(one["checks"]) for one in results),
            "inconsistent": len(inconsistencies),
            "decision_errors": sum(one["check"]["decision_error"] for one in inconsistencies),
        },
        "alpha": inputs.alpha,
        "confidence": inputs.confidence,
    }
    return {"outputs": outputs, "warnings": [f"result {one['id']!r}: {one['finding']}" for one in inconsistencies[:20]]}


def _name(number: int, result: Any) -> str:
    return result.id or f"result-{number}"


def _checks(result: Any, inputs: ResultsInterpretationInputs) -> Iterator[Check]:
    if isinstance(result, Reported):
        report = result.report()
        if report is not None:
            yield reported.check(report, inputs.alpha)
        for place in reported.places(result.text or "", inputs.alpha):
            yield reported.check(place.report, inputs.alpha).model_copy(update={"quote": place.quote, "start": place.start, "end": place.end})
    elif result.reported is not None:
        yield from report_checks.checks(result.reported, result_kinds.corners(result, inputs.confidence), inputs.alpha)


def _reading(count: int) -> list[str]:
    if count >= reported.READ_AT_MOST:
        return [f"the first {reported.READ_AT_MOST} statistics of the text were read; what follows was not"]
    return [] if count else ["no statistic with its p was found in the text"]


def _finding(check: Mapping[str, Any]) -> str:
    said = f"the reported {check['subject']} ({check['reported']}) does not fit: {check['by']} gives {check['recomputed']:.4g}"
    span = f", {check['low']:.4g} to {check['high']:.4g} over what rounding allows" if check["low"] != check["high"] else ""
    error = "; the decision at alpha changes" if check["decision_error"] else ""
    return said + span + ("; it fits a one-sided test" if check["one_sided"] else "") + error


def _note(family: Sequence[Mapping[str, Any]], alpha: float) -> str:
    if len(family) < 2:
        return "fewer than two tests: there is nothing to correct"
    before, after = sum(one["p"] <= alpha for one in family), sum(one["rejected"] for one in family)
    return f"{before} of {len(family)} tests are at or below alpha {alpha:g} by themselves, {after} after Holm's correction"


_ALPHA, _Z = 0.05, NormalDist().inv_cdf(0.975)


def _make(seed: int) -> dict[str, Any]:
    """One result of every kind, with reports that fit and one at least that does not."""
    rng = random.Random(seed)
    tag = rng.randrange(10**6)
    arms = [{"n": rng.randrange(12, 60), "mean": round(rng.uniform(20, 30), 2), "sd": round(rng.uniform(2, 6), 2)} for _ in range(5)]
    before = [round(rng.uniform(5, 9), 1) for _ in range(rng.randrange(6, 12))]
    after = [round(value + rng.uniform(-1.5, 2), 1) for value in before]
    trials = rng.randrange(20, 60)
    z_fits, z_wrong = round(rng.uniform(0.5, 2.9), 2), round(rng.uniform(0.2, 1.4), 2)
    p_fits, p_welch = round(math.erfc(z_fits / math.sqrt(2)), 3), _welch(*arms[:2])[3]
    wrong = rng.choice([0.0, 0.3 if p_welch < 0.5 else -0.3])
    said = {"p": round(p_welch + wrong, 3)} if wrong or p_welch > 0.0005 else {"p": 0.001, "p_relation": "<"}
    results: list[dict[str, Any]] = [
        {"kind": "means", "groups": arms[:2], "reported": said},
        {"kind": "means", "groups": arms[2:]},
        {"kind": "paired", "before": before, "after": after},
        {"kind": "two_by_two", "table": [[rng.randrange(1, 25), rng.randrange(1, 25)] for _ in range(2)]},
        {"kind": "proportion", "events": rng.randrange(1, trials), "n": trials, "expected": round(rng.uniform(0.2, 0.8), 2)},
        {"kind": "correlation", "r": round(rng.uniform(-0.9, 0.9), 2) or 0.1, "n": rng.randrange(8, 60)},
        {"kind": "reported", "statistic": "z", "value": f"{z_fits:.2f}", "p": f"{p_fits:.3f}"},
        {"kind": "reported", "text": f"Arm {tag} differed (z = {z_wrong:.2f}, p = .0{rng.randrange(10, 49)})."},
    ]
    rng.shuffle(results)
    return {"results_data": [{**result, "id": f"r{tag}-{place}"} for place, result in enumerate(results)]}


def _tail(t: float, df: float) -> float:
    """P(|T| ≥ |t|) by Simpson's rule over the density."""
    strips, top = 400, abs(t)
    scale = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(df * math.pi)
    heights: list[float] = [(1 + (top * place / strips) ** 2 / df) ** (-(df + 1) / 2) for place in range(strips + 1)]
    return 1 - 2 * scale * top / strips / 3 * (heights[0] + heights[-1] + 4 * sum(heights[1:-1:2]) + 2 * sum(heights[2:-1:2]))


def _welch(one: Mapping[str, Any], two: Mapping[str, Any]) -> tuple[float, float, float, float]:
    """Difference, its error, degrees of freedom and p."""
    u, v = one["sd"] ** 2 / one["n"], two["sd"] ** 2 / two["n"]
    df = (u + v) ** 2 / (u * u / (one["n"] - 1) + v * v / (two["n"] - 1))
    difference, error = one["mean"] - two["mean"], math.sqrt(u + v)
    return difference, error, df, _tail(difference / error, df)


def _no_likelier(chances: Sequence[float], seen: int) -> float:
    return math.fsum(chance for chance in chances if chance <= chances[seen] * (1 + 1e-9)) / math.fsum(chances)


def _truth(result: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, float], Callable[[float], float]]:
    """The p of each test by its name, values of estimates by theirs, and a function that is 0 at the ends of the first estimate's interval."""
    match result["kind"]:
        case "means" if len(result["groups"]) == 2:
            difference, error, df, p = _welch(*result["groups"])
            return {"Welch t": p}, {"mean difference": difference}, lambda end: _tail((end - difference) / error, df) - _ALPHA
        case "means":
            groups = result["groups"]
            total = sum(group["n"] for group in groups)
            grand = sum(group["n"] * group["mean"] for group in groups) / total
            between = sum(group["n"] * (group["mean"] - grand) ** 2 for group in groups)
            within = sum((group["n"] - 1) * group["sd"] ** 2 for group in groups)
            f = between / 2 / within * (total - 3)
            return (
                {"one-way ANOVA F": (1 + 2 * f / (total - 3)) ** (-(total - 3) / 2)},
                {"eta squared": between / (between + within)},
                lambda _end: 0.0,
            )
        case "paired":
            changes = [after - before for before, after in zip(result["before"], result["after"], strict=True)]
            mean, error, df = statistics.fmean(changes), statistics.stdev(changes) / math.sqrt(len(changes)), len(changes) - 1
            return {"paired t": _tail(mean / error, df)}, {"mean of the differences": mean}, lambda end: _tail((end - mean) / error, df) - _ALPHA
        case "two_by_two":
            (a, b), (c, d) = result["table"]
            n, log_odds = a + b + c + d, math.log(a * d / b / c)
            chances = [float(math.comb(a + b, k) * math.comb(c + d, a + c - k)) if a + c >= k else 0.0 for k in range(a + b + 1)]
            x = n * (a * d - b * c) ** 2 / ((a + b) * (c + d) * (a + c) * (b + d))
            error = math.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
            tests = {"Fisher exact": _no_likelier(chances, a), "chi-square": math.erfc(math.sqrt(x / 2))}
            return (
                tests,
                {"odds ratio": math.exp(log_odds), "risk difference": a / (a + b) - c / (c + d)},
                lambda end: (math.log(end) - log_odds) ** 2 - (_Z * error) ** 2,
            )
        case "proportion":
            k, n, share = result["events"], result["n"], result["expected"]
            chances = [math.comb(n, one) * share**one * (1 - share) ** (n - one) for one in range(n + 1)]
            return {"exact binomial": _no_likelier(chances, k)}, {"proportion": k / n}, lambda end: (k / n - end) ** 2 - _Z**2 * end * (1 - end) / n
        case _:
            r, n = result["r"], result["n"]
            p = _tail(r * math.sqrt((n - 2) / (1 - r * r)), n - 2)
            return {"correlation t": p}, {"correlation": r, "r squared": r * r}, lambda end: (math.atanh(end) - math.atanh(r)) ** 2 - _Z**2 / (n - 3)


def _miss(ends: Callable[[float], float], end: float) -> float:
    try:
        return abs(ends(end))
    except ValueError:  # an end that no interval of the kind can have
        return math.inf


def _check(_seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    given, answered = inputs["results_data"], outputs["results"]
    if [one["id"] for one in answered] != [one["id"] for one in given]:
        return "the answers are not those of the results, in their order"
    misfits, family = set(), []
    for result, answer in zip(given, answered, strict=True):
        if result["kind"] == "reported":
            z = float(result["value"] if "value" in result else result["text"].split("z = ")[1].split(",")[0])
            family.append(math.erfc(z / math.sqrt(2)))
            misfits |= {result["id"]} if "text" in result else set()
            check = answer["checks"][0] if len(answer["checks"]) == 1 else {"recomputed": math.inf}
            if abs(check["recomputed"] - family[-1]) > 1e-7 or check["decision_error"] is not ("text" in result):
                return f"the reported z of {result['id']} was not checked rightly"
            if "text" in result and result["text"][check["start"] : check["end"]] != check["quote"]:
                return "a quote does not stand in the text"
            continue
        tests, values, ends = _truth(result)
        found = {test["name"]: test["p"] for test in answer["tests"]}
        wrong = next((name for name, p in tests.items() if abs(found.get(name, 9.0) - p) > 1e-7), None)
        if wrong:
            return f"p of {wrong} is {found.get(wrong)}, the figures make it {tests[wrong]}"
        estimates = {one["name"]: one for one in answer["estimates"]}
        if any(abs(estimates[name]["value"] - value) > 1e-7 for name, value in values.items()):
            return f"an estimate of {result['id']} is not what its figures make it"
        first = estimates[next(iter(values))]
        if first["low"] is None and result["kind"] != "means":
            return "an interval is missing"
        if first["low"] is not None and (
            max(_miss(ends, first["low"]), _miss(ends, first["high"])) > 1e-6 or not first["low"] < first["value"] < first["high"]
        ):
            return f"the interval of {first['name']} does not have its confidence"
        decision = next(one for one in answer["interpretation"] if one["rule"] == "decision")
        if decision["numbers"]["p"] != answer["tests"][0]["p"] or ("not rejected" in decision["sentence"]) is (answer["tests"][0]["p"] <= _ALPHA):
            return "a decision does not follow from its p"
        family.append(tests.get(answer["tests"][0]["name"], 9.0))
        if "reported" in result and abs(result["reported"]["p"] - tests["Welch t"]) > 0.1:
            misfits.add(result["id"])
    if {one["id"] for one in outputs["inconsistencies"]} != misfits:
        return f"the reports that do not fit are those of {sorted(misfits)}"
    adjusted = [max(min(1.0, other * sum(one >= other for one in family)) for other in family if other <= p) for p in family]
    corrected = outputs["multiple_comparisons"]["tests"]
    if [one["id"] for one in corrected] != [one["id"] for one in given] or any(
        abs(one["adjusted_p"] - wanted) > 1e-6 for one, wanted in zip(corrected, adjusted, strict=True)
    ):
        return "the correction for several tests is not Holm's"
    return None


AGENT = Agent(
    name="agent-results-interpretation-proxy",
    task_types=("RESULTS_INTERPRETATION", "STATISTICAL_ANALYSIS"),
    summary="Recomputes tests, intervals and effect sizes from a result's own figures, and flags reported figures that do not fit.",
    version="1.0.0",
    inputs=ResultsInterpretationInputs,
    outputs=ResultsInterpretationOutputs,
    steps=(
        Step(name="measure", run=measure),
        Step(name="check", run=check),
        Step(name="correct", run=correct),
        Step(name="interpret", run=interpret),
    ),
    example={
        "results_data": [
            {
                "id": "systolic pressure",
                "kind": "means",
                "groups": [{"name": "drug", "n": 42, "mean": "128.4", "sd": "11.2"}, {"name": "placebo", "n": 40, "mean": "134.9", "sd": "12.7"}],
                "reported": {"p": ".016", "ci": ["-11.8", "-1.2"]},
            },
            {"id": "readmission", "kind": "two_by_two", "table": [[9, 33], [18, 22]]},
            {"id": "from the paper", "kind": "reported", "text": "The groups differed, t(28) = 2.20, p = .036, but not in F(2, 45) = 1.10, p = .02."},
        ]
    },
    probe=Probe(make=_make, check=_check),
)
