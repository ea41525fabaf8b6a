"""A sweep whose calls are made inside a real Compose network, whose agents nobody outside can reach: judged here, with no trace left there."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests import docker_engine
from tests.docker_engine import ROOT, Project
from tests.integration.liars.services import by_task, until

TOKEN, AGENT_TOKEN = "worker-token-7f3a9b21c0", "agents-token-51c2d87ee4"
WINDLASS = [sys.executable, "-m", "windlass"]
SCRIPT = ROOT / "scripts/run-execution-sweep-inside-compose.sh"
TASK = {
    "examples": [
        {"inputs": {"text": "the quick brown fox"}, "expect": {"properties": {"words": {"const": 4}}, "required": ["words"]}},
        {"inputs": {"text": "pack my box with five dozen"}, "expect": {"properties": {"words": {"const": 6}}, "required": ["words"]}},
    ],
    "invalid_example": {"txet": "the quick brown fox"},
}
CALLER = "windlass_caller"
SLOW = 16

pytestmark = pytest.mark.docker


def url(name: str) -> str:
    """Where an agent answers: nobody listens for the one that is gone."""
    return "http://city:9" if name == "gone" else f"http://city:8080/{name.split('-', maxsplit=1)[0]}"


def fleet_of(*names: str) -> str:
    return yaml.safe_dump(
        {
            "name": "city",
            "agents": {name: {"url": url(name), "token_env": "WINDLASS_AGENT_TOKEN"} for name in names},
            "tasks": {name.upper().replace("-", "_"): {"agent": name, **TASK} for name in names},
        }
    )


def orchestrator(fleet: Path, **more):
    environment = {"WORKER_SERVICE_TOKEN": TOKEN, "WINDLASS_AGENT_TOKEN": AGENT_TOKEN}
    return docker_engine.windlass(
        "serve", "orchestrator", "--host", "0.0.0.0", "--fleet", "/fleet.yaml", environment=environment, volumes=[f"{fleet}:/fleet.yaml:ro"], **more
    )


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Orchestrators of several fleets, one with a read-only file system and one without a Python to be found; agents in other containers."""
    directory = tmp_path_factory.mktemp("city")
    mixed, slow = directory / "mixed.yaml", directory / "slow.yaml"
    mixed.write_text(fleet_of("honest-a", "honest-b", "echo", "huge", "gone"))
    slow.write_text(fleet_of(*(f"slow-{number:02d}" for number in range(SLOW))))
    pythonless = orchestrator(mixed, networks=["back", "front"])
    pythonless["environment"]["PATH"] = "/nowhere"
    asleep = {**docker_engine.windlass(), "entrypoint": ["sleep", "0"]}
    city = {
        "image": docker_engine.IMAGE,
        "entrypoint": ["/usr/bin/python3", "/city.py"],
        "volumes": [f"{ROOT / 'tests/integration/compose_city.py'}:/city.py:ro"],
        "stop_grace_period": "1s",
        "networks": ["back"],
    }
    tokens = {"WORKER_SERVICE_TOKEN": TOKEN, "WINDLASS_AGENT_TOKEN": AGENT_TOKEN, "WINDLASS_AGENTS_URL": "http://agents:8080"}
    services = {
        "agents": docker_engine.windlass("serve", "executor", "--host", "0.0.0.0", environment=tokens, networks=["back"]),
        "research": docker_engine.windlass("serve", "orchestrator", environment=tokens, networks=["back"]),
        "city": city,
        "orchestrator": orchestrator(mixed, networks=["back"]),
        "slow": orchestrator(slow, networks=["back"]),
        "sealed": orchestrator(
            mixed, networks=["back"], read_only=True, user="65534:65534", cap_drop=["ALL"], pids_limit=20, tmpfs=["/state:mode=777"]
        ),
        "bare": pythonless,
        "asleep": asleep,
    }
    for service in ("agents", "research", "orchestrator", "slow", "sealed", "bare"):
        test = f"import urllib.request as u; u.urlopen('http://127.0.0.1:{8080 if service == 'agents' else 3001}/health/ready')"
        services[service]["healthcheck"] = {"test": ["CMD", "/usr/bin/python3", "-c", test], "interval": "1s", "retries": 60}
        services[service]["tmpfs"] = ["/state:mode=777"]
    networks = {"back": {"internal": True}, "front": {"internal": True}}
    running = [service for service in services if service != "asleep"]
    with docker_engine.project(directory, "city", services, up=("--wait", *running), networks=networks) as standing:
        standing.compose("up", "--detach", "asleep")
        yield standing


