"""`command`: runs what was committed, bounded in time, output and environment, and leaves nothing running."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.unit.records.checks import gates

from windlass.errors import Refused
from windlass.records.checks import permission, program
from windlass.records.checks.judge import judge
from windlass.records.contracts import contract

CONTRACT, WORKFLOW = "orchestration/gates/contracts/G1.contract.json", "orchestration/workflows/essay.json"
PYTHON = sys.executable


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


def project(root: Path, check: Mapping[str, Any]) -> None:
    """A repository that has committed a contract with this check."""
    for name, content in (
        (CONTRACT, {"schema_version": 1, "gate": "G1", "validations": [{"type": "command", **check}]}),
        (WORKFLOW, {"name": "essay"}),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(json.dumps(content))
    git(root, "init", "-q")
    git(root, "add", CONTRACT, WORKFLOW)
    git(root, "commit", "-qm", "contracts")


def finished(root: Path, *, environment: Mapping[str, str] | None = None, allowed: bool = False, commands: bool = True) -> dict[str, Any]:
    """The result of the check as the files lie now."""
    sources = tuple(permission.Source(path=name, content=(root / name).read_bytes()) for name in (CONTRACT, WORKFLOW))
    known = permission.commands(root, sources, allowed=allowed, environment=environment or {}) if commands else None
    judgement = judge(contract.read((root / CONTRACT).read_bytes(), CONTRACT), gates.given(root, commands=known))
    (result,) = judgement.validations
    assert judgement.status == ("PASS" if result["pass"] else "FAIL")
    json.dumps(result)
    return result


def ran(root: Path, *argv: str, **check: Any) -> dict[str, Any]:
    project(root, {"argv": list(argv), "timeout_s": 20, **check})
    return finished(root)


def python(root: Path, code: str, **check: Any) -> dict[str, Any]:
    return ran(root, PYTHON, "-c", code, **check)


def test_a_committed_command_that_exits_as_expected_passes(tmp_path: Path) -> None:
    found = python(tmp_path, "print('built')")
    assert (found["pass"], found["exit"], found["output_tail"]) == (True, 0, ["built"])


def test_an_expected_failure_passes_and_an_unexpected_success_does_not(tmp_path: Path) -> None:
    project(tmp_path, {"argv": [PYTHON, "-c", "raise SystemExit(3)"], "expect_exit": 3})
    assert finished(tmp_path)["pass"]
    project(tmp_path, {"argv": [PYTHON, "-c", ""], "expect_exit": 3})
    found = finished(tmp_path)
    assert (found["pass"], found["code"], found["exit"]) == (False, "VALIDATION_FAILED", 0)


def test_a_failure_says_what_was_printed_last(tmp_path: Path) -> None:
    found = python(
        tmp_path, "import sys; print('x' * 100_000); print('line\\n' * 1000, flush=True); sys.stderr.write('the cause\\x1b[31m\\n'); sys.exit(2)"
    )
    assert found["output_tail"][-1] == r"the cause\u001b[31m"
    assert len(found["output_tail"]) == program.TAIL_LINES
    assert found["reason"].endswith("exited 2, not 0")


def test_no_shell_reads_the_arguments(tmp_path: Path) -> None:
    found = ran(tmp_path, PYTHON, "-c", "import sys; print(sys.argv[1:])", "$(id)", "; rm -rf x", "*", "{slug}", "a/{artifact_path}/b")
    assert found["output_tail"] == ["['$(id)', '; rm -rf x', '*', 'the-word-robot', 'a/docs/b']"]


def test_a_command_sees_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_SERVICE_TOKEN", "canary-of-the-worker")
    found = python(tmp_path, "import os; print(sorted(os.environ))", env={"NODE_ENV": "production"})
    names = found["output_tail"][0]
    assert "NODE_ENV" in names
    assert "TOKEN" not in names


def test_a_token_that_a_command_finds_elsewhere_is_not_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_SERVICE_TOKEN", "canary-of-the-worker")
    (tmp_path / ".env").write_text("TOKEN=canary-of-the-worker\n")
    code = "import base64; t = open('.env').read(); print('y' * 65_530 + t); print(t, t.encode().hex(), base64.b64encode(t.encode()).decode())"
    said = json.dumps(python(tmp_path, code))
    assert "canary" not in said
    assert b"canary-of-the-worker".hex() not in said
    assert "[redacted]" in said


def test_a_command_that_does_not_end_is_killed_with_its_children(tmp_path: Path) -> None:
    code = (
        "import os, subprocess, sys, time\n"
        "child = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        "a = subprocess.Popen(child); b = subprocess.Popen(child, start_new_session=True)\n"
        "print(a.pid, b.pid, flush=True); time.sleep(600)"
    )
    begun = time.monotonic()
    found = python(tmp_path, code, timeout_s=1)
    assert (found["pass"], found["code"]) == (False, "TIMEOUT")
    assert time.monotonic() - begun < 8
    assert [gone(int(pid)) for pid in found["output_tail"][0].split()] == [True, True]


def gone(pid: int) -> bool:
    """Whether a process is dead, or was killed and is not yet buried by whoever inherited it."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}
    except FileNotFoundError:
        return True


