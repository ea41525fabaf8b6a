"""The how-to on test cycles does what it says: its commands, as they stand, in an empty directory; only ports are exchanged for free ones."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.test_window_cli import free_port, processes_of
from tests.integration.windows_services import until
from tests.unit.cli.test_start import environment

PAGE = (Path(__file__).parents[2] / "docs/how-to/run-a-test-cycle.md").read_text("utf-8")


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_the_page_leads_from_an_empty_directory_to_two_cycles_that_pass(tmp_path: Path) -> None:
    script = "".join(re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    for port in ("9001", "3001"):
        script = script.replace(port, str(free_port()))
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    argv = ["bash", "-euo", "pipefail", "-c", script]
    ended = subprocess.run(argv, cwd=tmp_path, env=environment(PATH=path), capture_output=True, text=True, timeout=300, check=False)
    until(lambda: not processes_of(tmp_path), "the end of every service")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for out in ("out", "out-spared"):
        told = json.loads((tmp_path / out / "test_results.json").read_bytes())
        assert (told["status"], told["state"], told["sweep"]["verdict"]) == ("PASS", "closed", "PASS")
    shown = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[0].splitlines()
    said = ended.stderr.splitlines() + ended.stdout.splitlines()
    steady = [line for line in shown if not line.startswith(("measure", "sweep ", "cycle_"))]
    assert [line for line in steady if line not in said] == [], "what the page shows is what is printed"
    token = (tmp_path / ".env").read_text().strip().partition("=")[2]
    assert [str(file) for file in tmp_path.rglob("out*/**/*") if file.is_file() and token.encode() in file.read_bytes()] == []
