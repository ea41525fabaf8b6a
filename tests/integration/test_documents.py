"""The programs and fleet files that the documents show are run as they stand there; only ports are exchanged for free ones."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
WINDLASS = [sys.executable, "-m", "windlass"]
PATIENCE_S = 60.0


def block(page: str, language: str, holding: str) -> str:
    """The one block of a page that holds these words."""
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (only,) = [text for text in found if holding in text]
    return only


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"} or name.startswith("COVERAGE_")}
    return kept | more


@contextmanager
def running(directory: Path, port: int, *words: str, **variables: str) -> Iterator[None]:
    """A program that answers at `port` while the block runs."""
    with subprocess.Popen(words, cwd=directory, env=environment(**variables)) as process:
        try:
            deadline = time.monotonic() + PATIENCE_S
            while not answers(port):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)


def answers(port: int) -> bool:
    """It answers HTTP: a socket alone listens before the service behind it is up."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def windlass(directory: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*WINDLASS, *words], cwd=directory, env=environment(**variables), capture_output=True, text=True, timeout=120, check=False)


def test_the_fleet_file_of_the_readme_is_proved(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "fleet.yaml").write_text(block("README.md", "yaml", "my-fleet").replace("9001", str(port)))
    with running(tmp_path, port, *WINDLASS, "serve", "executor", "--agents", "agent-verify", "--port", str(port)):
        done = windlass(tmp_path, "prove", "--fleet", "fleet.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "SUMMARY: 1/1 PASS"


def test_the_agent_of_the_how_to_keeps_the_contract_and_is_proved_by_examples_and_by_its_probe(tmp_path: Path) -> None:
    page, port = "docs/how-to/write-an-agent.md", free_port()
    (tmp_path / "adder.py").write_text(block(page, "python", "class Adder"))
    (tmp_path / "adder_probe.py").write_text(block(page, "python", "class Sum"))
    (tmp_path / "adders.yaml").write_text(block(page, "yaml", "name: adders").replace("9002", str(port)))
    (tmp_path / "inputs.json").write_text('{"a": 1, "b": 2}')
    token = {"WINDLASS_AGENT_TOKEN": "token-of-the-adder"}
    with running(tmp_path, port, sys.executable, "adder.py", PORT=str(port), **token):
        checked = windlass(tmp_path, "agents", "check", f"http://127.0.0.1:{port}=ADD", "--inputs", "inputs.json", **token)
        shown = windlass(tmp_path, "prove", "--fleet", "adders.yaml", "--json", **token)
        (tmp_path / "adders.yaml").write_text((tmp_path / "adders.yaml").read_text() + '    probe: "adder_probe:Sum"\n')
        probed = windlass(tmp_path, "prove", "--fleet", "adders.yaml", "--allow-probe-code", "--json", PYTHONPATH=".", **token)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert probed.returncode == 0, probed.stdout + probed.stderr
    assert [proof(tmp_path, done.stdout) for done in (shown, probed)] == ["examples", "probe"]


def proof(directory: Path, printed: str) -> object:
    (row,) = json.loads((directory / json.loads(printed)["evidence"] / "sweep.json").read_text())["rows"]
    return row["by"]


def test_the_lying_agent_of_the_tutorial_passes_the_old_gate_and_fails_the_proof(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "canned.py").write_text(block("docs/tutorial/first-proof.md", "python", "class Canned").replace("9009", str(port)))
    with running(tmp_path, port, sys.executable, "canned.py"):
        done = windlass(tmp_path, "prove", AGENT_ENDPOINTS_JSON=json.dumps({"agent-verify": f"http://127.0.0.1:{port}"}))
    assert done.returncode == 1
    assert "CLAIM_VERIFY  agent-verify  NOT_INPUT_SENSITIVE" in done.stdout
    assert "dispatch PASS   execution PASS   proof FAIL" in done.stdout


@pytest.mark.parametrize("fleet", ["examples/researchflow/fleet.yaml"])
def test_the_example_fleet_can_be_served(tmp_path: Path, fleet: str) -> None:
    port = free_port()
    words = ("serve", "orchestrator", "--fleet", str(ROOT / fleet), "--port", str(port))
    with running(tmp_path, port, *WINDLASS, *words, WORKER_SERVICE_TOKEN="token-of-the-example"):
        assert (tmp_path / ".windlass/orchestrator_audit.jsonl").is_file()


@pytest.mark.parametrize("page", ["README.md", "docs/how-to/review-papers.md"])
def test_the_pipeline_that_the_documents_show_prints_what_they_show(tmp_path: Path, page: str) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    command = shlex.split(block(page, "sh", "pipeline stage2 --input examples").replace("\\\n", " "))
    done = windlass(tmp_path, *command[1:])
    assert done.returncode == 0, done.stdout + done.stderr
    shown, printed = block(page, "text", "Stage 2 over 5 papers of examples").splitlines(), done.stdout.splitlines()
    assert [line for line in shown if "run_" not in line] == [line for line in printed if "run_" not in line]
    assert len(shown) == len(printed)
    (section,) = (tmp_path / ".windlass/pipelines").glob("run_*/logs/section.md")
    if page == "README.md":
        assert block(page, "text", "[@norquell2021]").rstrip() in section.read_text("utf-8")


def test_the_corpus_of_the_how_to_is_searched_as_it_shows(tmp_path: Path) -> None:
    page, port = "docs/how-to/search-your-own-papers.md", free_port()
    (tmp_path / ".windlass/agents/corpora").mkdir(parents=True)
    shutil.copy(ROOT / "examples/researchflow/papers.ris", tmp_path / ".windlass/agents/corpora")
    with running(tmp_path, port, *WINDLASS, "serve", "executor", "--port", str(port)):
        found = asked(port, "agent-lit-retrieval", block(page, "json", "home-based exercise"))
        stored = asked(port, "agent-rag-ingest", block(page, "json", '"protocols",\n'))
        passages = asked(port, "agent-rag-retrieve", block(page, "json", "which weeks"))
    shown = block(page, "text", "abdelmar2022").split("\n        …")[0]
    assert json.dumps(found, indent=4).startswith(shown)
    assert stored["ok"], stored["error"]
    (passage,) = passages["outputs"]["chunks"]
    assert passage["chunk_id"] in block(page, "text", '"source": "collection"')
    assert passage["text"] in block(page, "text", '"source": "collection"')


def asked(port: int, agent: str, body: str) -> dict[str, Any]:
    """What an agent answers to a body that a document shows."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{agent}/agents/run/sync", data=body.encode())
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        found: dict[str, Any] = json.load(answer)
        return found
