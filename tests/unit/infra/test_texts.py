"""Whatever JSON can't write of a value becomes something that it can, and the rest stays as it is."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from windlass.infra import texts

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec=None), max_size=3), inner, max_size=4),
)


@given(VALUES)
def test_every_value_can_be_written(value: object) -> None:
    assert orjson.loads(orjson.dumps(texts.writable(value))) == texts.writable(value)


@given(VALUES)
def test_what_can_be_written_stays_as_it_is(value: object) -> None:
    try:
        written = orjson.dumps(value)
    except TypeError:
        return
    assert orjson.dumps(texts.writable(value)) == written


def test_what_is_no_text_is_told_as_its_escape() -> None:
    assert texts.writable({"a\udcff": ("\udcff.toml", 2**64, -(2**63))}) == {"a\\udcff": ["\\udcff.toml", "0x10000000000000000", -(2**63)]}
    assert texts.writable(10**5000).startswith("0x")
