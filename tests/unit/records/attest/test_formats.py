"""A run in each format: nothing that failed or never ran is lost, and nothing is said that the journal does not say."""

from __future__ import annotations

import base64
import json
import re
import xml.etree.ElementTree as ET
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.unit.records import worlds
from tests.unit.records.attest import stories
from windlass.errors import GivenUp, Refused, UnusableRecord
from windlass.records.approvals import ed25519, envelope
from windlass.records.attest import comparison, dsse, junit, markdown, reading, sarif, statement, summary, terminal, timeline, told
from windlass.records.attest.told import Story

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()
KEY_ID = ed25519.key_id(PUBLIC)


@pytest.fixture(name="failed")
def failed_story(tmp_path: Path) -> Story:
    return stories.failed(tmp_path / "failed")


@pytest.fixture(name="passed")
def passed_story(tmp_path: Path) -> Story:
    return stories.passed(tmp_path / "passed")


class TestTold:
    def test_a_damaged_record_is_not_told(self, tmp_path: Path):
        directory = worlds.passed(tmp_path)
        (directory / "record/evidence/note.txt").write_text("other")
        with pytest.raises(GivenUp, match="damaged"):
            reading.read(directory)

    def test_a_record_of_the_original_runner_is_not_told(self, tmp_path: Path):
        (tmp_path / "record").mkdir()
        (tmp_path / "record/RUN.json").write_text("{}")
        with pytest.raises(UnusableRecord, match="original runner"):
            reading.read(tmp_path)

    @pytest.mark.parametrize(
        ("fields", "outcome", "says"),
        [
            ({"pass": True}, "passed", ""),
            ({"pass": False}, "failed", ""),
            ({"pass": False, "severity": "warning"}, "warned", ""),
            ({"pass": True, "severity": "warning", "warning": True}, "warned", ""),
            ({"pass": True, "severity": "warning", "warning": False}, "passed", ""),
            ({"pass": False, "missing": ["a", "b"]}, "failed", "missing: a, b"),
            ({"pass": True, "count": 10, "threshold": 8}, "passed", "10 of 8"),
            ({"pass": False, "checked": [{"path": "a", "exists": False}]}, "failed", "none exists: a"),
            ({"pass": False, "reason": "because", "missing": ["a"]}, "failed", "because"),
        ],
    )
    def test_a_check_is_read_as_it_stands(self, fields: dict[str, Any], outcome: str, says: str):
        check = told.check({"type": "t", **fields})
        assert (check.outcome, check.says) == (outcome, says)

    def test_costs_are_added_without_loss(self, failed: Story):
        assert str(failed.cost.cost_usd) == "0.3", "and not 0.30000000000000004"
        assert (failed.cost.invocations, failed.cost.failed, failed.cost.tokens_in, failed.cost.tokens_out) == (2, 1, 1210, 340)

    def test_a_file_is_told_once_as_the_newest_attempt_found_it(self, failed: Story):
        assert [(attempt.gate, artifact.path) for attempt, artifact in failed.newest_artifacts()] == [
            ("G2", "specs/the-word-robot.md"),
            ("G2", "{record}/evidence/seen.txt"),
        ]


class TestStatement:
    def test_a_passed_run_with_a_warning_is_warned_and_binds_rules_files_and_head(self, passed: Story):
        stated = statement.statement(passed, "https://ci.example.org/1")
        assert (stated["_type"], stated["predicateType"]) == (statement.TYPE, statement.PREDICATE)
        predicate = stated["predicate"]
        assert (predicate["result"], predicate["failedTests"], predicate["url"]) == ("WARNED", [], "https://ci.example.org/1")
        assert {"G1", "G2", "G3"} <= set(predicate["passedTests"])
        assert predicate["warnedTests"] == ["G2: not_contains specs/{slug}.md"]
        assert [one["name"] for one in predicate["configuration"]] == ["workflow essay", "git commit", "topic", "contract G2"]
        assert stated["subject"][0]["digest"][statement.HEAD_DIGEST] == passed.head
        names = [subject["name"] for subject in stated["subject"]]
        assert len(set(names)) == len(names) == 3
        assert all(re.fullmatch("[0-9a-f]{64}", subject["digest"]["sha256"]) for subject in stated["subject"])

    def test_a_gate_that_never_ran_is_a_failed_test(self, failed: Story):
        predicate = statement.statement(failed)["predicate"]
        assert (predicate["result"], predicate["failedTests"]) == ("FAILED", ["G3"])

    def test_a_run_that_goes_on_has_no_result(self, tmp_path: Path):
        with pytest.raises(Refused, match="RUNNING"):
            statement.statement(stories.running(tmp_path))

    @pytest.mark.parametrize("url", ["", "javascript:x", "file:///etc/passwd", "ci.example.org"])
    def test_what_is_no_address_is_refused(self, passed: Story, url: str):
        with pytest.raises(Refused, match="--url"):
            statement.statement(passed, url)

    def test_two_checks_of_one_name_are_two_tests(self, tmp_path: Path):
        with worlds.new(tmp_path, gates="G1") as record:
            record.gate_started("G1", "a")
            check = {"type": "t", "path": "p", "pass": True}
            record.gate_finished("G1", "PASS", validations=[check, check, {**check, "path": "p #2"}, {**check, "severity": "warning", "pass": False}])
            record.complete("PASSED")
        predicate = statement.statement(reading.read(record.directory))["predicate"]
        assert len(predicate["passedTests"]) + len(predicate["warnedTests"]) == 1 + 4


