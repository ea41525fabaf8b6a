"""CLINICAL_MODEL_FINE_TUNING: is a dataset fit to train on, and what would it take? Checks, a plan and a cost estimate; nothing is started.

Values that look like identifiers are named by their kind, place and shape, and never repeated. Tokens are an estimate by a stated rule, and costs are
computed from the caller's prices alone.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from windlass.agents import dataset_checks, identifiers
from windlass.agents.agent import Agent, Context, Inputs, Item, Outputs, Probe, Step, Work
from windlass.agents.dataset_checks import LISTED, Copies, Labels, Leak, Lengths, Record

Amount = Annotated[float, Field(gt=0, le=1e15, allow_inf_nan=False)]
Task = Literal["classification", "extraction", "generation", "question_answering", "summarisation"]
_NEEDS_LABELS: tuple[Task, ...] = ("classification",)


class Config(Item):
    """What the training would be; a figure that is missing is a cost that can't be estimated. Prices are in `currency`."""

    base_model: Annotated[str, Field(max_length=200, pattern=r"\S")] | None = None
    epochs: Annotated[int, Field(ge=1, le=1000)] = 1
    batch_size: Annotated[int, Field(ge=1, le=100_000)] = 8
    max_tokens_per_record: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    price_per_million_tokens: Amount | None = None
    tokens_per_second: Amount | None = None
    price_per_hour: Amount | None = None
    currency: Annotated[str, Field(max_length=16)] | None = None


class ModelFineTuningInputs(Inputs):
    """Records and what they are meant for; records without a split are given one by their hash."""

    dataset: Annotated[list[Record], Field(min_length=1, max_length=100_000)]
    target_task: Task = "classification"
    config: Config = Field(default_factory=Config)


class Identifier(Item):
    """A value that looks like an identifier: `record[field][start:end]`, in that field's line; only its shape is shown."""

    record: int
    field: Literal["text", "label", "id"]
    kind: str
    line: int
    start: int
    end: int
    shape: str


class Identifiers(Item):
    """What was found, and the kinds that no pattern can tell (with the reason). Findings beyond the listed ones are counted."""

    counts: dict[str, int]
    records: int
    listed: list[Identifier]
    not_searched: dict[str, str]
    source: str


class Split(Item):
    """Which records train; `proposed` when nobody said: by the hash of each text."""

    proposed: bool
    records: dict[str, int]
    unassigned: int


class Estimate(Item):
    """What training would take, from the config's figures; null where a figure is missing. Whole epochs over the split `train`."""

    training_records: int
    training_tokens: int
    steps: int
    token_cost: float | None
    hours: float | None
    hour_cost: float | None
    currency: str | None


class PlanStep(Item):
    """What to do next, why, and the numbers that say so; a blocking one comes before any training."""

    rule: str
    blocking: bool
    action: str
    numbers: dict[str, float]


class ModelFineTuningOutputs(Outputs):
    """The dataset's findings, the plan and the estimate; `ready` is true only where nothing blocks, and `started` is always false."""

    ready: bool
    started: Literal[False]
    target_task: Task
    records: int
    identifiers: Identifiers
    copies: list[Copies]
    copies_count: int
    leaks: list[Leak]
    leaks_count: int
    leaks_complete: bool
    labels: Labels
    lengths: Lengths
    split: Split
    plan: list[PlanStep]
    estimate: Estimate


