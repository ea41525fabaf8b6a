"""Years and study types: which papers a review admits."""

from typing import Any

import pytest
from pydantic import ValidationError

from windlass.agents import eligibility
from windlass.agents.papers import Paper


def kind(**fields: Any) -> eligibility.StudyType:
    return eligibility.study_type(Paper.model_validate({"title": "Sleep", **fields}))


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Valoxin and sleep: a randomised controlled trial", "randomized controlled trial"),
        ("Valoxin and sleep: an RCT", "randomized controlled trial"),
        ("A cluster-randomized trial of walking", "randomized controlled trial"),
        ("A non-randomised controlled trial of walking", "non-randomized trial"),
        ("Protocol for a randomized trial of walking", "study protocol"),
        ("Walking: systematic review of randomised controlled trials", "systematic review"),
        ("Walking: systematic review and meta-analysis", "meta-analysis"),
        ("A prospective cohort study of walkers", "cohort study"),
        ("Case–control study of walkers", "case-control study"),
        ("A cross-sectional survey", "cross-sectional study"),
        ("Walking in mice", "animal study"),
        ("A case series of walkers", "case report"),
    ],
)
def test_a_title_says_the_type(title, expected):
    found = kind(title=title)
    assert (found.names[0], found.source) == (expected, "title")


def test_record_goes_before_title_and_title_before_abstract():
    told = {"title": "A cohort study", "abstract": "We randomly assigned people."}
    assert kind(**told, study_type="RCT").names == ("randomized controlled trial",)
    assert kind(**told).names == ("cohort study",)
    assert kind(abstract="We randomly assigned 20 people.") == eligibility.StudyType(names=("randomized controlled trial",), source="abstract")


def test_what_nobody_says_is_unknown():
    assert kind(abstract="Guidelines were reviewed in an editorial.") == eligibility.StudyType(names=(), source="unknown")


def test_a_trial_is_a_clinical_trial_and_a_cohort_is_observational():
    assert eligibility.named_types("clinical trial") <= kind(study_type="RCT").wider
    assert eligibility.named_types("observational study") <= kind(study_type="cohort study").wider
    assert not eligibility.named_types("RCT") & kind(study_type="clinical trial").wider


def test_a_type_of_the_users_own_means_itself():
    assert eligibility.named_types("Delphi Panels") & kind(study_type="delphi panel").wider


def test_years_are_read_as_object_or_pair_with_open_ends():
    assert eligibility.YearRange.model_validate([2015, 2020]).holds(2020)
    only_from = eligibility.YearRange.model_validate({"from": 2015})
    assert (only_from.holds(2015), only_from.holds(2014), only_from.holds(2999)) == (True, False, True)


@pytest.mark.parametrize("years", [{}, [2020, 2015], [2015], {"from": "2015"}, {"from": 2015, "until": 2020}, [2015.5, 2020]])
def test_a_range_that_is_none_is_refused(years):
    with pytest.raises(ValidationError):
        eligibility.YearRange.model_validate(years)
