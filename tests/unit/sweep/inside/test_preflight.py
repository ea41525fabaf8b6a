"""What Compose says is read in every form that its versions print, and anything else stops the sweep before it begins."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
from pathlib import Path

import pytest

from windlass.errors import Refused
from windlass.sweep.inside import preflight
from windlass.sweep.inside.docker import Docker
from windlass.sweep.inside.preflight import Asked, Inside

UP = {"Service": "orchestrator", "State": "running", "ID": "abc"}


def docker(tmp_path: Path, *, ps: str, exec_: str = f'exec {shlex.quote(sys.executable)} "$@"', **more: str) -> Docker:
    """A `docker` that lists what it is told to, and runs what it is to execute in a container here."""
    (tmp_path / "docker").write_text(
        f"""#!/bin/sh
printf '%s\\n' "$*" >>{shlex.quote(str(tmp_path / "asked"))}
case "$*" in
  "compose "*" ps --all --format json" | "compose ps --all --format json") {ps} ;;
  *" exec -T orchestrator python3 "*) while [ "$1" != python3 ]; do shift; done; shift; {exec_} ;;
  *) echo "OCI runtime exec failed" >&2; exit 127 ;;
esac
"""
    )
    (tmp_path / "docker").chmod(0o755)
    return Docker(environment={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", **more})


def look(by: Docker) -> Inside:
    return asyncio.run(preflight.look(Asked(docker=by, service="orchestrator", approve_one_off=False, network=None, image=None)))


@pytest.mark.parametrize("printed", [json.dumps([UP]), json.dumps(UP), f"{json.dumps({'Service': 'other'})}\n{json.dumps(UP)}\n"])
def test_every_form_of_the_list_is_read(tmp_path: Path, printed: str):
    found = look(docker(tmp_path, ps=f"printf '%s\\n' {shlex.quote(printed)}", AGENT_ENDPOINTS_JSON='{"a": "http://a:1"}', OTHER_SECRET="hunter2"))
    assert (found.way, found.python, found.version) == ("exec", "python3", f"{sys.version_info[0]}.{sys.version_info[1]}")
    assert found.endpoints == {"AGENT_ENDPOINTS_JSON": '{"a": "http://a:1"}'}
    assert "hunter2" not in repr(vars(found))


@pytest.mark.parametrize(
    ("ps", "said"),
    [
        ("echo NAME  SERVICE", r"docker compose ps did not print JSON \(.*\); Compose v2 does"),
        ("true", "no container of a service 'orchestrator'; no service of it is running"),
        ("""echo '{"Service":"orchestrator","State":"exited","Status":"Exited (3)"}'""", r"service orchestrator is not running: Exited \(3\)"),
        ("echo 'yaml: line 3: oh' >&2; exit 15", "docker compose ps: yaml: line 3: oh"),
        ("exit 9", "docker compose ps: it ended with 9 and no word"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, ps: str, said: str):
    with pytest.raises(Refused, match=f"^--inside compose: .*{said}$"):
        look(docker(tmp_path, ps=ps))


@pytest.mark.parametrize(
    ("exec_", "said"),
    [
        ("echo '[[3, 7], {}]'", r"its python3 is 3\.7; the oldest that is usable is 3\.8"),
        ("echo garbage", "no python3 can be run in it: garbage"),
        ("""echo '[["3", "11"], {}]'""", "no python3 can be run in it"),
        ("true", "no python3 can be run in it"),
    ],
)
def test_a_python_that_is_none_is_not_used(tmp_path: Path, exec_: str, said: str):
    with pytest.raises(Refused, match=said) as refusal:
        look(docker(tmp_path, ps=f"echo {shlex.quote(json.dumps(UP))}", exec_=exec_))
    assert "--approve-one-off" in str(refusal.value)


def test_nothing_but_looking_is_asked_of_docker(tmp_path: Path):
    look(docker(tmp_path, ps=f"echo {shlex.quote(json.dumps(UP))}"))
    assert {line.split()[1] for line in (tmp_path / "asked").read_text().splitlines() if line.startswith("compose ")} == {"ps", "exec"}


def test_a_next_command_looks_from_inside():
    asked = Asked(
        docker=Docker(files=("a b.yaml",), project="p", environment={}), service="orchestrator", approve_one_off=False, network=None, image=None
    )
    command = Inside(asked=asked, way="exec", python="python3", version="3.11").start({}, 1).next_command
    assert command("getent hosts agent-x").startswith("docker compose --file 'a b.yaml' --project-name p exec -T orchestrator python3 -c ")
    assert "http://x:1/health/ready" in command("curl -sS -m 10 http://x:1/health/ready")
    assert command("windlass sweep show ev X") == "windlass sweep show ev X"


def test_a_one_off_container_has_no_rights_is_never_pulled_and_is_removed():
    said = " ".join(Docker(environment={}).one_off("net", "image", ("TOKEN",), "-c", "pass"))
    for word in (
        "run --rm",
        "--pull never",
        "--read-only",
        "--cap-drop ALL",
        "no-new-privileges",
        "--user 65534:65534",
        "--network net",
        "-e TOKEN ",
    ):
        assert word in said