def test_what_a_command_leaves_behind_does_not_outlive_it_and_is_not_waited_for(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys\n"
        "b = subprocess.Popen([sys.executable, '-c', 'while True: print(\"x\" * 1000)'], start_new_session=True)\n"
        "sys.stderr.write(f'{b.pid}\\n'); open('pid', 'w').write(str(b.pid))"
    )
    begun = time.monotonic()
    assert python(tmp_path, code)["pass"]
    assert time.monotonic() - begun < 8
    assert gone(int((tmp_path / "pid").read_text()))


def test_endless_output_is_bounded(tmp_path: Path) -> None:
    found = python(tmp_path, "while True: print('x' * 10_000)", timeout_s=1)
    assert found["code"] == "TIMEOUT"
    assert len(json.dumps(found)) < 40_000


def test_a_command_that_closes_its_output_is_still_waited_for(tmp_path: Path) -> None:
    found = python(tmp_path, "import os, time; os.close(1); os.close(2); time.sleep(0.3); os._exit(4)", expect_exit=4)
    assert found["pass"]


def test_a_signal_is_no_exit_status(tmp_path: Path) -> None:
    found = python(tmp_path, "import os; os.kill(os.getpid(), 15)")
    assert (found["pass"], found["signal"]) == (False, "SIGTERM")


def test_a_command_reads_no_terminal(tmp_path: Path) -> None:
    assert python(tmp_path, "import sys; sys.exit(len(sys.stdin.read()))")["pass"]


@pytest.mark.parametrize("program_name", ["no-such-program-here", "/", "docs"])
def test_what_can_not_be_started_fails(tmp_path: Path, program_name: str) -> None:
    found = ran(tmp_path, program_name)
    assert (found["pass"], found["code"]) == (False, "VALIDATION_FAILED")
    assert "can't be started" in found["reason"]


def test_a_directory_is_beneath_the_root_and_no_link(tmp_path: Path) -> None:
    (tmp_path / "docs" / "app").mkdir(parents=True)
    assert python(tmp_path, "import os; print(os.getcwd())", cwd="{artifact_path}/app")["output_tail"] == [str(tmp_path / "docs" / "app")]
    (tmp_path / "out").symlink_to("/tmp", target_is_directory=True)
    for place in ("out", "missing", CONTRACT):
        assert python(tmp_path, "", cwd=place)["code"] == "OUTSIDE_ROOT"


def test_an_artifact_path_does_not_become_an_option(tmp_path: Path) -> None:
    project(tmp_path, {"argv": [PYTHON, "{artifact_path}"]})
    from windlass.records.artifacts import Places
    from windlass.records.checks import command

    odd = Places(root=tmp_path, record=tmp_path, slug="a", artifact_path="-c")
    with pytest.raises(Refused, match="would become the option"):
        command.resolved([PYTHON, "{artifact_path}"], odd)


# --- permission -------------------------------------------------------------------------------------------------------------------------


def test_a_changed_contract_starts_nothing(tmp_path: Path) -> None:
    project(tmp_path, {"argv": [PYTHON, "-c", ""]})
    (tmp_path / CONTRACT).write_text((tmp_path / CONTRACT).read_text() + "\n")
    found = finished(tmp_path)
    assert (found["pass"], found["code"]) == (False, "NOT_ALLOWED")
    assert found["reason"] == f"{CONTRACT}: differs from the committed one; commit it first"
    git(tmp_path, "add", CONTRACT)
    assert not finished(tmp_path)["pass"], "staged is not committed"
    git(tmp_path, "commit", "-qm", "reviewed")
    assert finished(tmp_path)["pass"]


def test_a_changed_workflow_starts_nothing(tmp_path: Path) -> None:
    project(tmp_path, {"argv": [PYTHON, "-c", ""]})
    (tmp_path / WORKFLOW).write_text("{}")
    assert WORKFLOW in finished(tmp_path)["reason"]


def test_an_untracked_contract_starts_nothing(tmp_path: Path) -> None:
    project(tmp_path, {"argv": [PYTHON, "-c", ""]})
    git(tmp_path, "rm", "-q", "--cached", CONTRACT)
    git(tmp_path, "commit", "-qm", "gone")
    assert finished(tmp_path)["reason"] == f"{CONTRACT}: is not committed"


