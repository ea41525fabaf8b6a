"""An evidence synthesis as Markdown: the evidence table and a line per body of evidence, the papers' own words escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from windlass.agents.markdown_cell import escaped

_SHOWN = 200
"""Rows of the table; the outputs hold all of them."""


def render(question: str, table: Sequence[Mapping[str, Any]], bodies: Sequence[Mapping[str, Any]]) -> str:
    """The question, the table of papers, and what each body of evidence comes to."""
    lines = [f"## {escaped(question)}", "", "| paper | design | n | effects | in a body |", "|---|---|---|---|---|"]
    lines += [_row(row) for row in table[:_SHOWN]]
    if len(table) > _SHOWN:
        lines.append(f"| … {len(table) - _SHOWN} more | | | | |")
    lines += ["", "| measure and outcome | stream | studies | pooled (95% CI) | I² | certainty |", "|---|---|---|---|---|---|"]
    lines += [_body(body) for body in bodies]
    return "\n".join(lines) + "\n"


def _row(row: Mapping[str, Any]) -> str:
    found = row["findings"]
    effects = "; ".join(escaped(f"{effect['measure']} {', '.join(effect['numbers'])}", 60) for effect in found["effects"][:5])
    n = "" if found["n"] is None else str(found["n"])
    return f"| @{row['citation_key']} | {escaped(found['design']['kind'], 60)} | {n} | {effects} | {escaped(row['left_out'] or 'yes', 120)} |"


def _body(body: Mapping[str, Any]) -> str:
    pooled = body["pooled"]
    shown = f"{pooled['estimate']:.3g} ({pooled['low']:.3g} to {pooled['high']:.3g})" if pooled else "not pooled"
    spread = f"{pooled['i_squared']:.0f}%" if pooled else ""
    topic = escaped(f"{body['measure']}: {body['outcome'] or 'outcome not stated'}", 160)
    return f"| {topic} | {body['stream']} | {len(body['studies'])} | {shown} | {spread} | {body['certainty']['level']} |"
