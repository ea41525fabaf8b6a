from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents import dataset_checks, near_duplicates
from windlass.agents.reference.model_fine_tuning import AGENT

from . import probing, runs


def clean(count: int = 40) -> list[dict[str, Any]]:
    """Records that nothing is wrong with."""
    return [
        {
            "text": " ".join(f"w{number * 7 + place}" for place in range(12)),
            "label": "ab"[number % 2],
            "split": "train" if number % 4 < 2 else "test",
        }
        for number in range(count)
    ]


def checked(store, dataset: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return runs.outputs(AGENT, {"dataset": dataset, **more}, store)


def blocking(outputs: dict[str, Any]) -> list[str]:
    return [step["rule"] for step in outputs["plan"] if step["blocking"]]


def test_a_clean_dataset_is_ready_and_nothing_is_started(tmp_path):
    answer = runs.answer(AGENT, {"dataset": clean(), "config": {"max_tokens_per_record": 20}}, tmp_path)
    outputs = answer["outputs"]
    assert (outputs["ready"], outputs["started"], blocking(outputs)) == (True, False, [])
    assert [step["rule"] for step in outputs["plan"]] == ["train"]
    assert "nothing was started" in answer["warnings"][0]


def test_the_example_is_stopped_by_identifiers_and_by_a_leak(tmp_path):
    outputs = runs.outputs(AGENT, AGENT.example, tmp_path)
    assert (outputs["ready"], blocking(outputs)) == (False, ["identifiers", "split_leakage"])
    assert outputs["identifiers"]["counts"] == {"date": 1, "phone": 1}
    assert outputs["leaks"] == [{"records": [1, 4], "splits": ["train", "test"], "kind": "exact", "likeness": 1.0}]


def test_identifiers_are_named_by_place_and_shape_and_never_repeated(tmp_path):
    secrets = ["jane.roe@clinic.org", "123-45-6789", "MRN-77123", "roe@x.org"]
    dataset = [*clean(), {"text": f"first line\nmail {secrets[0]}", "label": secrets[3], "id": f"MRN: {secrets[2]}", "split": "train"}]
    dataset[0]["text"] += f" SSN {secrets[1]}"
    outputs = checked(tmp_path, dataset)
    places = [(one["record"], one["field"], one["line"], one["kind"]) for one in outputs["identifiers"]["listed"]]
    assert places == [(1, "text", 1, "ssn"), (41, "text", 2, "email"), (41, "label", 1, "email"), (41, "id", 1, "mrn")]
    assert not any(secret in json.dumps(outputs) for secret in secrets)
    assert set(outputs["identifiers"]["not_searched"]) == {"biometric", "photograph"}


def test_a_nearly_equal_text_in_another_split_is_a_leak(tmp_path):
    dataset = clean()
    words = dataset[0]["text"].split() + [f"v{number}" for number in range(30)]
    dataset[0]["text"] = " ".join(words)
    dataset.append({**dataset[0], "text": " ".join([*words[:20], "changed", *words[21:]]), "split": "test"})
    outputs = checked(tmp_path, dataset)
    assert [(leak["records"], leak["kind"]) for leak in outputs["leaks"]] == [([1, 41], "near")]
    assert outputs["leaks"][0]["likeness"] > near_duplicates.ALIKE


def test_copies_with_different_labels_stop_the_training(tmp_path):
    dataset = [*clean(), {**clean()[0], "text": clean()[0]["text"].upper() + "  ", "label": "b"}]
    outputs = checked(tmp_path, dataset)
    assert outputs["copies"] == [{"records": [1, 41], "labels_differ": True, "splits_differ": False}]
    assert blocking(outputs) == ["conflicting_copies"]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"label": None}, "unlabelled"),
        ({"label": "a"}, "one_label"),
        ({"split": "test"}, "no_training_split"),
        ({"split": "train"}, "no_test_split"),
    ],
)
def test_a_dataset_that_can_not_train_or_be_tested_is_not_ready(tmp_path, change, rule):
    assert rule in blocking(checked(tmp_path, [{**record, **change} for record in clean()]))


def test_generation_asks_for_no_labels(tmp_path):
    dataset = [{key: value for key, value in record.items() if key != "label"} for record in clean()]
    assert checked(tmp_path, dataset, target_task="generation")["ready"] is True


