"""The files in deploy/ call commands that there are, with options that there are."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from windlass.cli import window_reap

DEPLOY = Path(__file__).parents[2] / "deploy/reaper"
CALLS = {
    "windlass-reaper.service": re.search(r"^ExecStart=\S+/windlass (.*)$", (DEPLOY / "windlass-reaper.service").read_text(), re.MULTILINE),
    "windlass-reaper.cron": re.search(r"^\* .* root windlass (.*)$", (DEPLOY / "windlass-reaper.cron").read_text(), re.MULTILINE),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_unit_calls_the_reaper_as_it_is(name):
    call = CALLS[name]
    assert call is not None
    assert shlex.split(call[1])[:2] == ["window", "reap"]
    window_reap.command.make_context("reap", shlex.split(call[1])[2:])


def test_the_sidecar_calls_the_reaper_as_it_is_and_can_be_stopped_by_no_window():
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    service = document["services"]["reaper"]
    assert service["command"][:2] == ["window", "reap"]
    window_reap.command.make_context("reap", service["command"][2:])
    assert document["name"] == "windlass-reaper"
    assert service["restart"] == "always"
    assert (Path(DEPLOY, service["build"]["context"]) / service["build"]["dockerfile"]).is_file()
