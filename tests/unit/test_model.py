"""A body that does not fit is explained field by field, and an unknown key is answered with the nearest one of its own place."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from windlass import model


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")
    include_keywords: list[str] = Field(default_factory=list)


class Whole(BaseModel):
    model_config = ConfigDict(extra="forbid")
    criteria: Part
    others: list[Annotated[Part, Field()]] | None = None
    named: dict[str, Part] = Field(default_factory=dict)


def errors(body: Any) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as failed:
        Whole.model_validate(body)
    return model.field_errors(failed.value, Whole)


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ({}, "criteria", "is required"),
        ({"criteria": {}, "critria": 1}, "critria", "did you mean 'criteria'?"),
        ({"criteria": {"include_keyword": []}}, "criteria.include_keyword", "did you mean 'include_keywords'?"),
        ({"criteria": {}, "others": [{}, {"include_kewords": []}]}, "others.1.include_kewords", "did you mean 'include_keywords'?"),
        ({"criteria": {"zzz": 1}}, "criteria.zzz", "is not a known key"),
        ([], "body", "valid dictionary"),
    ],
)
def test_each_problem_names_its_field(body: Any, field: str, said: str) -> None:
    found = errors(body)
    assert any(said in message for message in found[field]), found


def test_a_summary_is_one_line_that_names_every_field() -> None:
    assert model.summary({"a": ["is required"], "b": ["is odd", "is long"]}) == "a: is required; b: is odd; b: is long"
    assert model.clip("abcdef", 4) == "abc…"
    assert model.clip("abcd", 4) == "abcd"
