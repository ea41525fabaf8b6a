"""The three reports of a cycle, all of one value: JSON for programs, Markdown for a pull request, HTML with small charts for people."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from windlass.infra import escapes, files, instants, pages
from windlass.windows.cycle import charts
from windlass.windows.cycle.charts import Chart
from windlass.windows.cycle.cycle import Cycle

_PACKAGE = "windlass.windows.cycle"
_PSI = {"cpu": "PSI CPU", "memory": "PSI memory", "io": "PSI disk"}
_MOST_ROWS = 40
"""Measurements in the Markdown; the JSON has all."""


def write(cycle: Cycle, directory: Path) -> None:
    """Write `test_results.json`, `report.md` and `report.html`; raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    files.replace(directory / "test_results.json", orjson.dumps(cycle.as_json(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    files.replace(directory / "report.md", "".join(f"{line}\n" for line in markdown(cycle)).encode())
    files.replace(directory / "report.html", html(cycle).encode())


def markdown(cycle: Cycle) -> Iterator[str]:
    """The report as Markdown; a stranger's text stands in code blocks that it can't end."""
    facts = cycle.as_json()
    yield f"# Cycle {cycle.cycle_id}: {cycle.verdict}"
    yield ""
    why = f" ({facts['close_reason']})" if facts["close_reason"] else ""
    window = f"window {_word(facts['window_id'])}, {cycle.asked.ttl_sec} s at most, {facts['state'] or 'not opened'}{why}"
    yield f"{cycle.started_at} to {cycle.finished_at}; {window}."
    for word, found in (("Failures", cycle.failures), ("Warnings", cycle.warnings)):
        if found:
            yield from ("", f"{word}:", "", *(f"    {line}" for one in found for line in _lines(one)))
    yield from ("", "| service | state | health | up | restarts | CPU s | most CPU % | most memory MiB |", "|---|---|---|---|---|---|---|---|")
    for row in _services(cycle):
        numbers = (row["cpu_sec"], row["cpu_percent"], row["memory_mib"])
        yield f"| {_word(row['name'])} | {row['state']} | {row['health']} | {row['up']} | {row['restarts']} | {' | '.join(map(_number, numbers))} |"
    yield from _measurements(cycle)
    if cycle.sweep is not None:
        yield from ("", "Sweep:", "", *(f"    {line}" for line in _lines(str(cycle.sweep.get("summary")))))
    yield ""
    core = ", ".join(f"{_word(name)} {state}" for name, state in cycle.core.items())
    yield f"Core: {core or 'none is configured'}; changed: {', '.join(map(_word, facts['core_changed'])) or 'nothing'}."
    for one in facts["results"]:
        if not one["up"]:
            yield from ("", f"Last lines of {_word(one['service'])}:", "", *(f"    {line}" for line in _lines(one["log_tail"] or one["stderr"])))


def html(cycle: Cycle) -> str:
    """The report as a page that stands by itself: no script, nothing loaded."""
    span_s = max((sample.at_s for sample in cycle.samples), default=0.0)
    return pages.render(
        _PACKAGE,
        "cycle.html.j2",
        ("cycle.css",),
        cycle=cycle.as_json(),
        verdict=cycle.verdict,
        lasted=_lasted(cycle),
        services=list(_services(cycle)),
        host_charts=list(_host_charts(cycle, span_s)),
        service_charts=[(name, list(_service_charts(cycle, name, span_s))) for name in cycle.opened.get("services_started", ())],
        span=f"{span_s:.0f} s" if span_s >= 10 else f"{span_s:.1f} s",
        swept=charts.stretch([one["at_s"] for one in cycle.throttle if one["while"] == "sweeping"], span_s),
        width=charts.WIDTH,
        height=charts.HEIGHT,
    )


def _services(cycle: Cycle) -> Iterator[dict[str, Any]]:
    """A row per service: how it was found at the opening, and the most that it used."""
    cost: Mapping[str, Mapping[str, Any]] = (cycle.closed or {}).get("cost", {})
    for one in cycle.opened.get("results", ()):
        name = one["service"]
        seen = [sample.services[name] for sample in cycle.looks if name in sample.services]
        peaks = [cost.get(name, {}).get("peak_memory_bytes"), *(look["memory_bytes"] for look in seen)]
        yield {
            "name": name,
            "state": one["state"],
            "health": one["health"],
            "up": "yes" if one["up"] else "no",
            "restarts": cycle.restarts(name),
            "cpu_sec": _most([cost.get(name, {}).get("cpu_sec"), *(look["cpu_sec"] for look in seen)]),
            "cpu_percent": _most([look["cpu_percent"] for look in seen]),
            "memory_mib": _mib(_most(peaks)),
        }


def _measurements(cycle: Cycle) -> Iterator[str]:
    step = max(1, math.ceil(len(cycle.samples) / _MOST_ROWS))
    yield from ("", f"{len(cycle.samples)} measurements, one of {step} shown:") if step > 1 else ()
    yield from ("", "| at s | CPU % | memory % | PSI % | while | at once |", "|---|---|---|---|---|---|")
    for sample, throttled in list(zip(cycle.samples, cycle.throttle, strict=True))[::step]:
        psi = ", ".join(f"{name} {value:.0f}" for name, value in sample.psi.items()) or "not told"
        loads = f"{sample.at_s:.1f} | {_number(sample.cpu)} | {_number(sample.memory)} | {psi}"
        yield f"| {loads} | {throttled['while']} | {throttled['at_once']} |"


def _host_charts(cycle: Cycle, span_s: float) -> Iterator[Chart]:
    limits, samples = cycle.asked.limits, cycle.samples
    yield charts.chart("CPU", "%", [(one.at_s, one.cpu) for one in samples], span_s, top=100.0, limit=limits.cpu)
    yield charts.chart("Memory", "%", [(one.at_s, one.memory) for one in samples], span_s, top=100.0, limit=limits.memory)
    for name, shown in _PSI.items():
        if any(name in one.psi for one in samples):
            yield charts.chart(shown, "%", [(one.at_s, one.psi.get(name)) for one in samples], span_s, top=100.0, limit=limits.psi)
    if cycle.sweep is not None:
        yield charts.chart("Calls at once", "", [(one["at_s"], one["at_once"]) for one in cycle.throttle], span_s)


def _service_charts(cycle: Cycle, name: str, span_s: float) -> Iterator[Chart]:
    looks = [(one.at_s, one.services.get(name, {})) for one in cycle.looks]
    yield charts.chart("CPU", "% of one", [(at_s, look.get("cpu_percent")) for at_s, look in looks], span_s, top=10.0)
    yield charts.chart("Memory", "MiB", [(at_s, _mib(look.get("memory_bytes"))) for at_s, look in looks], span_s)


def _lasted(cycle: Cycle) -> str:
    if not cycle.finished_at:
        return ""
    return f"{(instants.parse(cycle.finished_at) - instants.parse(cycle.started_at)).total_seconds():.1f} s"


def _most(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _mib(size: float | None) -> float | None:
    return None if size is None else round(size / 1_048_576, 1)


def _lines(text: str) -> list[str]:
    return [escapes.visible(line) for line in text.splitlines()] or ["(nothing)"]


def _word(value: Any) -> str:
    """A name in a table's cell or a sentence, with nothing in it that Markdown would act on."""
    shown = escapes.visible(str(value if value is not None else "none"))
    return "".join(f"&#{ord(letter)};" if letter in "|`*_[]<>&\\#!~" else letter for letter in shown)


def _number(value: float | None) -> str:
    return "not told" if value is None else f"{value:g}"
