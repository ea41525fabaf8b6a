"""How hard a promise is tested, by one convention for all of them.

WINDLASS_PROMISE_BUDGET: not set, what every run of the suite can pay; `full`, what `docs/promises.md` promises; a number, that many.
WINDLASS_PROMISE_SEED: repeats a run.
"""

from __future__ import annotations

import os


def of(*, small: int, full: int) -> int:
    """How many of whatever the promise counts: kills, bits, strings."""
    asked = os.environ.get("WINDLASS_PROMISE_BUDGET", "")
    if asked in {"", "full"}:
        return full if asked else small
    if not asked.isascii() or not asked.isdigit() or int(asked) == 0:
        raise ValueError(f"WINDLASS_PROMISE_BUDGET is {asked!r}; it must be `full` or a number above 0")
    return int(asked)


def seed(default: int) -> int:
    """The seed of a run, so that it can be repeated."""
    return int(os.environ.get("WINDLASS_PROMISE_SEED", "") or default)


def tell(promise: str, seed: int, figures: str) -> None:
    """Say what a run came to, where `make promises` finds it."""
    print(f"{promise} seed {seed}: {figures}")  # noqa: T201  # see above