def test_without_splits_one_is_proposed_that_keeps_copies_together(tmp_path):
    dataset = [{"text": f"record {number} of many", "label": "ab"[number % 2]} for number in range(300)]
    split = checked(tmp_path, dataset)["split"]
    assert split["proposed"] is True
    assert sum(split["records"].values()) == 300
    assert split["records"]["train"] > 200
    assert dataset_checks.part("A  text") == dataset_checks.part("a text")


def test_a_split_given_to_some_records_only_is_asked_for_again(tmp_path):
    dataset = [*clean(), {"text": "no split here at all", "label": "a"}]
    assert blocking(checked(tmp_path, dataset)) == ["unassigned"]


def test_costs_come_from_the_figures_of_the_config_alone(tmp_path):
    config = {"epochs": 3, "batch_size": 7, "price_per_million_tokens": 10, "tokens_per_second": 100, "price_per_hour": 36}
    found = checked(tmp_path, clean(), config=config)["estimate"]
    tokens = 3 * sum(-(-len(record["text"]) // 4) for record in clean() if record["split"] == "train")
    assert (found["training_records"], found["steps"], found["training_tokens"]) == (20, 9, tokens)
    assert found["token_cost"] == pytest.approx(tokens / 100_000)
    assert found["hour_cost"] == pytest.approx(tokens / 100 / 100)
    bare = checked(tmp_path, clean())["estimate"]
    assert (bare["token_cost"], bare["hours"], bare["hour_cost"]) == (None, None, None)


def test_records_longer_than_the_model_takes_are_counted(tmp_path):
    outputs = checked(tmp_path, [*clean(), {"text": "é" * 100, "label": "a", "split": "train"}], config={"max_tokens_per_record": 49})
    assert (outputs["lengths"]["most"], outputs["lengths"]["over_limit"]) == (50, 1)


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "dataset: is required"),
        ({"dataset": []}, "dataset"),
        ({"dataset": [{"text": ""}]}, "dataset.0.text"),
        ({"dataset": [{"txt": "a"}]}, "dataset.0.txt"),
        ({"dataset": clean(), "config": {"epochs": 0}}, "config.epochs"),
        ({"dataset": clean(), "target_task": "magic"}, "target_task"),
        ({"datasets": clean()}, "did you mean 'dataset'"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_by_name(tmp_path, inputs, said):
    error = runs.refusal(AGENT, inputs, tmp_path)
    assert error["code"] == "VALIDATION_ERROR"
    assert said in error["message"]


@pytest.mark.parametrize("piece", ["a", "患者", "word ", "1-2-"])
def test_ten_megabytes_are_checked_in_time(tmp_path, piece):
    text = piece * (5_000_000 // len(piece.encode()))
    assert checked(tmp_path, [{"text": text, "split": "train"}, {"text": text + " end", "split": "test"}])["ready"] is False


def test_the_probe_passes_for_real_work(tmp_path):
    probing.passes(AGENT, tmp_path)


def test_the_probe_rejects_canned_answers(tmp_path):
    probing.rejects_canned_answers(AGENT, tmp_path)


def test_the_probe_needs_every_step(tmp_path):
    probing.needs_every_step(AGENT, tmp_path)


@pytest.mark.parametrize(
    ("step", "change"),
    [
        ("scan", lambda result: {"identifiers": {**result["identifiers"], "listed": result["identifiers"]["listed"][1:]}}),
        ("compare", lambda result: {**result, "leaks": [one for one in result["leaks"] if one["kind"] == "exact"]}),
        ("compare", lambda result: {**result, "copies": []}),
        ("measure", lambda result: {**result, "estimate": {**result["estimate"], "training_tokens": result["lengths"]["total"]}}),
        ("plan", lambda result: {"outputs": {**result["outputs"], "ready": True}}),
    ],
)
def test_the_probe_notices_work_that_is_skipped(tmp_path, step, change):
    assert all(probing.fails(AGENT, step, change, seed, AGENT.probe.make(seed), tmp_path) for seed in range(4))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.fixed_dictionaries({"text": st.text(min_size=1, max_size=40), "label": st.sampled_from(["a", "b"])}), min_size=1, max_size=20))
def test_every_record_is_counted_once_whatever_it_says(tmp_path_factory, dataset):
    outputs = checked(tmp_path_factory.getbasetemp(), dataset)
    assert sum(outputs["labels"]["counts"].values()) == sum(outputs["split"]["records"].values()) == len(dataset)
    assert outputs["lengths"]["total"] == sum(-(-len(record["text"].encode()) // 4) for record in dataset)
