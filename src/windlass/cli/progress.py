"""Shows a sweep as it goes: bars where a person watches a terminal, silence where a program reads."""

from __future__ import annotations

import contextlib
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from windlass.sweep.run import Moment, Stage

_STAGES: tuple[Stage, ...] = ("dispatch", "execute", "prove")  # not from sweep.stages: its import would be paid before the first line is shown


class SweepProgress:
    """A bar on stderr per stage. Lives as long as the sweep; draws nothing when stderr is no terminal.

    A terminal that is gone and a reader who has left are no matter of the sweep: `unheard` says afterwards why a line was not printed.
    """

    unheard: OSError | None = None

    def __init__(self, stages: int, total: int = 0) -> None:
        self._total = total
        self._stages = _STAGES[:stages]
        self._failed = dict.fromkeys(_STAGES, 0)
        self._progress: Progress | None = None
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None) -> None:
        self._clear()

    def expect(self, total: int) -> None:
        """Say how many cells there are, before the first moment."""
        self._total = total

    def print(self, line: str) -> None:
        """A line of the story, in place of the bars."""
        self._clear()
        if self.unheard is None:
            try:
                click.echo(line)
            except OSError as failure:
                self.unheard = failure

    def __call__(self, moment: Moment) -> None:
        """A cell has left a stage."""
        self._failed[moment.stage] += not moment.passed
        with contextlib.suppress(OSError):
            if self._progress is None and sys.stderr.isatty():
                self._draw()
            if self._progress and moment.stage in self._bars:
                failed = self._failed[moment.stage]
                self._progress.update(self._bars[moment.stage], advance=1, note=f"[red]{failed} failed[/red]" if failed else "")

    def _draw(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("  {task.description:<9}"),
            MofNCompleteColumn(),
            BarColumn(bar_width=40),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False)
        self._bars = {stage: self._progress.add_task(stage, total=self._total, note="") for stage in self._stages}
        self._progress.start()

    def _clear(self) -> None:
        with contextlib.suppress(OSError):
            if self._progress:
                self._progress.stop()
        self._progress, self._bars = None, {}
