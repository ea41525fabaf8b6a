"""What the documents say is true: pages are fresh, links lead somewhere, commands exist, and nothing that has to be listed is left out."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
import pytest
import yaml

from windlass import cli, fleet, settings
from windlass.agents import catalogue
from windlass.infra.chain import ChainedLog
from windlass.records import events
from windlass.sweep.readings import FailureClass

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
SCHEMAS = tuple(f"schemas/{name}.schema.json" for name in ("contract", "workflow", "run", "attempt"))
GENERATED = ("commands.md", "settings.md", "agents.md", *SCHEMAS)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
WINDLASS = re.compile(r"(?<![\w./-])(?:\.venv/bin/)?windlass((?: [^|)>\n#&;…]*)?)")
MEASURED = re.compile(r"\b\d+(?:[.,]\d+)?\s?(?:ms|s|seconds?|minutes?|MB|MiB|GiB|req/s|requests|times|%|×)(?!\w)")


def text(page: Path) -> str:
    return page.read_text("utf-8")


def prose(page: Path) -> str:
    return FENCE.sub("", text(page))


def blocks(page: Path, *languages: str) -> list[str]:
    return [block for language, block in FENCE.findall(text(page)) if language in languages]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def docs(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, ROOT / "scripts/docs.py", *words], capture_output=True, text=True, timeout=60, check=False)


def test_the_generated_pages_are_fresh() -> None:
    done = docs("--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stale_page_is_named_with_what_differs_and_what_to_run(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    for name in GENERATED:
        shutil.copyfile(ROOT / "docs/reference" / name, tmp_path / name)
    (tmp_path / "settings.md").write_text(text(tmp_path / "settings.md").replace("TIMEOUT_SECS", "TIMEOUT"))
    (tmp_path / "agents.md").unlink()
    done = docs("--check", "--directory", str(tmp_path))
    assert done.returncode == 1
    assert "settings.md is stale; run: .venv/bin/python scripts/docs.py" in done.stdout
    assert "agents.md is stale" in done.stdout
    assert "commands.md" not in done.stdout
    assert "+| `TIMEOUT_SECS`" in done.stdout
    assert docs("--directory", str(tmp_path)).returncode == 0
    assert docs("--check", "--directory", str(tmp_path)).returncode == 0


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in LINK.findall(prose(page)):
        path, _, anchor = target.partition("#")
        if ":" in path:
            continue
        place = (page.parent / path).resolve() if path else page
        if not place.exists() or (anchor and anchor not in anchors(place)):
            broken.append(target)
    assert broken == []


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "commands.md"], ids=named)
def test_every_windlass_command_line_is_one(page: Path) -> None:
    shown = [*blocks(page, "sh", "yaml"), *re.findall(r"`([^`\n]+)`", prose(page))]
    lines = [match[1] for block in shown for match in WINDLASS.finditer(block.replace("\\\n", " "))]
    assert [f"{line}: {problem}" for line in lines if (problem := misuse(shlex.split(line.replace("'", ""))))] == []


def misuse(words: list[str]) -> str | None:
    """What is wrong with a command line of ours, or None."""
    command: click.Command = cli.command
    left = list(words)
    arguments = 0
    while left:
        word = left.pop(0)
        if word.startswith("-") and len(word) > 1:
            name, given, _ = word.partition("=")
            option = next((one for one in command.params if isinstance(one, click.Option) and name in (*one.opts, "--help", "-h")), None)
            if option is None:
                return f"{command.name} has no {name}"
            if not option.is_flag and not given and left:
                left.pop(0)
        elif isinstance(command, click.Group):
            try:
                below = command.resolve_command(click.Context(command), [word])[1]
            except click.UsageError:
                below = None
            if below is None:
                return f"there is no command {word}"
            arguments += command.get_command(click.Context(command), word) is None  # a workflow is an argument of what runs it
            command = below
        else:
            arguments += 1
    known = [one for one in command.params if isinstance(one, click.Argument)]
    many = any(one.nargs < 0 for one in known)
    return f"{command.name} takes {len(known)} arguments" if arguments > len(known) and not many else None


@pytest.mark.parametrize("line", ["prov", "prove --flet x", "sweep shows RUN", "verify A B", "window status --ttl 3 D"])
def test_a_command_line_that_is_none_is_noticed(line: str) -> None:
    assert misuse(line.split()) is not None


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_make_target_exists(page: Path) -> None:
    shown = [*blocks(page, "sh", "yaml"), *re.findall(r"`([^`\n]+)`", prose(page))]
    asked = {match[1] for block in shown for match in re.finditer(r"(?:^|[\s\"'])make (?:[A-Z]+=\S+ )*([a-z]+)", block, re.MULTILINE)}
    assert asked <= make_targets()


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", text(ROOT / "Makefile"), re.MULTILINE))


def test_a_measured_figure_of_the_readme_names_what_measures_it() -> None:
    paragraphs = re.split(r"\n\s*\n|\n(?=[|*])", prose(ROOT / "README.md"))
    claims = [paragraph for paragraph in paragraphs if MEASURED.search(paragraph)]
    assert [claim for claim in claims if not measured_by(claim)] == []


def test_every_promise_has_its_test_or_says_that_it_is_not_built() -> None:
    rows = re.findall(r"^\| P-(\d\d) \|.*\| ([^|]+) \|$", text(ROOT / "docs/promises.md"), re.MULTILINE)
    assert len(rows) > 20
    assert [
        number for number, state in rows if not state.startswith("not built yet") and not [*ROOT.glob(f"tests/promises/test_p{number}_*.py")]
    ] == []


def test_every_figure_names_its_bench() -> None:
    _, _, figures = text(ROOT / "docs/promises.md").partition("## Figures")
    names = re.findall(r"^\| `(\w+)` \|", figures, re.MULTILINE)
    assert names
    assert [name for name in names if not (ROOT / f"bench/{name}.py").is_file()] == []


def measured_by(claim: str) -> bool:
    """Whether a claim names a bench or a promise's test, and each that it names exists."""
    named_files = re.findall(r"(?:bench|tests/promises)/\w+\.py", claim)
    return bool(named_files) and all((ROOT / name).is_file() for name in named_files)


