"""`windlass window doctor`: findings with the line to add, nothing started, and one line for every file that can't be used."""

import json
import subprocess
import sys

import pytest

from tests.engines.scripted import scripted

SOUND = {"healthcheck": {"test": ["CMD", "true"]}}
TOML = '[windows]\nproject = "vx"\nfiles = ["compose.json"]\ncore = ["madre"]\nallowlist = ["web"]\n'


@pytest.fixture
def engine(tmp_path):
    with scripted(tmp_path) as made:
        yield made


def doctor(engine, *options, toml=TOML) -> subprocess.CompletedProcess[str]:
    (engine.directory / "windlass.toml").write_text(toml)
    argv = [sys.executable, "-m", "windlass", "window", "doctor", *options]
    return subprocess.run(argv, cwd=engine.directory, env=engine.environment, capture_output=True, text=True, check=False)


def test_it_lists_what_must_change_and_exits_with_1(engine):
    engine.compose_file({"web": {"restart": "always", "depends_on": ["db"], **SOUND}, "db": {}, "madre": {}})
    ran = doctor(engine)
    assert ran.returncode == 1, ran.stderr
    lines = ran.stdout.splitlines()
    assert lines[0].split(maxsplit=2)[:2] == ["must", "db"]
    assert 'allowlist: add "db"' in lines[1]
    assert lines[-1] == "vx: 1 core and 1 allowlisted services; 3 must change, 0 should"
    assert engine.told()["events"] == []


def test_as_json_it_says_the_same(engine):
    engine.compose_file({"web": {"restart": "always", **SOUND}, "madre": {}})
    ran = doctor(engine, "--json")
    told = json.loads(ran.stdout)
    assert told["project"] == "vx"
    assert {(one["severity"], one["service"]) for one in told["findings"]} == {("must", "web"), ("must", "madre")}


def test_a_line_that_it_told_to_add_is_enough(engine):
    engine.compose_file({"web": {"restart": "always", **SOUND}})
    toml = TOML.replace('["madre"]', "[]")
    told = doctor(engine, toml=toml)
    assert (told.returncode, told.stdout.splitlines()[1].split(":")[0].strip()) == (1, "compose.json")
    ran = doctor(engine, toml=toml + '[windows.services.web]\nrestart_policy = "take_and_return"\n')
    assert (ran.returncode, ran.stdout) == (0, "vx: 0 core and 1 allowlisted services; 0 must change, 0 should\n")


def test_what_only_should_change_is_no_failure(engine):
    engine.compose_file({"web": {}})
    ran = doctor(engine, toml=TOML.replace('["madre"]', "[]"))
    assert ran.returncode == 0
    assert "health check" in ran.stdout


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("", "windlass.toml: windows: there is no such table"),
        ("[windows", "windlass.toml: is not TOML"),
        ("[windows]\n", "windlass.toml: windows.project"),
        (TOML.replace("compose.json", "other.json"), "windlass.toml: windows.files[0]"),
        (TOML.replace('"web"', "3"), "windlass.toml: windows.allowlist"),
        (TOML + "max_ttl_sec = 0\n", "windlass.toml: windows.max_ttl_sec"),
        (
            '[windows]\nbackend = "process"\nproject = "p"\n[windows.services.a]\nargv = ["x"]\nready_url = "http://127.0.0.1:9/"\n',
            "windlass.toml: windows.backend",
        ),
    ],
)
def test_a_file_that_can_not_be_used_is_one_line_and_exit_2(engine, toml, says):
    engine.compose_file({"web": {}})
    ran = doctor(engine, toml=toml)
    assert ran.returncode == 2
    assert ran.stderr.startswith(f"error: {says}")
    assert ran.stderr.count("\n") == 1


def test_a_config_that_is_not_there_is_named(engine):
    ran = doctor(engine, "--config", "nowhere.toml")
    assert ran.returncode == 2
    assert "nowhere.toml" in ran.stderr


def test_a_compose_file_that_is_none_is_named(engine):
    engine.compose_file({})
    (engine.directory / "compose.json").write_text("services: [")
    ran = doctor(engine)
    assert ran.returncode == 2
    assert "compose.json" in ran.stderr
