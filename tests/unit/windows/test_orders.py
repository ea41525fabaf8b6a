from pathlib import Path

import pytest

from tests.unit.windows.test_rules import service
from windlass.windows import orders
from windlass.windows.orders import Deadline, Order


def order(state_dir: Path = Path("/state")) -> Order:
    return Order(
        window_id="win_1",
        service=service(env={"A": "ü"}, argv=("a", "b c")),
        state_dir=state_dir,
        deadline=Deadline(uptime=10.5, text="ten"),
        latest=Deadline(uptime=100.0, text="hundred"),
        lock_fd=7,
    )


def test_an_order_is_read_as_it_was_written():
    assert orders.parse(order().to_bytes()) == order()


def test_a_part_of_an_order_is_no_order():
    content = order().to_bytes()
    for end in range(0, len(content), 7):
        with pytest.raises((ValueError, KeyError, TypeError)):
            orders.parse(content[:end])


def test_a_change_is_read_as_it_was_written(tmp_path):
    orders.write_change(tmp_path, "web", "win_1", Deadline(uptime=5.0, text="five"))
    assert orders.read_change(order(tmp_path)) == Deadline(uptime=5.0, text="five")


def test_no_change_moves_the_deadline_beyond_the_latest(tmp_path):
    for moment in (101.0, 1e300, float("inf")):
        orders.write_change(tmp_path, "web", "win_1", Deadline(uptime=moment, text="later"))
        assert orders.read_change(order(tmp_path)) == Deadline(uptime=100.0, text="hundred")


def test_a_change_for_another_window_or_of_no_sense_is_no_change(tmp_path):
    assert orders.read_change(order(tmp_path)) is None
    orders.write_change(tmp_path, "web", "win_0", Deadline(uptime=5.0, text="five"))
    assert orders.read_change(order(tmp_path)) is None
    orders.write_change(tmp_path, "web", "win_1", Deadline(uptime=float("nan"), text="never"))
    assert orders.read_change(order(tmp_path)) is None
    for content in ("", "[]", "null", "{", '{"deadline": {}}', '{"deadline": {"uptime": null, "text": ""}}'):
        (tmp_path / "web.change.json").write_text(content)
        assert orders.read_change(order(tmp_path)) is None
