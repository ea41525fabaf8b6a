"""What every test may rely on."""

from __future__ import annotations

import os
import signal

import pytest

from tests import docker_engine

_DEFAULTS = {signal.SIGINT: signal.default_int_handler} | dict.fromkeys((signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM), signal.SIG_DFL)
for _number, _handler in _DEFAULTS.items():
    if signal.getsignal(_number) is signal.SIG_IGN:  # under nohup, or in a shell's background, every command of a test would inherit that
        signal.signal(_number, _handler)

os.environ.pop("CI", None)  # where it is set, Windlass asks for permission before it runs a project's commands; the tests of that set it themselves


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test that is marked `docker` runs on a real engine or says why not."""
    if item.get_closest_marker("docker"):
        docker_engine.ask_for()
