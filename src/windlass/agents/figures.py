"""What a statistical procedure answers: tests and estimates as plain values, each with the name of its method."""

from __future__ import annotations

from windlass.agents.agent import Item


class Test(Item):
    """A test of a null hypothesis; `statistic` is null for an exact test.

    p is two-sided for t, z and exact tests, and the upper tail of F and chi-square.
    """

    __test__ = False  # pytest would take a class of this name for a test case

    name: str
    statistic: float | None
    df: list[float]
    p: float


class Estimate(Item):
    """An estimate with its confidence interval (null where the method has none)."""

    name: str
    value: float
    low: float | None
    high: float | None
    method: str
    null: float | None
    """The value that stands for no effect, where there is one."""


class Measures(Item):
    """What was computed of one result; `notes` say what could not be computed and why, and what to be careful about.

    The first test and the first estimate are the ones that are read.
    """

    tests: list[Test]
    estimates: list[Estimate]
    notes: list[str]
