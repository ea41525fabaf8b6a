"""JOURNAL_GUIDELINES_CACHE: what a journal asks of a manuscript, from records that somebody handed in or that are shipped as invented ones.

Nothing is looked up elsewhere: a refresh takes its records from the caller or refuses. Records given with get, list and compare count for
that call only and come before stored ones, which come before shipped ones.
"""

from __future__ import annotations

import difflib
import random
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from windlass.agents import database, guideline_rules, guidelines
from windlass.agents.agent import Agent, Context, Inputs, Item, Outputs, Probe, Step, Work
from windlass.agents.guideline_rules import Manuscript, Row
from windlass.agents.guidelines import Entry, Guideline, JournalName
from windlass.errors import AgentError

_TAKES = {
    "get": {"journal_name", "guidelines", "version"},
    "list": {"guidelines"},
    "compare": {"journal_name", "other_journal", "manuscript", "guidelines"},
    "put": {"guidelines", "ephemeral"},
    "refresh": {"journal_name", "guidelines"},
}


class JournalGuidelinesCacheInputs(Inputs):
    """What to do, with which journal.

    `get` a journal (or an older `version` of a stored record); `list` all; `compare` a journal with another or with a manuscript's
    numbers; `put` records into the store; `refresh` known journals from the records given. An `ephemeral` put is stored, read back and
    dropped again.
    """

    action: Literal["get", "compare", "refresh", "list", "put"]
    journal_name: JournalName | None = None
    other_journal: JournalName | None = None
    manuscript: Manuscript | None = None
    guidelines: Annotated[list[Guideline], Field(min_length=1, max_length=1000)] | None = None
    version: Annotated[int, Field(ge=1)] | None = None
    ephemeral: bool = False

    @model_validator(mode="after")
    def _complete(self) -> JournalGuidelinesCacheInputs:
        extra = sorted(name for name in self.model_fields_set - _TAKES[self.action] - {"action"} if getattr(self, name) not in (None, False))
        if extra:
            raise ValueError(f"{extra[0]} does not go with the action {self.action!r}, which takes {', '.join(sorted(_TAKES[self.action]))}")
        if self.action in {"get", "compare"} and self.journal_name is None:
            raise ValueError(f"journal_name is required for the action {self.action!r}")
        if self.action == "compare" and (self.other_journal is None) == (self.manuscript is None):
            raise ValueError("compare takes exactly one of other_journal and manuscript")
        if self.action == "put" and self.guidelines is None:
            raise ValueError("guidelines are required for the action 'put'")
        names = [guidelines.key(record.name) for record in self.guidelines or ()]
        if len(set(names)) < len(names):
            raise ValueError("guidelines: two records have the same name")
        return self


class Listed(Item):
    """A journal of the list."""

    name: str
    origin: Literal["given", "stored", "shipped"]
    version: int | None
    synthetic: bool


class FieldChange(Item):
    """A field that a new record changes."""

    field: str
    before: int | str | bool | list[str] | None
    after: int | str | bool | list[str] | None


class Change(Item):
    """What became of one record: as it was read back, and the fields that differ from what was known (empty for a new journal)."""

    name: str
    status: Literal["added", "updated", "unchanged"]
    changed: list[FieldChange]
    entry: Entry


class JournalGuidelinesCacheOutputs(Outputs):
    """The answer to the action; what another action would fill is null or empty.

    `fits` is for a manuscript: false when it breaks a rule, true when it was held against every rule that the journal states, else null.
    """

    action: str
    journal: Entry | None = None
    other: Entry | None = None
    journals: list[Listed] = Field(default_factory=list)
    comparison: list[Row] = Field(default_factory=list)
    fits: bool | None = None
    changes: list[Change] = Field(default_factory=list)
    ephemeral: bool = False


