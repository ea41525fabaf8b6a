"""Numbers as papers print them are read where one reading exists, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.agents import written_numbers


@given(st.text(max_size=200))
def test_the_flat_text_is_as_long_as_the_text(text):
    assert len(written_numbers.flat(text)) == len(text)


def test_dashes_spaces_and_middle_dots_become_one_of_a_kind():
    assert written_numbers.flat("−0·75\u202f–\u00a01·2") == "-0.75 - 1.2"


@pytest.mark.parametrize(("written", "value"), [("0.75", 0.75), (".03", 0.03), ("-3.2", -3.2), ("12", 12.0)])
def test_a_plain_number_is_read(written, value):
    assert written_numbers.decimal(written) == value


@pytest.mark.parametrize("written", ["0,75", "1,204", "1.204.500", "0.\x7f75", "1'204", "", ".", "1.2.3"])
def test_a_number_of_two_readings_is_not_read_as_a_decimal(written):
    assert written_numbers.decimal(written) is None


@pytest.mark.parametrize("original", ["1204", "1,204", "1\u202f204", "1\u00a0204", "1\u2009204"])
def test_a_count_is_read_with_its_thousands_grouped(original):
    assert written_numbers.count(written_numbers.flat(original), original) == 1204


@pytest.mark.parametrize("original", ["1 204", "1\n204", "1.204", "12,04", "1,2,3", "1,204 500", "1'204"])
def test_a_count_of_two_readings_is_refused(original):
    assert written_numbers.count(written_numbers.flat(original), original) is None
    assert written_numbers.refusal(written_numbers.flat(original))
