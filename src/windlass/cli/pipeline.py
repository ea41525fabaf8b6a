"""`windlass pipeline`: tasks of the fleet in a row, each handed over after its check, recorded like any run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from windlass import settings
from windlass.cli.paths import GivenPath
from windlass.errors import Refused

if TYPE_CHECKING:
    from windlass.pipeline import Outcome, Step


@click.group()
def command() -> None:
    """Run tasks of the fleet in a row, with a check at every hand-over."""


@command.command()
@click.option("--input", "file", type=GivenPath(), required=True, help="Papers: .jsonl, .ris, .bib or PubMed .xml.")
@click.option("--question", help="The research question; without it, the words that most titles share.")
@click.option("--criteria", type=GivenPath(), help="JSON file with the screen's criteria; without it, any word of the question.")
@click.option("--out", type=GivenPath(file_okay=False), help="Directory of runs; <state dir>/pipelines without it.")
@click.option("--orchestrator-url", help="Use an orchestrator that stands already, with WORKER_SERVICE_TOKEN; without it, one is opened and closed.")
@click.option("--mode", type=click.Choice(["DEMO", "LIVE"]), help="[MODE, DEMO]")
@click.option("--risk-tier", type=click.Choice(["PHI", "SENSITIVE", "NON_SENSITIVE"]), help="[RISK_TIER, NON_SENSITIVE]")
@click.option("--timeout", type=float, help="Seconds that one task may take [TIMEOUT_SECS, 120].")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, nothing else.")
def stage2(
    file: Path,
    question: str | None,
    criteria: Path | None,
    out: Path | None,
    orchestrator_url: str | None,
    mode: str | None,
    risk_tier: str | None,
    timeout: float | None,
    as_json: bool,
) -> int:
    """Literature review, screen, extraction and synthesis over your own papers.

    Exit code 0 every check held, 1 one did not, 2 usage or configuration, 130 interrupted.
    """
    import os

    import orjson

    from windlass import pipeline
    from windlass.cli import loop
    from windlass.infra import addresses, bearer
    from windlass.premises import Needs

    found = settings.Settings.load(Path.cwd())
    papers = pipeline.read_papers(file)
    asked = question or pipeline.asked_by(papers)
    if not asked.strip():
        raise Refused(f"--question: is empty, and no word is shared by the titles of {file}")
    try:
        url = addresses.base_url(orchestrator_url) if orchestrator_url else ""
    except ValueError as failure:
        raise Refused(f"--orchestrator-url: {failure}") from failure
    request = pipeline.Request(
        papers=papers,
        question=asked,
        criteria=_criteria(criteria, asked),
        out=out or Path(found.required(settings.STATE_DIR)) / "pipelines",
        mode=found.choice(settings.MODE, ("DEMO", "LIVE"), mode),  # type: ignore[arg-type]  # a choice of these words
        risk_tier=found.choice(settings.RISK_TIER, ("PHI", "SENSITIVE", "NON_SENSITIVE"), risk_tier),  # type: ignore[arg-type]  # as above
        timeout_s=found.seconds(settings.TIMEOUT_SECS, timeout),
        needs=None if url else Needs(ttl_sec=3600, environment=dict(os.environ)),
        orchestrator_url=url,
        token=bearer.usable(settings.SERVICE_TOKEN.variable, found.required(settings.SERVICE_TOKEN)) if url else "",
    )
    if not as_json:
        click.echo(f"Stage 2 over {len(papers)} papers of {file}\n  question  {asked}")
    outcome = loop.run(pipeline.stage2(request, (lambda _: None) if as_json else _told))
    if as_json:
        click.echo(orjson.dumps(_document(outcome, asked), option=orjson.OPT_INDENT_2))
    else:
        click.echo("\n".join(_ending(outcome)))
    return 0 if outcome.passed else 1


def _told(step: Step) -> None:
    from windlass.infra import escapes

    click.echo(escapes.terminal(f"  {step.gate.lower():<10} {'PASS' if step.passed else 'FAIL'}  {step.said}"))


def _criteria(file: Path | None, question: str) -> dict[str, Any]:
    import orjson

    from windlass.agents import text

    if file is None:
        words = [word for word in dict.fromkeys(text.content_words(question)) if len(word) > 2]
        return {"include_keywords": words or question.split()}
    try:
        criteria = orjson.loads(file.read_bytes())
    except OSError as failure:
        raise Refused(f"--criteria {file}: {failure.strerror}") from failure
    except orjson.JSONDecodeError as failure:
        raise Refused(f"--criteria {file}: is not JSON: {failure}") from failure
    if not isinstance(criteria, dict):
        raise Refused(f"--criteria {file}: must be a JSON object")
    return criteria


def _ending(outcome: Outcome) -> list[str]:
    from windlass.cli.runs import near
    from windlass.infra import escapes

    lines = [escapes.terminal(f"  FAIL       {outcome.failure}")] if outcome.failure else []
    if outcome.section is not None:
        lines.append(f"section     {near(outcome.directory) / 'logs/section.md'}")
    lines.append(f"record      {near(outcome.directory) / 'record'}  ({outcome.report.verdict})")
    return [*lines, f"PIPELINE: {'PASS' if outcome.passed else 'FAIL'}"]


def _document(outcome: Outcome, question: str) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "run_id": outcome.run_id,
        "verdict": "PASS" if outcome.passed else "FAIL",
        "question": question,
        "prisma": outcome.prisma,
        "section": outcome.section,
        "failure": outcome.failure,
        "record": {"directory": str(outcome.directory / "record"), "verdict": outcome.report.verdict, "head": outcome.report.head},
    }