def look_up(inputs: JournalGuidelinesCacheInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """The journals that the action names, each with its origin; refuses a name that nobody knows with the nearest ones."""
    if inputs.action == "refresh" and inputs.guidelines is None:
        raise AgentError("SOURCE_REQUIRED", "a refresh needs its source: send the current records as guidelines; nothing is fetched from elsewhere")
    if inputs.action == "put":
        return {"known": {}, "named": []}
    with guidelines.opened(context) as connection:
        known = {**guidelines.shipped(), **guidelines.stored(connection)}
        kept = guidelines.versions(connection, guidelines.key(inputs.journal_name or "")) if inputs.version else {}
    if inputs.action != "refresh":
        known |= {guidelines.key(record.name): Entry(guideline=record, origin="given") for record in inputs.guidelines or ()}
    if inputs.action == "list":
        return {"known": {name: known[name].model_dump() for name in sorted(known)}, "named": []}
    names = [name for name in (inputs.journal_name, inputs.other_journal) if name]
    wanted = [record.name for record in _records(inputs)] if inputs.action == "refresh" else names
    found = {}
    for name in wanted:
        context.check()
        found[guidelines.key(name)] = _known(name, known).model_dump()
    if inputs.version:
        found[guidelines.key(wanted[0])] = _version(wanted[0], inputs.version, kept).model_dump()
    return {"known": found, "named": [guidelines.key(name) for name in names if inputs.action != "refresh"]}


def act(inputs: JournalGuidelinesCacheInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """The comparison, or the stored records as they were read back."""
    if inputs.action == "compare":
        journal = Guideline.model_validate(work["known"][work["named"][0]]["guideline"])
        if inputs.manuscript is not None:
            rows = guideline_rules.against(journal, inputs.manuscript)
            return {"comparison": [row.model_dump() for row in rows], "fits": guideline_rules.fits(rows)}
        rows = guideline_rules.between(journal, Guideline.model_validate(work["known"][work["named"][1]]["guideline"]))
        return {"comparison": [row.model_dump() for row in rows], "fits": None}
    if inputs.action in {"put", "refresh"}:
        return {"changes": _store(inputs, work["known"], context)}
    return {}


def conclude(inputs: JournalGuidelinesCacheInputs, work: Work, _context: Context) -> Mapping[str, Any]:
    """The answer to the action."""
    named = [work["known"][name] for name in work["named"]]
    journals = [
        {"name": entry["guideline"]["name"], "origin": entry["origin"], "version": entry["version"], "synthetic": entry["guideline"]["synthetic"]}
        for entry in work["known"].values()
        if inputs.action == "list"
    ]
    warnings = [f"{one['guideline']['name']} is an invented journal, shipped as an example" for one in named if one["origin"] == "shipped"]
    outputs = {
        "action": inputs.action,
        "journal": named[0] if named else None,
        "other": named[1] if len(named) > 1 else None,
        "journals": journals,
        "comparison": work.get("comparison", []),
        "fits": work.get("fits"),
        "changes": work.get("changes", []),
        "ephemeral": inputs.ephemeral,
    }
    return {"outputs": outputs, "warnings": warnings}


def _known(name: str, known: Mapping[str, Entry]) -> Entry:
    entry = known.get(guidelines.key(name))
    if entry is None:
        nearest = [known[one].guideline.name for one in difflib.get_close_matches(guidelines.key(name), list(known), n=3, cutoff=0.5)]
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        raise AgentError("JOURNAL_NOT_FOUND", f"no guideline of {name!r} is known{hint}", {"journal_name": name, "nearest": nearest})
    return entry


def _version(name: str, version: int, kept: Mapping[int, Entry]) -> Entry:
    if version not in kept:
        there = ", ".join(map(str, kept)) or "none"
        raise AgentError("VERSION_NOT_FOUND", f"version {version} of {name!r} is not kept; there are: {there}", {"versions": list(kept)})
    return kept[version]


def _store(inputs: JournalGuidelinesCacheInputs, known: Mapping[str, Any], context: Context) -> list[dict[str, Any]]:
    """Put every record, or none, and say what the store holds then; `known` is what was known before, where that was looked up."""
    shelf = guidelines.passing() if inputs.ephemeral else guidelines.OWN
    changes: list[dict[str, Any]] = []
    with guidelines.opened(context) as connection:
        with database.transaction(connection):
            held = guidelines.stored(connection, shelf)
            for record in _records(inputs):
                context.check()
                name = guidelines.key(record.name)
                before = held[name].guideline.model_dump() if name in held else known.get(name, {}).get("guideline")
                status = guidelines.put(connection, record, shelf)
                kept = guidelines.versions(connection, name, shelf)
                entry = kept[max(kept)]
                if entry.guideline != record:
                    raise AgentError("STORE_MISMATCH", f"the store does not give back the record of {record.name!r}; nothing was stored")
                changes.append({"name": record.name, "status": status, "changed": _changed(before, record.model_dump()), "entry": entry.model_dump()})
        if inputs.ephemeral:
            with database.transaction(connection):
                guidelines.drop(connection, shelf)
    return changes


def _records(inputs: JournalGuidelinesCacheInputs) -> list[Guideline]:
    """The records to store: all that were given, or the one of the named journal."""
    records = inputs.guidelines or []
    if inputs.journal_name is None:
        return records
    chosen = [record for record in records if guidelines.key(record.name) == guidelines.key(inputs.journal_name)]
    if not chosen:
        message = f"hold no record of {inputs.journal_name!r}"
        raise AgentError("VALIDATION_ERROR", f"guidelines: {message}", {"fieldErrors": {"guidelines": [message]}})
    return chosen


def _changed(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[dict[str, Any]]:
    return (
        []
        if before is None
        else [{"field": field, "before": before[field], "after": after[field]} for field in after if before[field] != after[field]]
    )


_COUNTED = {
    "word_limit": "words",
    "abstract_word_limit": "abstract_words",
    "max_references": "references",
    "max_figures": "figures",
    "max_tables": "tables",
    "max_keywords": "keywords",
}


def _make(seed: int) -> dict[str, Any]:
    """Random journals that nobody knows: two to compare, one to hold a manuscript against, or three to store, read back and drop."""
    rng = random.Random(seed)
    records = [_random_record(rng) for _ in range(3)]
    kind = rng.choice(["journals", "manuscript", "put"])
    if kind == "put":
        return {"action": "put", "guidelines": records, "ephemeral": True}
    compared = {"action": "compare", "guidelines": records, "journal_name": records[0]["name"].upper()}
    if kind == "journals":
        return {**compared, "other_journal": f" {records[1]['name']} "}
    manuscript: dict[str, Any] = {"sections": rng.sample(records[0]["sections"], 2), "reference_style": rng.choice(["vancouver", "apa"])}
    for field, counted in _COUNTED.items():
        if rng.random() < 0.8:
            manuscript[counted] = max(0, (records[0].get(field) or 50) + rng.randrange(-9, 10))
    return {**compared, "manuscript": manuscript}


def _random_record(rng: random.Random) -> dict[str, Any]:
    sections = [f"part {number}" for number in rng.sample(range(100, 1000), rng.randrange(2, 5))]
    record = {"name": f"Journal {rng.randrange(10**9)}", "reference_style": rng.choice(["vancouver", "apa"]), "sections": sections}
    return record | {field: rng.randrange(10, 9000) for field in _COUNTED if rng.random() < 0.8}


def _check(_seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    records = inputs["guidelines"]
    if outputs["action"] != inputs["action"]:
        return "another action was answered"
    if inputs["action"] == "put":
        return _check_put(records, outputs)
    manuscript = inputs.get("manuscript")
    other = records[1] if manuscript is None else {field: manuscript.get(counted) for field, counted in _COUNTED.items()} | manuscript
    if outputs["journal"] is None or outputs["journal"]["guideline"]["name"] != records[0]["name"]:
        return "another journal was compared"
    rows = {row["field"]: row for row in outputs["comparison"]}
    if set(rows) != {*_COUNTED, "reference_style", "sections"}:
        return "the comparison does not have every field"
    expected = {field: _standing(records[0].get(field), other.get(field), manuscript is not None) for field in _COUNTED}
    alike = records[0]["reference_style"] == other["reference_style"]
    missing = [section for section in records[0]["sections"] if section not in other["sections"]]
    if manuscript is None:
        expected["reference_style"] = "same" if alike else "different"
        expected["sections"] = "same" if records[0]["sections"] == other["sections"] else "different"
    else:
        expected["reference_style"] = "within" if alike else "different"
        expected["sections"] = "missing" if missing else "within"
    for field, verdict in expected.items():
        row = rows[field]
        if row["verdict"] != verdict or row["journal"] != records[0].get(field) or row["other"] != other.get(field):
            return f"{field} was found {row['verdict']}, and it is {verdict}"
        if field in _COUNTED and None not in (row["journal"], row["other"]) and row["difference"] != other[field] - records[0][field]:
            return f"the difference of {field} is not that of its two numbers"
    if rows["sections"]["missing"] != missing:
        return "the missing sections are not those that the other side lacks"
    broken = bool({"over", "different", "missing"} & set(expected.values()))
    fits = None if manuscript is None else False if broken else None if "not_given" in expected.values() else True
    return None if outputs["fits"] is fits else f"fits is {outputs['fits']}, the comparison says {fits}"


def _standing(journal: int | None, other: int | None, bounds: bool) -> str:  # noqa: FBT001  # whether the journal's number is a limit
    if journal is None:
        return "not_stated" if bounds or other is None else "different"
    if other is None:
        return "not_given" if bounds else "different"
    return ("within" if other <= journal else "over") if bounds else ("same" if other == journal else "different")


def _check_put(records: list[dict[str, Any]], outputs: Mapping[str, Any]) -> str | None:
    if [change["name"] for change in outputs["changes"]] != [record["name"] for record in records]:
        return "the stored records are not those that were sent, in their order"
    for record, change in zip(records, outputs["changes"], strict=True):
        kept = {field: value for field, value in change["entry"]["guideline"].items() if value is not None}
        if kept != {**record, "synthetic": False}:
            return f"the store does not hold {record['name']} as it was sent"
        if (change["status"], change["entry"]["origin"], change["entry"]["version"]) != ("added", "stored", 1) or not change["entry"]["stored_at"]:
            return f"{record['name']} was not stored as the first version of a new record"
        if change["changed"]:
            return f"fields of {record['name']} are said to have changed, and nobody knew it before"
    if outputs["journal"] is not None or outputs["comparison"]:
        return "a question was answered that nobody asked"
    return None if outputs["ephemeral"] is True else "the records were kept although they were ephemeral"


AGENT = Agent(
    name="agent-journal-guidelines-cache-proxy",
    task_types=("JOURNAL_GUIDELINES_CACHE",),
    summary="Keeps journals' guidelines in versions: gets, lists and compares them, with each other or with a manuscript's numbers.",
    version="1.0.0",
    inputs=JournalGuidelinesCacheInputs,
    outputs=JournalGuidelinesCacheOutputs,
    steps=(Step(name="look_up", run=look_up), Step(name="act", run=act), Step(name="conclude", run=conclude)),
    example={
        "action": "compare",
        "journal_name": "Fictional Heart Letters",
        "manuscript": {"words": 2710, "abstract_words": 240, "references": 28, "figures": 3, "tables": 2, "reference_style": "ama"},
    },
    probe=Probe(make=_make, check=_check),
    needs=database.missing,
)
