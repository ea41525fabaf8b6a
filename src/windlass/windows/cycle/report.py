"""The three reports of a cycle, all of one value: JSON for programs, Markdown for a pull request, HTML with small charts for people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from windlass.infra import escapes, files, pages
from windlass.windows.cycle import rules
from windlass.windows.cycle.cycle import Cycle

_WIDTH, _HEIGHT = 320.0, 60.0
_PACKAGE = "windlass.windows.cycle"


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
    yield f"{cycle.started_at} to {cycle.finished_at}; window {_word(facts['window_id'])}, {cycle.asked.ttl_sec} s at most."
    for failure in cycle.failures:
        yield from ("", *(f"    {line}" for line in _lines(failure)))
    yield from ("", "| service | state | health | up |", "|---|---|---|---|")
    for one in facts["results"]:
        yield f"| {_word(one['service'])} | {one['state']} | {one['health']} | {'yes' if one['up'] else 'no'} |"
    yield from ("", "| CPU % | memory % | PSI % | at once |", "|---|---|---|---|")
    for sample, throttled in zip(cycle.samples, cycle.throttle, strict=False):
        psi = ", ".join(f"{name} {value:g}" for name, value in sample.psi.items()) or "not told"
        yield f"| {_number(sample.cpu)} | {_number(sample.memory)} | {psi} | {throttled['at_once']} |"
    yield ""
    core = ", ".join(f"{_word(name)} {state}" for name, state in cycle.core.items())
    yield f"Core: {core or 'none'}; changed: {', '.join(map(_word, facts['core_changed'])) or 'nothing'}."
    for one in facts["results"]:
        if not one["up"]:
            yield from ("", f"Last lines of {_word(one['service'])}:", "", *(f"    {line}" for line in _lines(one["log_tail"] or one["stderr"])))


def html(cycle: Cycle) -> str:
    """The report as a page that stands by itself: no script, nothing loaded."""
    facts = cycle.as_json()
    charts = [("CPU", "%", [one.cpu for one in cycle.samples], 100.0), ("Memory", "%", [one.memory for one in cycle.samples], 100.0)]
    charts += [(f"PSI {name}", "%", [one.psi.get(name) for one in cycle.samples], 100.0) for name in ("cpu", "memory", "io") if _has(cycle, name)]
    for name in facts["services_started"]:
        values = [_mib(one.services.get(name, {}).get("memory_bytes")) for one in cycle.samples]
        charts.append((f"Memory of {name}", "MiB", values, max([1.0, *(value for value in values if value is not None)]) * 1.2))
    drawn = [
        {
            "name": name,
            "unit": unit,
            "line": rules.points(values, _WIDTH, _HEIGHT, most),
            "last": next((v for v in reversed(values) if v is not None), None),
        }
        for name, unit, values, most in charts
    ]
    return pages.render(_PACKAGE, "cycle.html.j2", ("cycle.css",), cycle=facts, verdict=cycle.verdict, charts=drawn, width=_WIDTH, height=_HEIGHT)


def _has(cycle: Cycle, name: str) -> bool:
    return any(name in one.psi for one in cycle.samples)


def _mib(size: Any) -> float | None:
    return None if size is None else round(size / 1_048_576, 1)


def _lines(text: str) -> list[str]:
    return [escapes.visible(line) for line in text.splitlines()] or ["(nothing)"]


def _word(value: Any) -> str:
    """A name in a table's cell or a sentence, with nothing in it that Markdown would act on."""
    shown = escapes.visible(str(value if value is not None else "none"))
    return "".join(f"&#{ord(letter)};" if letter in "|`*_[]<>&\\#!~" else letter for letter in shown)


def _number(value: float | None) -> str:
    return "not told" if value is None else f"{value:g}"
