"""A bundle's statement is held against its record: what it says, and with keys who says it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from tests.unit.records.attest import stories
from windlass.errors import Refused
from windlass.records.approvals import keys as keys_files
from windlass.records.approvals import signing
from windlass.records.attest import bundle, dsse, reading, statement
from windlass.records.report import Report
from windlass.records.verify import verify


class Bundled:
    """A run with a statement that is signed by `Ada`; lives as long as its test."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.story = reading.read(place / "runs" / stories.failed(place).run_id)
        self.ada = signing.generate(place / "ada.pem")

    def stated(self, **predicate: Any) -> dict[str, Any]:
        said = statement.statement(self.story)
        return said | {"predicate": said["predicate"] | predicate}

    def sealed(self, said: dict[str, Any], signer: signing.Signer) -> bytes:
        envelope = dsse.sealed(rfc8785.dumps(said), statement.PAYLOAD_TYPE, lambda message: (signer.key_id, signer.sign(message)))
        return json.dumps(envelope).encode()

    def verified(self, content: bytes, *known: signing.Signer) -> Report:
        path = self.place / "run.tar"
        with path.open("wb") as out:
            bundle.write(self.place / "runs" / self.story.run_id / "record", self.story.run_id, out, beside={bundle.STATEMENT: content})
        keys = None
        if known:
            keys = self.place / "keys.json"
            keys.write_bytes(keys_files.write([keys_files.key(one.public_key, "Ada", ["approver"]) for one in known]))
        return verify(path, keys=keys)


@pytest.fixture(name="run")
def bundled_run(tmp_path: Path) -> Bundled:
    return Bundled(tmp_path)


def test_a_statement_by_a_known_key_vouches_for_the_head(run: Bundled) -> None:
    report = run.verified(run.sealed(run.stated(), run.ada), run.ada)
    assert (report.verdict, report.problems) == ("intact", ())
    assert report.signed_by == (f"Ada (key {run.ada.key_id[:12]})",)


def test_where_the_run_can_be_looked_at_is_the_signers_word(run: Bundled) -> None:
    assert run.verified(run.sealed(run.stated(url="https://ci.example.org/1"), run.ada), run.ada).verdict == "intact"


def test_without_keys_nobody_is_known_and_the_answer_says_so(run: Bundled) -> None:
    report = run.verified(run.sealed(run.stated(), run.ada))
    assert (report.verdict, report.signed_by) == ("intact, unanchored", ())
    assert any("--keys" in warning.reason for warning in report.warnings)


def test_a_bare_statement_vouches_for_nothing(run: Bundled) -> None:
    report = run.verified(json.dumps(run.stated()).encode(), run.ada)
    assert report.verdict == "intact, unanchored"
    assert any("not signed" in warning.reason for warning in report.warnings)


def test_a_signature_by_a_stranger_is_damage_where_keys_are_given(run: Bundled) -> None:
    eve = signing.generate(run.place / "eve.pem")
    report = run.verified(run.sealed(run.stated(), eve), run.ada)
    assert (report.verdict, report.problems[0].file) == ("damaged", "statement.json")
    assert "is signed by no key of" in report.problems[0].reason


def test_a_statement_that_says_more_than_the_record_is_damage_whoever_signed_it(run: Bundled) -> None:
    report = run.verified(run.sealed(run.stated(result="PASSED"), run.ada), run.ada)
    assert (report.verdict, report.problems[0].pointer) == ("damaged", "/predicate/result")


@pytest.mark.parametrize("content", [b"", b"[]", b'{"signatures": []}', b'{"payload": "", "payloadType": "x", "signatures": [{}]}'])
def test_what_is_no_statement_is_damage(run: Bundled, content: bytes) -> None:
    assert run.verified(content, run.ada).verdict == "damaged"


def test_keys_that_can_not_be_read_are_refused(run: Bundled) -> None:
    (run.place / "broken.json").write_text("{")
    content = run.sealed(run.stated(), run.ada)
    run.verified(content)
    with pytest.raises(Refused, match=r"broken\.json"):
        verify(run.place / "run.tar", keys=run.place / "broken.json")