class TestEnvelope:
    def seal(self, payload: bytes = b"{}") -> dict[str, Any]:
        return dsse.sealed(payload, statement.PAYLOAD_TYPE, lambda message: (KEY_ID, KEY.sign(message)))

    def test_what_was_signed_is_found_again_by_the_key_that_signed_it(self):
        sealed = self.seal(b'{"a":1}')
        assert dsse.payload(sealed, statement.PAYLOAD_TYPE) == b'{"a":1}'
        assert dsse.signers(sealed, statement.PAYLOAD_TYPE, {KEY_ID: PUBLIC}) == {KEY_ID}
        assert dsse.signers(sealed, statement.PAYLOAD_TYPE, {"other": PUBLIC}) == frozenset()
        assert dsse.signers(sealed, statement.PAYLOAD_TYPE, {KEY_ID: b"x" * 32}) == frozenset()

    def test_reading_changes_nothing(self):
        sealed = self.seal()
        before = json.dumps(sealed)
        dsse.signers(sealed, statement.PAYLOAD_TYPE, {KEY_ID: PUBLIC})
        assert json.dumps(sealed) == before

    def test_the_encoding_that_is_signed_is_the_one_of_approvals(self):
        signature = base64.b64decode(self.seal(b"xy")["signatures"][0]["sig"])
        KEY.public_key().verify(signature, envelope.pae(statement.PAYLOAD_TYPE, b"xy"))

    @pytest.mark.parametrize(
        "changed",
        [
            {"payload": base64.b64encode(b"{ }").decode()},
            {"payloadType": "text/plain"},
            {"signatures": []},
            {"signatures": [{"keyid": KEY_ID, "sig": "!!"}]},
            {"signatures": [{"keyid": KEY_ID, "sig": ""}] * 2},
            {"signatures": [{"sig": "AA=="}]},
            {"payload": 7},
            {"signatures": "x"},
        ],
    )
    def test_what_was_changed_is_refused_or_signed_by_nobody(self, changed: dict[str, Any]):
        with suppress(Refused):
            assert dsse.signers(self.seal() | changed, statement.PAYLOAD_TYPE, {KEY_ID: PUBLIC}) == frozenset()
        with pytest.raises(Refused):
            dsse.signers([], statement.PAYLOAD_TYPE, {})


class TestJunit:
    def test_every_attempt_is_a_suite_and_every_check_a_case(self, failed: Story):
        root = ET.fromstring(junit.render(failed))
        assert [suite.get("name") for suite in root] == ["G1 Gate G1, attempt 1", "G2 Gate G2, attempt 1", "G2 Gate G2, attempt 2", "G3 Gate G3"]
        assert {key: root.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
            "tests": "9",
            "failures": "2",
            "errors": "1",
            "skipped": "0",
        }
        assert len(list(root.iter("testcase"))) == 9
        failure = root.find("testsuite/testcase/failure[@type='HEADING_MISMATCH']")
        assert failure is not None
        assert failure.get("message") == "missing: ## Layer 4"
        assert [error.get("type") for error in root.iter("error")] == ["NOT_RUN"]
        assert [out.text for out in root.iter("system-out")] == ["warning: not_contains: found: [DRAFT]"]

    def test_a_gate_that_still_runs_is_an_error(self, tmp_path: Path):
        root = ET.fromstring(junit.render(stories.running(tmp_path)))
        assert [error.get("type") for error in root.iter("error")] == ["NOT_FINISHED"]

    def test_a_gate_that_somebody_failed_by_hand_is_a_failure(self, tmp_path: Path):
        with worlds.new(tmp_path, gates="G1") as record:
            record.gate_started("G1", "a")
            record.gate_finished("G1", "FAIL", validations=[stories.HELD], failure_reason="no quotes")
        root = ET.fromstring(junit.render(reading.read(record.directory)))
        assert [failure.get("message") for failure in root.iter("failure")] == ["no quotes"]


