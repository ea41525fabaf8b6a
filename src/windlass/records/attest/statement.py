"""A run as an in-toto Statement v1 with the test-result predicate v0.1: which files, under which rules, passed which gates and checks.

The newest attempt of each gate counts. A gate is a test by its own name (`G2`), each of its checks another (`G2: file_exists a.md`),
and a gate that never ran is a failed test. Source: in-toto/attestation, spec/v1 and spec/predicates/test-result.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from windlass.errors import Refused
from windlass.records.attest.told import Attempt, Outcome, Story

PAYLOAD_TYPE = "application/vnd.in-toto+json"
TYPE = "https://in-toto.io/Statement/v1"
PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"
HEAD_DIGEST = "windlassJournalHead"
"""The chain's head as a digest of its own name: the hash that `windlass verify --head` takes, which is not the file's."""


def statement(story: Story, url: str | None = None) -> dict[str, Any]:
    """The statement, as JSON values. `url`: where the run can be looked at.

    Raises Refused while the run goes on, since its result is not known, and for a `url` that is none.
    """
    if story.status not in {"PASSED", "FAILED", "CANCELED"}:
        raise Refused(f"{story.run_id}: is {story.status}, so there is no result to attest; `windlass run complete` ends it")
    if url is not None and (urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).netloc):
        raise Refused(f"--url {url!r}: is not an http or https address")
    tests = _tests(story)
    named: dict[Outcome, list[str]] = {
        outcome: [name for name, found in tests.items() if found == outcome] for outcome in ("passed", "warned", "failed")
    }
    return {
        "_type": TYPE,
        "subject": list(_subjects(story)),
        "predicateType": PREDICATE,
        "predicate": {
            "result": "FAILED" if story.status != "PASSED" or named["failed"] else "WARNED" if named["warned"] else "PASSED",
            "configuration": list(_configuration(story)),
            **({"url": url} if url else {}),
            "passedTests": named["passed"],
            "warnedTests": named["warned"],
            "failedTests": named["failed"],
        },
    }


def _tests(story: Story) -> dict[str, Outcome]:
    tests: dict[str, Outcome] = {}
    for gate in story.gates:
        tests[gate.gate] = "passed" if gate.status == "PASS" else "failed"
        if gate.newest:
            tests |= _checks(gate.newest)
    return tests


def _checks(attempt: Attempt) -> dict[str, Outcome]:
    """The outcome of each check by its name; the second of the same name gets `#2`, so that none hides another."""
    seen: Counter[str] = Counter()
    tests: dict[str, Outcome] = {}
    for check in attempt.checks:
        name = f"{attempt.gate}: {check.name}"
        seen[name] += 1
        while (numbered := name if seen[name] == 1 else f"{name} #{seen[name]}") in tests:
            seen[name] += 1
        tests[numbered] = check.outcome
    return tests


def _subjects(story: Story) -> Iterator[dict[str, Any]]:
    yield {"name": f"{story.run_id}/record/journal.jsonl", "digest": {"sha256": story.journal_sha256, HEAD_DIGEST: story.head}}
    for attempt, artifact in story.newest_artifacts():
        name = artifact.resolved_path if artifact.carried is None else f"{story.run_id}/record/{artifact.carried}"
        yield {
            "name": name,
            "digest": {"sha256": artifact.sha256},
            "annotations": {"path": artifact.path, "gate": attempt.gate, "attempt": attempt.number},
        }


def _configuration(story: Story) -> Iterator[dict[str, Any]]:
    started = story.run.started
    workflow = {"workflow": started.workflow.name, "version": started.workflow.version, "depth": started.depth}
    if started.workflow_sha256:
        yield {"name": f"workflow {started.workflow.name}", "digest": {"sha256": started.workflow_sha256}, "annotations": workflow}
    if started.git_commit:
        yield {"name": "git commit", "digest": {"gitCommit": started.git_commit}}
    if started.topic_sha256:
        yield {"name": "topic", "digest": {"sha256": started.topic_sha256}}
    for gate in story.gates:
        newest = gate.newest
        if newest and newest.contract_sha256:
            version = {"version": newest.contract_version, "attempt": newest.number}
            yield {"name": f"contract {gate.gate}", "digest": {"sha256": newest.contract_sha256}, "annotations": version}
