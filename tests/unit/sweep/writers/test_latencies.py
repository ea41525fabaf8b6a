"""Latencies are placed where they belong, and said as people say them."""

import pytest

from windlass.sweep.writers import latencies


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [
        (None, "–"),
        (0.0, "0 ms"),
        (0.44, "0.4 ms"),
        (3.0, "3 ms"),
        (64.4, "64 ms"),
        (999.4, "999 ms"),
        (999.6, "1 s"),
        (1918.2, "1.92 s"),
        (59_960, "1 min 0 s"),
        (125_000, "2 min 5 s"),
    ],
)
def test_times_are_said_in_the_unit_that_fits(milliseconds, said):
    assert latencies.spoken(milliseconds) == said


def test_percentiles_are_measured_values():
    assert latencies.percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
    assert latencies.percentile([1.0, 2.0, 3.0, 4.0], 0.95) == 4.0
    assert latencies.percentile([7.0], 0.5) == 7.0


def test_a_decade_is_a_decade_anywhere_on_the_axis():
    found = latencies.distribution([(10.0, True, "A"), (100.0, True, "B"), (1000.0, False, "C")])
    assert found is not None
    assert [dot.x for dot in found.dots] == ["2.00%", "50.00%", "98.00%"]
    assert [label for _, label in found.ticks] == ["10 ms", "20 ms", "50 ms", "100 ms", "200 ms", "500 ms", "1 s"]
    assert [dot.passed for dot in found.dots] == [True, True, False]


def test_equal_latencies_do_not_hide_each_other():
    found = latencies.distribution([(50.0, True, name) for name in "ABCDE"])
    assert found is not None
    assert [dot.level for dot in found.dots] == [0, 1, -1, 2, -2]


def test_the_twelve_slowest_come_first():
    found = latencies.distribution([(float(n + 1), True, f"T{n}") for n in range(30)])
    assert found is not None
    assert [task for task, *_ in found.slowest] == [f"T{n}" for n in range(29, 17, -1)]
    assert found.slowest[0][1:3] == ("100.00%", "30 ms")


def test_nothing_answered_is_no_distribution():
    assert latencies.distribution([]) is None


def test_a_latency_of_zero_has_a_place():
    found = latencies.distribution([(0.0, True, "A")])
    assert found is not None
    assert found.dots[0].x == "2.00%"
