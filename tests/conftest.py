"""What every test may rely on."""

from __future__ import annotations

import pytest

from tests import docker_engine


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test that is marked `docker` runs on a real engine or says why not."""
    if item.get_closest_marker("docker"):
        docker_engine.ask_for()
