"""One stored answer, read: which failure it is, or which outputs it carries; nothing that an agent sends makes the reading fail."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.sweep import climbing
from windlass.sweep import readings
from windlass.sweep.readings import Reading, Wanted

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.sampled_from(["ok", "error", "code", "a", ""]), children, max_size=3),
    max_leaves=8,
)
KEYS = ["status", "ok", "success", "error", "errors", "outputs", "request_id", "task_type", "message", "code"]
GOOD = {"status": "ok", "ok": True, "request_id": "r", "task_type": "T", "outputs": {"words": 3, "longest": "three"}, "error": None}


def read(answer: Any, *, schema: Any = None, http: int = 200) -> Reading:
    body = answer if isinstance(answer, bytes) else orjson.dumps(answer)
    wanted = Wanted(request_id="r", task_type="T", output_schema=schema)
    return readings.read(climbing.call("first", (http, body)), body, wanted, {"text": "x"})


def changed(**keys: Any) -> dict[str, Any]:
    return {**GOOD, **keys}


def test_an_answer_in_the_form_of_the_contract_carries_its_outputs():
    reading = read(GOOD)
    assert (reading.failure, reading.responded, reading.rejected, reading.outputs) == (None, True, False, GOOD["outputs"])
    assert read({key: value for key, value in GOOD.items() if key not in {"ok", "error"}}).failure is None


@pytest.mark.parametrize(
    ("answer", "failure", "words"),
    [
        (changed(error={"code": "X", "message": "no luck"}), "BUSINESS_ERROR", "X: no luck"),
        (changed(error="no luck"), "BUSINESS_ERROR", "no luck"),
        (changed(error=["no luck"]), "BUSINESS_ERROR", "no luck"),
        (changed(error=True), "BUSINESS_ERROR", "True"),
        (changed(errors=[{"m": 1}]), "BUSINESS_ERROR", "'m'"),
        (changed(ok=False), "BUSINESS_ERROR", "ok False"),
        (changed(success=False, message="out of quota"), "BUSINESS_ERROR", "out of quota"),
        (changed(status="error"), "BUSINESS_ERROR", "status 'error'"),
        (changed(status="degraded"), "BUSINESS_ERROR", "degraded"),
        (changed(error={"code": "MODEL_REQUIRED", "message": "m"}), "MISSING_DEPENDENCY", "MODEL_REQUIRED"),
        (changed(outputs={"error": "no key", "status": "failed"}), "BUSINESS_ERROR", "no key"),
        (changed(outputs={"error": {"code": 3}}), "BUSINESS_ERROR", "3"),
        (changed(status=["ok"]), "CONTRACT", "['ok']"),
        (changed(status={}), "CONTRACT", "{}"),
        (changed(status=None), "CONTRACT", "status is missing"),
        (changed(status=200), "CONTRACT", "200"),
        (changed(ok="false"), "CONTRACT", "'false'"),
        (changed(ok=0), "CONTRACT", "ok is 0"),
        (changed(ok=1), "CONTRACT", "ok is 1"),
        (changed(ok=None), "CONTRACT", "ok is None"),
        (changed(request_id="q"), "CONTRACT", "request_id is not echoed: sent 'r', got 'q'"),
        (changed(request_id=None), "CONTRACT", "request_id"),
        (changed(task_type="t"), "CONTRACT", "task_type"),
        (changed(outputs=None), "CONTRACT", "outputs"),
        (changed(outputs=[1]), "CONTRACT", "outputs"),
        (changed(outputs={}), "EMPTY_OUTPUT", "nothing"),
        (changed(outputs={"a": [{"b": " \t"}, None, []]}), "EMPTY_OUTPUT", "nothing"),
        ([GOOD], "CONTRACT", "not an object"),
        (b"null" + b" " * 60, "CONTRACT", "not an object"),
        (b"", "EMPTY_OUTPUT", "empty body"),
        (b" " * 60, "EMPTY_OUTPUT", "empty body"),
        (b"OK" * 40, "NOT_JSON", "OKOK"),
        (b"\xff" * 60, "NOT_JSON", "not JSON"),
        (b'{"a":' * 100_000, "NOT_JSON", "not JSON"),
        (b'{"a":' * 101 + b"1" + b"}" * 101, "CONTRACT", "100 levels"),
        (b'{"status":"ok","a":NaN}' + b" " * 60, "NOT_JSON", "not JSON"),
    ],
)
def test_every_way_of_not_conforming_has_its_class_and_says_what_was_seen(answer: Any, failure: str, words: str):
    reading = read(answer)
    assert reading.failure == failure
    assert words in reading.reason
    assert not reading.outputs
    assert not reading.rejected


@pytest.mark.parametrize(
    "outputs", [{"error": 0.03, "mean": 2}, {"error": ""}, {"error": "typo", "line": 3}, {"errors": ["typo"]}, {"ok": False}, {"error": None}]
)
def test_an_answer_about_errors_is_no_error(outputs: dict[str, Any]):
    assert read(changed(outputs=outputs)).failure in {None, "EMPTY_OUTPUT"}


def test_a_schema_that_names_the_key_says_that_error_is_an_answer():
    assert read(changed(outputs={"error": "typo"})).failure == "BUSINESS_ERROR"
    assert read(changed(outputs={"error": "typo"}), schema={"properties": {"error": {}}}).failure is None


@pytest.mark.parametrize(
    ("http", "failure", "rejected"),
    [
        *((http, "HTTP_5XX", False) for http in (500, 503, 599)),
        *((http, "HTTP_4XX", http in {400, 422}) for http in (400, 401, 403, 404, 422, 429)),
        *((http, "CONTRACT", False) for http in (201, 202, 204, 302, 307)),
    ],
)
def test_the_status_decides_before_the_body(http: int, failure: str, rejected: bool):
    reading = read(GOOD, http=http)
    assert (reading.failure, reading.rejected, reading.responded) == (failure, rejected, False)


def test_a_rejection_is_a_validation_error_to_this_very_request():
    error = {"status": "error", "ok": False, "error": {"code": "VALIDATION_ERROR", "message": "text"}}
    assert read(changed(**error)).rejected
    assert not read(changed(**error, request_id="of another")).rejected
    assert not read(changed(status="error", error={"code": "validation_error"})).rejected
    assert not read(changed(status="error", error="VALIDATION_ERROR")).rejected


@pytest.mark.parametrize(("size", "responded"), [(50, False), (51, True)])
def test_the_seeds_rule_counts_characters(size: int, responded: bool):
    assert read(("ä" * size).encode()).responded is responded


def test_a_fault_is_the_failure_whatever_had_arrived():
    call = climbing.call("first", "TIMEOUT")
    reading = readings.read(call, orjson.dumps(GOOD), Wanted(request_id="r", task_type="T", output_schema=None), {})
    assert (reading.failure, reading.responded, reading.reason) == ("TIMEOUT", False, "it did not answer")


def test_outputs_against_their_schema_are_a_breach_that_names_the_place():
    reading = read(GOOD, schema={"properties": {"words": {"type": "string"}}})
    assert (reading.failure, reading.reason) == ("CONTRACT", "outputs do not fit the output schema: $.words: 3 is not of type 'string'")


@given(st.dictionaries(st.sampled_from(KEYS), JSON, max_size=8))
@settings(max_examples=300, deadline=None)
def test_no_answer_makes_the_reading_fail_and_none_conforms_by_accident(answer: dict[str, Any]):
    reading = read({**GOOD, **answer})
    if reading.failure is None:
        assert {**GOOD, **answer}["status"] == "ok"
        assert isinstance(reading.outputs, dict)
    assert len(reading.reason) < 2000
    read(answer)


@given(st.binary(max_size=80))
@settings(max_examples=100, deadline=None)
def test_no_bytes_make_the_reading_fail(body: bytes):
    assert read(body).failure is not None
    assert not readings.route(climbing.call("dispatch", (200, body)), body, climbing.URL, "r").dispatched


def _routed(**keys: Any) -> readings.Routed:
    body = orjson.dumps({"agent_name": "a", "agent_url": climbing.URL, "request_id": "r", **keys})
    return readings.route(climbing.call("dispatch", (200, body)), body, climbing.URL, "r")


def test_a_dispatch_names_the_registered_endpoint_or_is_not_followed():
    assert _routed() == readings.Routed(dispatched=True, failure=None, reason="", agent_name="a", agent_url=climbing.URL)
    assert _routed(agent_url=climbing.URL + "/").failure is None
    for url in (climbing.URL + "/x", climbing.URL.upper(), " " + climbing.URL, "http://user@127.0.0.1:9000", "x"):
        assert (_routed(agent_url=url).dispatched, _routed(agent_url=url).failure) == (True, "UNREGISTERED_ENDPOINT")
    absent: list[Any] = [None, "", "  ", 3, [climbing.URL], {}]
    for nothing in absent:
        assert (_routed(agent_url=nothing).dispatched, _routed(agent_url=nothing).failure) == (False, "DISPATCH_REFUSED")


def test_a_dispatch_of_another_request_passes_the_seeds_gate_and_no_more():
    for request_id in ("q", None, 3, ["r"]):
        assert (_routed(request_id=request_id).dispatched, _routed(request_id=request_id).failure) == (True, "CONTRACT")


def test_what_an_orchestrator_says_is_kept_only_so_far():
    long = _routed(agent_name="n" * 100_000, agent_url="http://" + "u" * 100_000)
    assert (len(long.agent_name), len(long.agent_url)) == (200, 2000)
    assert _routed(agent_name=["x"]).agent_name == ""
