"""The table of what the seeds say and where Windlass stands on each: `covered: <test>`, `later: <topic>` or `differs: <reason>`.

`ledger.yaml` holds it. `python -m tests.seeds.ledger <directory of the seeds>` adds what the table lacks, without a state, and drops
what no seed says any more; a person then writes the states, and the tests fail until every entry has one.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.seeds.extraction import Entry, entries

ROOT = Path(__file__).resolve().parents[2]
LEDGER = Path(__file__).with_name("ledger.yaml")
SEEDS = ROOT.parent / "shared/seeds"
DOCUMENTS = ("agent-executor-scripts", "execution-gate-proof", "orchestration-runner", "power-windows")
TOPICS = frozenset(
    (
        "the durable executor",
        "the tiers of scripts",
    )
)
"""What comes later, by name."""

Table = dict[str, dict[str, dict[str, str | None]]]
"""Document → kind → text → state."""

_COVERED = re.compile(r"covered: (tests/[\w/]+\.py)::(\w+)")


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One entry of the table, with its state."""

    document: str
    entry: Entry
    state: str | None

    @property
    def problem(self) -> str | None:
        """What is wrong with the state, or None."""
        word, _, rest = (self.state or "").partition(": ")
        match word:
            case "covered":
                return _missing_test(self.state or "")
            case "later":
                return None if rest in TOPICS else f"{rest!r} is no topic; known are {', '.join(sorted(TOPICS))}"
            case "differs":
                return None if len(rest) >= 20 else "the reason is too short to be one"
            case _:
                return "has no state: covered, later or differs"


def read(path: Path = LEDGER) -> list[Standing]:
    """Every entry of the table."""
    table: Table = yaml.safe_load(path.read_text("utf-8"))
    return [
        Standing(document=document, entry=Entry(kind=kind, text=text), state=state)
        for document, kinds in table.items()
        for kind, texts in kinds.items()
        for text, state in texts.items()
    ]


def said(seeds: Path) -> dict[str, set[Entry]]:
    """What each seed says today."""
    return {document: entries((seeds / f"{document}.md").read_text("utf-8")) for document in DOCUMENTS}


def updated(standings: list[Standing], found: dict[str, set[Entry]]) -> Table:
    """The table with exactly what the seeds say; known states are kept."""
    known = {(one.document, one.entry): one.state for one in standings}
    table: Table = {}
    for document, taken in sorted(found.items()):
        for entry in sorted(taken):
            table.setdefault(document, {}).setdefault(entry.kind, {})[entry.text] = known.get((document, entry))
    return table


def _missing_test(state: str) -> str | None:
    match = _COVERED.fullmatch(state)
    if not match:
        return "a covered entry names its test as path::function"
    file = ROOT / match[1]
    if not file.is_file():
        return f"there is no {match[1]}"
    return None if re.search(rf"^(?:async )?def {match[2]}\(", file.read_text("utf-8"), re.MULTILINE) else f"{match[1]} has no {match[2]}"


def main() -> int:
    """Bring the table up to what the seeds say."""
    found = said(Path(sys.argv[1]) if len(sys.argv) > 1 else SEEDS)
    table = updated(read() if LEDGER.exists() else [], found)
    LEDGER.write_text(yaml.safe_dump(table, sort_keys=False, allow_unicode=True, width=10_000), "utf-8")
    left = [one for one in read() if one.problem]
    print(f"{len(read())} entries, {len(left)} without a usable state")  # noqa: T201  # a program that talks to a person
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
