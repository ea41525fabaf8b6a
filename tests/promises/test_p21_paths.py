"""P-21: no path leaves the root.

A secret lies beside the root. Names of every hostile kind are given as slug, artifact path, output, check target and run id; and while
gates are judged, somebody swaps directories and files for links to the secret and back. The secret's hash must never be seen.
"""

from __future__ import annotations

import hashlib
import threading
import time
from pathlib import Path
from random import Random

import orjson

from tests.promises import budget
from windlass.errors import Refused
from windlass.records.artifacts import Places
from windlass.records.checks.judge import Given, judge
from windlass.records.contracts import contract, paths

NAMES = budget.of(small=3_000, full=1_000_000)
RACE_S = NAMES / 1_000_000 * 60
SEED = budget.seed(1)
SECRET = b"the secret beside the root\n"
PARTS = [
    "..",
    ".",
    "",
    "a",
    "b",
    "secret",
    "link",
    "link/secret",
    "%2e%2e",
    "..\\",
    "\0",
    "~",
    "*",
    "**",
    "[.][.]",
    "{slug}",
    "{artifact_path}",
    "{record}",
    "․․",
    "…",
    "a" * 300,
]
PARTS += ["/etc", "C:", "con", " ", "\n", "\u202e", "..;", "./", "file:", "//host/share", "{", "}", "?", "[", "evidence", "\ud800"]


def world(place: Path) -> Places:
    """A root with a link out of it, and the secret beside it."""
    root = place / "root"
    (root / "a/b").mkdir(parents=True)
    (root / "record/evidence").mkdir(parents=True)
    (place / "secret").write_bytes(SECRET)
    (root / "a/one.md").write_text("one")
    (root / "link").symlink_to(place)
    (root / "a/link").symlink_to("/")
    (root / "a/secret").symlink_to(place / "secret")
    return Places(root=root, record=root / "record", slug="s", artifact_path="a")


def test_no_name_leads_out_of_the_root(tmp_path: Path) -> None:
    random, places = Random(SEED), world(tmp_path)
    secret = hashlib.sha256(SECRET).hexdigest()
    refused = judged = 0
    for _ in range(NAMES):
        name = random.choice(["/", "", "", "../", "{record}/", "{artifact_path}/"]) + "/".join(random.choices(PARTS, k=random.randrange(1, 6)))
        if next(paths.problems(name, globs=True), None):
            refused += 1
            try:
                places.resolve(name)
            except Refused:
                continue
        try:
            content = orjson.dumps(
                {"gate": "G", "required_outputs": {"all_of": [{"path": name}]}, "validations": [{"type": "file_exists", "target": name}]}
            )
            found = contract.read(content, "c")
        except (Refused, orjson.JSONEncodeError, TypeError):
            refused += 1
            continue
        judgement = judge(found, Given(places=places, depth="standard", seed="s", agent="a"))
        judged += 1
        assert all(one.sha256 != secret for one in judgement.artifacts), name
        assert not any(one.resolved_path.startswith(("/", "../")) or "/../" in one.resolved_path for one in judgement.artifacts), name
    assert judged
    assert refused
    budget.tell("P-21", SEED, f"{NAMES:,} names, {refused:,} refused, {judged:,} judged, none left the root")


def test_somebody_who_swaps_files_for_links_meanwhile_gains_nothing(tmp_path: Path) -> None:
    places = world(tmp_path)
    secret = hashlib.sha256(SECRET).hexdigest()
    until = time.monotonic() + max(1.0, RACE_S)
    swaps = 0

    def race() -> None:
        nonlocal swaps
        folder, aside, out = places.root / "a/b", places.root / "a/aside", places.root / "a/out"
        (folder / "secret").write_bytes(b"honest\n")
        out.symlink_to(tmp_path)
        while time.monotonic() < until:
            folder.rename(aside)
            out.rename(folder)
            folder.rename(out)
            aside.rename(folder)
            swaps += 1

    racer = threading.Thread(target=race)
    racer.start()
    found = contract.read(
        orjson.dumps({"gate": "G", "required_outputs": {"all_of": [{"path": "a/b/secret"}, {"path": "a/b/*"}, {"path": "**/secret"}]}}), "c"
    )
    judged = 0
    while racer.is_alive():
        judgement = judge(found, Given(places=places, depth="standard", seed="s", agent="a"))
        assert all(one.sha256 != secret for one in judgement.artifacts)
        judged += 1
    racer.join()
    assert swaps > 100
    assert judged > 10
    budget.tell("P-21", SEED, f"{swaps:,} swaps against {judged:,} judgements in {max(1.0, RACE_S):.0f} s, the secret was never read")