def test_a_link_in_the_contract_s_place_is_not_the_contract(tmp_path: Path) -> None:
    """Git keeps a link as a text; what it leads to was not committed."""
    project(tmp_path, {"argv": [PYTHON, "-c", ""]})
    (tmp_path / "elsewhere.json").write_bytes((tmp_path / CONTRACT).read_bytes())
    (tmp_path / CONTRACT).unlink()
    (tmp_path / CONTRACT).symlink_to(tmp_path / "elsewhere.json")
    git(tmp_path, "add", CONTRACT)
    git(tmp_path, "commit", "-qm", "a link")
    assert not finished(tmp_path)["pass"]


def test_no_repository_and_no_commit_start_nothing(tmp_path: Path) -> None:
    project(tmp_path, {"argv": [PYTHON, "-c", ""]})
    (tmp_path / ".git").rename(tmp_path / "not-git")
    assert "in no git repository with a commit" in finished(tmp_path)["reason"]
    git(tmp_path, "init", "-q")
    assert "in no git repository with a commit" in finished(tmp_path)["reason"]


def test_a_project_in_a_folder_of_its_repository(tmp_path: Path) -> None:
    inner = tmp_path / "packages" / "essay"
    inner.mkdir(parents=True)
    git(tmp_path, "init", "-q")
    project(inner, {"argv": [PYTHON, "-c", ""]})
    (inner / ".git").rename(tmp_path / "packages" / "unused")
    assert not finished(inner)["pass"]
    git(tmp_path, "add", "packages/essay")
    git(tmp_path, "commit", "-qm", "all")
    assert finished(inner)["pass"]


def test_neither_a_replacement_ref_nor_another_git_dir_lies_for_the_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "project"
    root.mkdir()
    project(root, {"argv": [PYTHON, "-c", ""]})

    def blob(content: bytes) -> str:
        order = ["git", "-C", str(root), "hash-object", "-w", "--stdin"]
        return subprocess.run(order, input=content, check=True, capture_output=True).stdout.decode().strip()

    committed = blob((root / CONTRACT).read_bytes())
    (root / CONTRACT).write_text((root / CONTRACT).read_text() + "\n")
    git(root, "replace", committed, blob((root / CONTRACT).read_bytes()))
    assert not finished(root)["pass"]
    other = tmp_path / "other"
    (other / CONTRACT).parent.mkdir(parents=True)
    (other / WORKFLOW).parent.mkdir(parents=True)
    for name in (CONTRACT, WORKFLOW):
        (other / name).write_bytes((root / name).read_bytes())
    git(other, "init", "-q")
    git(other, "add", ".")
    git(other, "commit", "-qm", "another's")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert not finished(root)["pass"]


def test_where_nobody_watches_somebody_must_have_said_yes(tmp_path: Path) -> None:
    project(tmp_path, {"argv": [PYTHON, "-c", ""]})
    found = finished(tmp_path, environment={"CI": "true"})
    assert (found["pass"], found["code"]) == (False, "NOT_ALLOWED")
    assert "--allow-commands" in found["reason"]
    assert finished(tmp_path, environment={"CI": "true"}, allowed=True)["pass"]
    assert finished(tmp_path, environment={"CI": ""})["pass"]


def test_without_a_permission_nothing_is_started(tmp_path: Path) -> None:
    project(tmp_path, {"argv": [PYTHON, "-c", "open('started', 'w')"]})
    assert finished(tmp_path, commands=False)["code"] == "NOT_ALLOWED"
    assert permission.refusal(permission.commands(tmp_path, (), allowed=True, environment={})) is not None
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize(
    "check",
    [{"argv": "make build"}, {"argv": []}, {"argv": [1]}, {}, {"argv": [""]}, {"argv": ["a\0"]}, {"argv": ["{slug}"]},
     {"argv": ["a"], "timeout_s": 0},
     {"argv": ["a"], "expect_exit": 256}, {"argv": ["a"], "env": {"A=B": "x"}}, {"argv": ["a"], "env": {"A": 1}}, {"argv": ["a"], "cwd": "../x"},
     {"argv": ["a"], "cwd": "{record}/evidence"}, {"argv": ["a"], "shell": True}],
)  # fmt: skip
def test_a_contract_with_a_command_that_can_not_be_meant_is_refused(check: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="/validations/0/"):
        gates.read({"type": "command", **check})


def test_a_command_costs_no_import_until_one_is_asked_for() -> None:
    heavy = ("subprocess", "ssl", "yaml", "markdown_it", "jsonschema", "re2")
    code = f"import sys; from windlass.records.checks import judge, types; types.table(); print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ))
    assert done.stdout.strip() == "[]"
