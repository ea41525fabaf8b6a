"""P-20, the whole run: no secret is in any file of a run, in anything that is exported of it, or in anything that a command says.

A gated run with an agent, programs and an approval. Its programs print all that they can get hold of in every encoding, at every place of a line:
the secrets of whoever runs it, which lie in a file, and the token that they were lent. The approver's private key is looked for too. The budget
counts canaries (see `budget.py`): for every thousand of them there is one run.
"""

from __future__ import annotations

import gzip
import io
import random
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.integration.gated_projects import RUN, VERIFY, commit, leaves, only_run, processes_in, project
from tests.promises import budget, canaries
from tests.unit.cli.test_start import windlass

RUNS = max(1, budget.of(small=1000, full=10_000) // 1000)
SEED = budget.seed(20)
PROGRAMS = 4
NAMES = (
    "WINDLASS_WINDOWS_TOKEN",
    "WINDLASS_READ_TOKEN",
    "WINDLASS_EXECUTOR_TOKEN",
    "VAULT_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "DATABASE_PASSWORD",
    "SOME_API_KEY",
    "deploy_credential",
)
NEEDS = {"needs": ["fleet"]}
FORMATS = ("sarif", "junit", "html", "markdown", "intoto", "bundle")
_TELL = """
import json, os, random, sys
from pathlib import Path
import canaries

name, code = sys.argv[1:]
outside = Path(__file__).resolve().parents[1]
known = json.loads((outside / "canaries.json").read_text())
if "WORKER_SERVICE_TOKEN" in os.environ:
    lent = os.environ["WORKER_SERVICE_TOKEN"]
    known += [lent] * 4
    with (outside / "lent.txt").open("a") as file:
        file.write(lent + "\\n")
rng = random.Random(name + code + known[0])
forms = [form for secret in known for form in canaries.encodings(secret, rng)]
rng.shuffle(forms)
for number, form in enumerate(forms[:40]):
    edge = rng.choice((0, 0, 400, 400, 400, 1600))
    before = "." * max(0, edge - rng.randrange(1, len(form)))
    print(f"{before}{form}", file=sys.stderr if number % 2 else sys.stdout, flush=True)
Path("out").mkdir(exist_ok=True)
Path(f"out/{name}.txt").write_text("done")
again = Path(f"out/{name}.again")
failed = code != "0" and not again.exists()
again.touch()
sys.exit(int(code) if failed else 0)
"""


def _program(name: str, code: int = 0) -> list[str]:
    return [sys.executable, "tell.py", name, str(code)]


def _made(place: Path, known: list[str], key: Path) -> None:
    """A committed project whose programs tell what they know, one of them when it fails; a person approves the last gate."""
    (place.parent / "canaries.json").write_bytes(orjson.dumps(known))
    place.mkdir()
    (place / "canaries.py").write_bytes(Path(canaries.__file__).read_bytes())
    (place / "tell.py").write_text(_TELL)
    gates: dict[str, Mapping[str, Any]] = {"A1": {"executor": VERIFY, **NEEDS}}
    contracts: dict[str, Mapping[str, Any]] = {"A1": leaves("verdicts.json")}
    for number in range(PROGRAMS):
        needs = NEEDS if number == 1 else {}
        argv = _program(f"C{number}", code=3 if number == 1 else 0)
        gates[f"C{number}"] = {"executor": {"kind": "command", "argv": argv, "timeout_s": 60}, **needs}
        contracts[f"C{number}"] = leaves(f"C{number}.txt")
    check = {"type": "command", "argv": _program("K1", code=0), "timeout_s": 60, "expect_exit": 0}
    gates["H1"] = {}
    contracts["H1"] = {**leaves("C0.txt"), "validations": [check, {**check, "expect_exit": 9, "severity": "warning"}], "approvals": {"quorum": 1}}
    project(place, gates, contracts)
    made = windlass("keys", "new", "--who", "Ada", "--role", "approver", "--out", str(key), "--add", place=place)
    assert made.returncode == 0, made.stderr
    commit(place)


def _said(place: Path, key: Path, secrets: dict[str, Any]) -> Iterator[str]:
    """Everything that the commands say, from the run's start to the last export."""

    def ended(*words: str, code: int = 0) -> str:
        done = windlass(*words, place=place, **secrets)
        assert done.returncode == code, (words, done.stdout, done.stderr)
        return done.stdout + done.stderr

    yield ended(*RUN, code=1)  # C1 fails the first time
    run = ("--run", only_run(place).name)
    yield ended("run", "resume", *run, code=75)
    yield ended("gate", "approve", *run, "--gate", "H1", "--as", "Ada", "--key", str(key), "--yes")
    yield ended("gate", "finish", *run, "--gate", "H1")
    yield ended("run", "complete", *run)
    for words in (("run", "list"), ("run", "show", *run), ("report", run[1]), ("verify", run[1]), ("diff", run[1], run[1])):
        yield ended(*words)
        yield ended(*words, "--json")
    commit(place)
    for kind in FORMATS:
        yield ended("export", run[1], "--format", kind, "--out", f"exported.{kind}", *(("--key", str(key)) if kind in {"intoto", "bundle"} else ()))


def _texts(place: Path) -> Iterator[tuple[str, str]]:
    """Every file of the project, and every file in an archive among them; what git made of them is the same."""
    for path in sorted(place.rglob("*")):
        if not path.is_file() or ".git" in path.parts:
            continue
        content = path.read_bytes()
        yield str(path.relative_to(place)), content.decode("utf-8", "replace")
        if path.suffix == ".bundle":
            raw = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
            with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
                for member in archive:
                    if file := archive.extractfile(member):
                        yield f"{path.name}/{member.name}", file.read().decode("utf-8", "replace")


@pytest.mark.parametrize("number", range(RUNS))
def test_no_secret_is_in_anything_that_a_gated_run_leaves_or_says(tmp_path: Path, number: int):
    rng = random.Random(SEED * 1000 + number)
    secrets = {name: canaries.canary(rng) for name in NAMES}
    place, key = tmp_path / "project", tmp_path / "ada.pem"
    _made(place, list(secrets.values()), key)
    said = list(_said(place, key, secrets))
    private = [line for line in key.read_text().splitlines() if not line.startswith("-")]
    lent = list(dict.fromkeys((tmp_path / "lent.txt").read_text().split()))
    assert len(lent) == 2, "each attempt is lent a token of its own"
    looked_for = [*secrets.values(), *lent, *private]
    texts = [*((f"output {at}", text) for at, text in enumerate(said)), *_texts(place)]
    assert sum("[redacted]" in text for _, text in texts) > PROGRAMS, "what the programs said is there, without the secrets"
    leaks = {
        (name, known) for name, text in texts for found in canaries.decoded(text) for known in looked_for if known in found or known[:16] in found
    }
    assert leaks == set()
    assert processes_in(place) == []
    if number == 0:
        budget.tell("P-20", SEED, f"{RUNS} gated runs, {len(looked_for)} secrets each looked for in {len(texts)} files and outputs, none found")