def environment(**more: str) -> dict[str, str]:
    names = ("PATH", "HOME", "LANG", "DOCKER_HOST", "DOCKER_CONFIG", "COVERAGE_FILE")
    return {name: os.environ[name] for name in names if name in os.environ} | {"WINDLASS_TRACEBACK": "1", "WINDLASS_AGENT_TOKEN": AGENT_TOKEN} | more


def argv(city: Project, fleet: str, out: Path, *options: str) -> list[str]:
    where = ["--inside", "compose", "--file", str(city.directory / "compose.yaml"), "--project", city.name]
    return [*WINDLASS, "sweep", *where, "--fleet", str(city.directory / f"{fleet}.yaml"), "--out", str(out), *options]


def swept(city: Project, fleet: str, out: Path, *options: str, **more: str) -> subprocess.CompletedProcess[str]:
    variables = environment(**{"WORKER_SERVICE_TOKEN": TOKEN, **more})
    command = argv(city, fleet, out, *options)
    return subprocess.run(command, cwd=out.parent, env=variables, capture_output=True, text=True, timeout=120, check=False)


def rows(out: Path) -> list[str]:
    path = out / "rows.jsonl"
    return path.read_text().splitlines() if path.exists() else []


def callers(city: Project, service: str) -> list[str]:
    return [line for line in city.processes(service) if CALLER in line]


def holds(directory: Path, secret: str) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def test_the_reference_fleet_is_proved_and_its_endpoints_are_those_that_the_orchestrator_has(city: Project, tmp_path: Path):
    where = ["--inside", "compose", "--file", str(city.directory / "compose.yaml"), "--project", city.name, "--service", "research"]
    variables = environment(WORKER_SERVICE_TOKEN=TOKEN)
    command = [*WINDLASS, "sweep", *where, "--out", "ev"]
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "SUMMARY: 31/31 PASS"), done.stdout + done.stderr
    assert done.stdout.splitlines()[-2] == "gates       dispatch PASS   execution PASS   proof PASS"


VERDICTS = {
    "HONEST_A": ("executed", None),
    "HONEST_B": ("executed", None),
    "ECHO": ("executed", None),
    "HUGE": ("dispatched", "TOO_LARGE"),
    "GONE": ("dispatched", "REFUSED"),
}


def verdicts(out: Path) -> dict[str, tuple[object, object]]:
    sweep = json.loads((out / "sweep.json").read_text())
    return {task_type: (row["rung"], row["failure_class"]) for task_type, row in by_task(sweep).items()}


