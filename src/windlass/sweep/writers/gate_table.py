"""`gate.md`: the seed's final gate table filled in, what failed, the door, and the seed's seven-column row table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from windlass.infra.escapes import markdown, markdown_code
from windlass.sweep.plan import GATES
from windlass.sweep.writers import cells

COLUMNS = ("task_type", "dispatch_http", "agent_name", "run_http", "latency_ms", "pass_fail", "error_preview")


def render(sweep: Mapping[str, Any]) -> str:
    """The page, CommonMark with tables; its last line is `SUMMARY: X/Y PASS` alone."""
    rows = cells.every(sweep)
    blocks = [
        [f"# Gates of {markdown(sweep['fleet']['name'])}: {cells.verdict(sweep)}"],
        [_when(sweep)],
        _gates(sweep),
        *_failures([row for row in rows if not cells.passed(row)]),
        *_door(sweep["door"]),
        ["## Rows"],
        table(COLUMNS, ([markdown(text) for text in _texts(row)] for row in rows)),
        [cells.summary(sweep)],
    ]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table; its cells are escaped already."""
    return [_line(header), "|" + "---|" * len(header), *map(_line, rows)]


def _line(texts: Sequence[str]) -> str:
    return "| " + " | ".join(texts) + " |"


def _when(sweep: Mapping[str, Any]) -> str:
    facts = {
        "Sweep": sweep["sweep_id"],
        "started": sweep["started_at"],
        "finished": sweep["finished_at"] or "never",
        "commit": sweep["git_commit"] or "none",
        "fleet sha256": sweep["fleet"]["sha256"],
        "nonce": sweep["nonce"],
    }
    interrupted = ". **Interrupted:** what had not run reads NOT_RUN" if sweep["interrupted"] else ""
    return ", ".join(f"{name} {markdown_code(str(value))}" for name, value in facts.items()) + interrupted + "."


def _gates(sweep: Mapping[str, Any]) -> list[str]:
    return table(("Gate", "Condition", "Result", "Evidence"), (_gate(sweep, gate) for gate in GATES))


def _gate(sweep: Mapping[str, Any], name: str) -> list[str]:
    gate = sweep["gates"][name]
    total = int(gate["total"])
    condition = {
        "dispatch": f"{total}/{total} dispatch return agent_url",
        "execution": f"{total}/{total} run/sync HTTP 200, response &gt; 50 chars",
        "proof": f"{total}/{total} executed a fresh random probe (or the fleet file's examples); the door is locked",
    }[name]
    result = cells.result(gate)
    evidence = {
        "dispatch": "TSV column `dispatch_http` = 200, `agent_url` non-empty",
        "execution": "TSV columns `run_http`, `latency_ms`",
        "proof": "`sweep.json`: `rung` of each row, `nonce`, `door`",
    }[name]
    if name == sweep["gate"]:
        evidence += f"; TSV column `pass_fail`; summary line: `{cells.summary(sweep)}`"
    if result == "not asked":
        return [f"**{name.title()}**", condition, result, evidence]
    reason = f" ({markdown(gate['reason'])})" if gate["reason"] and result != "PASS" else ""
    return [f"**{name.title()}**", condition, f"**{result}**", f"{int(gate['passed'])} of {total}{reason}; {evidence}"]


def _failures(failed: Sequence[cells.Row]) -> list[list[str]]:
    if not failed:
        return []
    header = ("task_type", "agent_name", "rung", "failure_class", "why", "next command")
    return [[f"## Failures ({len(failed)})"], table(header, map(_failure, failed))]


def _failure(row: cells.Row) -> list[str]:
    texts = [markdown(str(text)) for text in (row["task_type"], row["agent_name"], row["rung"], cells.failure_class(row), row["error_preview"])]
    return [*texts, markdown_code(row["next_command"] or "")]


def _door(door: Mapping[str, Any] | None) -> list[list[str]]:
    if not door:
        return []
    tries = ([f"dispatch {label}", *_answer(door.get(name))] for name, label in cells.DOOR.items())
    return [["## Door"], table(("Try", "Expected", "Answered", "Result"), tries)]


def _answer(found: Mapping[str, Any] | None) -> list[str]:
    if found is None:
        return ["", "", "**FAIL (incomplete)**"]
    return [markdown(str(found["expected"])), markdown(str(found["http"])), "PASS" if found["pass"] is True else "**FAIL**"]


def _texts(row: cells.Row) -> Iterable[str]:
    shown = {**row, "latency_ms": cells.milliseconds(row["latency_ms"]), "error_preview": cells.preview(row)}
    return (str(shown[column]) for column in COLUMNS)
