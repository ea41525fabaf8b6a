"""One precedence for every setting: command line, environment, `.env`, `windlass.toml`, default."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from windlass import settings
from windlass.errors import Refused
from windlass.settings import Settings


def loaded(directory: Path, **environment: str) -> dict[str, str | None]:
    """The settings as a process with exactly this environment reads them."""
    code = (
        "from pathlib import Path; from windlass.settings import *; s = Settings.load(Path.cwd()); print(s.text(MODE)); print(s.text(SERVICE_TOKEN))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=directory, env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True, check=True
    )
    mode, token = done.stdout.splitlines()
    return {"mode": mode, "token": token}


def test_each_source_gives_way_to_the_one_above_it(tmp_path: Path) -> None:
    assert loaded(tmp_path)["mode"] == "DEMO"
    (tmp_path / "windlass.toml").write_text('[sweep]\nmode = "LIVE"\n')
    assert loaded(tmp_path)["mode"] == "LIVE"
    (tmp_path / ".env").write_text("MODE=FROM_DOTENV\n")
    assert loaded(tmp_path)["mode"] == "FROM_DOTENV"
    assert loaded(tmp_path, MODE="FROM_ENVIRONMENT")["mode"] == "FROM_ENVIRONMENT"
    assert Settings({"MODE": "x"}, {}).text(settings.MODE, "FROM_COMMAND_LINE") == "FROM_COMMAND_LINE"


def test_a_secret_is_never_read_from_the_committed_file(tmp_path: Path) -> None:
    (tmp_path / "windlass.toml").write_text('worker_service_token = "in-the-wrong-place"\nWORKER_SERVICE_TOKEN = "in-the-wrong-place"\n')
    assert loaded(tmp_path)["token"] == "None"
    (tmp_path / ".env").write_text("WORKER_SERVICE_TOKEN='from dotenv $HOME'\n")
    assert loaded(tmp_path)["token"] == "from dotenv $HOME", "nothing is expanded"


def test_blank_is_absent() -> None:
    assert Settings({"WORKER_SERVICE_TOKEN": "  "}, {}).text(settings.SERVICE_TOKEN) is None


@pytest.mark.parametrize(
    ("value", "fits"), [("1", True), ("0.5", True), ("0", False), ("-3", False), ("nan", False), ("inf", False), ("x", False), ("1e9", False)]
)
def test_seconds_are_a_number_in_bounds(value: str, fits: bool) -> None:
    found = Settings({"TIMEOUT_SECS": value}, {})
    if fits:
        assert found.seconds(settings.TIMEOUT_SECS) == float(value)
    else:
        with pytest.raises(Refused, match="TIMEOUT_SECS"):
            found.seconds(settings.TIMEOUT_SECS)


def test_what_does_not_fit_names_its_variable(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="WORKER_SERVICE_TOKEN is not set"):
        Settings({}, {}).required(settings.SERVICE_TOKEN)
    with pytest.raises(Refused, match="MODE is 'TEST'"):
        Settings({"MODE": "TEST"}, {}).choice(settings.MODE, ("DEMO", "LIVE"))
    (tmp_path / "windlass.toml").write_text("[sweep\n")
    with pytest.raises(Refused, match=r"windlass\.toml"):
        Settings.load(tmp_path)
