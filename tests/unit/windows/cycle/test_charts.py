"""The charts of a cycle: nothing measured is lost, nothing that was not measured is drawn."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from windlass.windows.cycle import charts
from windlass.windows.cycle.charts import HEIGHT, WIDTH

POINTS = st.lists(st.tuples(st.floats(0, 3600), st.none() | st.floats(0, 1e9)), max_size=600).map(
    lambda points: sorted(points, key=lambda point: point[0])
)


def corners(chart: charts.Chart) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for line in chart.lines for x, _, y in (corner.partition(",") for corner in line.split())]


def test_a_series_goes_from_left_to_right_and_higher_is_up():
    drawn = charts.chart("CPU", "%", [(0.0, 0.0), (5.0, 50.0), (10.0, 100.0)], 10.0, top=100.0, limit=75.0)
    assert corners(drawn) == [(0.0, HEIGHT), (WIDTH / 2, HEIGHT / 2), (WIDTH, 0.0)]
    assert (drawn.last, drawn.peak, drawn.limit_y) == (100.0, 100.0, HEIGHT / 4)


def test_a_gap_is_not_bridged_and_a_lone_measurement_is_a_dot():
    drawn = charts.chart("CPU", "%", [(0.0, 1.0), (1.0, 1.0), (2.0, None), (3.0, 1.0)], 3.0)
    assert [len(line.split()) for line in drawn.lines] == [2, 2]
    assert len(set(drawn.lines[1].split())) == 1


def test_what_was_never_measured_is_no_line():
    drawn = charts.chart("CPU", "%", [(0.0, None), (1.0, None)], 1.0)
    assert (drawn.lines, drawn.last, drawn.peak) == ((), None, None)


@pytest.mark.parametrize(("value", "top"), [(0.0, 10.0), (9.0, 10.0), (11.0, 20.0), (48.1, 50.0), (86.0, 100.0), (100.0, 100.0), (101.0, 200.0)])
def test_the_upper_edge_is_a_round_number_above_the_peak_and_never_below_what_is_asked(value: float, top: float):
    assert charts.chart("CPU", "%", [(0.0, value)], 1.0, top=10.0).top == top


@given(points=POINTS)
def test_a_long_series_is_thinned_and_keeps_its_peak(points: list[charts.Point]):
    kept = charts.thinned(points)
    assert len(kept) <= charts.MOST_POINTS
    assert set(kept) <= set(points)
    assert max((value for _, value in kept if value is not None), default=None) == max(
        (value for _, value in points if value is not None), default=None
    )


@given(points=POINTS, span=st.floats(0, 3600))
@example(points=[(0.0, 5e-324)], span=0.0)
def test_every_corner_lies_in_the_chart(points: list[charts.Point], span: float):
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in corners(charts.chart("CPU", "%", points, span)))


def test_a_stretch_is_from_the_first_moment_to_the_last():
    assert charts.stretch([5.0, 7.5, 10.0], 10.0) == (WIDTH / 2, WIDTH / 2)
    assert charts.stretch([], 10.0) is None
