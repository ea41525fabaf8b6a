"""A fleet of agents that square numbers (`stand_in.py`), written as a stranger would write a fleet file; and its stack of processes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import processes


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A running fleet behind a running orchestrator. Lives as long as the benchmark."""

    fleet: Path
    orchestrator_url: str
    orchestrator_pid: int
    agents_pid: int


def task_types(count: int) -> list[str]:
    return [f"SQUARE_{number:04}" for number in range(count)]


def examples(number: int) -> tuple[int, int]:
    """The two numbers that an agent's examples square."""
    return number + 3, number + 5003


def invalid(number: int) -> str:
    """What an agent must turn down."""
    return f"no number {number}"


def fleet_yaml(count: int, agents_url: str) -> str:
    """`count` agents with a path and a task type each; two examples with what they must yield, and one input to turn down."""
    lines = ["name: squares", "agents:"]
    lines += [f'  agent-{number:04}: {{url: "{agents_url}/agent-{number:04}"}}' for number in range(count)]
    lines.append("tasks:")
    for number, task_type in enumerate(task_types(count)):
        one, other = examples(number)
        lines += [
            f"  {task_type}:",
            f"    agent: agent-{number:04}",
            "    examples:",
            f"      - inputs: {{number: {one}}}",
            f"        expect: {{type: object, required: [square], properties: {{square: {{const: {one * one}}}}}}}",
            f"      - inputs: {{number: {other}}}",
            f"        expect: {{type: object, required: [square], properties: {{square: {{const: {other * other}}}}}}}",
            f"    invalid_example: {{number: {invalid(number)}}}",
        ]
    return "\n".join(lines) + "\n"


@contextmanager
def stack(count: int, delay_ms: float, place: Path) -> Iterator[Stack]:
    """The stand-in agents and the real orchestrator, each in a process of its own."""
    processes.allow_many_files()
    with ExitStack() as opened:
        agents = [sys.executable, str(processes.BENCH / "stand_in.py"), "--delay-ms", str(delay_ms)]
        agents_url, agents_pid = opened.enter_context(processes.serving(agents, "/health", place))
        fleet = place / "fleet.yaml"
        fleet.write_text(fleet_yaml(count, agents_url), encoding="utf-8")
        serve = [*processes.WINDLASS, "serve", "orchestrator", "--fleet", str(fleet), "--state-dir", str(place / "state")]
        url, pid = opened.enter_context(processes.serving(serve, "/health/ready", place))
        yield Stack(fleet=fleet, orchestrator_url=url, orchestrator_pid=pid, agents_pid=agents_pid)
