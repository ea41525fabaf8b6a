"""`windlass window intent`: what is wanted is recorded, what is approved is signed, and neither opens anything."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.test_start import assert_one_error_line, windlass

from windlass.infra import chain
from windlass.windows.power import log

TOML = """[windows]
backend = "process"
project = "demo"
[windows.intents]
enabled = true
[windows.services.web]
argv = ["/bin/sleep", "60"]
ready_url = "http://127.0.0.1:9/"
max_ttl_sec = 900
[windows.services.db]
argv = ["/bin/sleep", "60"]
ready_url = "http://127.0.0.1:9/"
"""


@pytest.fixture(name="place")
def project(tmp_path: Path) -> Path:
    """A project that has intents switched on, in which Ada may approve and Robot may not."""
    place = tmp_path / "project"
    (place / "orchestration").mkdir(parents=True)
    (place / "windlass.toml").write_text(TOML)
    for who, role in (("Ada", "approver"), ("Robot", "producer")):
        made = windlass("keys", "new", "--who", who, "--role", role, "--out", str(tmp_path / f"{who}.pem"), "--add", place=place)
        assert made.returncode == 0, made.stderr
    return place


def told(place: Path, *arguments: str) -> Any:
    ended = windlass("window", "intent", *arguments, "--json", place=place)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def refused(place: Path, *arguments: str) -> str:
    ended = windlass("window", "intent", *arguments, place=place)
    assert (ended.returncode, ended.stdout) == (2, ""), ended.stdout
    assert_one_error_line(ended.stderr)
    return ended.stderr


def recorded(place: Path) -> str:
    return str(told(place, "record", "web", "--ttl", "600", "--reason", "reindex")["intent_id"])


def approved(place: Path, intent_id: str, *more: str) -> Any:
    return told(place, "approve", intent_id, "--as", "Ada", "--key", str(place.parent / "Ada.pem"), "--yes", *more)


def test_an_intent_is_recorded_and_approved_and_opens_nothing(place: Path) -> None:
    intent_id = recorded(place)
    [before] = told(place, "list")["intents"]
    assert (before["state"], before["services"], before["ttl_sec"], before["reason"], before["approvals"]) == (
        "recorded",
        ["web"],
        600,
        "reindex",
        [],
    )
    assert approved(place, intent_id, "--expires", "1h")["who"] == "Ada"
    [after] = told(place, "list")["intents"]
    assert (after["state"], [(one["who"], one["problem"]) for one in after["approvals"]]) == ("approved", [("Ada", None)])
    shown = windlass("window", "intent", "list", place=place).stdout.splitlines()
    assert shown[0] == f"{intent_id}  approved  web  600 s  reindex"
    assert shown[1].startswith("  Ada  until ")
    seen = windlass("window", "status", "--json", place=place)
    assert json.loads(seen.stdout)["state"] == "SOLO_MADRE_CORE"
    audit = json.loads(windlass("window", "audit", "--json", place=place).stdout)["entries"]
    assert [entry["action"] for entry in audit] == ["intent_recorded", "intent_approved"]
    assert windlass("window", "audit", "verify", place=place).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("record", "nope", "--reason", "x"), "services[0]: 'nope' is not in the allowlist"),
        (("record", "--reason", "x"), "services: names no service"),
        (("record", "web", "--ttl", "901", "--reason", "x"), "ttl_sec: must be a whole number of seconds, 1 to 900"),
        (("record", "web", "--ttl", "soon", "--reason", "x"), "--ttl"),
        (("record", "web"), "--reason"),
        (("record", "web", "--reason", " "), "reason: is empty"),
        (("record", "web", "--reason", "a\nb"), "reason: has characters that can't be printed"),
        (("approve", "int_none", "--as", "Ada", "--yes"), "there is no intent int_none"),
        (("approve", "x", "--as", "Ada", "--expires", "2d"), "--expires 2d: is longer than 1d"),
        (("approve", "x", "--as", "Ada", "--expires", "soon"), "--expires 'soon'"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(place: Path, arguments: tuple[str, ...], says: str) -> None:
    assert says in refused(place, *arguments)


def test_who_may_not_approve_is_told_why(place: Path) -> None:
    intent_id = recorded(place)
    ada, robot = (str(place.parent / f"{who}.pem") for who in ("Ada", "Robot"))
    assert "no key of that name; it has Ada, Robot" in refused(place, "approve", intent_id, "--as", "Mary", "--key", ada, "--yes")
    assert "is not Ada's" in refused(place, "approve", intent_id, "--as", "Ada", "--key", robot, "--yes")
    assert "no producer approves" in refused(place, "approve", intent_id, "--as", "Robot", "--key", robot, "--yes")
    assert "--yes approves what is shown above" in windlass("window", "intent", "approve", intent_id, "--as", "Ada", "--key", ada, place=place).stderr
    approved(place, intent_id)
    assert f"Ada has approved {intent_id} already" in refused(place, "approve", intent_id, "--as", "Ada", "--key", ada, "--yes")


def test_an_approval_is_for_one_intent_and_counts_while_its_key_does(place: Path) -> None:
    """Whoever can write the audit can copy an approval below another intent; it does not count there."""
    first = recorded(place)
    approved(place, first)
    second = recorded(place)
    path = place / ".windlass/windows/demo" / log.FILE_NAME
    [approval] = [entry.fields for entry in chain.scan(path.read_bytes()).entries if entry.fields["action"] == "intent_approved"]
    writer = chain.ChainedLog(path)
    writer.append({**approval, "intent_id": second})
    writer.close()
    states = {one["intent_id"]: one for one in told(place, "list")["intents"]}
    assert (states[first]["state"], states[second]["state"]) == ("approved", "recorded")
    assert states[second]["approvals"][0]["problem"] == "it is for another intent_id"

    keys = place / "orchestration/keys.json"
    without = json.loads(keys.read_bytes())
    without["keys"] = [key for key in without["keys"] if key["who"] != "Ada"]
    keys.write_text(json.dumps(without))
    assert told(place, "list")["intents"][0]["approvals"][0]["problem"] == "its key is not in orchestration/keys.json"
    keys.unlink()
    assert "nobody can approve" in told(place, "list")["intents"][0]["approvals"][0]["problem"]


def test_an_audit_that_is_damaged_is_nobodys_intent(place: Path) -> None:
    intent_id = recorded(place)
    path = place / ".windlass/windows/demo" / log.FILE_NAME
    path.write_bytes(path.read_bytes().replace(b"reindex", b"delete!"))
    assert "is damaged in line 1" in refused(place, "list")
    assert "is damaged in line 1" in refused(place, "approve", intent_id, "--as", "Ada", "--key", str(place.parent / "Ada.pem"), "--yes")


def test_keys_that_nobody_committed_do_not_count(place: Path) -> None:
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for arguments in (["init", "-q"], [*who, "commit", "-q", "--allow-empty", "-m", "begin"]):
        subprocess.run(["git", *arguments], cwd=place, check=True)
    intent_id = recorded(place)
    assert "orchestration/keys.json: is not committed" in refused(place, "approve", intent_id, "--as", "Ada", "--yes")


def test_intents_are_off_unless_they_are_switched_on(place: Path) -> None:
    (place / "windlass.toml").write_text(TOML.replace("enabled = true", "enabled = false"))
    for arguments in (("record", "web", "--reason", "x"), ("list",), ("approve", "x", "--as", "Ada")):
        assert "windows.intents.enabled: is false" in refused(place, *arguments)


def test_an_expired_approval_does_not_count(place: Path) -> None:
    """Two processes, one of them a day later by its own clock."""
    intent_id = recorded(place)
    approved(place, intent_id, "--expires", "1h")
    program = (
        "import sys, datetime; from windlass.infra import instants; now = instants.now; "
        "later = lambda: now() + datetime.timedelta(days=1); instants.now = later; "
        "from windlass import cli; sys.argv[1:] = ['window', 'intent', 'list', '--json']; cli.main()"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=place, capture_output=True, text=True, check=True)
    assert "it expired at " in json.loads(ended.stdout)["intents"][0]["approvals"][0]["problem"]