def test_agents_that_only_the_network_reaches_are_swept_and_judged_here(city: Project, tmp_path: Path):
    done = swept(city, "mixed", tmp_path / "ev")
    assert verdicts(tmp_path / "ev") == VERDICTS, done.stdout + done.stderr
    assert done.returncode == 1
    assert "inside    service orchestrator, by its Python 3.11; judged here" in done.stdout
    assert done.stdout.splitlines()[-1] == "SUMMARY: 3/5 PASS"
    sweep = json.loads((tmp_path / "ev/sweep.json").read_text())
    assert (sweep["orchestrator_url"], sweep["called_from"]) == ("http://127.0.0.1:3001", "service orchestrator")
    assert {name: tried["http"] for name, tried in sweep["door"].items()} == {"no_token": 401, "wrong_token": 401, "unknown_task": 400}
    assert callers(city, "orchestrator") == []
    gone = by_task(sweep)["GONE"]
    assert gone["error_preview"] == "no connection: [Errno 111] Connection refused"
    looked = subprocess.run(shlex.split(str(gone["next_command"])), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Connection refused" in looked.stderr, "the next command looks from where the calls are made"
    judged = subprocess.run([*WINDLASS, "sweep", "judge", str(tmp_path / "ev")], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "every row is judged as it was" in judged.stdout


def test_tokens_are_in_no_file_and_in_no_output_also_when_an_agent_sends_them_back(city: Project, tmp_path: Path):
    done = swept(city, "mixed", tmp_path / "ev")
    for secret in (TOKEN, AGENT_TOKEN):
        assert secret not in done.stdout + done.stderr
        assert holds(tmp_path, secret) == []
    echoed = [path for path in (tmp_path / "ev/bodies").iterdir() if b"[redacted]" in path.read_bytes()]
    assert echoed, "the agent did send it back"


def test_the_token_stands_in_no_command_line(city: Project, tmp_path: Path):
    process = subprocess.Popen(
        argv(city, "slow", tmp_path / "ev", "--service", "slow"),
        cwd=tmp_path,
        env=environment(WORKER_SERVICE_TOKEN=TOKEN),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: len(rows(tmp_path / "ev")) > 2, "rows")
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    process.send_signal(signal.SIGINT)
    process.wait(30)
    assert any(b"WORKER_SERVICE_TOKEN" in line for line in lines)
    assert not any(TOKEN.encode() in line or AGENT_TOKEN.encode() in line for line in lines)


def test_a_read_only_container_without_rights_and_threads_is_swept_too_and_nothing_is_left_in_one_that_can_be_written(city: Project, tmp_path: Path):
    before = city.compose("exec", "-T", "orchestrator", "find", "/tmp", "/root", "-newer", "/proc/1/cmdline")
    for service in ("sealed", "orchestrator"):
        swept(city, "mixed", tmp_path / service, "--service", service, "--concurrency", "64")
        assert verdicts(tmp_path / service) == VERDICTS
    assert city.compose("exec", "-T", "orchestrator", "find", "/tmp", "/root", "-newer", "/proc/1/cmdline") == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_however_a_sweep_ends_no_process_stays_in_the_container_and_it_can_be_completed(city: Project, tmp_path: Path, number: int, code: int):
    out = tmp_path / "ev"
    process = subprocess.Popen(
        argv(city, "slow", out, "--service", "slow", "--concurrency", "4"),
        cwd=tmp_path,
        env=environment(WORKER_SERVICE_TOKEN=TOKEN),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    until(lambda: len(rows(out)) > 2 or process.poll() is not None, "rows")
    assert len(callers(city, "slow")) == 1
    process.send_signal(number)
    told = process.communicate(timeout=30)[0]
    assert process.returncode == code, told
    until(lambda: callers(city, "slow") == [], "the caller is gone", within_s=10)
    before = rows(out)
    assert len(before) < SLOW
    done = swept(city, "slow", out, "--service", "slow", "--resume")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, f"SUMMARY: {SLOW}/{SLOW} PASS"), done.stdout + done.stderr
    assert rows(out)[: len(before)] == before


@pytest.mark.parametrize("act", ["the caller is killed", "the container is killed"])
def test_a_caller_that_is_killed_fails_no_agent_and_the_sweep_can_be_completed(city: Project, tmp_path: Path, act: str):
    out = tmp_path / "ev"
    process = subprocess.Popen(
        argv(city, "slow", out, "--service", "slow", "--concurrency", "4"),
        cwd=tmp_path,
        env=environment(WORKER_SERVICE_TOKEN=TOKEN),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: len(rows(out)) > 2, "rows")
    if act == "the container is killed":
        city.compose("kill", "slow")
    else:
        program = (
            "import glob, os\n"
            "for path in glob.glob('/proc/[0-9]*'):\n"
            "    if b'windlass_caller' in open(path + '/cmdline', 'rb').read() and int(path[6:]) != os.getpid():\n"
            "        os.kill(int(path[6:]), 9)"
        )
        city.compose("exec", "-T", "slow", "python3", "-c", program)
    _, complained = process.communicate(timeout=60)
    assert process.returncode == 1, complained
    assert re.search(
        r"error: the caller in service slow is gone, the sweep is unfinished: its command ended with 137.*complete it with --resume", complained
    )
    sweep = json.loads((out / "sweep.json").read_text())
    assert sweep["interrupted"]
    assert [row for row in sweep["rows"] if row["pass_fail"] != "PASS"] == []
    assert {gate["verdict"] for gate in sweep["gates"].values()} == {"INCOMPLETE"}
    city.compose("up", "--detach", "--wait", "slow")
    done = swept(city, "slow", out, "--service", "slow", "--resume")
    assert done.stdout.splitlines()[-1] == f"SUMMARY: {SLOW}/{SLOW} PASS", done.stdout + done.stderr


def test_what_is_missing_is_said_in_one_line_each_and_nothing_is_swept(city: Project, tmp_path: Path):
    def refused(*options: str, **more: str) -> str:
        done = swept(city, "mixed", tmp_path / "ev", *options, **more)
        assert done.returncode == 2, done.stdout + done.stderr
        assert not (tmp_path / "ev").exists()
        assert "Traceback" not in done.stderr
        return done.stderr

    assert "there is no docker command here" in refused(PATH="/nowhere")
    assert "has no Compose v2" in refused(DOCKER_CONFIG=str(tmp_path))
    assert "the Docker Engine does not answer" in refused(DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    assert "no container of a service 'worker'; running are agents, bare, city, orchestrator, research, sealed, slow" in refused(
        "--service", "worker"
    )
    assert "service asleep is not running: Exited (0)" in refused("--service", "asleep")
    said = refused("--service", "bare")
    assert re.search(r"\n  - service bare: no python3 can be run in it: .*\n  - .*--approve-one-off, and --image\n", said)
    assert "--image: name an image with Python 3.8 or newer" in refused("--service", "bare", "--approve-one-off")
    both = refused("--service", "worker", WORKER_SERVICE_TOKEN="")
    assert re.search(r"\n  - --inside compose: .*'worker'.*\n  - WORKER_SERVICE_TOKEN is not set: .*\.env\.production or .*\.env\n", both)


def test_a_one_off_container_calls_where_the_orchestrator_has_no_python_and_is_gone_afterwards(city: Project, tmp_path: Path):
    approved = ("--service", "bare", "--approve-one-off", "--image", docker_engine.IMAGE)
    refusal = swept(city, "mixed", tmp_path / "ev", *approved).stderr
    assert re.search(r"service bare is on 2 networks \(city-\d+_back, city-\d+_front\); name one with --network", refusal)
    assert "there is none of this name" in swept(city, "mixed", tmp_path / "ev", *approved, "--network", "nowhere").stderr
    assert (
        "--image none:such: no Python" in swept(city, "mixed", tmp_path / "ev", *approved[:-1], "none:such", "--network", f"{city.name}_back").stderr
    )
    done = swept(city, "mixed", tmp_path / "ev", *approved, "--network", f"{city.name}_back")
    assert verdicts(tmp_path / "ev") == VERDICTS, done.stdout + done.stderr
    assert json.loads((tmp_path / "ev/sweep.json").read_text())["orchestrator_url"] == "http://bare:3001"
    listed = subprocess.run(["docker", "ps", "--all", "--no-trunc", "--format", "{{.Command}}"], capture_output=True, text=True, check=True).stdout
    assert CALLER not in listed
    assert holds(tmp_path, TOKEN) == []


def test_the_one_command_of_the_seed(city: Project, tmp_path: Path):
    artifacts = tmp_path / "validation"
    for number in range(25):
        path = artifacts / f"agent-{number:02d}/20260101T000000Z/summary.json"
        path.parent.mkdir(parents=True)
        path.write_text("{}")
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))
    (tmp_path / ".env").write_text("WORKER_SERVICE_TOKEN=wrong-wrong-wrong\n")
    (tmp_path / ".env.production").write_text(f"OTHER=1\nWORKER_SERVICE_TOKEN={TOKEN}\n")
    (tmp_path / "compose.yaml").write_text((city.directory / "compose.yaml").read_text())
    options = ("--project", city.name, "--artifacts-dir", str(artifacts), "--fleet", str(city.directory / "mixed.yaml"), "--out=ev")
    variables = environment(WINDLASS=str(Path(sys.executable).with_name("windlass")))
    done = subprocess.run([SCRIPT, *options], cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == "SUMMARY: 3/5 PASS"
    latest = (tmp_path / "execution_sweep_v2_latest.tsv").read_text()
    (table,) = (tmp_path / "ev").glob("execution_sweep_v2_*.tsv")
    assert latest == table.read_text()
    assert city.compose("exec", "-T", "orchestrator", "cat", f"/tmp/{table.name}") == latest
    assert f"in orchestrator   /tmp/{table.name}" in lines
    listed = [line.split()[1] for line in lines if line.endswith("/summary.json")]
    assert listed == [str(artifacts / f"agent-{number:02d}/20260101T000000Z/summary.json") for number in range(5, 25)]
    assert latest.splitlines()[0] in lines
    (tmp_path / ".env.production").unlink()
    (tmp_path / ".env").unlink()
    assert holds(tmp_path, TOKEN) == [tmp_path / "compose.yaml"], "which is the deployment's own"
    assert TOKEN not in done.stdout + done.stderr


def test_the_one_command_finds_summaries_in_a_service_and_says_where_it_can_not_write(city: Project, tmp_path: Path):
    city.compose("exec", "-T", "city", "sh", "-c", "mkdir -p /data/artifacts/validation/a; echo '{}' >/data/artifacts/validation/a/summary.json")
    where = ("--file", str(city.directory / "compose.yaml"), "--project", city.name, "--service", "sealed", "--artifacts-service", "city")
    options = (*where, "--fleet", str(city.directory / "mixed.yaml"), "--gate", "execution")
    variables = environment(WINDLASS=str(Path(sys.executable).with_name("windlass")), WORKER_SERVICE_TOKEN=TOKEN)
    done = subprocess.run([SCRIPT, *options], cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=120, check=False)
    assert re.search(r"^\d{10} /data/artifacts/validation/a/summary\.json$", done.stdout, re.MULTILINE), done.stdout + done.stderr
    assert "in sealed   no TSV: its temporary folder can not be written" in done.stdout
    assert done.stdout.splitlines()[-1] == "SUMMARY: 3/5 PASS"
    assert (tmp_path / "execution_sweep_v2_latest.tsv").exists()
