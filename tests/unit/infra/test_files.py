from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from windlass.infra import files


def test_replace_puts_the_content_and_leaves_no_draft(tmp_path: Path):
    path = tmp_path / "view.json"
    files.replace(path, b"old")
    files.replace(path, b"new")
    assert path.read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["view.json"]


def test_replace_never_shows_a_part_to_a_reader_that_has_the_old_file_open(tmp_path: Path):
    path = tmp_path / "view.json"
    files.replace(path, b"old")
    with path.open("rb") as reader:
        files.replace(path, b"new and longer")
        assert reader.read() == b"old"


def test_a_replace_that_fails_keeps_the_old_bytes_and_leaves_no_draft(tmp_path: Path):
    folder = tmp_path / "view.json"
    folder.mkdir()
    (folder / "inside").write_text("kept")
    with pytest.raises(OSError, match="director"):
        files.replace(folder, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["view.json"]
    assert (folder / "inside").read_text() == "kept"


def test_replace_does_not_write_through_a_link(tmp_path: Path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"untouched")
    link = tmp_path / "link"
    link.symlink_to(elsewhere)
    files.replace(link, b"new", durable=False)
    assert elsewhere.read_bytes() == b"untouched"
    assert not link.is_symlink()


def test_replace_gives_the_mode_that_was_asked_for(tmp_path: Path):
    files.replace(tmp_path / "secret", b"x", mode=0o600)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_write_all_writes_more_than_a_pipe_takes_at_once():
    reader, writer = os.pipe()
    content = os.urandom(1 << 20)

    def write() -> None:
        files.write_all(writer, content)
        os.close(writer)

    writing = threading.Thread(target=write)
    writing.start()
    with os.fdopen(reader, "rb") as stream:
        assert stream.read() == content
    writing.join()
