"""How often each task type passes over many sweeps, with 95 % Wilson intervals. Pure.

Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927) 209–212.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Z = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""


@dataclass(frozen=True, kw_only=True)
class Rate:
    """The pass rate of one task type: passes of sweeps, with the interval that holds the true rate in 95 of 100 cases."""

    task_type: str
    passes: int
    sweeps: int
    low: float
    high: float
    failures: Mapping[str, int]

    @property
    def flaky(self) -> bool:
        """It passed at least once and failed at least once."""
        return 0 < self.passes < self.sweeps


def wilson(passes: int, sweeps: int) -> tuple[float, float]:
    """The Wilson score interval; raises ValueError without a sweep."""
    if sweeps < 1 or not 0 <= passes <= sweeps:
        raise ValueError("a rate needs at least one sweep, and no more passes than sweeps")
    share, square = passes / sweeps, Z * Z
    middle = share + square / (2 * sweeps)
    spread = Z * math.sqrt(share * (1 - share) / sweeps + square / (4 * sweeps * sweeps))
    scale = 1 + square / sweeps
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def rates(sweeps: Iterable[Mapping[str, Any]]) -> list[Rate]:
    """The rate of every task type that a sweep expected, least reliable first; a cell without a row counts as not passed."""
    passes: dict[str, int] = defaultdict(int)
    seen: dict[str, int] = defaultdict(int)
    failures: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for sweep in sweeps:
        rows = {row["task_type"]: row for row in sweep["rows"]}
        for task_type in sweep["fleet"]["expected"]:
            row = rows.get(task_type)
            seen[task_type] += 1
            if row and row["pass_fail"] == "PASS":
                passes[task_type] += 1
            else:
                failures[task_type][(row and row["failure_class"]) or "NOT_RUN"] += 1
    found = []
    for task_type, total in seen.items():
        low, high = wilson(passes[task_type], total)
        found.append(Rate(task_type=task_type, passes=passes[task_type], sweeps=total, low=low, high=high, failures=dict(failures[task_type])))
    return sorted(found, key=lambda rate: (rate.passes / rate.sweeps, rate.task_type))
