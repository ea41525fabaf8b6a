"""The real engine, where there is one: how tests find it, and how they leave nothing behind in it."""

import contextlib
import functools
import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

IMAGE = "python:3.11-slim-bookworm"
REQUIRED = "WINDLASS_REQUIRE_DOCKER"


@functools.cache
def missing() -> str:
    """Why no test can use a real engine here; the empty string where it can."""
    if shutil.which("docker") is None:
        return "there is no docker command"
    for argv, what in (
        (["docker", "compose", "version"], "no Compose v2"),
        (["docker", "image", "inspect", IMAGE], f"no engine with the image {IMAGE}"),
    ):
        if subprocess.run(argv, capture_output=True, check=False, timeout=30).returncode:
            return what
    return ""


def needed() -> None:
    """Skip the test where there is no engine; fail instead where WINDLASS_REQUIRE_DOCKER=1 says that there must be one."""
    if why := missing():
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(f"{REQUIRED}=1, but {why}")
        pytest.skip(f"needs a Docker Engine with Compose v2: {why}")


@contextlib.contextmanager
def project() -> Iterator[str]:
    """A project name that nobody has; everything of it is removed afterwards."""
    name = f"wl{secrets.token_hex(5)}"
    try:
        yield name
    finally:
        remove(name)


def remove(name: str) -> None:
    """Remove the project's containers, networks and volumes, leases included."""
    label = f"label=com.docker.compose.project={name}"
    if found := lines("ps", "-aq", "--filter", label):
        subprocess.run(["docker", "rm", "-fv", *found], capture_output=True, check=False)
    if found := lines("network", "ls", "-q", "--filter", label):
        subprocess.run(["docker", "network", "rm", *found], capture_output=True, check=False)
    for kind in (label, f"label=dev.windlass.project={name}"):
        if found := lines("volume", "ls", "-q", "--filter", kind):
            subprocess.run(["docker", "volume", "rm", *found], capture_output=True, check=False)


def lines(*arguments: str) -> list[str]:
    """What `docker` prints, by lines."""
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout.split()


def running(name: str) -> set[str]:
    """The services of the project that run, as the command line shows them."""
    label = f"label=com.docker.compose.project={name}"
    shown = lines(
        "ps", "--filter", label, "--filter", "status=running", "--filter", "status=restarting", "--format", '{{.Label "com.docker.compose.service"}}'
    )
    return set(shown)


def compose_file(directory: Path, services: Mapping[str, Mapping[str, object]], name: str = "compose.yaml", **top: object) -> Path:
    """A Compose file (JSON is YAML) whose services use the image that is there, unless they say otherwise."""
    place = directory / name
    place.write_text(json.dumps({"services": {service: {"image": IMAGE, **fields} for service, fields in services.items()}, **top}))
    return place
