"""The `windlass` command. Names and one-line helps stand here; what a command needs is imported when it is called.

`windlass --help` must cost little: gates run in loops and hooks. `tests/unit/cli/test_start.py` watches what it imports.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys

import click

from windlass import __version__
from windlass.cli import streams
from windlass.errors import Refused, WindlassError

COMMANDS = {
    "prove": "Open a fleet, dispatch, execute, prove, record and close it: the main job.",
    "sweep": "Sweep a running fleet, judge and explain the evidence.",
    "pipeline": "Run tasks of the fleet in a row, with a check at every hand-over.",
    "agents": "List the reference agents; check any agent against the contract.",
    "serve": "Serve the orchestrator or the agents.",
    "run": "Run a gated workflow; start, list, show, resume or complete a run.",
    "gate": "Start, finish, fail or approve a gate of a run.",
    "invocation": "Record an agent's invocation.",
    "contract": "Check contracts and workflows before they are used.",
    "init": "Write a workflow, its contracts and the git files of a project.",
    "keys": "Make and list the keys of those who approve.",
    "report": "Tell what happened in a run.",
    "diff": "Compare two runs.",
    "export": "Write a run for others: in-toto, JUnit, SARIF, HTML, Markdown, or a bundle that verifies itself.",
    "verify": "Check a record, audit or evidence offline.",
    "anchor": "Keep a record's head elsewhere, so that truncation and rewriting show.",
    "window": "Open services for a bounded time, look at them, close them.",
}
EXIT_FAILED, EXIT_REFUSED, EXIT_INTERRUPTED = 1, 2, 130
ITEM = "\n  - "
"""Begins each item of an error that lists several."""
_LONGEST_LINE = 4000
"""Columns of one line of an error."""


class LazyGroup(click.Group):
    """A group whose commands are modules of `windlass.cli`, imported when called. Lives as long as the process."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the main job."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a module, or None."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"{__name__}.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands from the table above, so that help imports none of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="windlass")
def command() -> None:
    """Prove that a fleet of AI agents really runs."""


def main() -> None:
    """Run the command line and leave with its exit code: 0 done or PASS, 1 failed, 2 refused, 130 interrupted."""
    streams.complete()
    code = _run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        streams.settled(stream)
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    try:
        code = command.main(arguments, prog_name="windlass", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.exceptions.NoArgsIsHelpError as bare:
        click.echo(bare.format_message(), err=True)
        return EXIT_REFUSED
    except click.ClickException as usage:
        return _say(usage.format_message(), EXIT_REFUSED)
    except (click.Abort, KeyboardInterrupt) as stopped:
        if isinstance(stopped.__cause__, EOFError):  # click takes it for the end of a person's input, and we ask nobody
            return _bug(stopped.__cause__)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # everything is closed: a second Ctrl-C must not end the ending in a traceback
        return _say("interrupted", EXIT_INTERRUPTED)
    except Refused as refusal:
        return _say(str(refusal), EXIT_REFUSED)
    except WindlassError as failure:
        return _say(str(failure), EXIT_FAILED)
    except Exception as unforeseen:
        if os.environ.get("WINDLASS_TRACEBACK"):
            raise
        return _surroundings(unforeseen) if isinstance(unforeseen, OSError) else _bug(unforeseen)
    return code if isinstance(code, int) else 0


def _surroundings(failure: OSError) -> int:
    """What the machine refused and nobody foresaw: a stream, the working directory, a disk."""
    if isinstance(failure.__context__, KeyboardInterrupt):
        return EXIT_INTERRUPTED  # the terminal went away, and click could not end its line
    if not streams.settled(sys.stdout):
        return EXIT_FAILED if isinstance(failure, BrokenPipeError) else _say(f"stdout: {failure.strerror}", EXIT_FAILED)
    try:
        os.getcwd()  # noqa: PTH109  # help must not pay for pathlib
    except OSError:
        return _say("the working directory does not exist any more", EXIT_REFUSED)
    reason = failure.strerror or str(failure) or type(failure).__name__
    return _say(f"{failure.filename}: {reason}" if failure.filename else reason, EXIT_FAILED)


def _bug(failure: Exception) -> int:
    return _say(f"this is a bug in Windlass: {type(failure).__name__}: {failure} (WINDLASS_TRACEBACK=1 shows where)", EXIT_FAILED)


def _say(message: str, code: int) -> int:
    """Print the error, each of its items on one line of its own: what it repeats may be a stranger's text."""
    from windlass.infra import escapes

    shown = ITEM.join(escapes.terminal(item, _LONGEST_LINE) for item in message.split(ITEM))
    try:
        click.echo(f"error: {shown}", err=True)
    except OSError:
        streams.settled(sys.stderr)
    return code
