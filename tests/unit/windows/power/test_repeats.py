"""What may come any number of times: so many are written one by one, the rest are counted, and nothing that was asked is missing in the sum."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from windlass.windows.power.repeats import (
    ALL_AT_ONCE,
    ALL_EVERY_S,
    MOST_KINDS,
    OTHERS,
    OWN_AT_ONCE,
    OWN_EVERY_S,
    SHOWN,
    Count,
    Kind,
    Rooms,
    Source,
)

NOON = datetime(2026, 1, 19, 12, tzinfo=UTC)
DAY_S = 86_400


def kind(actor: str = "http 10.0.0.1", action: str = "open_refused") -> Kind:
    return Kind(action=action, code="AUTH_REQUIRED", actor=actor)


def count() -> Count:
    return Count(audit_id="aud_1", first_at=NOON, last_at=NOON, kinds={})


def test_the_first_of_a_kind_are_written_and_then_one_in_a_while() -> None:
    rooms = Rooms()
    assert [rooms.take(kind(), "stranger", 100.0) for _ in range(OWN_AT_ONCE + 1)] == [True] * OWN_AT_ONCE + [False]
    assert not rooms.take(kind(), "stranger", 100.0 + OWN_EVERY_S - 1)
    assert rooms.take(kind(), "stranger", 100.0 + OWN_EVERY_S)
    assert not rooms.take(kind(), "stranger", 100.0 + OWN_EVERY_S)


def test_one_callers_flood_takes_no_room_from_another_kind_or_caller() -> None:
    rooms = Rooms()
    for _ in range(10_000):
        rooms.take(kind(), "stranger", 0.0)
    assert rooms.take(kind("http 10.0.0.2"), "stranger", 0.0)
    assert rooms.take(kind(action="close_refused"), "stranger", 0.0)


def test_a_flood_of_strangers_from_any_number_of_addresses_takes_no_room_from_who_has_a_token_or_from_the_loop() -> None:
    rooms = Rooms()
    assert sum(rooms.take(kind(f"http {number}"), "stranger", 0.0) for number in range(5000)) == ALL_AT_ONCE
    assert rooms.take(kind("cli ada 7"), "caller", 0.0)
    assert rooms.take(kind("windlass", "loop_trouble"), "loop", 0.0)


def test_who_was_quiet_has_all_the_room_again_and_never_more() -> None:
    rooms = Rooms()
    for now_s in (0.0, 10.0 * OWN_AT_ONCE * OWN_EVERY_S):
        assert sum(rooms.take(kind(), "stranger", now_s) for _ in range(100)) == OWN_AT_ONCE


def test_a_clock_that_begins_anew_neither_gives_room_nor_takes_it_away_for_ever() -> None:
    rooms = Rooms()
    assert sum(rooms.take(kind(), "stranger", 1_000_000.0) for _ in range(100)) == OWN_AT_ONCE
    assert not rooms.take(kind(), "stranger", 5.0)
    assert rooms.take(kind(), "stranger", 5.0 + OWN_EVERY_S)


@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["stranger", "caller"]), st.floats(0, 600)), max_size=800),
)
def test_no_order_of_callers_gets_more_written_than_its_bounds(asked: list[tuple[int, Source, float]]) -> None:
    rooms, now_s = Rooms(), 0.0
    written: Counter[tuple[int, Source]] = Counter()
    for caller, source, pause_s in asked:
        now_s += pause_s / 100
        written[caller, source] += rooms.take(kind(f"{source} {caller}"), source, now_s)
    assert max(written.values(), default=0) <= OWN_AT_ONCE + now_s / OWN_EVERY_S
    for source in ("stranger", "caller"):
        assert sum(times for (_, by), times in written.items() if by == source) <= ALL_AT_ONCE + now_s / ALL_EVERY_S


def test_a_day_of_attack_from_new_addresses_each_time_is_a_few_thousand_entries() -> None:
    rooms = Rooms()
    written = sum(rooms.take(kind(f"http {second}", f"{second % 9}_refused"), "stranger", float(second)) for second in range(DAY_S))
    assert written <= ALL_AT_ONCE + DAY_S / ALL_EVERY_S + 1
    assert written > DAY_S / ALL_EVERY_S  # and no silence either


def test_a_count_names_the_most_frequent_and_adds_up() -> None:
    made = count()
    for number in range(SHOWN + 10):
        for _ in range(number + 1):
            made.add(kind(f"http {number}"), NOON + timedelta(seconds=number))
    fields = made.fields()
    total = sum(range(SHOWN + 11))
    assert fields["times"] == total
    assert fields["of"][0] == {"action": "open_refused", "code": "AUTH_REQUIRED", "actor": f"http {SHOWN + 9}", "times": SHOWN + 10}
    assert (len(fields["of"]), sum(one["times"] for one in fields["of"]) + fields["others"]) == (SHOWN, total)
    assert (fields["first_at"], fields["last_at"]) == ("2026-01-19T12:00:00.000Z", "2026-01-19T12:00:59.000Z")


def test_a_count_holds_a_bounded_number_of_callers_and_still_counts_every_one() -> None:
    made = count()
    for number in range(3 * MOST_KINDS):
        made.add(kind(f"http {number}", f"{number % 9}_refused"), NOON)
    assert len(made.kinds) <= MOST_KINDS + 9
    assert made.fields()["times"] == 3 * MOST_KINDS
    assert {named["actor"] for named in made.fields()["of"][:9]} == {OTHERS}
