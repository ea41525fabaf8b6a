"""A `.env` or windlass.toml that is broken or meant ill is refused by name; what is meant for other programs is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from windlass import settings
from windlass.errors import Refused
from windlass.settings import Settings

HUGE = b"# x\n" * 300_000


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (bytes(range(256)), "holds a NUL"),
        ("A=ä\n".encode("latin-1"), "is not UTF-8"),
        ("A=b\n".encode("utf-16"), "NUL"),
        (HUGE, "is larger than"),
        (b"WINDLASS_STATE_DIR='never ends\n", "line 1 can't be read as NAME=value"),
        (b"\n\nexport WORKER_SERVICE_TOKEN\n=x WORKER_SERVICE_TOKEN\n", "line 4 can't be read"),
    ],
    ids=["binary", "latin-1", "utf-16", "huge", "open quote", "no name"],
)
def test_a_broken_dotenv_is_refused_by_name(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(Refused, match=words) as refusal:
        Settings.load(tmp_path)
    assert str(tmp_path / ".env") in str(refusal.value)


def test_lines_of_other_programs_and_a_byte_order_mark_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("\ufeffWORKER_SERVICE_TOKEN=abc\nif [ -f x ]; then 'broken\nMODE=LIVE\n".encode())
    found = Settings.load(tmp_path)
    assert found.text(settings.SERVICE_TOKEN) == "abc"


@pytest.mark.parametrize("name", [".env", "windlass.toml"])
@pytest.mark.parametrize("kind", ["directory", "dangling link", "loop"])
def test_what_is_no_file_is_no_setting(tmp_path: Path, name: str, kind: str) -> None:
    if kind == "directory":
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).symlink_to(name if kind == "loop" else "nowhere")
    assert Settings.load(tmp_path).text(settings.MODE) == "DEMO"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a = [\n", "is not TOML"),
        (b"a = " + b"[" * 100_000, "is not TOML"),
        (b"a = " + b"9" * 5000, "is not TOML"),
        (HUGE, "is larger than"),
        (b"a = '\xff'", "is not UTF-8"),
    ],
    ids=["open", "deep", "long number", "huge", "not UTF-8"],
)
def test_a_broken_windlass_toml_is_refused_by_name(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "windlass.toml").write_bytes(content)
    with pytest.raises(Refused, match=words) as refusal:
        Settings.load(tmp_path)
    assert str(tmp_path / "windlass.toml") in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("state_dir = [1, 2]", "windlass.toml: state_dir must be"),
        ("state_dir = true", "windlass.toml: state_dir must be"),
        ("state_dir = 2020-01-01", "windlass.toml: state_dir must be"),
        ('state_dir = "a\\u0000b"', "windlass.toml: state_dir must be"),
        ("[state_dir]\na = 1", "windlass.toml: state_dir must be"),
    ],
)
def test_a_value_of_another_kind_is_refused_by_its_place(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "windlass.toml").write_text(content)
    with pytest.raises(Refused, match=words):
        Settings.load(tmp_path).text(settings.STATE_DIR)


def test_a_table_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "windlass.toml").write_text("sweep = 1")
    with pytest.raises(Refused, match=r"windlass\.toml: sweep is not a table"):
        Settings.load(tmp_path).text(settings.MODE)
