"""A run as one page for people: a timeline of its gates and windows, every attempt with its checks, approvals and costs, and its files.

By itself: no script, nothing loaded, readable on a phone and on paper, dark and light.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from windlass import __version__
from windlass.infra import instants, pages
from windlass.records.attest import spoken
from windlass.records.attest.told import Attempt, Gate, Story
from windlass.records.events import InvocationRecorded

MOST_CHECKS = 300
"""Checks of one attempt, and files of the run, that the page sets out; the record has them all."""
_LEAST_WIDTH = 0.7
"""Percent of the axis: what took a moment beside what took a day can still be seen."""
_TONES = {"PASS": "pass", "PASSED": "pass", "FAIL": "fail", "FAILED": "fail", "CANCELED": "wait", "RUNNING": "wait"}
_WORDS = {"NOT_STARTED": "NOT RUN"}
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
"""Seconds between ticks that people read easily."""
_MOST_TICKS = 5


@dataclass(frozen=True, kw_only=True)
class Axis:
    """The time that the page shows, as percent of its width; lives as long as the rendering."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """How long it is; at least a millisecond, so that everything has a place on it."""
        return max((self.end - self.start).total_seconds(), 0.001)

    def place(self, at: datetime) -> float:
        """Percent from its start."""
        return min(max(100 * (at - self.start).total_seconds() / self.seconds, 0.0), 100.0)

    def bar(self, start: datetime, end: datetime) -> dict[str, str]:
        """`x` and `width` of what lasted from `start` to `end`."""
        width = max(self.place(end) - self.place(start), _LEAST_WIDTH)
        return {"x": f"{min(self.place(start), 100 - width):.3f}%", "width": f"{width:.3f}%"}

    def ticks(self) -> Iterator[dict[str, str]]:
        """A few round distances from the start."""
        days = max(1, round(self.seconds / 86_400 / _MOST_TICKS))
        step = next((step for step in _STEPS if self.seconds / step <= _MOST_TICKS), 86_400 * days)
        for number in range(int(self.seconds / step) + 1):
            offset = number * step
            where = f"{self.place(self.start + timedelta(seconds=offset)):.3f}%"
            yield {"x": where, "label": "0" if not number else spoken.duration(offset * 1000).removesuffix(" 0 s").removesuffix(" 0 min")}


def render(story: Story) -> str:
    """The page, HTML 5."""
    axis = Axis(start=story.started_at, end=story.ended_at)
    artifacts = list(story.newest_artifacts())
    return pages.render(
        __package__,
        "timeline.html.j2",
        ("timeline.css",),
        story=story,
        workflow=story.run.started.workflow,
        tone=_TONES.get(story.status, "none"),
        said=_said(story),
        facts=list(_facts(story)),
        ticks=list(axis.ticks()),
        lanes=[_lane(axis, gate) for gate in story.gates],
        windows=[_window(axis, story, number) for number in range(len(story.windows))],
        gates=[_gate(gate) for gate in story.gates],
        artifacts=[
            (artifact.resolved_path, attempt.gate, spoken.size(artifact.size), artifact.sha256) for attempt, artifact in artifacts[:MOST_CHECKS]
        ],
        more_artifacts=max(0, len(artifacts) - MOST_CHECKS),
        invocations=[_invocation(one) for one in story.run.invocations[:MOST_CHECKS]],
        more_invocations=max(0, len(story.run.invocations) - MOST_CHECKS),
        spent=_spent(story),
        notes=[(instants.stamp(instants.parse(note.at)), note.name, note.gate, note.message) for note in story.notes[:MOST_CHECKS]],
        checks=_checks(story),
        version=__version__,
    )


def _said(story: Story) -> str:
    """The verdict in one sentence."""
    passed = sum(gate.status == "PASS" for gate in story.gates)
    count = f"{passed} of {spoken.counted(len(story.gates), 'gate')} passed"
    again = sum(len(gate.attempts) > 1 for gate in story.gates)
    repeated = f", {again} of them after more than one attempt" if again else ""
    waiting = {"RUNNING": "; it had not ended when this page was made", "QUEUED": "; nothing was started", "CANCELED": "; it was given up"}.get(
        story.status, ""
    )
    return f"{count}{repeated}{waiting}."


def _facts(story: Story) -> Iterator[tuple[str, str]]:
    started = story.run.started
    yield "Started", started.at
    yield "Finished", instants.stamp(story.finished_at) if story.finished_at else "not yet"
    yield "Took", spoken.duration(story.took_ms)
    yield "Workflow", f"{started.workflow.name} {started.workflow.version}"
    yield "Path", started.workflow.artifact_path
    yield "Depth", started.depth
    yield "Commit", started.git_commit or "none"
    if started.workflow_sha256:
        yield "Workflow, SHA-256", started.workflow_sha256
    yield "Journal head", story.head


def _lane(axis: Axis, gate: Gate) -> dict[str, Any]:
    """A gate's attempts on the axis, with what happened in them."""
    bars = [
        {
            **axis.bar(attempt.started_at, attempt.finished_at or axis.end),
            "tone": _TONES.get(attempt.status, "none"),
            "label": f"{gate.gate} attempt {attempt.number}: {attempt.status}, {spoken.duration(attempt.took_ms)}",
        }
        for attempt in gate.attempts
    ]
    marks = [
        {"x": f"{axis.place(instants.parse(approval.at)):.3f}%", "label": f"approved by {approval.who}"}
        for attempt in gate.attempts
        for approval in attempt.approvals
    ]
    work = [
        axis.bar(instants.parse(one.finished_at) - timedelta(milliseconds=one.duration_ms), instants.parse(one.finished_at))
        | {"label": f"{one.agent}, {spoken.duration(one.duration_ms)}"}
        for attempt in gate.attempts
        for one in attempt.invocations
    ]
    took = [attempt.took_ms for attempt in gate.attempts if attempt.took_ms is not None]
    return {
        "of": gate,
        "tone": _TONES.get(gate.status, "none"),
        "word": _WORDS.get(gate.status, gate.status),
        "bars": bars,
        "marks": marks,
        "work": work,
        "took": spoken.duration(sum(took)) if took else "–",
    }


