"""A person is asked at a terminal, and nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from windlass.cli import asking
from windlass.errors import Refused

CONFIRM = "from windlass.cli import asking; print(asking.confirmed('Approve this?', 'nobody is here'))"
SECRET = "from windlass.cli import asking; print(asking.secret('Passphrase', twice=True))"


def _answered(code: str, typed: bytes) -> tuple[str, str]:
    """What the code printed and what the terminal showed, when a person types this."""
    master, terminal = os.openpty()
    process = subprocess.Popen([sys.executable, "-c", code], stdin=terminal, stderr=terminal, stdout=subprocess.PIPE, start_new_session=True)
    os.close(terminal)
    shown = b""
    try:
        for line in typed.splitlines(keepends=True):
            while not shown.rstrip().endswith((b":", b"]")):
                shown += os.read(master, 1024)
            os.write(master, line)
            shown += b"|"
        printed, _ = process.communicate(timeout=30)
    finally:
        os.close(master)
    return printed.decode().strip(), shown.decode()


@pytest.mark.parametrize(("typed", "answer"), [(b"y\n", "True"), (b"n\n", "False"), (b"\n", "False")])
def test_only_yes_is_yes(typed: bytes, answer: str):
    printed, shown = _answered(CONFIRM, typed)
    assert printed == answer
    assert "Approve this? [y/N]" in shown


def test_a_passphrase_is_typed_unseen():
    printed, shown = _answered(SECRET, b"secret\nsecret\n")
    assert printed == "secret"
    assert "secret" not in shown


@pytest.mark.parametrize("code", [CONFIRM, SECRET])
def test_without_a_terminal_nothing_is_taken_for_an_answer(code: str):
    ended = subprocess.run([sys.executable, "-c", code], input="y\ny\n", capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "Refused: " in ended.stderr


def test_what_can_be_done_instead_is_said():
    with pytest.raises(Refused, match="nobody is here"):
        asking.confirmed("Approve this?", "nobody is here")
