"""Asks a person at a terminal. Where there is none, nobody is asked and nothing is taken for an answer."""

from __future__ import annotations

import sys

import click

from windlass.errors import Refused


def is_person() -> bool:
    """Whether somebody can be asked: both what is read and where the question goes are a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirmed(question: str, otherwise: str) -> bool:
    """The answer to a question of yes or no, no by default; raises Refused that says `otherwise` when nobody can be asked."""
    if not is_person():
        raise Refused(otherwise)
    return click.confirm(question, default=False, err=True)


def secret(what: str, *, twice: bool = False) -> str:
    """A passphrase, typed unseen, and once more with `twice`; raises Refused when nobody can be asked."""
    if not is_person():
        raise Refused(f"{what} is asked for, and there is no terminal; it is never taken from the command line: ssh-agent can hold the key")
    answer: str = click.prompt(what, hide_input=True, confirmation_prompt=twice, err=True)
    return answer