def _window(axis: Axis, story: Story, number: int) -> dict[str, Any]:
    window = story.windows[number]
    ended = f"{window.state}: {window.reason}" if window.reason else "its end is not recorded"
    return {
        **axis.bar(window.opened_at, window.closed_at or axis.end),
        "of": window,
        "services": ", ".join(window.services),
        "ended": ended,
        "tone": "fine" if window.state == "closed" else "wait",
    }


def _gate(gate: Gate) -> dict[str, Any]:
    return {
        "of": gate,
        "tone": _TONES.get(gate.status, "none"),
        "word": _WORDS.get(gate.status, gate.status),
        "attempts": [_attempt(attempt, is_newest=attempt is gate.newest) for attempt in reversed(gate.attempts)],
    }


def _attempt(attempt: Attempt, *, is_newest: bool) -> dict[str, Any]:
    ordered = sorted(attempt.checks, key=lambda check: ("failed", "warned", "passed").index(check.outcome))
    passed = sum(check.outcome == "passed" for check in attempt.checks)
    return {
        "of": attempt,
        "tone": _TONES.get(attempt.status, "none"),
        "is_open": is_newest and (attempt.status != "PASS" or bool(attempt.troubles)),
        "took": spoken.duration(attempt.took_ms),
        "count": f"{passed}/{len(attempt.checks)}",
        "checks": ordered[:MOST_CHECKS],
        "more": max(0, len(ordered) - MOST_CHECKS),
        "spent": spoken.cost(attempt.cost),
        "facts": list(_attempt_facts(attempt)),
    }


def _attempt_facts(attempt: Attempt) -> Iterator[tuple[str, str]]:
    yield "started", instants.stamp(attempt.started_at)
    if attempt.executor:
        yield "executor", attempt.executor
    if attempt.window_id:
        yield "window", attempt.window_id
    if attempt.contract_sha256:
        yield "contract", attempt.contract_sha256[:16]
    if attempt.out_of_order:
        yield "order", "a gate before it had not passed"


def _invocation(one: InvocationRecorded) -> Sequence[str]:
    cost = "–" if one.cost_usd is None else f"${one.cost_usd:.4f}"
    return (
        one.gate,
        one.agent,
        one.model,
        one.status,
        spoken.duration(one.duration_ms or None),
        spoken.tokens(one.tokens_in),
        spoken.tokens(one.tokens_out),
        cost,
    )


def _spent(story: Story) -> Sequence[tuple[str, str]]:
    cost = story.cost
    if not cost.invocations:
        return []
    return [
        (f"{cost.invocations:,}", "invocation" if cost.invocations == 1 else "invocations"),
        (spoken.tokens(cost.tokens_in), "tokens in"),
        (spoken.tokens(cost.tokens_out), "tokens out"),
        (spoken.dollars(cost.cost_usd), "US dollars"),
        (spoken.duration(cost.duration_ms or None), "of work"),
    ]


def _checks(story: Story) -> Sequence[tuple[str, str]]:
    """What a reader can do who does not believe this page."""
    return [
        ("Verify the record that this page is a view of.", f"windlass verify {story.run_id} --head {story.head}"),
        (
            "Verify it without Windlass: a bundle carries a program of Python's standard library.",
            f"windlass export {story.run_id} --format bundle --out run.tar",
        ),
    ]