TEXT = {"type": "object", "required": ["text"], "additionalProperties": False, "properties": {"text": {"type": "string", "minLength": 1}}}
LOCATION = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "uri": {"type": "string", "pattern": "^(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-F]{2})+$"},
        "uriBaseId": {"type": "string"},
        "description": TEXT,
    },
}
TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"}


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": required, "properties": properties}


def listed(items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


RULE = closed(["id"], id={"type": "string", "minLength": 1}, shortDescription=TEXT)
PHYSICAL = closed(
    ["artifactLocation", "region"], artifactLocation=LOCATION, region=closed(["startLine"], startLine={"type": "integer", "minimum": 1})
)
RESULT = closed(
    ["ruleId", "message", "locations"],
    ruleId={"type": "string"},
    ruleIndex={"type": "integer", "minimum": 0},
    kind={"const": "fail"},
    level={"enum": ["error", "warning"]},
    message=TEXT,
    locations=listed(
        closed(
            ["physicalLocation"],
            physicalLocation=PHYSICAL,
            logicalLocations=listed(closed([], name={"type": "string"}, kind={"type": "string"}), uniqueItems=True),
        ),
        minItems=1,
    ),
    partialFingerprints={"type": "object", "additionalProperties": {"type": "string"}},
    properties={"type": "object"},
)
DRIVER = closed(
    ["name"], name={"const": "Windlass"}, version={"type": "string"}, semanticVersion={"type": "string"}, rules=listed(RULE, uniqueItems=True)
)
RUN = closed(
    ["tool", "results"],
    tool=closed(["driver"], driver=DRIVER),
    automationDetails=closed([], id={"type": "string"}),
    invocations=listed(closed(["executionSuccessful"], executionSuccessful={"type": "boolean"}, startTimeUtc=TIME, endTimeUtc=TIME)),
    originalUriBaseIds={"type": "object", "additionalProperties": LOCATION},
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results=listed(RESULT),
    properties={"type": "object"},
)
SARIF = closed(["version", "runs"], **{"$schema": {"type": "string"}, "version": {"const": "2.1.0"}, "runs": listed(RUN, minItems=1)})
"""What SARIF 2.1.0 allows of what we write, said strictly: a property that its schema does not know fails, as there."""


class TestSarif:
    @pytest.mark.parametrize("make", [stories.failed, stories.passed, stories.running])
    def test_the_log_is_one_by_the_rules_of_the_format(self, tmp_path: Path, make: Any):
        log = json.loads(sarif.render(make(tmp_path), "orchestration/runs/a b/record"))
        jsonschema.validate(log, SARIF)
        (run,) = log["runs"]
        for result in run["results"]:
            assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
            assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uriBaseId"] in run["originalUriBaseIds"]
        assert run["originalUriBaseIds"]["RECORD"] == {"uri": "orchestration/runs/a%20b/record/", "uriBaseId": "PROJECT_ROOT"}

    def test_what_is_wrong_now_is_a_result_and_what_was_mended_is_none(self, failed: Story, passed: Story):
        rules = [(result["ruleId"], result["level"]) for result in sarif.log(failed)["runs"][0]["results"]]
        assert rules == [("not_contains", "warning"), ("NOT_RUN", "error")]
        assert [result["level"] for result in sarif.log(passed)["runs"][0]["results"]] == ["warning"]

    def test_a_failed_check_points_at_its_file(self, tmp_path: Path):
        with worlds.new(tmp_path, gates="G1") as record:
            record.gate_started("G1", "a")
            record.gate_finished("G1", "FAIL", validations=[{**stories.FAILED, "line": 7}], failure_reason="x")
        (result,) = sarif.log(reading.read(record.directory))["runs"][0]["results"]
        assert result["ruleId"] == "HEADING_MISMATCH"
        assert result["locations"][0]["physicalLocation"] == {
            "artifactLocation": {"uri": "specs/the-word-robot.md", "uriBaseId": "PROJECT_ROOT"},
            "region": {"startLine": 7},
        }

    def test_a_gate_failed_by_hand_is_a_result(self, tmp_path: Path):
        with worlds.new(tmp_path, gates="G1") as record:
            record.gate_started("G1", "a")
            record.gate_finished("G1", "FAIL", validations=[], failure_reason="no quotes")
        (result,) = sarif.log(reading.read(record.directory))["runs"][0]["results"]
        assert (result["ruleId"], result["message"]["text"]) == ("GATE_FAILED", "Gate G1 (Gate G1) failed: no quotes")


class TestPages:
    def test_the_timeline_holds_no_script_and_loads_nothing(self, failed: Story):
        page = timeline.render(failed)
        assert "default-src 'none'" in page
        assert not re.search(r"<script|\son\w+=|<link(?! rel=\"icon\" href=\"data:)|style=|url\(|@import|https?:", page)
        assert page.count('class="attempt ') == 3
        assert "NOT RUN" in page
        assert "$0.30" in page

    def test_a_run_with_nothing_in_it_is_a_page_too(self, tmp_path: Path):
        with worlds.new(tmp_path, gates="G1") as record:
            story = reading.read(record.directory)
        assert "QUEUED" in timeline.render(story)
        assert "NOT RUN" in markdown.render(story)
        assert terminal.lines(story)

    def test_markdown_tells_gates_trouble_and_head(self, failed: Story):
        page = markdown.render(failed)
        assert page.splitlines()[0] == "# essay the-word-robot: FAILED"
        assert "**NOT RUN**" in page
        assert page.splitlines()[-1] == f"Record intact, unanchored, {failed.entries} entries, head `{failed.head}`"

    def test_the_terminal_tells_every_attempt(self, failed: Story):
        lines = terminal.lines(failed)
        assert [line.split()[0] for line in lines if line.startswith(("PASS", "FAIL", "NOT RUN"))] == ["PASS", "FAIL", "PASS", "NOT"]
        assert lines[-1].endswith(failed.head)

    def test_the_summary_is_plain_json(self, failed: Story):
        summed = json.loads(json.dumps(summary.summary(failed)))
        assert (summed["status"], summed["cost"]["cost_usd"], summed["record"]["head"]) == ("FAILED", "0.3", failed.head)


class TestComparison:
    def test_a_run_is_the_same_as_itself_and_as_one_that_did_the_same_later(self, tmp_path: Path, failed: Story):
        again = stories.failed(tmp_path / "again")
        assert comparison.compare(failed, failed).same
        assert comparison.compare(failed, again).changes == ()
        assert list(comparison.lines(comparison.compare(failed, again)))[-1] == "same"

    def test_verdicts_attempts_and_checks_that_differ_are_named(self, failed: Story, passed: Story):
        changes = {change.where: (change.kind, change.was, change.now) for change in comparison.compare(failed, passed).changes}
        assert changes["status"] == ("changed", "FAILED", "PASSED")
        assert changes["gate G3 status"] == ("changed", "NOT_STARTED", "PASS")
        assert changes["gate G3 check file_exists specs/{slug}.md"] == ("added", None, "passed")
        back = {change.where: change.kind for change in comparison.compare(passed, failed).changes}
        assert back["gate G3 agent"] == "removed"

    def test_files_are_compared_by_hash(self, tmp_path: Path, failed: Story):
        (tmp_path / "other/specs").mkdir(parents=True)
        with worlds.new(tmp_path / "other", gates="G1") as record:
            (tmp_path / "other/specs/the-word-robot.md").write_text("# Another\n")
            record.gate_started("G1", "ada")
            record.gate_finished("G1", "PASS", validations=[stories.HELD], artifacts=[record.artifact("specs/the-word-robot.md")])
        changes = {change.where: change.kind for change in comparison.compare(failed, reading.read(record.directory)).changes}
        assert changes["artifact specs/the-word-robot.md"] == "changed"
        assert changes["artifact {record}/evidence/seen.txt"] == "removed"
        assert json.loads(json.dumps(comparison.compare(failed, reading.read(record.directory)).as_json()))["same"] is False
