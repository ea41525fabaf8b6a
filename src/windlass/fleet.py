"""The fleet: which task types there are, which agent does each, where it answers, and how it can be proved.

Read by the orchestrator, which routes by it, and by the sweep, which proves it; neither may import the other. A fleet comes
from a file that a stranger wrote (`read`) or is the built-in one (`reference`). Every problem is listed at once.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import orjson
import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from yaml.composer import Composer

from windlass import model
from windlass.agents import catalogue
from windlass.errors import InvalidFleet
from windlass.infra import addresses, escapes

AGENT_TOKEN = "WINDLASS_AGENT_TOKEN"  # the name of the variable, not a token
ENDPOINTS = "AGENT_ENDPOINTS_JSON"
REFERENCE_PROBE = "reference"
"""A task's `probe` of this name is the one that the catalogue has for its task type."""
_MAX_FILE = 16 * 1024 * 1024
_MAX_NODES = 2_000_000
_MAX_LISTED = 50

Key = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$")]


class _Part(BaseModel):
    """A part of a fleet, unchanged from start to end of the process."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class AgentEntry(_Part):
    """Where an agent answers, and which variable holds its token."""

    url: str | None = None
    token_env: Annotated[str, StringConstraints(pattern=r"^WINDLASS_AGENT_[A-Z0-9_]+$")] | None = None


class Example(_Part):
    """Inputs that the agent must do, and a JSON Schema that its outputs must satisfy then."""

    inputs: dict[str, Any]
    expect: dict[str, Any] | None = None


class Task(_Part):
    """One task type: its agent, what governs it, and what proves it."""

    agent: Key
    modes: Annotated[list[model.Mode], Field(min_length=1)] = Field(default_factory=lambda: list(model.MODES))
    risk_tiers: Annotated[list[model.RiskTier], Field(min_length=1)] = Field(default_factory=lambda: list(model.RISK_TIERS))
    phi_to_model: bool = False
    """Whether our executor may send the text of a PHI run to the configured chat model."""
    input_schema: dict[str, Any] | None = None
    output_schema: dict[str, Any] | None = None
    examples: list[Example] = Field(default_factory=list)
    invalid_example: dict[str, Any] | None = None
    probe: Annotated[str, StringConstraints(pattern=r"^(reference|[A-Za-z_][\w.]*:[A-Za-z_][\w.]*)$")] | None = None


class Fleet(_Part):
    """A whole fleet. `tasks` is the expectation: every sweep's denominator."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
    agents: dict[Key, AgentEntry]
    tasks: Annotated[dict[Key, Task], Field(min_length=1)]

    @property
    def expected(self) -> tuple[str, ...]:
        """Every task type, in order."""
        return tuple(sorted(self.tasks))

    @property
    def sha256(self) -> str:
        """The digest of the whole definition, endpoints included."""
        return hashlib.sha256(orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)).hexdigest()

    @property
    def phi_to_model(self) -> frozenset[str]:
        """The task types whose protected text may be sent to a chat model."""
        return frozenset(name for name, task in self.tasks.items() if task.phi_to_model)

    def url(self, task_type: str) -> str | None:
        """The registered base URL of the agent that does `task_type`."""
        entry = self.agents.get(self.tasks[task_type].agent)
        return entry.url if entry else None