def scan(inputs: ModelFineTuningInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """What looks like an identifier of a person, in every field of every record."""
    counts: Counter[str] = Counter()
    listed: list[dict[str, Any]] = []
    touched = 0
    for place, record in enumerate(inputs.dataset, 1):
        before = counts.total()
        for found in _identifiers(place, record, context):
            counts[found.kind] += 1
            if len(listed) < LISTED:
                listed.append(found.model_dump())
        touched += counts.total() > before
    silent = {kind.name: kind.note or "" for kind in identifiers.not_searched()}
    return {
        "identifiers": {
            "counts": dict(sorted(counts.items())),
            "records": touched,
            "listed": listed,
            "not_searched": silent,
            "source": identifiers.source(),
        }
    }


def compare(inputs: ModelFineTuningInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """Copies, and what stands in two splits."""
    leaks, complete = dataset_checks.leaks(inputs.dataset, context.check)
    return {
        "copies": [one.model_dump() for one in dataset_checks.copies(inputs.dataset)],
        "leaks": [one.model_dump() for one in leaks],
        "leaks_complete": complete,
    }


def measure(inputs: ModelFineTuningInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """Labels, lengths, split, and what the training would take."""
    context.check()
    records, config = inputs.dataset, inputs.config
    proposed = all(record.split is None for record in records)
    splits = [dataset_checks.part(record.text) if proposed else record.split for record in records]
    training = sum(dataset_checks.tokens(record.text) for record, split in zip(records, splits, strict=True) if split == "train")
    counts = Counter(split for split in splits if split is not None)
    split = Split(proposed=proposed, records=dict(sorted(counts.items())), unassigned=splits.count(None))
    return {
        "labels": dataset_checks.labels(_masked(records)).model_dump(),
        "lengths": dataset_checks.lengths(records, config.max_tokens_per_record).model_dump(),
        "split": split.model_dump(),
        "estimate": _estimate(counts["train"], training, config).model_dump(),
    }


def plan(inputs: ModelFineTuningInputs, work: Work, _context: Context) -> Mapping[str, Any]:
    """What has to be done before training, and then the training itself, which is left to the caller."""
    steps = [step.model_dump() for step in _plan(inputs, work)]
    outputs = {
        "ready": not any(step["blocking"] for step in steps),
        "started": False,
        "target_task": inputs.target_task,
        "records": len(inputs.dataset),
        "identifiers": work["identifiers"],
        "copies": work["copies"][:LISTED],
        "copies_count": len(work["copies"]),
        "leaks": work["leaks"][:LISTED],
        "leaks_count": len(work["leaks"]),
        "leaks_complete": work["leaks_complete"],
        "labels": work["labels"],
        "lengths": work["lengths"],
        "split": work["split"],
        "plan": steps,
        "estimate": work["estimate"],
    }
    return {"outputs": outputs, "warnings": ["nothing was started: this is a check of the dataset and a plan"]}


def _identifiers(place: int, record: Record, context: Context) -> Iterator[Identifier]:
    fields: tuple[tuple[Literal["text", "label", "id"], str | None], ...] = (
        ("text", record.text),
        ("label", record.label),
        ("id", record.id if isinstance(record.id, str) else None),
    )
    for field, value in fields:
        for found in identifiers.found(value or "", context.check):
            yield Identifier(
                record=place,
                field=field,
                kind=found.kind,
                line=found.line,
                start=found.start,
                end=found.end,
                shape=identifiers.shape((value or "")[found.start : found.end]),
            )


def _masked(records: Sequence[Record]) -> list[Record]:
    """The records with labels that can be shown: what looks like an identifier in them is replaced by its shape."""
    shown = {label: identifiers.masked(label) for label in {record.label for record in records if record.label is not None}}
    return [record if record.label is None else record.model_copy(update={"label": shown[record.label]}) for record in records]


def _estimate(records: int, tokens: int, config: Config) -> Estimate:
    trained = tokens * config.epochs
    hours = trained / config.tokens_per_second / 3600 if config.tokens_per_second else None
    return Estimate(
        training_records=records,
        training_tokens=trained,
        steps=-(-records // config.batch_size) * config.epochs,
        token_cost=trained / 1e6 * config.price_per_million_tokens if config.price_per_million_tokens else None,
        hours=hours,
        hour_cost=hours * config.price_per_hour if hours is not None and config.price_per_hour else None,
        currency=config.currency,
    )


def _plan(inputs: ModelFineTuningInputs, work: Work) -> Iterator[PlanStep]:
    found, labels, split = work["identifiers"], Labels.model_validate(work["labels"]), Split.model_validate(work["split"])
    if found["counts"]:
        action = "remove or replace what looks like an identifier, then have a person read a sample: patterns find no bare names"
        yield PlanStep(rule="identifiers", blocking=True, action=action, numbers={"records": found["records"], **found["counts"]})
    if work["leaks"]:
        action = "move each pair into one split: a model that saw the text is not tested by it"
        yield PlanStep(rule="split_leakage", blocking=True, action=action, numbers={"pairs": len(work["leaks"])})
    if not work["leaks_complete"]:
        yield PlanStep(
            rule="leakage_not_finished", blocking=True, action="too many texts share phrases: take boilerplate out and ask again", numbers={}
        )
    if inputs.target_task in _NEEDS_LABELS:
        if labels.unlabelled:
            yield PlanStep(rule="unlabelled", blocking=True, action="label these records or drop them", numbers={"records": labels.unlabelled})
        if len(labels.counts) < 2:
            yield PlanStep(rule="one_label", blocking=True, action="a classifier takes at least two labels", numbers={"labels": len(labels.counts)})
    if not split.records.get("train"):
        yield PlanStep(rule="no_training_split", blocking=True, action="call the split that trains 'train'", numbers={})
    if split.unassigned:
        yield PlanStep(rule="unassigned", blocking=True, action="give these records a split too", numbers={"records": split.unassigned})
    if not any(count for name, count in split.records.items() if name != "train"):
        yield PlanStep(rule="no_test_split", blocking=True, action="keep records back: without them nothing can be tested", numbers={})
    conflicts = sum(one["labels_differ"] for one in work["copies"])
    if conflicts:
        yield PlanStep(rule="conflicting_copies", blocking=True, action="settle which label the same text has", numbers={"groups": conflicts})
    elif work["copies"]:
        yield PlanStep(rule="copies", blocking=False, action="keep one of each group of copies", numbers={"groups": len(work["copies"])})
    if inputs.target_task in _NEEDS_LABELS and labels.rare:
        yield PlanStep(
            rule="rare_labels",
            blocking=False,
            action=f"add records of labels with fewer than {dataset_checks.FEW}",
            numbers={"labels": len(labels.rare)},
        )
    over = work["lengths"]["over_limit"]
    if over:
        yield PlanStep(rule="too_long", blocking=False, action="cut or split records that are longer than the model takes", numbers={"records": over})
    estimate = Estimate.model_validate(work["estimate"])
    numbers: dict[str, float] = {
        "epochs": inputs.config.epochs,
        "batch_size": inputs.config.batch_size,
        "steps": estimate.steps,
        "tokens": estimate.training_tokens,
    }
    yield PlanStep(rule="train", blocking=False, action="train once nothing above blocks; this agent starts nothing", numbers=numbers)


def _make(seed: int) -> dict[str, Any]:
    """Records of random words with planted identifiers, one copy within a split, one across, and one with a word changed."""
    rng = random.Random(seed)
    tag = "".join(rng.choices("bdfgklmnprtvz", k=5))
    words = [f"{tag}{''.join(rng.choices('aeiou', k=3))}{number}x" for number in range(60)]
    records: list[dict[str, Any]] = []
    for place in range(rng.randrange(16, 24)):
        text = " ".join(rng.choices(words, k=rng.randrange(30, 50)))
        records.append(
            {"text": text, "label": rng.choice(["yes", "no", "unsure"]), "split": ("train", "train", "test")[place % 3], "id": f"{tag}-{place}x"}
        )
    planted = [
        f"{tag}@{tag}.org",
        f"{rng.randrange(100, 600)}-{rng.randrange(10, 99)}-{rng.randrange(1000, 9999)}",
        f"19{rng.randrange(10, 99)}-0{rng.randrange(1, 9)}-1{rng.randrange(9)}",
    ]
    for place, value in zip(rng.sample(range(6), 3), planted, strict=True):
        head, tail = records[place]["text"].split(" ", 1)
        records[place]["text"] = f"{head}\n{value} {tail}"
    train = [record for record in records if record["split"] == "train"]
    for source, split in ((train[-1], "train"), (train[-2], "test")):
        records.append({**source, "text": source["text"].upper(), "split": split, "id": f"{tag}-{len(records)}x"})
    changed = train[-3]["text"].split()
    changed[rng.randrange(8, 20)] = f"{tag}changed"
    records.append({**train[-3], "text": " ".join(changed), "split": "test"})
    rng.shuffle(records)
    config = {
        "epochs": rng.randrange(1, 6),
        "batch_size": rng.randrange(2, 9),
        "price_per_million_tokens": round(rng.uniform(1, 30), 2),
        "tokens_per_second": 500,
    }
    return {"dataset": records, "target_task": "classification", "config": config}


def _triples(text: str) -> set[tuple[str, ...]]:
    words = text.lower().split()
    return {tuple(words[place : place + 3]) for place in range(len(words) - 2)}


def _kind(word: str) -> str | None:
    if "@" in word:
        return "email"
    parts = [len(part) for part in word.split("-")] if word.replace("-", "").isdigit() else []
    return "ssn" if parts == [3, 2, 4] else "date" if parts == [4, 2, 2] else None


def _check(_seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    records: Sequence[Mapping[str, Any]] = inputs["dataset"]
    planted = {(place, kind, word) for place, record in enumerate(records, 1) for word in record["text"].lower().split() if (kind := _kind(word))}
    found = outputs["identifiers"]["listed"]
    shown = {(one["record"], one["kind"], records[one["record"] - 1][one["field"]][one["start"] : one["end"]].lower()) for one in found}
    if shown != planted or any(one["line"] != 2 or any(letter.isdigit() for letter in one["shape"]) for one in found):
        return "the identifiers that were planted are not those that were found"
    plain = [record["text"].lower().split() for record in records]
    groups: dict[str, list[int]] = {}
    for place, words in enumerate(plain, 1):
        groups.setdefault(" ".join(words), []).append(place)
    if sorted(one["records"] for one in outputs["copies"]) != sorted(group for group in groups.values() if len(group) > 1):
        return "the copies are not those of the records"
    pairs, triples = set(), [_triples(record["text"]) for record in records]
    for one in range(1, len(records) + 1):
        for other in range(one + 1, len(records) + 1):
            if records[one - 1]["split"] != records[other - 1]["split"]:
                mine, yours = triples[one - 1], triples[other - 1]
                if len(mine & yours) / len(mine | yours) >= 0.8:
                    pairs.add((one, other, "exact" if plain[one - 1] == plain[other - 1] else "near"))
    if {(*one["records"], one["kind"]) for one in outputs["leaks"]} != pairs:
        return "the leaks between the splits are not those of the texts"
    labels = [record["label"] for record in records]
    if outputs["labels"]["counts"] != {label: labels.count(label) for label in labels}:
        return "the labels are not counted rightly"
    sizes = [math.ceil(len(record["text"].encode()) / 4) for record in records]
    training = sum(size for size, record in zip(sizes, records, strict=True) if record["split"] == "train") * inputs["config"]["epochs"]
    lengths, estimate = outputs["lengths"], outputs["estimate"]
    if (lengths["total"], lengths["most"], estimate["training_tokens"]) != (sum(sizes), max(sizes), training):
        return "the tokens are not those of the stated rule"
    steps = math.ceil(sum(record["split"] == "train" for record in records) / inputs["config"]["batch_size"]) * inputs["config"]["epochs"]
    price = inputs["config"]["price_per_million_tokens"]
    if (
        estimate["steps"] != steps
        or not math.isclose(estimate["token_cost"], training * price / 1e6)
        or not math.isclose(estimate["hours"], training / 1.8e6)
    ):
        return "the estimate does not follow from the config's figures"
    rules = {step["rule"]: step["numbers"] for step in outputs["plan"]}
    if outputs["ready"] or outputs["started"] or not {"identifiers", "split_leakage", "train"} <= set(rules):
        return "a dataset with identifiers and leaks was not stopped"
    return None if rules["split_leakage"] == {"pairs": len(pairs)} else "the plan names other numbers than were found"


AGENT = Agent(
    name="agent-clinical-model-fine-tuner-proxy",
    task_types=("CLINICAL_MODEL_FINE_TUNING",),
    summary="Checks a dataset before training: identifiers, copies, leaks between splits, labels, lengths; plans and estimates, and starts nothing.",
    version="1.0.0",
    inputs=ModelFineTuningInputs,
    outputs=ModelFineTuningOutputs,
    steps=(Step(name="scan", run=scan), Step(name="compare", run=compare), Step(name="measure", run=measure), Step(name="plan", run=plan)),
    example={
        "dataset": [
            {"text": "Chest pain on exertion, relieved by rest.", "label": "cardiac", "split": "train"},
            {"text": "Productive cough and fever for five days.", "label": "respiratory", "split": "train"},
            {"text": "Seen on 2026-03-02; reach the daughter at 617-555-0123.", "label": "cardiac", "split": "train"},
            {"text": "Chest pain on exertion, relieved by rest.", "label": "cardiac", "split": "test"},
        ],
        "target_task": "classification",
        "config": {"epochs": 3, "batch_size": 2, "price_per_million_tokens": 8.0, "currency": "EUR"},
    },
    probe=Probe(make=_make, check=_check),
)
