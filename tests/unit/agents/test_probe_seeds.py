"""A probe makes fitting questions from any seed: a question that can't be made, or is made wrongly once in a thousand, is a false alarm one day."""

from __future__ import annotations

import random

import pytest

from tests.unit.agents import runs
from windlass.agents import catalogue
from windlass.sweep import plan

TASKS = sorted({agent.name: agent.task_types[0] for agent in catalogue.agents().values()}.values())


@pytest.mark.parametrize("task_type", TASKS)
def test_a_probe_makes_fitting_and_misspelt_inputs_from_any_seed(task_type: str) -> None:
    agent = catalogue.by_task()[task_type]
    required = agent.inputs.model_json_schema().get("required", ())
    rng = random.Random(task_type)
    for _ in range(150):
        seed = rng.getrandbits(48)
        inputs = agent.probe.make(seed)
        agent.inputs.model_validate(inputs)
        with pytest.raises(ValueError, match=r"known|permitted|required"):
            agent.inputs.model_validate(plan.misspelt(inputs, required, seed))


def test_seeds_that_were_wrong_once(tmp_path) -> None:
    """The methods writer's probe drew its parts once per part, and could draw none; a word that began with `mrn` was taken for a record number."""
    for task_type, seed in (("SECTION_WRITE_METHODS", 95934601547910), ("CLINICAL_MODEL_FINE_TUNING", 228387439633803)):
        agent = catalogue.by_task()[task_type]
        inputs = agent.probe.make(seed)
        assert agent.probe.check(seed, inputs, runs.outputs(agent, inputs, tmp_path)) is None
