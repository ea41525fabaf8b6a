"""Every file that is written of a sweep beside `sweep.json`: name below the evidence directory → content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass.sweep.writers import gate_table, junit, report, summaries, tsv


def render(sweep: Mapping[str, Any]) -> dict[str, bytes]:
    """The seed's TSV, the gate table, JUnit, the report, and a summary per agent."""
    texts = {
        tsv.name(sweep): tsv.render(sweep),
        "gate.md": gate_table.render(sweep),
        "junit.xml": junit.render(sweep),
        "report.html": report.render(sweep),
    }
    return {name: text.encode() for name, text in texts.items()} | summaries.render(sweep)
