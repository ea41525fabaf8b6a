"""The how-to on approving a gate does what it says: its commands, as they stand, from no key to an approved gate, by file and by ssh-agent."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/how-to/approve-a-gate.md"
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def _script(*, yes: bool) -> str:
    """Every command of the page in its order; where nobody can be asked, `--yes` is added as the page says."""
    script = "".join(BLOCKS)
    return re.sub(r"^(windlass gate approve .*)$", r"\1 --yes", script, flags=re.MULTILINE) if yes else script


def _ended(script: str, place: Path) -> subprocess.CompletedProcess[str]:
    project, home = place / "project", place / "home"
    project.mkdir()
    home.mkdir()
    own = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "WINDLASS_", "SSH_", "XDG_")) and name != "CI"}
    names = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.org"))}
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = {**own, **names, "HOME": str(home), "PATH": path, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", "init", "-q", str(project)], check=True, env=environment)
    kept = f'trap \'test -z "${{SSH_AGENT_PID:-}}" || kill "$SSH_AGENT_PID" 2>/dev/null || true\' ERR\n{script}'
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", kept],
        cwd=project,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.skipif(not shutil.which("ssh-agent"), reason="OpenSSH is not installed")
def test_the_page_leads_from_no_key_to_two_approved_gates(tmp_path: Path):
    ended = _ended(_script(yes=True), tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    said = ended.stdout
    assert said.count("G1 attempt 1 WAITING") == 1
    assert said.count("G1 attempt 1 PASS") == 2
    assert "G1 attempt 1 approved by Ada Lovelace: 1 of 1 approvals (Ada Lovelace)" in said
    assert "G1 attempt 1 approved by Grace Hopper: 1 of 1 approvals (Grace Hopper)" in said
    assert re.search(r"keys as committed \([0-9a-f]{12}\)", said)
    assert re.search(r"^intact", said, re.MULTILINE)
    assert "Grace Hopper (approver)" in said


def _until_approved() -> str:
    script = _script(yes=True)
    return script[: script.index("windlass verify")]


def test_a_key_that_the_agent_of_the_work_adds_to_the_working_tree_approves_nothing(tmp_path: Path):
    script = (
        _until_approved()
        .replace("windlass gate approve", "windlass keys new --who Mallory --role approver --add\nwindlass gate approve", 1)
        .replace('--as "Ada Lovelace"', "--as Mallory")
    )
    ended = _ended(script, tmp_path)
    assert ended.returncode == 2
    assert "orchestration/keys.json: is not what the newest commit has" in ended.stderr
    assert "approved by" not in ended.stdout


def test_an_output_that_is_changed_after_its_approval_is_not_passed(tmp_path: Path):
    before, approve, after = re.split(r"^(windlass gate approve .*\n)", _until_approved(), maxsplit=1, flags=re.MULTILINE)
    ended = _ended(f"{before}{approve}echo more >> essays/the-word-robot/research/INTAKE.md\n{after}", tmp_path)
    assert ended.returncode == 75
    assert "the outputs are not those that were approved" in ended.stdout
    assert "G1 attempt 1 PASS" not in ended.stdout


def test_without_a_terminal_nobody_has_approved(tmp_path: Path):
    ended = _ended(_until_approved().replace(" --yes", ""), tmp_path)
    assert ended.returncode == 2
    assert "--yes approves what is shown above" in ended.stderr
    assert "INTAKE.md" in ended.stdout
