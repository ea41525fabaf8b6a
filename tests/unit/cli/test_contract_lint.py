"""`windlass init` and `windlass contract lint`, as somebody calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from windlass import cli
from windlass.errors import Refused


def windlass(*arguments: str) -> tuple[int, str]:
    """What a command returns and prints; errors that it raises are raised here."""
    ended = CliRunner().invoke(cli.command, list(arguments), standalone_mode=False)
    if ended.exception is not None:
        raise ended.exception
    return int(ended.return_value or 0), ended.output


def test_what_init_writes_is_clean_and_a_second_init_changes_nothing(tmp_path: Path) -> None:
    _, told = windlass("init", "--root", str(tmp_path), "--json")
    written = json.loads(told)["written"]
    assert {"orchestration/workflows/visual-essay.json", "orchestration/.gitignore", "orchestration/.gitattributes"} <= set(written)
    assert windlass("contract", "lint", "--root", str(tmp_path))[0] == 0
    contract = tmp_path / "orchestration/gates/contracts/G1.contract.json"
    contract.write_text("mine")
    again = json.loads(windlass("init", "--root", str(tmp_path), "--json")[1])
    assert (again["written"], sorted(again["kept"]), contract.read_text()) == ([], sorted(written), "mine")


def test_lint_tells_every_problem_and_exits_1(tmp_path: Path) -> None:
    windlass("init", "--root", str(tmp_path))
    contract = tmp_path / "orchestration/gates/contracts/G1.contract.json"
    contract.write_text(json.dumps({"schema_version": 1, "gate": "G1", "blockin": 1, "validations": [{"type": "vibes"}]}))
    code, told = windlass("contract", "lint", "--root", str(tmp_path))
    assert code == 1
    assert "/blockin: is not a known key; did you mean 'blocking'?" in told
    assert "/validations/0/type: 'vibes' is not a type of validation" in told
    assert windlass("contract", "lint", str(contract))[0] == 1


def test_warnings_alone_exit_0(tmp_path: Path) -> None:
    old = tmp_path / "G1.contract.json"
    old.write_text(json.dumps({"gate": "G1", "owner": "me", "required_outputs": {"all_of": [{"path": "a"}]}}))
    code, told = windlass("contract", "lint", str(old), "--json")
    assert code == 0
    assert json.loads(told)[0]["warnings"] == [f"{old} /owner: is not a known key"]


@pytest.mark.parametrize("name", ["list", "start", "show", "complete", "resume"])
def test_a_workflow_can_not_be_called_like_a_subcommand(tmp_path: Path, name: str) -> None:
    file = tmp_path / f"{name}.json"
    file.write_text(json.dumps({"schema_version": 1, "name": name, "gates": [{"gate": "G1"}]}))
    code, told = windlass("contract", "lint", str(file))
    assert (code, "is a command of `windlass run`" in told) == (1, True)


def test_what_can_not_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(Refused, match=str(path)):
            windlass("contract", "lint", str(path))
