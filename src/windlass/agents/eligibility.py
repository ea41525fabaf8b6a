"""What a review admits by year and by study type: rules that need only a paper's record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from windlass.agents import search
from windlass.agents.agent import Item
from windlass.agents.papers import Paper, Year


class YearRange(Item):
    """The years from and to which papers count, both included; either end may be open. A pair `[2015, 2024]` is read as well."""

    first: Year | None = Field(default=None, alias="from")
    last: Year | None = Field(default=None, alias="to")

    @model_validator(mode="before")
    @classmethod
    def _pair(cls, given: Any) -> Any:
        if isinstance(given, list):
            if len(given) != 2:
                raise ValueError("takes two years, or an object with `from` and `to`")
            return {"from": given[0], "to": given[1]}
        return given

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first is None and self.last is None:
            raise ValueError("names no year: give `from`, `to` or both")
        if self.first is not None and self.last is not None and self.first > self.last:
            raise ValueError(f"ends in {self.last}, before it begins in {self.first}")
        return self

    def holds(self, year: int) -> bool:
        """Whether the year lies in the range."""
        return (self.first is None or year >= self.first) and (self.last is None or year <= self.last)


StudyTypes = Annotated[list[Annotated[str, Field(min_length=1, max_length=200, pattern=r"\w")]], Field(max_length=50)]


@dataclass(frozen=True, kw_only=True)
class StudyType:
    """What kind of study a paper reports. Lives as long as the run."""

    names: tuple[str, ...]
    """The types, most telling first; empty where nothing says."""
    source: Literal["record", "title", "abstract", "unknown"]

    @property
    def wider(self) -> frozenset[str]:
        """The types and those that they are a kind of: a randomized controlled trial is a clinical trial."""
        return frozenset(self.names) | {wide for name in self.names for wide in _WIDER.get(name, ())}


_WIDER = {
    "randomized controlled trial": ("clinical trial",),
    "cohort study": ("observational study",),
    "case-control study": ("observational study",),
    "cross-sectional study": ("observational study",),
}
_PHRASES: tuple[tuple[str, tuple[str, ...]], ...] = (
    # the first type with a phrase in the text wins: a protocol or a review speaks of trials without being one
    ("study protocol", ("study protocol", "trial protocol", "protocol for a", "protocol of a", "protocol")),
    ("meta-analysis", ("meta-analysis", "meta-analyses", "metaanalysis", "meta-analytic")),
    ("systematic review", ("systematic review", "systematic literature review")),
    ("scoping review", ("scoping review",)),
    ("non-randomized trial", ("non-randomized", "nonrandomized", "non-randomised", "nonrandomised", "quasi-experimental")),
    ("randomized controlled trial", ("rct", "randomized controlled", "randomised controlled", "randomized trial", "randomised trial")),
    ("randomized controlled trial", ("randomized clinical trial", "randomised clinical trial", "cluster-randomized", "cluster-randomised")),
    ("randomized controlled trial", ("randomly assigned", "randomly allocated", "randomized to", "randomised to", "placebo-controlled trial")),
    ("case-control study", ("case-control",)),
    ("cross-sectional study", ("cross-sectional",)),
    ("cohort study", ("cohort", "longitudinal study", "prospective study", "retrospective study", "follow-up study")),
    ("case report", ("case report", "case series")),
    ("qualitative study", ("qualitative", "focus groups", "semi-structured interviews")),
    ("animal study", ("in mice", "in rats", "mouse model", "rat model", "animal study", "animal model")),
    ("in vitro study", ("in vitro",)),
    ("clinical trial", ("clinical trial", "controlled trial", "single-arm trial", "open-label trial")),
    ("observational study", ("observational", "registry study")),
    ("guideline", ("guideline", "guidelines", "consensus statement")),
    ("editorial", ("editorial", "commentary", "letter to the editor")),
    ("narrative review", ("narrative review", "literature review", "review")),
)
_ONLY_IN_ABSTRACT_IF_PLAIN = frozenset({"editorial", "guideline", "narrative review", "study protocol"})
"""Types whose words an abstract uses in passing; a record or a title has to say them."""
_NORMAL = tuple((kind, tuple(search.normal(phrase) for phrase in phrases)) for kind, phrases in _PHRASES)


def named_types(name: str) -> frozenset[str]:
    """The types that a user's word for a study type means; an unknown word means itself."""
    return frozenset(_types_in(name)) or frozenset({search.normal(name).strip()})


def study_type(paper: Paper) -> StudyType:
    """The paper's type: as its record says, else as its title says, else as its abstract says."""
    if paper.study_type and paper.study_type.strip():
        return StudyType(names=_types_in(paper.study_type) or (search.normal(paper.study_type).strip(),), source="record")
    if found := _types_in(paper.title):
        return StudyType(names=found, source="title")
    found = tuple(name for name in _types_in(paper.abstract or "", skip=_ONLY_IN_ABSTRACT_IF_PLAIN))
    return StudyType(names=found, source="abstract" if found else "unknown")


def _types_in(passage: str, skip: frozenset[str] = frozenset()) -> tuple[str, ...]:
    line = search.normal(passage)
    kinds = [kind for kind, phrases in _NORMAL if kind not in skip and any(phrase in line for phrase in phrases)]
    both = [kind for kind in ("meta-analysis", "systematic review") if kind in kinds]
    return tuple(both) if both and kinds[0] in both else tuple(kinds[:1])