def read(path: Path) -> Fleet:
    """The fleet in a YAML (or JSON) file; raises InvalidFleet with every problem, each naming its field."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE + 1)
    except (OSError, ValueError) as failure:
        raise _invalid(str(path), [f"can't be read: {getattr(failure, 'strerror', None) or failure}"]) from failure
    if len(content) > _MAX_FILE:
        raise _invalid(str(path), [f"is larger than {_MAX_FILE // 2**20} MiB"])
    document = _parsed(str(path), content)
    try:
        fleet = Fleet.model_validate(document)
    except ValidationError as failure:
        known = {*Fleet.model_fields, *AgentEntry.model_fields, *Task.model_fields, *Example.model_fields}
        raise _invalid(str(path), _listed(failure, known)) from failure
    except RecursionError as failure:
        raise _invalid(str(path), ["is nested too deeply"]) from failure
    problems = list(_problems(fleet))
    if problems:
        raise _invalid(str(path), problems)
    return _with_bare_urls(fleet)


def reference(agents_url: str | None = None) -> Fleet:
    """The built-in fleet; with `agents_url` every agent answers at `<agents_url>/<agent name>`."""
    base = _base(agents_url) if agents_url else None
    tasks = {
        task_type: Task(
            agent=agent.name,
            input_schema=agent.inputs.model_json_schema(),
            output_schema=agent.outputs.model_json_schema(mode="serialization"),
            examples=[Example(inputs=dict(agent.example))],
            probe=REFERENCE_PROBE,
        )
        for task_type, agent in catalogue.by_task().items()
    }
    entries = {name: AgentEntry(url=f"{base}/{name}" if base else None, token_env=AGENT_TOKEN) for name in catalogue.agents()}
    return Fleet(name="research", agents=entries, tasks=tasks)


def with_endpoints(fleet: Fleet, endpoints_json: str | None) -> Fleet:
    """The fleet with the URLs of AGENT_ENDPOINTS_JSON (agent name → base URL) over its own; raises InvalidFleet."""
    if not endpoints_json:
        return fleet
    try:
        pairs = orjson.loads(endpoints_json)
    except orjson.JSONDecodeError as failure:
        raise _invalid(ENDPOINTS, [f"is not JSON: {failure}"]) from failure
    if not isinstance(pairs, dict):
        raise _invalid(ENDPOINTS, ["must be an object: agent name → base URL"])
    problems: list[str] = []
    entries = dict(fleet.agents)
    for name, url in pairs.items():
        if name not in entries:
            problems.append(f"{name}: {model.unknown_key(name, entries).replace('key', 'agent')}")
        elif not isinstance(url, str):
            problems.append(f"{name}: must be a string, the agent's base URL")
        else:
            try:
                entries[name] = entries[name].model_copy(update={"url": addresses.base_url(url)})
            except ValueError as failure:
                problems.append(f"{name}: {failure}")
    if all(isinstance(url, str) for url in pairs.values()):  # what is deeper than that is refused above, and may be too deep to read again
        problems += _repeated_keys(endpoints_json)
    if problems:
        raise _invalid(ENDPOINTS, problems)
    return fleet.model_copy(update={"agents": entries})


def gaps(fleet: Fleet) -> tuple[str, ...]:
    """One sentence per task type whose agent has no endpoint; empty when every task type has one."""
    return tuple(
        f"tasks.{task_type}: its agent {fleet.tasks[task_type].agent} has no endpoint" for task_type in fleet.expected if not fleet.url(task_type)
    )


def _problems(fleet: Fleet) -> Iterator[str]:
    for task_type, task in fleet.tasks.items():
        if task.agent not in fleet.agents:
            near = model.unknown_key(task.agent, fleet.agents).replace("key", "agent")
            yield f"tasks.{task_type}.agent: {task.agent!r} {near}"
        if task.phi_to_model and "PHI" not in task.risk_tiers:
            yield f"tasks.{task_type}.phi_to_model: is true, and PHI is not among its risk_tiers"
        if any(example.inputs == task.invalid_example for example in task.examples):
            yield f"tasks.{task_type}.invalid_example: is one of its examples; an agent can't do it and reject it"
        yield from _schema_problems(task_type, task)
    mapped = {task.agent for task in fleet.tasks.values()}
    for name, entry in fleet.agents.items():
        if name not in mapped:
            yield f"agents.{name}: no task maps to it"
        if entry.url is not None:
            try:
                addresses.base_url(entry.url)
            except ValueError as failure:
                yield f"agents.{name}.url: {failure}"


def _schema_problems(task_type: str, task: Task) -> Iterator[str]:
    from windlass.infra import schemas  # noqa: PLC0415  # jsonschema and RE2 cost start-up; a fleet without schemas needs neither

    written = [("input_schema", task.input_schema), ("output_schema", task.output_schema)]
    written += [(f"examples.{place}.expect", example.expect) for place, example in enumerate(task.examples)]
    sound = True
    for field, schema in written:
        try:
            if schema is not None:
                schemas.compiled(schema)
        except ValueError as failure:
            sound = False
            yield f"tasks.{task_type}.{field}: is not a JSON Schema: {failure}"
    if not sound or task.input_schema is None:
        return
    check = schemas.compiled(task.input_schema)
    for place, example in enumerate(task.examples):
        reason = check(example.inputs)
        if reason:
            yield f"tasks.{task_type}.examples.{place}.inputs: does not fit input_schema: {reason}"


def _with_bare_urls(fleet: Fleet) -> Fleet:
    bare = {name: entry.model_copy(update={"url": entry.url and addresses.base_url(entry.url)}) for name, entry in fleet.agents.items()}
    return fleet.model_copy(update={"agents": bare})


def _base(url: str) -> str:
    try:
        return addresses.base_url(url)
    except ValueError as failure:
        raise _invalid("--agents-url", [str(failure)]) from failure


def _invalid(source: str, problems: Sequence[str]) -> InvalidFleet:
    """The error that lists the problems. They quote a stranger's file: made harmless here, because the error is printed as it is."""
    listed = [escapes.terminal(model.clip(problem, 1000)) for problem in problems[:_MAX_LISTED]]
    more = len(problems) - len(listed)
    return InvalidFleet(escapes.terminal(source), [*listed, f"and {more} more"] if more else listed)


