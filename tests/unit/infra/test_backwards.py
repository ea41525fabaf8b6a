"""Lines from a file's end: the same as all its lines, reversed, without what is not ended yet."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.infra import backwards

_BLOCK = 64 * 1024


@given(st.lists(st.binary(max_size=3).map(lambda line: line.replace(b"\n", b"x")), max_size=9), st.sampled_from([b"", b"torn"]))
def test_lines_come_last_first_and_what_has_no_newline_is_none(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], torn: bytes) -> None:
    path = tmp_path_factory.mktemp("lines") / "file"
    path.write_bytes(b"".join(line + b"\n" for line in lines) + torn)
    assert list(backwards.lines(path)) == lines[::-1]


@pytest.mark.parametrize("length", [_BLOCK - 2, _BLOCK - 1, _BLOCK, _BLOCK + 1, 3 * _BLOCK + 5])
def test_lines_are_whole_wherever_a_block_ends(tmp_path: Path, length: int) -> None:
    lines = [b"first", b"a" * length, b"", b"b" * length, b"last"]
    (tmp_path / "file").write_bytes(b"\n".join(lines) + b"\n")
    assert list(backwards.lines(tmp_path / "file")) == lines[::-1]


def test_no_more_is_read_than_is_asked_for(tmp_path: Path) -> None:
    """A file of a terabyte, nearly all of it a hole, gives its last lines at once."""
    path = tmp_path / "file"
    with path.open("wb") as file:
        os.truncate(file.fileno(), 2**40)
        file.seek(0, os.SEEK_END)
        file.write(b"\none\ntwo\n")
    found = backwards.lines(path)
    assert [next(found), next(found)] == [b"two", b"one"]
    found.close()


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo"):
        with pytest.raises(OSError, match="regular"):
            next(backwards.lines(path))
    with pytest.raises(FileNotFoundError):
        next(backwards.lines(tmp_path / "none"))
