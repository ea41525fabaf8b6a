"""The tutorial on gates and the example essay do what they say: their commands, as they stand, in their order."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs/tutorial/a-gated-pipeline.md"
ESSAY = ROOT / "examples/visual-essay"


def script(page: Path) -> str:
    """Every shell block of a page, in its order."""
    return "".join(re.findall(r"^```sh\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL))


def ended(commands: str, place: Path, home: Path) -> str:
    """What the commands print, in a directory and for a user of their own; each of them must end as the page says."""
    home.mkdir(exist_ok=True)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "WINDLASS_", "SSH_", "XDG_")) and name != "CI"}
    names = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.org"))}
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = {**own, **names, "HOME": str(home), "PATH": path, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    argv = ["bash", "-euo", "pipefail", "-c", commands]
    done = subprocess.run(
        argv,
        cwd=place,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_tutorial_leads_through_two_refusals_to_a_signed_release_and_a_bundle(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    said = ended(script(TUTORIAL), place, tmp_path / "home")
    for line in (
        "not_contains {artifact_path}/brief.md: TODO|TBD is in it",
        "DRAFT attempt 1 FAIL",
        "DRAFT attempt 3 PASS",
        "stopped: json_schema {artifact_path}/verdicts.json: $.overallPass: True was expected",
        "paused: gate RELEASE waits for 0 of 1 approvals",
        "RELEASE attempt 1 approved by Ada Lovelace: 1 of 1 approvals (Ada Lovelace)",
        "gates   DRAFT PASS   CLAIMS PASS   RELEASE PASS",
    ):
        assert line in said, said
    assert said.count("orchestrator, fleet observed stopped") == 2
    verdicts = re.findall(r"^(intact, unanchored|intact|damaged): \d+ entries", said, re.MULTILINE)
    assert verdicts == ["intact, unanchored", "damaged", "intact", "intact, unanchored"], "as it lay, tampered with, committed, and to a stranger"
    assert "<html" in (place / "briefs/timeline.html").read_text()


def test_the_example_essay_passes_its_three_gates_and_fails_at_a_greater_depth(tmp_path: Path) -> None:
    place = tmp_path / "essay"
    shutil.copytree(ESSAY, place)
    commands = script(place / "README.md")
    said = ended(commands, place, tmp_path / "home")
    assert "gates   G1 PASS   G2 PASS   G3 PASS" in said
    shutil.rmtree(place / "orchestration/runs")
    deeper = commands.replace("--depth quick", "--depth standard").replace('--gate "$gate"', '--gate "$gate" || break')
    said = ended(deeper.partition("done\n")[0] + "done\n", place, tmp_path / "home")
    assert re.search(r"min_sources \{artifact_path\}/research/CITATIONS.md: 3 .* 8 .* at depth standard", said), said
