"""`different_agent`: who produced is not who audits, however either writes the name."""

from __future__ import annotations

import re
import unicodedata

_LOOKALIKES = str.maketrans(
    "аеорсухіјѕԁԛԝһӏкмтвнгαβγδεηικνορστυχωℓⅼıɩɑɡ",
    "aeopcyxijsdqwhlkmtbhrabydenikvopotuxwlliiag",
)
"""Letters of other scripts that look like Latin ones, after case folding. Source: the small letters of Unicode's confusables (UTS #39)."""
_BETWEEN = re.compile(r"[\s_.\-‐‑‒–—―−]+")


def known_as(name: str) -> str:
    """The name as two spellings of one agent share it: case, width, accents' encoding, blanks, dashes and look-alike letters do not count.

    It errs on the side of one agent: two that can only be told apart by such differences are taken for the same.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    seen = "".join(character for character in folded if unicodedata.category(character) not in {"Cf", "Cc", "Cs", "Co", "Cn"} or character.isspace())
    seen = "".join(character for character in seen if not _ignorable(character))
    return _BETWEEN.sub(" ", seen.translate(_LOOKALIKES)).strip()


def _ignorable(character: str) -> bool:
    """Characters that show nothing though they are letters or marks: fillers and variation selectors."""
    return character in "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0" or "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"


def refusal(agent: str, producer: str | None, from_gate: str) -> tuple[str, str] | None:
    """Why this agent may not judge what that gate's passing attempt produced, as (code, reason), or None when it may."""
    if producer is None:
        return "VALIDATION_FAILED", f"gate {from_gate} has no attempt that passed, so nobody can be shown to differ from its producer"
    if not known_as(agent):
        return "VALIDATION_FAILED", f"the name {agent[:80]!r} names nobody"
    if known_as(agent) == known_as(producer):
        return "VALIDATION_FAILED", f"{agent[:80]!r} is the agent of gate {from_gate} ({producer[:80]!r}); who produced may not audit"
    return None
