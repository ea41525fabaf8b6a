"""A fleet file is a stranger's: read exactly, refused with every problem at once, and harmless whatever it holds."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from windlass import fleet as fleets
from windlass.errors import InvalidFleet
from windlass.infra import escapes

TASK = {"agent": "a", "examples": [{"inputs": {"n": 1}}, {"inputs": {"n": 2}, "expect": {"type": "object"}}], "invalid_example": {}}
GOOD: dict[str, Any] = {"name": "mine", "agents": {"a": {"url": "http://127.0.0.1:9001/a/"}}, "tasks": {"T": TASK}}


def changed(**keys: Any) -> dict[str, Any]:
    return {**GOOD, **keys}


def task(**keys: Any) -> dict[str, Any]:
    return changed(tasks={"T": {**TASK, **keys}})


def read(directory: Path, content: Any) -> fleets.Fleet:
    path = directory / "fleet.yaml"
    path.write_bytes(content if isinstance(content, bytes) else yaml.safe_dump(content).encode())
    return fleets.read(path)


def refused(directory: Path, content: Any) -> tuple[str, ...]:
    with pytest.raises(InvalidFleet) as failure:
        read(directory, content)
    assert str(failure.value).startswith(f"{directory / 'fleet.yaml'}: ")
    assert all(escapes.visible(problem) == problem for problem in failure.value.problems)
    assert len(str(failure.value)) < 60_000
    return failure.value.problems


def test_a_fleet_file_is_read_as_it_is_written(tmp_path: Path):
    fleet = read(tmp_path, GOOD)
    assert (fleet.name, fleet.expected, fleet.url("T")) == ("mine", ("T",), "http://127.0.0.1:9001/a")
    assert fleet.tasks["T"].examples[1].expect == {"type": "object"}
    assert (fleet.tasks["T"].modes, fleet.tasks["T"].risk_tiers) == (["DEMO", "LIVE"], ["PHI", "SENSITIVE", "NON_SENSITIVE"])
    assert read(tmp_path, json.dumps(GOOD).encode()) == fleet
    assert fleets.Fleet.model_validate(json.loads(fleet.model_dump_json())).sha256 == fleet.sha256


def test_what_yaml_takes_for_a_date_or_has_twice_by_alias_is_what_it_looks_like(tmp_path: Path):
    text = b"name: f\nagents: {a: {}}\ntasks: {T: {agent: a, examples: [{inputs: &x {day: 2026-11-20, list: [1]}}, {inputs: {again: *x}}]}}\n"
    one, two = read(tmp_path, text).tasks["T"].examples
    assert one.inputs == {"day": "2026-11-20", "list": [1]}
    assert two.inputs == {"again": one.inputs}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (changed(nmae="x"), "nmae: is not a known key; did you mean 'name'?"),
        ({key: value for key, value in GOOD.items() if key != "agents"}, "agents: "),
        (changed(name=""), "name: "),
        (changed(name="a\nb"), "name: "),
        (changed(name=3), "name: "),
        (changed(tasks={}), "tasks: "),
        (changed(tasks=[]), "tasks: "),
        (changed(tasks={"T T": TASK}), "tasks.T T"),
        (changed(tasks={"T": None}), "tasks.T"),
        (changed(agents={"a": {"url": 3}}), "agents.a.url: "),
        (changed(agents={"a": {"url": "ftp://h"}}), "agents.a.url: 'ftp://h' is not an http or https URL"),
        (changed(agents={"a": {"url": "http://u:p@h"}}), "agents.a.url: a URL with user info"),
        (
            changed(agents={"a": {"url": "http://169.254.169.254"}}),
            "agents.a.url: 'http://169.254.169.254' is refused: 169.254.169.254 is a metadata",
        ),
        (changed(agents={"a": {"url": "http://h", "tokn": 1}}), "agents.a.tokn: is not a known key; did you mean 'token_env'?"),
        (changed(agents={"a": {"token_env": "HOME"}}), "agents.a.token_env: "),
        (changed(agents={"a": {}, "b": {}}), "agents.b: no task maps to it"),
        (task(agent="aa"), "tasks.T.agent: 'aa' is not a known agent; did you mean 'a'?"),
        (task(modes=[]), "tasks.T.modes: "),
        (task(modes=["demo"]), "tasks.T.modes.0: "),
        (task(risk_tiers=["HIGH"]), "tasks.T.risk_tiers.0: "),
        (task(examples=[{"input": {}}]), "tasks.T.examples.0.input"),
        (task(examples={"inputs": {}}), "tasks.T.examples: "),
        (task(output_schema={"type": "strng"}), "tasks.T.output_schema: is not a JSON Schema: $.type"),
        (task(output_schema={"pattern": "(?=a)"}), "tasks.T.output_schema: is not a JSON Schema: the pattern"),
        (task(output_schema={"$ref": "http://h/x"}), "tasks.T.output_schema: is not a JSON Schema: refers to"),
        (task(examples=[{"inputs": {}, "expect": {"type": 3}}]), "tasks.T.examples.0.expect: is not a JSON Schema"),
        (task(input_schema={"required": ["m"]}), "tasks.T.examples.0.inputs: does not fit input_schema: $: 'm' is a required property"),
        (task(invalid_example={"n": 2}), "tasks.T.invalid_example: is one of its examples"),
        (task(probe="no module"), "tasks.T.probe: "),
        (task(probe="os.system"), "tasks.T.probe: "),
        (b"", "must be a mapping"),
        (b"- a\n", "must be a mapping"),
        (b"name: [\n", "line 2"),
        (b"name: \xff\xfe\n", "UTF-8"),
        (b"name: a\x00b\n", "control characters"),
        (b"name: a\nname: b\n", "'name' is given twice"),
        (b"name: a\n1: b\n", "the key 1 is not a string"),
        (b"name: a\n[x]: b\n", "is not a string"),
        (b"name: a\n<<: {b: 1}\n", "the merge key << is not taken"),
        (b"name: a\n---\nname: b\n", "single document"),
        (b"a: !!python/object/apply:os.system [x]\n", "python/object"),
        (b"a: !!binary aGVsbG8=\n", "a: is a value that JSON can't carry"),
        (b"a: !!set {x, y}\n", "a: is a value that JSON can't carry"),
        (b"a: [1, .nan]\n", "a.1: is a value that JSON can't carry: nan"),
        (b"a: -.inf\n", "a: is a value that JSON can't carry: -inf"),
        (b"a: 99999999999999999999\n", "a: is a value that JSON can't carry"),
        (b"a: " + b"9" * 5000 + b"\n", "not usable YAML"),
        (b'a: "\\ud800"\n', "line 1"),
        (b"a: &a [*a]\n", "recursive"),
        (b"a: *b\n", "undefined alias"),
    ],
)
def test_every_problem_names_its_field_or_its_line(tmp_path: Path, content: Any, words: str):
    assert any(words in problem for problem in refused(tmp_path, content))


def test_all_problems_are_listed_at_once_but_not_without_end(tmp_path: Path):
    problems = refused(tmp_path, changed(nmae=1, name="", agents={"a": {"url": 3}, "b": {"x": 1}}, tasks={"T": {"modes": []}}))
    assert len(problems) >= 6
    many = refused(tmp_path, changed(agents={f"agent-{number}": {} for number in range(3000)}))
    assert len(many) == 51
    assert many[-1] == "and 2951 more"


@pytest.mark.parametrize("text", ["\x1b[31mred", "a\n::error::b", "a\r##[error]", "\u202eabc", "x" * 100_000, "<script>"])
def test_what_a_file_says_is_repeated_harmlessly(tmp_path: Path, text: str):
    for content in (changed(**{text: 1}), changed(tasks={text: TASK}), task(agent=text), changed(agents={"a": {"url": text}})):
        for problem in refused(tmp_path, json.dumps(content).encode()):
            assert "::" not in problem
            assert "##[" not in problem
            assert len(problem) < 1500


def _aliases(levels: int, leaf: str = "x") -> bytes:
    lines = [f"a0: &a0 [{leaf}, {leaf}]"] + [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, levels)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    "content",
    [
        _aliases(12),
        _aliases(5, leaf="'" + "y" * 100_000 + "'"),
        b"a: " + b"[" * 100_000,
        b"a: " + b"[" * 300 + b"]" * 300,
        b"a: " + b"{b: " * 100_000,
        b"- " * 200_000,
        b"? " * 200_000,
        b"\n".join(b" " * depth + b"a:" for depth in range(3000)),
    ],
    ids=["aliases", "aliases of text", "open lists", "nested lists", "open mappings", "list of lists", "keys of keys", "indented"],
)
def test_a_bomb_is_refused_in_time(tmp_path: Path, content: bytes):
    began = time.monotonic()
    [problem] = refused(tmp_path, content)
    assert any(word in problem for word in ("nested too deeply", "more than", "levels", "line"))
    assert time.monotonic() - began < 10


def test_a_file_of_100_mb_is_not_read_to_its_end(tmp_path: Path):
    path = tmp_path / "fleet.yaml"
    with path.open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    with pytest.raises(InvalidFleet, match="is larger than 16 MiB"):
        fleets.read(path)
    with pytest.raises(InvalidFleet, match="is larger than 16 MiB"):
        fleets.read(Path("/dev/zero"))


def test_what_is_no_file_is_refused(tmp_path: Path):
    for path in (tmp_path, tmp_path / "none", tmp_path / "a\0b"):
        with pytest.raises(InvalidFleet, match="can't be read"):
            fleets.read(path)


def test_the_digest_covers_everything_and_nothing_else(tmp_path: Path):
    fleet = read(tmp_path, GOOD)
    assert read(tmp_path, json.dumps(dict(reversed(GOOD.items()))).encode()).sha256 == fleet.sha256
    others = [changed(name="x"), task(modes=["DEMO"]), task(examples=[]), task(invalid_example={"x": 1}), changed(agents={"a": {"url": "http://h"}})]
    assert len({fleet.sha256, *(read(tmp_path, other).sha256 for other in others)}) == 6


def test_endpoints_of_the_environment_replace_those_of_the_file(tmp_path: Path):
    fleet = read(tmp_path, changed(agents={"a": {}}))
    assert fleets.gaps(fleet) == ("tasks.T: its agent a has no endpoint",)
    assert fleets.with_endpoints(fleet, None) is fleet
    assert fleets.with_endpoints(fleet, '{"a": "http://h:1/"}').url("T") == "http://h:1"
    assert fleets.gaps(fleets.with_endpoints(fleet, '{"a": "http://h:1/"}')) == ()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("{", "is not JSON"),
        ("[]", "must be an object"),
        ("3", "must be an object"),
        ('{"b": "http://h"}', "b: is not a known agent"),
        ('{"a": 3}', "a: must be a string"),
        ('{"a": null}', "a: must be a string"),
        ('{"a": "h"}', "a: 'h' is not an http"),
        ('{"a": "http://u:secret-secret@h"}', "a: a URL with user info"),
        ('{"a": "http://169.254.169.254"}', "metadata"),
        ('{"a": "http://h", "a": "http://g"}', "a: is given twice"),
        ('{"a": ' + "[" * 1000 + "]" * 1000 + "}", "a: must be a string"),
        ('{"a": ' + "[" * 100_000, "is not JSON"),
        ('{"\\u001b[31m\\n::x::": "http://h"}', "is not a known agent"),
        ('{"b": 1, "a": "x"}', "b: "),
    ],
)
def test_endpoints_that_do_not_fit_are_refused_by_the_variables_name(tmp_path: Path, given: str, words: str):
    with pytest.raises(InvalidFleet, match="AGENT_ENDPOINTS_JSON: ") as failure:
        fleets.with_endpoints(read(tmp_path, GOOD), given)
    assert any(words in problem for problem in failure.value.problems)
    assert all(escapes.terminal(problem) == problem for problem in failure.value.problems)
    assert "secret" not in str(failure.value)


def test_the_reference_fleet_answers_below_one_base():
    fleet = fleets.reference("http://h:8080/")
    assert fleets.gaps(fleet) == ()
    assert all(fleet.url(task_type) == f"http://h:8080/{fleet.tasks[task_type].agent}" for task_type in fleet.expected)
    assert len(fleets.gaps(fleets.reference())) == len(fleet.tasks)
    with pytest.raises(InvalidFleet, match="--agents-url"):
        fleets.reference("h:8080")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=12,
    )
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_a_place_is_taken_or_refused(tmp_path: Path, value: Any):
    for content in (value, changed(name=value), changed(tasks=value), changed(agents=value), changed(agents={"a": value}), task(examples=value)):
        try:
            fleet = read(tmp_path, content)
        except InvalidFleet as failure:
            told = failure.problems
        else:
            told = (fleet.sha256,)
        assert told
        assert all(escapes.visible(problem) == problem for problem in told)


@given(st.binary(max_size=40))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_are_a_fleet_by_accident(tmp_path: Path, content: bytes):
    refused(tmp_path, content)