def _listed(failure: ValidationError, known: set[str]) -> list[str]:
    listed: list[str] = []
    for problem in failure.errors(include_url=False, include_context=False, include_input=False):
        field = ".".join(str(part) for part in problem["loc"]) or "file"
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = model.unknown_key(str(problem["loc"][-1]), known)
        listed.append(f"{model.clip(field, 200)}: {message[0].lower()}{message[1:]}")
    return listed


class _StrictLoader(Composer, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # chosen at run time: the C parser is fast
    """A safe YAML loader that refuses a key given twice. Lives as long as one parse.

    Nodes are composed in Python: the C composer recurses on the C stack, and a deeply nested file ends the process there.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__()
        getattr(yaml, "CSafeLoader", yaml.SafeLoader).__init__(self, content)


def _mapping(loader: Any, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    seen: set[Any] = set()
    for (key_node, _), key in zip(node.value, keys, strict=True):
        if not isinstance(key, str):
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is not a string; put it in quotes", key_node.start_mark)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is given twice", key_node.start_mark)
        seen.add(key)
    return {loader.construct_object(key, deep=True): loader.construct_object(value, deep=True) for key, value in node.value}


def _no_merge(_loader: Any, node: yaml.Node) -> Any:
    raise yaml.constructor.ConstructorError(None, None, "the merge key << is not taken; write the keys out", node.start_mark)


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
_StrictLoader.add_constructor("tag:yaml.org,2002:merge", _no_merge)
_StrictLoader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: loader.construct_yaml_str(node))


def _parsed(source: str, content: bytes) -> Any:
    try:
        document = yaml.load(content, Loader=_StrictLoader)  # noqa: S506  # the loader is a SafeLoader
    except yaml.YAMLError as failure:
        raise _invalid(source, [" ".join(str(failure).split())]) from failure
    except RecursionError as failure:
        raise _invalid(source, ["is nested too deeply"]) from failure
    except ValueError as failure:
        raise _invalid(source, [f"is not usable YAML: {failure}"]) from failure
    try:
        _count(document, 0, ())
    except (OverflowError, TypeError) as failure:
        raise _invalid(source, [str(failure)]) from failure
    if not isinstance(document, Mapping):
        raise _invalid(source, ["must be a mapping with name, agents and tasks"])
    return document


def _count(value: Any, total: int, path: tuple[str, ...]) -> int:
    """How many values (and 32 characters of text for one more) the document has with its aliases written out: a few can stand for billions.

    Raises TypeError for a value that JSON can't carry: what agents are asked must be what is hashed and committed to.
    """
    if total > _MAX_NODES or len(path) > 100:
        raise OverflowError(f"has more than {_MAX_NODES} values or more than 100 levels, aliases written out")
    total += 1 + (len(value) // 32 if isinstance(value, str) else 0)
    if isinstance(value, dict):
        for key, child in value.items():
            total = _count(child, total + len(key) // 32, (*path, key))
    elif isinstance(value, list):
        for place, child in enumerate(value):
            total = _count(child, total, (*path, str(place)))
    elif not _is_json(value):
        raise TypeError(f"{'.'.join(path)}: is a value that JSON can't carry: {model.clip(repr(value), 80)}")
    return total


def _is_json(value: Any) -> bool:
    match value:
        case float():
            return math.isfinite(value)
        case int():
            return -(2**63) <= value < 2**64
        case _:
            return value is None or isinstance(value, str)


def _repeated_keys(document: str) -> list[str]:
    """Keys that a JSON object gives twice; orjson keeps the last one silently."""
    import json  # noqa: PLC0415  # only the standard parser shows every pair

    repeated: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in found]
        repeated.extend(sorted({f"{name}: is given twice" for name in names if names.count(name) > 1}))
        return dict(found)

    json.loads(document, object_pairs_hook=pairs)
    return repeated
