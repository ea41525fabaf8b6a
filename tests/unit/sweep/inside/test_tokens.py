"""A deployment's token is found where its operator keeps it, and nothing else of those files is read, run or repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from windlass.errors import Refused
from windlass.sweep.inside import tokens

NAME = "WORKER_SERVICE_TOKEN"


def test_the_environment_comes_first_then_production_then_the_other_file(tmp_path: Path):
    (tmp_path / ".env").write_text(f"{NAME}=from-env\n")
    assert tokens.found(NAME, {NAME: " "}, tmp_path) == "from-env"
    (tmp_path / ".env.production").write_text(f"{NAME}=from-production\n")
    assert tokens.found(NAME, {}, tmp_path) == "from-production"
    assert tokens.found(NAME, {NAME: "given"}, tmp_path) == "given"


def test_the_files_are_read_and_not_sourced(tmp_path: Path):
    (tmp_path / ".env").write_text(
        f"touch {tmp_path}/ran\nOTHER=$(touch {tmp_path}/ran)\n&&& ' \" broken\nexport {NAME}='a$(x)b#c' # said\n", "utf-8"
    )
    assert tokens.found(NAME, {}, tmp_path) == "a$(x)b#c"
    assert not (tmp_path / "ran").exists()


def test_a_file_that_names_the_key_without_a_value_is_passed_over(tmp_path: Path):
    (tmp_path / ".env.production").write_text(f"{NAME}=\n#{NAME}=commented\nX{NAME}=another\n")
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbf" + f"A=\xff\r\n{NAME}=x\r\n{NAME}=the-last\r\n".encode("latin-1"))
    assert tokens.found(NAME, {}, tmp_path) == "the-last"


def test_where_there_is_none_the_places_are_named_and_no_other_value(tmp_path: Path):
    (tmp_path / ".env").write_text("OTHER_SECRET=hunter2hunter2\n")
    with pytest.raises(Refused, match=f"{NAME} is not set: it is neither in the environment nor in .*[.]env[.]production or .*[.]env$") as refusal:
        tokens.found(NAME, {}, tmp_path)
    assert "hunter2" not in str(refusal.value)


def test_a_file_of_any_size_is_refused_by_its_name(tmp_path: Path):
    (tmp_path / ".env").write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(Refused, match=r"\.env: is larger than 1048576 bytes"):
        tokens.found(NAME, {}, tmp_path)
