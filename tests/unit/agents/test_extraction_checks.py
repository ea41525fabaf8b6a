"""A row is held against its paper: whatever it says that the paper does not, is named."""

from typing import Any

import pytest

from windlass.agents import extraction, extraction_checks
from windlass.agents.extraction_rows import Cited, Row
from windlass.agents.papers import Paper

PAPER = Paper(title="On sleep: a cohort study", abstract="We followed 1,204 adults. The HR for falls was 0.75 (95% CI 0.62–0.91); p < 0.001.")
ROW = extraction.read(PAPER, 0, "roe2020", lambda: None).model_dump()
CITED: dict[str, Any] = {"key": "roe2020", "id": "a", "title": "x", "year": None, "journal": None, "authors": [], "doi": None, "synthetic": False}


def changed(part: str, **fields: Any) -> Row:
    return Row.model_validate({**ROW, part: [{**ROW[part][0], **fields}]})


def test_an_honest_row_passes():
    assert extraction_checks.unsupported(Row.model_validate(ROW), PAPER) is None


@pytest.mark.parametrize(
    ("row", "named"),
    [
        (changed("effects", estimate=0.7), "does not give the numbers"),
        (changed("effects", numbers=["0.7", "0.62", "0.91"], estimate=0.7), "does not give the numbers"),
        (changed("effects", low=0.61), "does not give the numbers"),
        (changed("effects", level=99.0), "does not give the interval"),
        (changed("effects", low=None), "does not give the interval"),
        (changed("effects", quote="HR for falls was 0.70 (95% CI 0.62–0.91"), "does not stand"),
        (changed("effects", start=0), "does not stand"),
        (changed("effects", start=-3), "does not stand"),
        (changed("p_values", value=0.01), "does not give p"),
        (changed("p_values", relation="="), "does not give p"),
        (changed("sample_sizes", value=1205), "does not give the number"),
        (Row.model_validate({**ROW, "n": 99}), "none of the sample sizes"),
        (Row.model_validate({**ROW, "design": {**ROW["design"], "place": {**ROW["design"]["place"], "quote": "trial"}}}), "does not stand"),
    ],
)
def test_what_the_paper_does_not_bear_out_is_named(row, named):
    assert named in (extraction_checks.unsupported(row, PAPER) or "")


def test_rows_and_citations_go_together_one_by_one():
    row, cited = Row.model_validate(ROW), Cited.model_validate(CITED)
    other = Row.model_validate({**ROW, "position": 1})
    assert extraction_checks.not_aligned([row], [cited]) is None
    assert extraction_checks.not_aligned([row], []) == "1 rows stand beside 0 citations"
    assert "cites 'roe2020'" in (extraction_checks.not_aligned([row], [Cited.model_validate({**CITED, "key": "x"})]) or "")
    assert extraction_checks.not_aligned([other], [cited]) == "row 0 says that it is row 1"
    assert extraction_checks.not_aligned([row, other], [cited, cited]) == "a citation key is used twice"
