"""The reaper as a command of its own: `python -m tests.engines.reaper ARGUMENTS`, with the exit codes and errors of `windlass`."""

import sys

import click

from windlass import cli
from windlass.cli import window_reap


def _reap(_group: cli.LazyGroup, _context: click.Context, _name: str) -> click.Command:
    return window_reap.command


if __name__ == "__main__":
    cli.LazyGroup.get_command = _reap  # type: ignore[method-assign, assignment]  # the table of commands does not list it at the top
    sys.argv[1:1] = ["reap"]
    cli.main()
