"""Exact two-sided tests on counts: Fisher's for a 2×2 table and the binomial for a share.

Both sum the probabilities of all outcomes that are no more probable than the one seen. Probabilities come from the ratio of neighbours,
starting at the most probable outcome, so that no factorial is needed and large counts lose nothing. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Callable

TIE = 1 + 1e-7
"""Outcomes whose probability is within this factor of the seen one count as equally probable, as in R."""


def fisher(a: int, b: int, c: int, d: int) -> float:
    """The two-sided p-value of Fisher's exact test of the table [[a, b], [c, d]]."""
    row, column, total = a + b, a + c, a + b + c + d
    low, high = max(0, row + column - total), min(row, column)

    def ratio(k: int) -> float:
        """P(k + 1) / P(k)."""
        return (row - k) * (column - k) / ((k + 1) * (total - row - column + k + 1))

    mode = (row + 1) * (column + 1) // (total + 2)
    return _two_sided(a, min(max(mode, low), high), low, high, ratio)


def binomial(successes: int, trials: int, share: float) -> float:
    """The two-sided p-value of the exact binomial test against `share`, which lies strictly between 0 and 1."""

    def ratio(k: int) -> float:
        """P(k + 1) / P(k)."""
        return (trials - k) / (k + 1) * share / (1 - share)

    return _two_sided(successes, min(int((trials + 1) * share), trials), 0, trials, ratio)


def _two_sided(seen: int, mode: int, low: int, high: int, ratio: Callable[[int], float]) -> float:
    """The sum over outcomes no more probable than `seen`, over the sum of all; terms that vanish beside the greatest are left out."""
    weights = {mode: 1.0}
    weight = 1.0
    for k in range(mode, high):
        weight *= ratio(k)
        if weight == 0.0:
            break
        weights[k + 1] = weight
    weight = 1.0
    for k in range(mode - 1, low - 1, -1):
        weight /= ratio(k)
        if weight == 0.0:
            break
        weights[k] = weight
    limit = weights.get(seen, 0.0) * TIE
    return min(1.0, math.fsum(one for one in weights.values() if one <= limit) / math.fsum(weights.values()))
