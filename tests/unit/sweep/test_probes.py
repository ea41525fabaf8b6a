"""Whose code is a probe: the reference fleet's always, a stranger's only where it was allowed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from windlass.agents import catalogue
from windlass.agents.agent import Probe
from windlass.errors import Refused
from windlass.fleet import Task
from windlass.sweep import probes

MODULE = """
import pathlib
pathlib.Path(__file__).with_suffix(".ran").touch()
class Good:
    @staticmethod
    def make(seed): return {"n": seed}
    @staticmethod
    def check(seed, inputs, outputs): return None
class Half:
    make = check = None
"""


def _module(directory: Path, name: str, text: str = MODULE) -> Path:
    (directory / f"{name}.py").write_text(text)
    return directory / f"{name}.ran"


@pytest.fixture
def importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return tmp_path


def test_a_task_without_a_probe_has_none():
    assert probes.finder(allow_code=True)("T", Task(agent="a")) is None


def test_the_reference_fleets_probe_is_the_one_of_its_task_type():
    task_type, agent = next(iter(catalogue.by_task().items()))
    assert probes.finder(allow_code=False)(task_type, Task(agent="a", probe="reference")) is agent.probe
    with pytest.raises(Refused, match=r"tasks\.NO_SUCH\.probe"):
        probes.finder(allow_code=False)("NO_SUCH", Task(agent="a", probe="reference"))


def test_a_strangers_code_does_not_run_unless_it_was_allowed(importable: Path):
    ran = _module(importable, "strangers_probe_one")
    task = Task(agent="a", probe="strangers_probe_one:Good")
    assert probes.finder(allow_code=False)("T", task) is None
    assert not ran.exists()
    found = probes.finder(allow_code=True)("T", task)
    assert ran.exists()
    assert isinstance(found, Probe)
    assert found.make(3) == {"n": 3}


@pytest.mark.parametrize("name", ["no_such_module:Good", "strangers_probe_two:Missing", "strangers_probe_two:Half", "strangers_broken:Good"])
def test_what_is_no_probe_is_refused_by_its_task(importable: Path, name: str):
    _module(importable, "strangers_probe_two")
    _module(importable, "strangers_broken", "raise ZeroDivisionError('at import')")
    with pytest.raises(Refused, match=r"tasks\.T\.probe: " + name):
        probes.finder(allow_code=True)("T", Task(agent="a", probe=name))
