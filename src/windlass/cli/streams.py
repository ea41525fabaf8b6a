"""The standard streams, in whatever state the caller left them: closed, full, or without a reader."""

from __future__ import annotations

import os
import sys
from typing import TextIO


def complete() -> None:
    """Give each stream that the caller closed a place that leads nowhere.

    Else the next file that is opened takes its number: what is printed would go into that file, and libuv ends the whole process when such
    a number is closed.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115, PTH123  # open to the end


def settled(stream: TextIO) -> bool:
    """Whether everything that was printed has arrived.

    When not, the stream leads nowhere from here, so that Python has nothing to complain of at exit.
    """
    try:
        stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        return False
    return True