def test_the_readme_counts_what_exists() -> None:
    counted = re.findall(r"(\d+) of (\d+) task types", text(ROOT / "README.md"))
    assert counted == [(str(len(catalogue.by_task())), str(catalogue.REFERENCE_TASK_TYPES))]


def first_cells(page: str) -> set[str]:
    rows = re.findall(r"^\| (`[^|]+`|\*\*[^|]+\*\*) \|", text(ROOT / page), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


@pytest.mark.parametrize(
    ("page", "known"),
    [
        ("docs/reference/sweep-evidence.md", set(get_args(FailureClass))),
        ("docs/reference/settings.md", {one.variable for one in settings.ALL}),
        ("docs/reference/records.md", {event.type for event in get_args(events.Event)}),
        ("docs/reference/fleet-file.md", {f"tasks.<TASK>.{name}" for name in fleet.Task.model_fields}),
        ("docs/reference/fleet-file.md", {f"agents.<name>.{name}" for name in fleet.AgentEntry.model_fields}),
    ],
)
def test_what_a_reference_page_must_list_is_listed(page: str, known: set[str]) -> None:
    assert known - first_cells(page) == set()


def test_the_chain_checker_of_the_records_page_checks_a_chain(tmp_path: Path) -> None:
    (program,) = blocks(ROOT / "docs/reference/records.md", "python")
    with ChainedLog(tmp_path / "log.jsonl") as log:
        log.append({"at": "now", "says": 'a "hash": in the text'})
        head = log.append({"at": "later"})
    content = (tmp_path / "log.jsonl").read_bytes()
    (tmp_path / "damaged.jsonl").write_bytes(content.replace(b"later", b"never"))
    done = [subprocess.run([sys.executable, "-c", program, tmp_path / name], capture_output=True, text=True, check=False) for name in LOGS]
    assert done[0].stdout.strip() == f"head {head}"
    assert done[1].returncode == 1


LOGS = ("log.jsonl", "damaged.jsonl")


def workflow_steps() -> Iterator[dict[str, str]]:
    for path in (ROOT / ".github/workflows").glob("*.yml"):
        for job in yaml.safe_load(text(path))["jobs"].values():
            yield from job["steps"]


def test_the_pipeline_calls_make_targets_and_nothing_else() -> None:
    runs = [step["run"] for step in workflow_steps() if "run" in step]
    assert set(runs) == {"make check", "make prove", "make test"}
    assert {run.removeprefix("make ") for run in runs} <= make_targets()


def test_the_example_fleet_has_every_task_type_of_the_original() -> None:
    found = fleet.read(ROOT / "examples/researchflow/fleet.yaml")
    assert (len(found.tasks), len(found.agents)) == (catalogue.REFERENCE_TASK_TYPES, 29)
    assert fleet.gaps(found) == ()
    assert {name: (task.agent, task.probe) for name, task in found.tasks.items()} == {
        task_type: (agent.name, fleet.REFERENCE_PROBE) for task_type, agent in catalogue.by_task().items()
    }
    assert found.tasks["ARTIFACT_AUDIT"].agent == "agent-artifact-auditor-proxy", "named by the original"


def test_the_how_to_on_models_names_every_task_type_that_can_have_one_and_no_other() -> None:
    page = ROOT / "docs/how-to/use-a-model.md"
    with_model = {task_type for task_type, agent in catalogue.by_task().items() if agent.model}
    rows = re.findall(r"^\| (`[A-Z0-9_`, ]+`) \|", text(page), re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == with_model
    number = len({agent.name for agent in catalogue.by_task().values() if agent.model})
    assert (number, "Eleven of them" in text(page)) == (11, True)


def test_every_code_that_refuses_a_corpus_is_explained() -> None:
    code = "".join(
        path.read_text("utf-8") for path in (ROOT / "src/windlass/agents").glob("*.py") if path.stem in {"corpora", "sources", "bibliography"}
    )
    raised = set(re.findall(r'AgentError\(\s*"([A-Z_]+)"', code))
    page = text(ROOT / "docs/how-to/search-your-own-papers.md")
    assert len(raised) >= 6
    assert {name for name in raised if f"`{name}`" not in page and f'"{name}"' not in page} == set()


def test_no_document_names_somebodys_machine() -> None:
    found = [named(page) for page in PAGES if re.search(r"/(?:home|root|work|tmp/tmp|Users)/", text(page))]
    assert found == []
