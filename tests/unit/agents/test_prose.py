from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents import prose


@pytest.mark.parametrize(
    ("passage", "sentences"),
    [
        ("Methods\nAdults were eligible. Rain fell.", ["Adults were eligible.", "Rain fell."]),
        ("# A title without a stop\n\n**Results**\nIt rained.", ["It rained."]),
        ("2 Materials and methods:\r\nIt rained.", ["It rained."]),
        ("We recruited adults from\nNorway and Sweden.", ["We recruited adults from\nNorway and Sweden."]),
        ("Design was hard.", ["Design was hard."]),
        ("It rained.\n\nResults", ["It rained."]),
        ("", []),
    ],
)
def test_headings_are_no_part_of_the_sentence_that_follows(passage, sentences):
    assert [span.text for span in prose.sentences(passage)] == sentences


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["Methods", "# T", "\n", "\n\n", " ", "It rained.", "é", "Results:\n"]), max_size=20))
def test_spans_are_verbatim(pieces):
    passage = "".join(pieces)
    for span in prose.sentences(passage):
        assert passage[span.start : span.end] == span.text != ""
